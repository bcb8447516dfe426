"""Sharing a whole out by fractions: groups of scenes between splits, and counts between pieces."""

import numpy as np
import numpy.typing as npt

EXACT_GROUPS = 10
ORDERS = 64
"""Random orders tried where the assignments are too many to be searched."""


def share_groups(
    lengths: npt.NDArray[np.float64], fractions: npt.NDArray[np.float64], generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Assign groups to splits so that the shares of length come closest to `fractions`.

    Closest by the sum of squared differences, among the assignments that give every split a
    group with a line. All are searched up to ten groups; beyond, the best of several greedy
    assignments in random order is taken. Ties are broken by `generator`.

    Parameters
    ----------
    lengths : float array (groups,)
        Length of line in each group; at least as many are above 0 as there are splits.
    fractions : float array (splits,)
        Shares to be approached; they sum to 1.
    generator : numpy Generator
        Source of randomness.

    Returns
    -------
    int array (groups,)
        The index of each group's split.
    """
    count, splits = len(lengths), len(fractions)
    if count <= EXACT_GROUPS:
        assignments = np.indices((splits,) * count).reshape(count, -1).T
    else:
        assignments = np.stack([_greedy(lengths, fractions, generator) for _ in range(ORDERS)])
    loads = np.stack([(assignments == split) @ lengths for split in range(splits)], axis=1)
    misfit = ((loads / lengths.sum() - fractions) ** 2).sum(axis=1)
    misfit[(loads == 0).any(axis=1)] = np.inf
    best = np.flatnonzero(misfit <= misfit.min() + 1e-12)
    return np.asarray(assignments[generator.choice(best)])


def _greedy(
    lengths: npt.NDArray[np.float64], fractions: npt.NDArray[np.float64], generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Give each group, in random order, to the split that lacks most; no split stays empty."""
    lacking = fractions * lengths.sum()
    empty = np.ones(len(fractions), np.bool_)
    assigned = np.zeros(len(lengths), np.int64)
    order = generator.permutation(len(lengths))
    left_with_line = np.count_nonzero(lengths)
    for group in order:
        must_fill = lengths[group] > 0 and left_with_line == np.count_nonzero(empty)
        split = int(np.argmax(np.where(empty, lacking, -np.inf) if must_fill else lacking))
        assigned[group] = split
        lacking[split] -= lengths[group]
        if lengths[group] > 0:
            empty[split] = False
            left_with_line -= 1
    return assigned


def share_count(total: int, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Share `total` out in proportion to `weights` (N,) by largest remainders; the parts sum to it.

    All zero weights get nothing.
    """
    if weights.sum() == 0:
        return np.zeros(len(weights), np.int64)
    exact = total * weights / weights.sum()
    parts = np.floor(exact).astype(np.int64)
    largest = np.argsort(parts - exact, kind="stable")[: total - parts.sum()]
    parts[largest] += 1
    return np.asarray(parts)
