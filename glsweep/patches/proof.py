"""Proof, on the map, of what patches of different splits have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glsweep.config.split import SPLITS
from glsweep.patches.ground import (
    Polygons,
    assert_no_shared_ground,
    negligible_area_m2,
    shared_pairs,
    window_outlines,
)
from glsweep.patches.split import GroundSplit
from glsweep.scenes.scene_entry import SceneEntry


def prove_ground(
    entries: Sequence[SceneEntry],
    ground: GroundSplit,
    indices: Mapping[int, pd.DataFrame],
    posting_m: float,
) -> dict[str, Any]:
    """Prove that no ground is shared, over all sizes at once; for rule `patch` measure how much is.

    Returns
    -------
    dict
        `shared_ground` with `pairs_checked`, or `leak`: by size and split the share of patches that
        share ground with a training patch.

    Raises
    ------
    DataError
        When patches of different splits share ground though the rule says that none do.
    """
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
