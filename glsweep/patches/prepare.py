"""The stage `prepare`: from scenes and lines to patches, with a summary of both."""

from collections.abc import Sequence
from typing import Any

from glsweep.files import write_json
from glsweep.patches.index import counts_by_split, draw_index
from glsweep.patches.overlap import largest_overlap
from glsweep.patches.proof import prove_ground
from glsweep.patches.store import check_trained_on, remove_others, sizes_lacking, write_stores
from glsweep.patches.survey import check_data, survey
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
        without_line), `too_small` (size to scenes), `overlap` (size to split to the
        largest share of pixels common to two patches), and either `shared_ground` (pairs_checked) or
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
    check_trained_on(study, indices)
    summary = {
        "catalogue": catalogue.findings(),
        "left_out": surveyed.left_out,
        "split": {"asked_rule": config.card.split.rule, **ground.findings()},
        "patches": {str(size_px): counts_by_split(index) for size_px, index in indices.items()},
        "too_small": {str(s): [e.name for e in entries if min(e.shape) < s] for s in sizes_px},
        "overlap": {str(size_px): largest_overlap(index, size_px) for size_px, index in indices.items()},
        **prove_ground(entries, ground, indices, catalogue.posting_m),
    }
    missing = {size_px: indices[size_px] for size_px in sizes_lacking(study, sizes_px)}
    write_stores(study, entries, missing, catalogue.posting_m)
    remove_others(study, sizes_px)
    write_json(study.data_json, summary)
    return summary


def check_extended_data(study: Study, patch_sizes_px: Sequence[int]) -> None:
    """Make sure, before a study is extended, that what it was trained on stays as it is.

    Parameters
    ----------
    study : Study
        The study as it is to be; nothing is written.
    patch_sizes_px : sequence of int
        All patch sizes that it is to have.

    Raises
    ------
    DataError
        When the scenes cannot be used or split.
    StudyError
        When other patches would be drawn.
    """
    config, sizes_px = study.config, sorted(set(patch_sizes_px))
    if not all(study.scene_root(part).is_dir() for part in config.card.data_sets):
        check_data(study, sizes_px)  # some are yet to be simulated, and are looked at when they are there
        return
    ground = survey(study, sizes_px).ground
    indices = draw_index(ground, config.card, config.space.patches, sizes_px, seed=config.seed)
    check_trained_on(study, indices)
