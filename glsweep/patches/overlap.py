"""How much two patches have in common at most."""

import numpy as np
import numpy.typing as npt
import pandas as pd

ROWS_AT_ONCE = 512


def largest_overlap(index: pd.DataFrame, size_px: int) -> dict[str, float]:
    """Return for each split the largest share of pixels that any two of its patches have in common.

    Patches of different scenes are compared on the map where splits are proved (`patches.proof`);
    here those of one scene are.

    Parameters
    ----------
    index : DataFrame
        Columns scene, row, col, split.
    size_px : int
        Side of a patch.
    """
    shares: dict[str, float] = {}
    for (split, _scene), rows in index.groupby(["split", "scene"], sort=True):
        found = _largest(rows[["row", "col"]].to_numpy(np.int64), size_px)
        shares[str(split)] = max(shares.get(str(split), 0.0), found)
    return {split: round(share, 4) for split, share in shares.items()}


def _largest(corners: npt.NDArray[np.int64], size_px: int) -> float:
    """Compare all pairs of `corners` (N, 2), a few rows at once."""
    largest = 0
    for start in range(0, len(corners), ROWS_AT_ONCE):
        apart = np.abs(corners[start : start + ROWS_AT_ONCE, None] - corners[None, start + 1 :])
        common = np.clip(size_px - apart, 0, None).prod(axis=2)
        # Only pairs with a later patch; a patch has all pixels in common with itself.
        later = np.triu(np.ones(common.shape, bool))
        largest = max(largest, int((common * later).max(initial=0)))
    return largest / size_px**2
