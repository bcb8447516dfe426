"""Where patches are cut from a scene: random windows, held apart by a coverage map."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glsweep.config.patches import PatchSettings

CANDIDATES_PER_PATCH = 30
"""Windows tried for each patch asked for; what is not found by then is not there to be found."""


class Position(NamedTuple):
    """A window's upper left pixel and what is known of it."""

    row: int
    col: int
    has_line: bool
    valid_share: float


def sample_positions(
    mask: npt.NDArray[np.uint8],
    valid: npt.NDArray[np.bool_],
    origins: npt.NDArray[np.bool_],
    *,
    size_px: int,
    settings: PatchSettings,
    limit_with_line: int,
    limit_without_line: int,
    generator: np.random.Generator,
) -> list[Position]:
    """Draw windows of one scene, first those with a line, then those without.

    Candidates with a line are drawn uniformly from the pairs of a line pixel and a usable window
    that holds it, candidates without from the usable windows that hold no line pixel; each is
    kept or dropped by the coverage rule of `PatchSettings`, which both kinds share. A line pixel
    counts only where there is data, since no network can see a line elsewhere; a window whose
    line lies wholly where there is none is neither kind and is never drawn.

    Parameters
    ----------
    mask : uint8 array (rows, cols)
        1 on the line, 0 elsewhere.
    valid : bool array (rows, cols)
        Pixels that hold data.
    origins : bool array (rows - size_px + 1, cols - size_px + 1)
        Upper left pixels at which a window may lie, such as those within a split's ground.
    size_px : int
        Side of a window, at most the scene's.
    settings : PatchSettings
        The share of data and the coverage rule.
    limit_with_line, limit_without_line : int
        Most windows of each kind.
    generator : numpy Generator
        Source of randomness.

    Returns
    -------
    list of Position
        In the order in which they were kept; no window twice.
    """
    valid_share = window_sums(valid, size_px) / size_px**2
    usable = origins & (valid_share >= settings.valid_share)
    line_pixels = window_sums((mask > 0) & valid, size_px)
    line_free = window_sums(mask > 0, size_px) == 0
    coverage = Coverage(mask.shape, size_px, settings)
    positions: list[Position] = []
    kinds = ((True, usable * line_pixels, limit_with_line), (False, usable & line_free, limit_without_line))
    for has_line, weights, limit in kinds:
        candidates = _draw(weights.astype(np.int64), limit * CANDIDATES_PER_PATCH, generator)
        positions += [
            Position(row, col, has_line, float(valid_share[row, col]))
            for row, col in coverage.keep(candidates, limit)
        ]
    return positions


def window_sums(values: npt.NDArray[np.bool_], size_px: int) -> npt.NDArray[np.int64]:
    """Count the true pixels of every window.

    Parameters
    ----------
    values : bool array (rows, cols)
        Pixels to be counted.
    size_px : int
        Side of a window.

    Returns
    -------
    int64 array (rows - size_px + 1, cols - size_px + 1)
        The count at each window's upper left pixel.
    """
    table = np.pad(values.astype(np.int64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    n = size_px
    return np.asarray(table[n:, n:] - table[:-n, n:] - table[n:, :-n] + table[:-n, :-n])


class Coverage:
    """How often each pixel of a scene has been covered by a patch.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the scene.
    size_px : int
        Side of a patch.
    settings : PatchSettings
        The coverage rule.
    """

    def __init__(self, shape: tuple[int, ...], size_px: int, settings: PatchSettings) -> None:
        self._times = np.zeros(shape, np.int32)
        self._size_px = size_px
        self._settings = settings
        self._taken: set[tuple[int, int]] = set()

    def keep(self, candidates: npt.NDArray[np.int64], limit: int) -> list[tuple[int, int]]:
        """Return those of `candidates` (N, 2) that the rule keeps, up to `limit`, and cover them."""
        kept: list[tuple[int, int]] = []
        for row, col in candidates.tolist():
            if len(kept) == limit:
                break
            if self._is_kept(row, col):
                self._times[row : row + self._size_px, col : col + self._size_px] += 1
                self._taken.add((row, col))
                kept.append((row, col))
        return kept

    def _is_kept(self, row: int, col: int) -> bool:
        if (row, col) in self._taken:
            return False
        rule, size = self._settings, self._size_px
        top, left = (max(0, corner + size // 2 - rule.box_px // 2) for corner in (row, col))
        box = self._times[top : top + rule.box_px, left : left + rule.box_px]
        if box.sum() <= rule.box_coverage:
            return True
        window = self._times[row : row + size, col : col + size]
        return bool(np.mean(window < rule.fresh_coverage) >= rule.fresh_share)


def _draw(
    weights: npt.NDArray[np.int64], count: int, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Draw `count` places of `weights` (rows, cols), each in proportion to its weight: (count, 2)."""
    cumulated = weights.ravel().cumsum()
    if count == 0 or cumulated.size == 0 or cumulated[-1] == 0:
        return np.empty((0, 2), np.int64)
    flat = np.searchsorted(cumulated, generator.integers(cumulated[-1], size=count), side="right")
    return np.column_stack(np.unravel_index(flat, weights.shape))
