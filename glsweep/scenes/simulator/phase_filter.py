"""What processors do to a noisy phase before anyone sees it: they strengthen its fringes."""

import math
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.fft import fft2, ifft2
from scipy.ndimage import uniform_filter

WINDOW_PX = 32
STRIDE_PX = 8
SMOOTHED_BINS = 3
STRENGTHS = (0.2, 0.9)
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
    # Windows are made alike in strength, so that none outshines its neighbours where they are blended.
    factor = (smooth / np.maximum(smooth.max(axis=(2, 3), keepdims=True), 1e-12)) ** strength
    return np.asarray(ifft2(spectrum * factor), dtype=np.complex64)
