"""Patches spread evenly along the line, and stated shares of them near it and far from it."""

import numpy as np
import numpy.typing as npt

from glsweep.patches.windows import Ground, sums_around

Places = npt.NDArray[np.int64]

TRIES = 24
"""Windows tried at once around each chosen pixel before all that hold it are looked at."""
ROUNDS = 6
"""Rounds in which windows that were drawn twice are replaced."""


PLACES_PER_WINDOW = 64
"""Places among which each window without a line is drawn."""


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
    with_windows = _along_the_line(ground, with_line, generator)
    size = ground.size_px
    around = sums_around(ground.line, size, 2 * size - 1)[: ground.usable.shape[0], : ground.usable.shape[1]]
    free = ground.usable & ground.line_free
    near_windows, far_windows = free & (around > 0), free & (around == 0)
    short_near = max(0, near - int(near_windows.sum()))
    short_far = max(0, far - int(far_windows.sum()))
    without = [
        *_over_the_ground(near_windows, near + short_far, size, generator),
        *_over_the_ground(far_windows, far + short_near, size, generator),
    ]
    return with_windows, without


def _along_the_line(ground: Ground, count: int, generator: np.random.Generator) -> list[tuple[int, int]]:
    size = ground.size_px
    # A pixel can be covered where some usable window holds it.
    coverable = sums_around(np.pad(ground.usable, (0, size - 1)), size - 1, 0) > 0
    rows, cols = np.nonzero(ground.line & coverable)
    if len(rows) == 0 or count == 0:
        return []
    order = np.argsort(_morton(rows, cols), kind="stable")
    rows, cols = rows[order], cols[order]
    half = size // 2
    weight = 1.0 / sums_around(ground.line, half, size - 1 - half)[rows, cols]
    taken: dict[tuple[int, int], None] = {}
    for _ in range(ROUNDS):
        missing = count - len(taken)
        if missing == 0:
            break
        chosen = _even_steps(weight, missing, generator)
        for window in _windows_around(ground, rows[chosen], cols[chosen], generator).tolist():
            taken.setdefault((window[0], window[1]), None)
    return list(taken)


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
    windows: npt.NDArray[np.bool_], count: int, size_px: int, generator: np.random.Generator
) -> list[tuple[int, int]]:
    """Draw `count` of the true places of `windows`, evenly over cells half a patch wide."""
    total = int(np.count_nonzero(windows))
    if total == 0 or count == 0:
        return []
    # A lattice with a random start is as good as every place, and sorted in no time.
    stride = max(1, int((total / (PLACES_PER_WINDOW * count)) ** 0.5))
    start_row, start_col = generator.integers(stride, size=2)
    rows, cols = np.nonzero(windows[start_row::stride, start_col::stride])
    rows, cols = rows * stride + start_row, cols * stride + start_col
    cell = max(1, size_px // 2)
    # Within a cell the order is random, so that even steps meet any of its places.
    order = np.lexsort((generator.random(len(rows), np.float32), _morton(rows // cell, cols // cell)))
    count = min(count, len(rows))
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
