"""The stage `prepare`: from scenes and lines to patches, with a summary of both."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glsweep.config.split import SPLITS
from glsweep.files import write_json
from glsweep.patches.ground import (
    Polygons,
    assert_no_shared_ground,
    negligible_area_m2,
    shared_pairs,
    window_outlines,
)
from glsweep.patches.index import counts_by_split, draw_index
from glsweep.patches.split import GroundSplit
from glsweep.patches.store import is_stored, write_stores
from glsweep.patches.survey import survey
from glsweep.scenes.scene_entry import SceneEntry
from glsweep.study import Study


def prepare_patches(study: Study, patch_sizes_px: Sequence[int]) -> dict[str, Any]:
    """Split the ground, draw the patches, write those that are missing, and `study.data_json`.

    Parameters
    ----------
    study : Study
        Its card names the scenes, its space the patch settings.
    patch_sizes_px : sequence of int
        All patch sizes of the study; the ground's split is the same for all.

    Returns
    -------
    dict
        `catalogue` (see `Catalogue.findings`), `left_out` (scene to reason), `split` (rule and
        reason, scenes and line_km by split), `patches` (size to split to counts with_line and
        without_line), `too_small` (size to scenes), and either `shared_ground` (pairs_checked) or
        `leak` (size to split to the share of patches that share ground with a training patch).

    Raises
    ------
    DataError
        When the scenes cannot be used, split, or cut to patches of these sizes.
    """
    config = study.config
    sizes_px = sorted(set(patch_sizes_px))
    surveyed = survey(study, sizes_px)
    catalogue, entries, ground = surveyed.catalogue, surveyed.entries, surveyed.ground
    indices = draw_index(ground, config.card, config.space.patches, sizes_px, seed=config.seed)
    summary = {
        "catalogue": catalogue.findings(),
        "left_out": surveyed.left_out,
        "split": {"asked_rule": config.card.split.rule, **ground.findings()},
        "patches": {str(size_px): counts_by_split(index) for size_px, index in indices.items()},
        "too_small": {str(s): [e.name for e in entries if min(e.shape) < s] for s in sizes_px},
        **_ground_findings(entries, ground, indices, catalogue.posting_m),
    }
    missing = {size_px: index for size_px, index in indices.items() if not is_stored(study, size_px)}
    write_stores(study, entries, missing, catalogue.posting_m)
    write_json(study.data_json, summary)
    return summary


def _ground_findings(
    entries: Sequence[SceneEntry],
    ground: GroundSplit,
    indices: Mapping[int, pd.DataFrame],
    posting_m: float,
) -> dict[str, Any]:
    """Prove that no ground is shared, over all sizes at once; for rule `patch` measure how much is."""
    outlined = {size: _outlined(entries, ground, index, size) for size, index in indices.items()}
    if ground.rule == "patch":
        return {"leak": {str(size): _leak(index, posting_m) for size, index in outlined.items()}}
    every = pd.concat(outlined.values(), ignore_index=True)
    parts = {name: every[every["split"] == name] for name in SPLITS}
    pairs = assert_no_shared_ground(
        {name: _polygons(part) for name, part in parts.items()},
        {name: list(part["label"]) for name, part in parts.items()},
        posting_m=posting_m,
    )
    return {"shared_ground": {"pairs_checked": pairs}}


def _outlined(
    entries: Sequence[SceneEntry], ground: GroundSplit, index: pd.DataFrame, size_px: int
) -> pd.DataFrame:
    """Return split, outline and label of each patch."""
    parts = []
    for entry in entries:
        rows = index[index["scene"] == entry.name]
        outlines = window_outlines(entry, rows["row"], rows["col"], size_px, ground.crs)
        labels = [f"{entry.name} row {r} col {c}" for r, c in zip(rows["row"], rows["col"], strict=True)]
        parts.append(pd.DataFrame({"split": rows["split"].to_numpy(), "outline": outlines, "label": labels}))
    return pd.concat(parts, ignore_index=True)


def _leak(outlined: pd.DataFrame, posting_m: float) -> dict[str, float]:
    by_split = {name: _polygons(outlined[outlined["split"] == name]) for name in SPLITS}
    shares = {}
    for name in ("val", "test"):
        pairs = shared_pairs(by_split[name], by_split["train"], negligible_area_m2(posting_m))
        shares[name] = round(len(np.unique(pairs[:, 0])) / max(1, len(by_split[name])), 4)
    return shares


def _polygons(outlined: pd.DataFrame) -> Polygons:
    return np.asarray(outlined["outline"].to_numpy(dtype=object))
