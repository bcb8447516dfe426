"""Where patches are cut from a scene: by the published rule, or spread evenly along the line."""

import math
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from glsweep.config.patches import PatchSettings
from glsweep.patches.held_masks import PackedMask, Places, RowMask, SparseMask
from glsweep.patches.windows import (
    Position,
    SummedArea,
    WindowCounts,
    count_in_boxes,
    count_windows,
    window_strips,
)

CELL_PX = 128
"""Side of the cells in which it is counted how often pixels are covered."""
CANDIDATES_PER_PATCH = 30
"""Windows tried for each patch requested; more tries would find no more."""


def draw_published(
    ground: WindowCounts,
    settings: PatchSettings,
    *,
    limit_with_line: int,
    limit_without_line: int,
    generator: np.random.Generator,
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Draw windows with a line, then windows without, by the published rule.

    Candidates are drawn uniformly from the usable windows of each kind, which is what is left of
    uniform positions when those of the wrong kind are thrown away; each is kept or dropped by the
    coverage rule of `PatchSettings`. Windows without a line have a coverage map of their own, by the box
    alone: one whose box is full is dropped, however fresh the rest of it is. Only as many positions
    without a line are tried as the settings say.

    Returns
    -------
    tuple of list
        The (row, col) of windows with and without a line, in the order in which they were kept.
    """
    with_line = _draw(
        _usable(ground, ground.line, holding=True), limit_with_line * CANDIDATES_PER_PATCH, generator
    )
    kept_with_line = Coverage(ground.size_px, settings).keep(with_line, limit_with_line)
    tries = settings.tries_without_line or limit_without_line * CANDIDATES_PER_PATCH
    line_free = _usable(ground, ground.drawn, holding=False)
    without_line = _draw(line_free, tries if limit_without_line else 0, generator)
    by_box = Coverage(ground.size_px, settings, by_box_alone=True)
    return kept_with_line, by_box.keep(without_line, limit_without_line)


def _usable(ground: WindowCounts, line: SparseMask, *, holding: bool) -> PackedMask:
    """Return the upper left pixels of usable windows that hold a pixel of a line, or none."""
    found = PackedMask(ground.usable.shape)
    for top, bottom in window_strips(found.shape, ground.size_px):
        counts = SummedArea(line.rows(top, bottom + ground.size_px - 1)).in_windows(ground.size_px)
        found.write(top, ground.usable.rows(top, bottom) & ((counts > 0) == holding))
    return found


class Coverage:
    """How often each pixel of a scene has been covered by a patch of one kind.

    Parameters
    ----------
    size_px : int
        Side of a patch.
    settings : PatchSettings
        The coverage rule.
    by_box_alone : bool
        Whether a window whose box is full is dropped however few of its other pixels are covered.
    """

    def __init__(self, size_px: int, settings: PatchSettings, *, by_box_alone: bool = False) -> None:
        assert settings.box_px is not None and settings.box_coverage is not None
        assert settings.fresh_share is not None and settings.fresh_coverage is not None
        self._size_px = size_px
        self._box_px, self._box_coverage = settings.box_px, settings.box_coverage
        self._fresh_share, self._fresh_coverage = settings.fresh_share, settings.fresh_coverage
        self._by_box_alone = by_box_alone
        self._taken: set[tuple[int, int]] = set()
        # How often pixels are covered, by cells, where any is: a map of a whole scene takes too much memory.
        self._times: dict[tuple[int, int], npt.NDArray[np.uint16]] = {}

    def keep(self, candidates: npt.NDArray[np.int64], limit: int) -> list[tuple[int, int]]:
        """Return those of `candidates` (N, 2) that the rule keeps, up to `limit`, and cover them."""
        kept: list[tuple[int, int]] = []
        for row, col in candidates.tolist():
            if len(kept) == limit:
                break
            if self._is_kept(row, col):
                self._cover(row, col)
                kept.append((row, col))
        return kept

    def _cover(self, row: int, col: int) -> None:
        self._taken.add((row, col))
        for cell, rows, cols in _cells(row, col, self._size_px):
            if cell not in self._times:
                self._times[cell] = np.zeros((CELL_PX, CELL_PX), np.uint16)
            self._times[cell][rows, cols] += 1

    def _is_kept(self, row: int, col: int) -> bool:
        if (row, col) in self._taken:
            return False
        size, box_px = self._size_px, self._box_px
        top, left = (corner + size // 2 - box_px // 2 for corner in (row, col))
        if sum(int(times.sum()) for times in self._covered(top, left, box_px)) <= self._box_coverage:
            return True
        if self._by_box_alone:
            return False
        often = sum(int((times >= self._fresh_coverage).sum()) for times in self._covered(row, col, size))
        return (size**2 - often) / size**2 >= self._fresh_share

    def _covered(self, top: int, left: int, side_px: int) -> Iterator[npt.NDArray[np.uint16]]:
        """Yield how often the pixels of a square are covered, in the cells where any is."""
        for cell, rows, cols in _cells(top, left, side_px):
            times = self._times.get(cell)
            if times is not None:
                yield times[rows, cols]


def _cells(top: int, left: int, side_px: int) -> Iterator[tuple[tuple[int, int], slice, slice]]:
    """Yield the cells that a square touches, each with the square's rows and columns in it."""
    for down, across in product(
        *(range(at // CELL_PX, (at + side_px - 1) // CELL_PX + 1) for at in (top, left))
    ):
        rows, cols = (
            slice(max(at - cell * CELL_PX, 0), min(at + side_px - cell * CELL_PX, CELL_PX))
            for at, cell in ((top, down), (left, across))
        )
        yield (down, across), rows, cols


def _draw(windows: PackedMask, count: int, generator: np.random.Generator) -> Places:
    """Draw `count` of the true places of `windows` (rows, cols), with repetition: (count, 2)."""
    ends = windows.true_in_rows().cumsum()
    if count == 0 or ends[-1] == 0:
        return np.empty((0, 2), np.int64)
    numbers = generator.choice(ends[-1], count)
    rows = np.searchsorted(ends, numbers, side="right")
    cols = np.empty(count, np.int64)
    order = np.argsort(rows, kind="stable")
    first_of_rows = np.flatnonzero(np.diff(rows[order])) + 1
    for here in np.split(order, first_of_rows):
        row = int(rows[here[0]])
        before = ends[row - 1] if row else 0
        cols[here] = np.flatnonzero(windows.rows(row, row + 1))[numbers[here] - before]
    return np.column_stack([rows, cols])


# --- The balanced rule: evenly along the line, and stated shares near it and far from it

TRIES = 24
"""Windows tried at random around each chosen pixel before all that hold it are listed."""
ROUNDS = 6
"""Rounds in which windows that were drawn twice are replaced."""
PLACES_PER_WINDOW = 64
"""Lattice places, with a line or without, for each window without a line."""


def draw_balanced(
    ground: WindowCounts, *, with_line: int, near: int, far: int, generator: np.random.Generator
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Draw windows in one pass, without a coverage map.

    With a line: pixels of the line are drawn at even steps of a weight that falls with the amount
    of line around them, which is the coverage that they will get from their neighbours' windows,
    counted in a summed-area table. Each gets a window in which it lies at a random place. So every
    stretch of line is covered about equally often, however tangled.

    Without: windows at even steps over the scene, near the line (a line pixel within one patch of
    the window's edge) and far from it. What one of the two cannot give, the other does.

    Returns
    -------
    tuple of list
        The (row, col) of windows with and without a line; as many as requested, unless there are
        fewer.
    """
    with_windows = _along_the_line(ground, with_line, generator)
    return with_windows, _off_the_line(ground, near=near, far=far, generator=generator)


def _along_the_line(
    ground: WindowCounts, count: int, generator: np.random.Generator
) -> list[tuple[int, int]]:
    size = ground.size_px
    rows, cols = ground.line.places
    # A pixel can be covered where some usable window holds it.
    coverable = count_in_boxes(ground.usable, rows - size + 1, cols - size + 1, size) > 0
    rows, cols = rows[coverable], cols[coverable]
    if len(rows) == 0 or count == 0:
        return []
    order = np.argsort(_morton(rows, cols), kind="stable")
    rows, cols = rows[order], cols[order]
    weight = 1.0 / count_in_boxes(ground.line, rows - size // 2, cols - size // 2, size)
    taken: dict[tuple[int, int], None] = {}
    for _ in range(ROUNDS):
        missing = count - len(taken)
        if missing == 0:
            break
        chosen = _even_steps(weight, missing, generator)
        for window in _windows_around(ground, rows[chosen], cols[chosen], generator).tolist():
            taken.setdefault((window[0], window[1]), None)
    return list(taken)


def _off_the_line(
    ground: WindowCounts,
    *,
    near: int,
    far: int,
    generator: np.random.Generator,
) -> list[tuple[int, int]]:
    count = near + far
    if count == 0:
        return []
    size = ground.size_px
    # A lattice with a random start is as good as every place, and much faster.
    stride = max(1, int((math.prod(ground.usable.shape) / (PLACES_PER_WINDOW * count)) ** 0.5))
    rows, cols = _line_free(ground, stride, generator)
    if len(rows) < count:
        rows, cols = _line_free(ground, 1, generator)
    is_near = count_in_boxes(ground.line, rows - size, cols - size, 3 * size) > 0
    spare_near, spare_far = int(is_near.sum()) - near, int((~is_near).sum()) - far
    return [
        *_over_the_ground(rows[is_near], cols[is_near], near + max(0, -spare_far), size, generator),
        *_over_the_ground(rows[~is_near], cols[~is_near], far + max(0, -spare_near), size, generator),
    ]


def _line_free(ground: WindowCounts, stride: int, generator: np.random.Generator) -> tuple[Places, Places]:
    """Return the rows and columns of usable windows without a line, on a lattice."""
    start_row, start_col = generator.integers(stride, size=2)
    found = []
    for top, bottom in window_strips(ground.usable.shape, ground.size_px):
        first = (start_row - top) % stride
        rows, cols = np.nonzero(ground.usable.rows(top, bottom)[first::stride, start_col::stride])
        rows, cols = rows * stride + first, cols * stride + start_col
        line = SummedArea(ground.drawn.rows(top, bottom + ground.size_px))
        free = line.in_boxes(rows, cols, ground.size_px) == 0
        found.append(np.stack([rows[free] + top, cols[free]]))
    rows, cols = np.concatenate(found, axis=1)
    return rows, cols


def _windows_around(
    ground: WindowCounts, rows: Places, cols: Places, generator: np.random.Generator
) -> Places:
    """Return for each pixel a usable window that holds it at a random place, (N, 2)."""
    size = ground.size_px
    height, width = ground.usable.shape
    down, across = generator.integers(size, size=(2, len(rows), TRIES))
    top, left = rows[:, None] - down, cols[:, None] - across
    inside = (top >= 0) & (top < height) & (left >= 0) & (left < width)
    works = inside & ground.usable.at(np.clip(top, 0, height - 1), np.clip(left, 0, width - 1))
    first = works.argmax(axis=1)
    each = np.arange(len(rows))
    windows = np.column_stack([top[each, first], left[each, first]])
    for number in np.flatnonzero(~works.any(axis=1)):
        row, col = int(rows[number]), int(cols[number])
        corner_row, corner_col = max(0, row - size + 1), max(0, col - size + 1)
        extent = row + 1 - corner_row, col + 1 - corner_col
        around = np.argwhere(ground.usable.box(corner_row, corner_col, *extent))
        windows[number] = around[generator.integers(len(around))] + (corner_row, corner_col)
    return windows


def _over_the_ground(
    rows: Places, cols: Places, count: int, size_px: int, generator: np.random.Generator
) -> list[tuple[int, int]]:
    """Draw `count` of the windows at `rows`, `cols`, evenly over cells half a patch wide."""
    count = min(count, len(rows))
    if count == 0:
        return []
    cell = max(1, size_px // 2)
    # Within a cell the order is random, so that even steps meet any of its places.
    order = np.lexsort((generator.random(len(rows), np.float32), _morton(rows // cell, cols // cell)))
    chosen = order[_even_steps(np.ones(len(rows)), count, generator)]
    return list(zip(rows[chosen].tolist(), cols[chosen].tolist(), strict=True))


def _even_steps(weight: npt.NDArray[np.float64], count: int, generator: np.random.Generator) -> Places:
    """Draw `count` indices in proportion to `weight` at even steps from a random start.

    Systematic sampling: the number of draws in any stretch differs by less than one from its share.
    """
    cumulated = weight.cumsum()
    steps = (np.arange(count) + generator.random()) * (cumulated[-1] / count)
    return np.asarray(np.minimum(np.searchsorted(cumulated, steps, side="right"), len(weight) - 1))


def _morton(rows: Places, cols: Places) -> Places:
    """Number places so that neighbours in number are neighbours on the ground (Morton 1966)."""
    return (_spread(rows) << 1) | _spread(cols)


def _spread(values: Places) -> Places:
    """Put a zero between all bits of numbers below 2**32."""
    spread = values.astype(np.int64)
    for shift, kept in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        spread = (spread | (spread << shift)) & kept
    return spread


# --- Either rule


def sample_positions(
    drawn: SparseMask,
    valid: PackedMask,
    origins: RowMask,
    *,
    size_px: int,
    settings: PatchSettings,
    limit_with_line: int,
    limit_without_line: int,
    generator: np.random.Generator,
) -> list[Position]:
    """Draw windows of one scene, first those with a line, then those without.

    A line pixel counts only where there is data, since no network can see a line elsewhere; a
    window whose line lies wholly where there is none is neither kind and is never drawn.

    Parameters
    ----------
    drawn : SparseMask (rows, cols)
        The line's pixels.
    valid : PackedMask (rows, cols)
        Pixels that hold data.
    origins : RowMask (rows - size_px + 1, cols - size_px + 1)
        Upper left pixels at which a window may lie, such as those within a split's ground.
    size_px : int
        Side of a window; a scene that is smaller gives none.
    settings : PatchSettings
        The rule, and the share of data.
    limit_with_line, limit_without_line : int
        Most windows of each kind.
    generator : numpy Generator
        Source of randomness.

    Returns
    -------
    list of Position
        No window twice.
    """
    if 0 in origins.shape:
        return []
    ground = count_windows(drawn, valid, origins, size_px=size_px, valid_share=settings.valid_share)
    if settings.rule == "published":
        chosen: Sequence[Sequence[tuple[int, int]]] = draw_published(
            ground,
            settings,
            limit_with_line=limit_with_line,
            limit_without_line=limit_without_line,
            generator=generator,
        )
    else:
        near = round((settings.near_share or 0) * limit_without_line)
        chosen = draw_balanced(
            ground,
            with_line=limit_with_line,
            near=near,
            far=limit_without_line - near,
            generator=generator,
        )
    return [
        Position(row, col, has_line, ground.valid_share(row, col))
        for has_line, windows in zip((True, False), chosen, strict=True)
        for row, col in windows
    ]
