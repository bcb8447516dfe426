"""Exact distances between masks of many patches, and what "within a tolerance" means.

Distances are painted around each boundary pixel, the nearest last; what lies farther is measured
against every boundary pixel of its patch. For lines this is many times as fast as a distance transform
of each patch, and as exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

# Lets 3 px of 33.3 m lie within 99.9 m in spite of rounding.
_SLACK_PX = 1e-6


def radius_px(tolerance_m: float, posting_m: float) -> float:
    """Return the largest distance between pixel centres, in pixels, that is within the tolerance.

    Raises
    ------
    ValueError
        When the tolerance is negative or the posting is not positive.
    """
    if tolerance_m < 0 or posting_m <= 0:
        raise ValueError(f"tolerance_m is {tolerance_m}, posting_m {posting_m}: need >= 0 and > 0")
    return tolerance_m / posting_m + _SLACK_PX


def disk_offsets(radius: float) -> npt.NDArray[np.int64]:
    """Return the (row, col) offsets of all pixels within `radius` pixels of a pixel, (K, 2)."""
    reach = int(radius)
    offsets = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    return np.asarray(offsets[np.hypot(*offsets.T) <= radius])


# --- Stacks of masks, and the distances between them

Masks = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]
Squares = npt.NDArray[np.floating]

LEAST_REACH_PX = 3
"""A shorter reach leaves more to be measured in pairs than it saves."""
MOST_PAIRS = 2**22
"""More pairs of pixels than this take longer than a distance transform of the patch."""


@dataclass(frozen=True, eq=False)
class MaskStack:
    """The pixels of N masks.

    Attributes
    ----------
    grid : bool array (N, rows + 2 rim, cols + 2 rim)
        The masks within an empty rim, so that no painting ends on another row or patch.
    reach_px : float
        As far as distances are painted.
    at : int array (M,)
        Where the masks are true in the flattened grid, ascending.
    """

    grid: Masks
    reach_px: float
    at: Positions

    @staticmethod
    def of(masks: Masks, reach_px: float) -> "MaskStack":
        """Stack masks, (N, rows, cols), around which distances up to `reach_px` are wanted."""
        count, rows, cols = masks.shape
        # Nothing lies farther than the patch's diagonal.
        reach_px = max(LEAST_REACH_PX, min(reach_px, float(np.hypot(rows, cols))))
        rim = int(reach_px)
        grid = np.zeros((count, rows + 2 * rim, cols + 2 * rim), np.bool_)
        grid[:, rim:-rim, rim:-rim] = masks
        return MaskStack(grid, reach_px, np.flatnonzero(grid))

    @cached_property
    def on_boundary(self) -> Masks:
        """Which pixels have a 4-neighbour that is not of the mask, (M,); beyond the patch is outside."""
        flat, width, at = self.grid.reshape(-1), self.grid.shape[2], self.at
        return np.asarray(~(flat[at - 1] & flat[at + 1] & flat[at - width] & flat[at + width]))

    @cached_property
    def boundary(self) -> Positions:
        """Where the boundaries lie in the flattened grid, ascending."""
        return self.at[self.on_boundary]

    @cached_property
    def px(self) -> Positions:
        """Pixels of each mask, (N,)."""
        return np.asarray(np.diff(self.begins(self.at)))

    @cached_property
    def boundary_px(self) -> Positions:
        """Boundary pixels of each mask, (N,)."""
        return self.per_patch(self.on_boundary)

    def per_patch(self, chosen: Masks) -> Positions:
        """Count those pixels of each mask that are `chosen` (M,): (N,)."""
        before = np.concatenate([[0], np.cumsum(chosen)])
        return np.asarray(np.diff(before[self.begins(self.at)]))

    def begins(self, at: Positions) -> Positions:
        """Return where each patch begins in ascending positions, and where the last one ends: (N + 1,)."""
        patch_px = self.grid.shape[1] * self.grid.shape[2]
        return np.asarray(np.searchsorted(at, np.arange(len(self.grid) + 1) * patch_px))

    @cached_property
    def painted(self) -> npt.NDArray[np.unsignedinteger]:
        """Squared distance to the nearest boundary pixel in the flattened grid, or `beyond`."""
        squared = np.full(self.grid.size, self.beyond, np.min_scalar_type(self.beyond))
        offsets = disk_offsets(self.reach_px)
        squares = (offsets**2).sum(axis=1)
        # The nearest last, for it shall stay.
        for number in np.argsort(-squares):
            row, col = offsets[number]
            squared[self.boundary + (row * self.grid.shape[2] + col)] = squares[number]
        return squared

    @property
    def beyond(self) -> int:
        """What is painted where nothing is within reach."""
        return int(self.reach_px**2) + 1

    def dilated(self, radius_px: float) -> Masks:
        """Return the pixels within a radius, no longer than the reach, of each mask: (N, rows, cols)."""
        near = (self.painted <= int(radius_px**2)).reshape(self.grid.shape) | self.grid
        rim = int(self.reach_px)
        return near[:, rim:-rim, rim:-rim]


def squared_distances(pixels: MaskStack, others: MaskStack) -> Squares:
    """Return the squared distance of each of `pixels` to the nearest boundary pixel of its other mask.

    Parameters
    ----------
    pixels, others : MaskStack
        Of the same patches.

    Returns
    -------
    floating array (M,)
        In pixels; infinite where the other mask is empty, and, but for the boundaries of `pixels`,
        beyond the reach.
    """
    squared = others.painted[pixels.at].astype(_exact(pixels.grid))
    squared[squared == others.beyond] = np.inf
    far = np.flatnonzero(pixels.on_boundary & (squared == np.inf))
    points = _coordinates(pixels.at[far], pixels.grid)
    known = _coordinates(others.boundary, others.grid)
    # |a - b|^2 = |a|^2 + (|b|^2 - 2 a b): the bracket is one product of matrices.
    left = np.column_stack([-2 * points, np.ones(len(points), points.dtype)])
    right = np.vstack([known.T, (known**2).sum(axis=1)])
    own = (points**2).sum(axis=1)
    point_begins, known_begins = pixels.begins(pixels.at[far]), others.begins(others.boundary)
    both = (np.diff(point_begins) > 0) & (others.px > 0)
    for patch in np.flatnonzero(both).tolist():
        some = slice(*point_begins[patch : patch + 2])
        all_ = slice(*known_begins[patch : patch + 2])
        pairs = (some.stop - some.start) * (all_.stop - all_.start)
        if pairs > MOST_PAIRS:
            squared[far[some]] = _transformed(others, patch, points[some])
        else:
            squared[far[some]] = own[some] + (left[some] @ right[:, all_]).min(axis=1)
    return squared


def _exact(grid: Masks) -> type[np.floating]:
    """Return the shortest numbers in which squared distances within a patch are exact."""
    rows, cols = grid.shape[1:]
    return np.float32 if rows**2 + cols**2 < 2**22 else np.float64


def _coordinates(at: Positions, grid: Masks) -> npt.NDArray[np.floating]:
    """Return rows and columns within the patch, (M, 2)."""
    row, col = np.divmod(at % (grid.shape[1] * grid.shape[2]), grid.shape[2])
    return np.stack([row, col], axis=1).astype(_exact(grid))


def _transformed(others: MaskStack, patch: int, points: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return the squared distances of `points`, (M, 2), in one patch, from a distance transform."""
    empty = np.ones(others.grid.shape[1:], np.bool_)
    first, last = others.begins(others.boundary)[patch : patch + 2]
    empty.flat[others.boundary[first:last] % empty.size] = False
    row, col = points.astype(np.int64).T
    return np.asarray(np.rint(np.asarray(distance_transform_edt(empty))[row, col] ** 2))


# --- Percentiles of distances, of many patches at once


def distance_percentiles(
    sides: Sequence[Sequence[npt.NDArray[np.floating]]], percent: float
) -> npt.NDArray[np.float64]:
    """Return a percentile of each patch's distances, between ranks as `numpy.percentile` has it.

    Sorting so few values takes less time than that function.

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
