"""What the radar and its processor add: borders and seams, speckle, and filters."""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import shapely
from scipy.fft import fft2, ifft2
from scipy.ndimage import uniform_filter
from shapely import Polygon
from skimage.draw import polygon2mask

BURST_M = 20_000.0
SWATH_EDGE_SHARE = 0.3


@dataclass(frozen=True)
class FlightTrack:
    """The direction of flight over one scene.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the scene.
    heading_rad : float
        Angle between the flight and the columns' direction.
    """

    shape: tuple[int, int]
    heading_rad: float

    def along_px(self) -> npt.NDArray[np.float64]:
        """Return the coordinate along the flight of every pixel centre, (rows, cols)."""
        row, col = np.indices(self.shape) + 0.5
        return np.asarray(row * math.cos(self.heading_rad) + col * math.sin(self.heading_rad))

    def draw_seams_rad(self, posting_m: float, generator: np.random.Generator) -> npt.NDArray[np.float64]:
        """Draw TOPS bursts: each has an offset and a slope along the flight, so seams are steps."""
        position = self.along_px() * posting_m / BURST_M + generator.uniform(0, 1)
        burst = np.floor(position).astype(int)
        index = burst - burst.min()
        count = index.max() + 1
        offset_rad, slope_rad = generator.normal(0, 0.25, count), generator.normal(0, 0.25, count)
        return np.asarray(offset_rad[index] + slope_rad[index] * (position - burst - 0.5))

    def draw_footprint(self, generator: np.random.Generator) -> Polygon:
        """Draw the part that holds data, in (col, row) pixel coordinates: a slanted rectangle."""
        rows, cols = self.shape
        half_rows, half_cols = generator.uniform(0.44, 0.58, size=2) * (rows, cols)
        centre_row, centre_col = rows / 2, cols / 2
        if generator.random() < SWATH_EDGE_SHARE:
            # The swath ends within the scene, to either side of the flight.
            centre_col += generator.choice([-1, 1]) * generator.uniform(0.2, 0.6) * cols
        slanted = shapely.affinity.rotate(
            shapely.box(
                centre_col - half_cols, centre_row - half_rows, centre_col + half_cols, centre_row + half_rows
            ),
            -self.heading_rad,
            use_radians=True,
        )
        return shapely.intersection(slanted, whole_footprint(self.shape))


def draw_track(shape: tuple[int, int], generator: np.random.Generator) -> FlightTrack:
    """Draw a heading of 3 to 20 degrees to either side."""
    side = generator.choice([-1, 1])
    return FlightTrack(shape, math.radians(side * generator.uniform(3, 20)))


def whole_footprint(shape: tuple[int, int]) -> Polygon:
    """Return the outline of a scene without empty borders, in (col, row) pixel coordinates."""
    return shapely.box(0, 0, shape[1], shape[0])


def pixels_within(footprint: Polygon, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return the pixels whose centre lies within `footprint`, (rows, cols)."""
    vertices = shapely.get_coordinates(footprint)[:, ::-1] - 0.5
    return np.asarray(polygon2mask(shape, vertices))  # type: ignore[no-untyped-call]


# --- Speckle


def speckled_interferogram(
    phase_rad: npt.NDArray[np.float64],
    coherence: npt.NDArray[np.float64],
    *,
    looks: int,
    generator: np.random.Generator,
) -> npt.NDArray[np.complex64]:
    """Return the sample coherence of `looks` pairs of signals, turned by the phase.

    Each look is a pair of unit circular-Gaussian signals s1 = u and
    s2 = coherence u + sqrt(1 - coherence^2) v with independent u and v, whose expected
    conj(s2) s1 is the coherence (Goodman 1976; Touzi et al. 1999, eq. 2). The sum over looks is
    divided by both signals' power.

    Parameters
    ----------
    phase_rad : float64 array (rows, cols)
        Phase without noise.
    coherence : float64 array (rows, cols)
        True coherence, 0 to 1.
    looks : int
        Independent looks in a pixel.
    generator : Generator
        Source of randomness.

    Returns
    -------
    complex64 array (rows, cols)
        Magnitude between 0 and 1: the measured coherence, which is biased high where the true one
        is low.
    """
    shape = phase_rad.shape
    rest = np.sqrt(1 - coherence**2).astype(np.float32)
    share = coherence.astype(np.float32)
    cross = np.zeros(shape, dtype=np.complex64)
    power_1, power_2 = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    for _ in range(looks):
        first = _circular_gaussian(shape, generator)
        second = share * first + rest * _circular_gaussian(shape, generator)
        cross += first * second.conj()
        power_1 += first.real**2 + first.imag**2
        power_2 += second.real**2 + second.imag**2
    turned: npt.NDArray[np.complex64] = (
        cross / np.sqrt(power_1 * power_2) * np.exp(1j * phase_rad).astype(np.complex64)
    )
    return turned


def _circular_gaussian(shape: tuple[int, ...], generator: np.random.Generator) -> npt.NDArray[np.complex64]:
    """Independent complex values, real and imaginary part of variance 1 each."""
    pairs = generator.standard_normal((*shape, 2), dtype=np.float32)
    return pairs.view(np.complex64)[..., 0]


# --- The adaptive filter by which processors strengthen fringes

WINDOW_PX = 32
STRIDE_PX = 8
SMOOTHED_BINS = 3
FILTER_STRENGTHS = (0.2, 0.9)
"""Range of exponents that processors offer and users choose."""


def filter_phase(interferogram: npt.NDArray[np.complex64], strength: float) -> npt.NDArray[np.complex64]:
    """Multiply each window's spectrum Z by |S(Z)|**strength, S being a mean over neighbouring bins.

    The adaptive filter of Goldstein & Werner 1998 (eq. 3), by which most processors make fringes
    clear. Where there is nothing but noise it leaves grains as large as fringes. Windows overlap by
    three quarters and are blended with triangular weights.

    Parameters
    ----------
    interferogram : complex64 array (rows, cols)
        0 where there is no data.
    strength : float
        The exponent: 0 changes nothing, 1 filters most.

    Returns
    -------
    complex64 array (rows, cols)
        The filtered phase with the magnitude as it was.
    """
    rows, cols = interferogram.shape
    padded = np.pad(interferogram, (WINDOW_PX, 2 * WINDOW_PX), mode="reflect")
    ramp = 1 - np.abs(np.arange(WINDOW_PX) + 0.5 - WINDOW_PX / 2) / (WINDOW_PX / 2)
    weight = np.outer(ramp, ramp).astype(np.float32)
    total = np.zeros_like(padded)
    # Windows a whole side apart do not overlap: all of one offset are filtered at once.
    for top, left in product(range(0, WINDOW_PX, STRIDE_PX), repeat=2):
        down, across = (math.ceil(n / WINDOW_PX) + 1 for n in (rows, cols))
        part = np.s_[top : top + down * WINDOW_PX, left : left + across * WINDOW_PX]
        tiles = padded[part].reshape(down, WINDOW_PX, across, WINDOW_PX).swapaxes(1, 2)
        filtered = _strengthened(tiles, strength) * weight
        total[part] += filtered.swapaxes(1, 2).reshape(down * WINDOW_PX, across * WINDOW_PX)
    phase_rad = np.angle(total[WINDOW_PX : WINDOW_PX + rows, WINDOW_PX : WINDOW_PX + cols])
    return np.asarray(np.abs(interferogram) * np.exp(1j * phase_rad), dtype=np.complex64)


def _strengthened(tiles: npt.NDArray[np.complex64], strength: float) -> npt.NDArray[np.complex64]:
    """Filter windows (down, across, S, S), each by itself."""
    spectrum = fft2(tiles)
    smooth = uniform_filter(np.abs(spectrum), (1, 1, SMOOTHED_BINS, SMOOTHED_BINS), mode="wrap")
    # Windows are scaled to the same strength, so that none dominates where they are blended.
    factor = (smooth / np.maximum(smooth.max(axis=(2, 3), keepdims=True), 1e-12)) ** strength
    return np.asarray(ifft2(spectrum * factor), dtype=np.complex64)
