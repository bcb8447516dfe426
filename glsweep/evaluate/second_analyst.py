"""Another analyst's lines on the test patches: what two people agree on, as a network's output would be."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from glsweep.config.data_card import LineRule
from glsweep.scenes.masks import LineRows
from glsweep.scenes.scene import SceneEntry


def drawn_on_patches(
    entries: Sequence[SceneEntry], index: pd.DataFrame, size_px: int, rule: LineRule
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Draw a second analyst's lines on patches, by the rule by which the true ones were drawn.

    Parameters
    ----------
    entries : sequence of SceneEntry
        The scenes of the patches, perhaps among others.
    index : DataFrame
        N patches, with columns scene, row, col, as `draw_index` has them.
    size_px : int
        Side of a patch.
    rule : {"all_touched", "bresenham"}
        See `line_mask`.

    Returns
    -------
    float32 array (N, S, S), bool array (N,)
        1 on the lines and 0 elsewhere; which patches are of scenes that this analyst has looked at.
    """
    probability = np.zeros((len(index), size_px, size_px), np.float32)
    has_looked = np.zeros(len(index), np.bool_)
    by_name = {entry.name: entry for entry in entries}
    for name, number in index.groupby("scene").indices.items():
        entry = by_name[str(name)]
        if entry.second_analyst is None:
            continue
        has_looked[number] = True
        drawn = LineRows(entry.second_analyst, entry.shape, entry.header.transform, rule)
        for patch, row, col in zip(number, index["row"].iloc[number], index["col"].iloc[number], strict=True):
            probability[patch] = drawn.rows(row, row + size_px)[:, col : col + size_px]
    return probability, has_looked


def title_of(scenes: pd.Series, has_looked: npt.NDArray[np.bool_], size_px: int) -> str:
    """Return what the table calls the row: where this analyst has not looked at all scenes, at how many.

    Parameters
    ----------
    scenes : Series of str (N,)
        The scene of each patch that the table is about.
    has_looked : bool array (N,)
        As `drawn_on_patches` returns it, of the same patches.
    size_px : int
        Side of a patch.
    """
    count, of = scenes[has_looked].nunique(), scenes.nunique()
    part = "" if count == of else f" ({count} of {of} scenes)"
    return f"second analyst{part} {size_px}"
