"""Percentiles of distances, of many patches at once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def distance_percentiles(
    sides: Sequence[Sequence[npt.NDArray[np.floating]]], percent: float
) -> npt.NDArray[np.float64]:
    """Return a percentile of each patch's distances, between ranks as `numpy.percentile` has it.

    That one takes longer than to sort so few values.

    Parameters
    ----------
    sides : sequence of sequence of array
        Squared distances, one array a patch; those of all sides are taken together.
    percent : float
        Between 0 and 100.

    Returns
    -------
    float array (N,)
        Distances; 0 for a patch without any.
    """
    found = np.zeros(len(sides[0]))
    for patch, parts in enumerate(zip(*sides, strict=True)):
        ranked = np.sort(np.concatenate(parts))
        if len(ranked):
            rank = percent / 100 * (len(ranked) - 1)
            below = int(rank)
            low, high = np.sqrt(ranked[[below, min(below + 1, len(ranked) - 1)]], dtype=np.float64)
            found[patch] = high if low == high else low + (high - low) * (rank - below)
    return found
