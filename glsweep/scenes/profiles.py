"""What the phase shows along the normals of a line: its coherence and its fringes, landward and seaward."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from scipy.ndimage import map_coordinates, uniform_filter
from shapely import LineString

from glsweep.scenes.resample import local_coherence
from glsweep.scenes.source import Window

Floats = npt.NDArray[np.float64]
Phasors = npt.NDArray[np.complex64]
ReadWindow = Callable[[Window], Phasors]

FREQUENCY_BOX_PX = 7
REACH_PX = 32
SPACING_PX = 1.0
TANGENT_PX = 4.0
"""A line's direction is that between the points so far before and behind."""
NORMALS_AT_ONCE = 256
"""Normals whose surroundings are read together: a long line is never read as one rectangle."""
MARGIN_PX = 6
NEAREST_SIDE_PX = 2
"""Closer to the line, its two sides cannot be told apart."""


@dataclass(frozen=True)
class NormalProfiles:
    """What the phase shows along the normals of one line, seaward positive.

    Attributes
    ----------
    offsets_px : float64 array (K,)
        Distances from the line, the same to either side.
    coherence : float64 array (N, K)
        |mean of exp(i phase)| over 5 x 5 px; NaN where there is no data or the scene ends.
    frequency : float64 array (N, K)
        Cycles a pixel seaward along the normal, signed, from products of neighbours averaged over 7 x 7 px.
    products : complex64 array (N, K, 2)
        Each neighbour's phasor times this pixel's conjugate, along columns and along rows; 0 without data.
    normals : float64 array (N, 2)
        Unit vectors (col, row) that point seaward.
    contrast : float
        By how much the seaward side is less coherent and denser in fringes than the landward one, from 0:
        the sum of both differences of means. Small where nothing tells the sides apart.
    is_left : bool
        Whether the sea is to the left of one who walks along the line, its scene's first row on top.
    """

    offsets_px: Floats
    coherence: Floats
    frequency: Floats
    products: npt.NDArray[np.complex64]
    normals: Floats
    contrast: float = 0.0
    is_left: bool = True

    def turned(self) -> "NormalProfiles":
        """Return the same with landward and seaward exchanged."""
        return NormalProfiles(
            self.offsets_px,
            self.coherence[:, ::-1],
            -self.frequency[:, ::-1],
            self.products[:, ::-1],
            -self.normals,
            -self.contrast,
            not self.is_left,
        )

    def part(self, some: npt.NDArray[np.int64]) -> "NormalProfiles":
        """Return some of the normals; which side is the sea's is as the whole line has it."""
        return replace(
            self,
            coherence=self.coherence[some],
            frequency=self.frequency[some],
            products=self.products[some],
            normals=self.normals[some],
        )


def normal_profiles(
    read: ReadWindow,
    shape: tuple[int, int],
    line_px: LineString,
    *,
    spacing_px: float = SPACING_PX,
    reach_px: int = REACH_PX,
) -> NormalProfiles | None:
    """Measure the phase along the normals of a line, and find out which of its sides is the sea's.

    A line alone does not tell. The sea's side is the one that is, on average over all normals of the
    line and the first `reach_px` of each side, less coherent and denser in fringes; so a line has one sea,
    however the noise varies along it.

    Parameters
    ----------
    read : callable
        Reads a window of the scene, complex64 (rows, cols), 0 where there is no data.
    shape : tuple of int
        The scene's rows and columns.
    line_px : LineString
        In (col, row) coordinates, (0, 0) being the upper left corner of the scene.
    spacing_px : float
        Distance between normals along the line.
    reach_px : int
        Length of a normal to either side.

    Returns
    -------
    NormalProfiles or None
        None where no normal touches data.
    """
    points, normals = _points_and_normals(line_px, spacing_px)
    offsets = np.arange(-reach_px, reach_px + 1, dtype=np.float64)
    parts: list[tuple[Floats, Floats, Phasors, Floats]] = []
    for first in range(0, len(points), NORMALS_AT_ONCE):
        some = slice(first, first + NORMALS_AT_ONCE)
        parts += _measured(read, shape, points[some], normals[some], offsets)
    if not parts or all(np.isnan(coherence).all() for coherence, _, _, _ in parts):
        return None
    coherence, frequency, products, kept = (np.concatenate(values) for values in zip(*parts, strict=True))
    contrast = _contrast(offsets, coherence, frequency)
    profiles = NormalProfiles(offsets, coherence, frequency, products, kept, contrast)
    return profiles if contrast >= 0 else profiles.turned()


def window_of(interferogram: Phasors) -> ReadWindow:
    """Return what reads windows of an interferogram in memory."""
    return lambda window: interferogram[
        window.row : window.row + window.rows, window.col : window.col + window.cols
    ]


def in_pixels(line: LineString, transform: Affine) -> LineString:
    """Return a line of the map in (col, row) coordinates of a grid."""
    to_pixels = ~transform
    turned: LineString = shapely.transform(line, lambda xy: np.column_stack(to_pixels @ (xy[:, 0], xy[:, 1])))
    return turned


def _points_and_normals(line_px: LineString, spacing_px: float) -> tuple[Floats, Floats]:
    """Return points (N, 2) along a line from half a spacing on, and unit normals (N, 2)."""
    at = np.arange(spacing_px / 2, line_px.length, spacing_px)
    before, here, behind = (
        shapely.get_coordinates(line_px.interpolate(np.clip(at + shift, 0, line_px.length)))
        for shift in (-TANGENT_PX, 0.0, TANGENT_PX)
    )
    along = behind - before
    length = np.hypot(*along.T)
    straight = length > 0
    normals = np.column_stack([along[:, 1], -along[:, 0]])[straight] / length[straight, None]
    return here[straight], normals


def _measured(
    read: ReadWindow, shape: tuple[int, int], points: Floats, normals: Floats, offsets: Floats
) -> Iterator[tuple[Floats, Floats, Phasors, Floats]]:
    """Yield coherence, frequency, products and normals; nothing where the scene does not reach."""
    col, row = (points[:, axis, None] + offsets * normals[:, axis, None] for axis in (0, 1))
    top, left = (max(0, int(np.floor(at.min())) - MARGIN_PX) for at in (row, col))
    bottom, right = (
        min(side, int(np.ceil(at.max())) + MARGIN_PX) for at, side in zip((row, col), shape, strict=True)
    )
    if top >= bottom or left >= right:
        return
    values = read(Window(top, left, bottom - top, right - left))
    size = np.abs(values)
    phasor = np.divide(values, size, out=np.zeros_like(values), where=size > 0)
    row, col = row - top, col - left
    coherence = _between(local_coherence(values), row - 0.5, col - 0.5)
    across, down = neighbour_products(phasor)
    frequency = normals[:, :1] * _cycles(across, row - 0.5, col - 1) + normals[:, 1:] * _cycles(
        down, row - 1, col - 0.5
    )
    products = np.stack([_nearest(across, row - 0.5, col - 1), _nearest(down, row - 1, col - 0.5)], axis=-1)
    yield coherence, frequency, products, normals


def neighbour_products(phasor: Phasors) -> tuple[Phasors, Phasors]:
    """Return each right and each lower neighbour times the pixel's conjugate; 0 where there is none."""
    across, down = np.zeros_like(phasor), np.zeros_like(phasor)
    across[:, :-1] = phasor[:, 1:] * phasor[:, :-1].conj()
    down[:-1] = phasor[1:] * phasor[:-1].conj()
    return across, down


def _cycles(product: Phasors, row: Floats, col: Floats) -> Floats:
    """Return the mean phase of products over the box, in cycles; NaN where one of them has no data."""
    box = FREQUENCY_BOX_PX
    mean = uniform_filter(product.real, box, mode="constant") + 1j * uniform_filter(
        product.imag, box, mode="constant"
    )
    whole = uniform_filter((product != 0).astype(np.float32), box, mode="constant") > 1 - 0.5 / box**2
    known = np.where(whole, mean, np.nan)
    total = _between(known.real, row, col) + 1j * _between(known.imag, row, col)
    return np.asarray(np.angle(total) / (2 * np.pi))


def _between(values: npt.NDArray[np.float32], row: Floats, col: Floats) -> Floats:
    """Interpolate bilinearly; NaN outside and beside NaN."""
    found = map_coordinates(values.astype(np.float64), [row, col], order=1, mode="constant", cval=np.nan)
    return np.asarray(found)


def _nearest(values: Phasors, row: Floats, col: Floats) -> Phasors:
    """Return the nearest values; 0 outside."""
    at_row, at_col = np.rint(row).astype(int), np.rint(col).astype(int)
    rows, cols = values.shape
    inside = (at_row >= 0) & (at_row < rows) & (at_col >= 0) & (at_col < cols)
    found = values[np.where(inside, at_row, 0), np.where(inside, at_col, 0)]
    return np.where(inside, found, 0).astype(np.complex64)


def _contrast(offsets: Floats, coherence: Floats, frequency: Floats) -> float:
    """Return how much less coherent and denser in fringes the side of positive offsets is."""
    sides = []
    for side in (offsets <= -NEAREST_SIDE_PX, offsets >= NEAREST_SIDE_PX):
        known = np.isfinite(coherence[:, side]) & np.isfinite(frequency[:, side])
        if not known.any():
            return 0.0
        sides.append(
            float(coherence[:, side][known].mean()) - float(np.abs(frequency[:, side][known]).mean())
        )
    return sides[0] - sides[1]
