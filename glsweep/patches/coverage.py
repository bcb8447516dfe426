"""The published way of drawing patches: uniform positions, held apart by a coverage map."""

import numpy as np
import numpy.typing as npt

from glsweep.config.patches import PatchSettings
from glsweep.patches.windows import Ground, SummedArea

CANDIDATES_PER_PATCH = 30
"""Windows tried for each patch asked for; what is not found by then is not there to be found."""


def draw_published(
    ground: Ground,
    settings: PatchSettings,
    *,
    limit_with_line: int,
    limit_without_line: int,
    generator: np.random.Generator,
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Draw windows with a line, then windows without, by the published rule.

    Candidates are drawn uniformly from the usable windows of each kind, which is what is left of
    uniform positions when those of the wrong kind are thrown away; each is kept or dropped by the
    coverage rule of `PatchSettings`. Windows without a line have a coverage map of their own, and by
    the box alone: however fresh the rest of one is, where the box is full it is dropped. Of positions
    without a line only so many are tried as the settings say.

    Returns
    -------
    tuple of list
        The (row, col) of windows with and without a line, in the order in which they were kept.
    """
    holds_line = SummedArea(ground.line).in_windows(ground.size_px) > 0
    line_free = SummedArea(ground.drawn).in_windows(ground.size_px) == 0
    with_line = _draw(ground.usable & holds_line, limit_with_line * CANDIDATES_PER_PATCH, generator)
    kept_with_line = Coverage(ground.line.shape, ground.size_px, settings).keep(with_line, limit_with_line)
    tries = settings.tries_without_line or limit_without_line * CANDIDATES_PER_PATCH
    without_line = _draw(ground.usable & line_free, tries if limit_without_line else 0, generator)
    by_box = Coverage(ground.line.shape, ground.size_px, settings, by_box_alone=True)
    return kept_with_line, by_box.keep(without_line, limit_without_line)


class Coverage:
    """How often each pixel of a scene has been covered by a patch of one kind.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the scene.
    size_px : int
        Side of a patch.
    settings : PatchSettings
        The coverage rule.
    by_box_alone : bool
        Whether a window whose box is full is dropped however few of its other pixels are covered.
    """

    def __init__(
        self, shape: tuple[int, ...], size_px: int, settings: PatchSettings, *, by_box_alone: bool = False
    ) -> None:
        assert settings.box_px is not None and settings.box_coverage is not None
        assert settings.fresh_share is not None and settings.fresh_coverage is not None
        self._times = np.zeros(shape, np.int32)
        self._size_px = size_px
        self._box_px, self._box_coverage = settings.box_px, settings.box_coverage
        self._fresh_share, self._fresh_coverage = settings.fresh_share, settings.fresh_coverage
        self._by_box_alone = by_box_alone
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
        size, box_px = self._size_px, self._box_px
        top, left = (max(0, corner + size // 2 - box_px // 2) for corner in (row, col))
        box = self._times[top : top + box_px, left : left + box_px]
        if box.sum() <= self._box_coverage:
            return True
        if self._by_box_alone:
            return False
        window = self._times[row : row + size, col : col + size]
        return bool(np.mean(window < self._fresh_coverage) >= self._fresh_share)


def _draw(
    windows: npt.NDArray[np.bool_], count: int, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Draw `count` of the true places of `windows` (rows, cols), with repetition: (count, 2)."""
    places = np.flatnonzero(windows)
    if count == 0 or len(places) == 0:
        return np.empty((0, 2), np.int64)
    return np.column_stack(np.unravel_index(generator.choice(places, count), windows.shape))
