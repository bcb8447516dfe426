"""Patches spread evenly along the line, and stated shares of them near it and far from it."""

import numpy as np
import numpy.typing as npt

from glsweep.patches.windows import Ground, Places, SummedArea

TRIES = 24
"""Windows tried at once around each chosen pixel before all that hold it are looked at."""
ROUNDS = 6
"""Rounds in which windows that were drawn twice are replaced."""


PLACES_PER_WINDOW = 64
"""Places that are looked at, a line or not, for each window without a line."""


def draw_balanced(
    ground: Ground, *, with_line: int, near: int, far: int, generator: np.random.Generator
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
        The (row, col) of windows with and without a line; as many as asked for, unless there are
        fewer.
    """
    line = SummedArea(ground.line)
    drawn = line if np.array_equal(ground.line, ground.drawn) else SummedArea(ground.drawn)
    with_windows = _along_the_line(ground, line, with_line, generator)
    return with_windows, _off_the_line(ground, line, drawn, near=near, far=far, generator=generator)


def _along_the_line(
    ground: Ground, line: SummedArea, count: int, generator: np.random.Generator
) -> list[tuple[int, int]]:
    size = ground.size_px
    rows, cols = np.nonzero(ground.line)
    if not ground.usable.all():
        # A pixel can be covered where some usable window holds it.
        coverable = SummedArea(ground.usable).in_boxes(rows - size + 1, cols - size + 1, size) > 0
        rows, cols = rows[coverable], cols[coverable]
    if len(rows) == 0 or count == 0:
        return []
    order = np.argsort(_morton(rows, cols), kind="stable")
    rows, cols = rows[order], cols[order]
    weight = 1.0 / line.in_boxes(rows - size // 2, cols - size // 2, size)
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
    ground: Ground,
    line: SummedArea,
    drawn: SummedArea,
    *,
    near: int,
    far: int,
    generator: np.random.Generator,
) -> list[tuple[int, int]]:
    count = near + far
    if count == 0:
        return []
    size = ground.size_px
    # A lattice with a random start is as good as every place, and looked through in no time.
    stride = max(1, int((ground.usable.size / (PLACES_PER_WINDOW * count)) ** 0.5))
    rows, cols = _line_free(ground, drawn, stride, generator)
    if len(rows) < count:
        rows, cols = _line_free(ground, drawn, 1, generator)
    is_near = line.in_boxes(rows - size, cols - size, 3 * size) > 0
    spare_near, spare_far = int(is_near.sum()) - near, int((~is_near).sum()) - far
    return [
        *_over_the_ground(rows[is_near], cols[is_near], near + max(0, -spare_far), size, generator),
        *_over_the_ground(rows[~is_near], cols[~is_near], far + max(0, -spare_near), size, generator),
    ]


def _line_free(
    ground: Ground, drawn: SummedArea, stride: int, generator: np.random.Generator
) -> tuple[Places, Places]:
    """Return the rows and columns of usable windows without a line, on a lattice."""
    start_row, start_col = generator.integers(stride, size=2)
    rows, cols = np.nonzero(ground.usable[start_row::stride, start_col::stride])
    rows, cols = rows * stride + start_row, cols * stride + start_col
    free = drawn.in_boxes(rows, cols, ground.size_px) == 0
    return rows[free], cols[free]


def _windows_around(ground: Ground, rows: Places, cols: Places, generator: np.random.Generator) -> Places:
    """Return for each pixel a usable window that holds it at a random place, (N, 2)."""
    size = ground.size_px
    height, width = ground.usable.shape
    down, across = generator.integers(size, size=(2, len(rows), TRIES))
    top, left = rows[:, None] - down, cols[:, None] - across
    inside = (top >= 0) & (top < height) & (left >= 0) & (left < width)
    works = inside & ground.usable[np.clip(top, 0, height - 1), np.clip(left, 0, width - 1)]
    first = works.argmax(axis=1)
    each = np.arange(len(rows))
    windows = np.column_stack([top[each, first], left[each, first]])
    for number in np.flatnonzero(~works.any(axis=1)):
        row, col = int(rows[number]), int(cols[number])
        corner_row, corner_col = max(0, row - size + 1), max(0, col - size + 1)
        around = np.argwhere(ground.usable[corner_row : row + 1, corner_col : col + 1])
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
