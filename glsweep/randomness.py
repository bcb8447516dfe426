"""Explicit randomness: every draw is named by a seed and the things it belongs to."""

import hashlib

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, next_fast_len, rfft2


def seed_for(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed that depends on `seed` and on every name, in order.

    The same on every machine and in every process, unlike `hash`.
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator_for(seed: int, *names: str | int) -> np.random.Generator:
    """Return a NumPy generator for one purpose, such as `generator_for(0, "split")`."""
    return np.random.default_rng(seed_for(seed, *names))


# --- Random fields without a scale of their own, the raw material of coasts, air and coherence


def power_law_field(
    shape: tuple[int, int], slope: float, generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return an isotropic random field whose spectral density falls as k**slope.

    White noise is filtered by k**(slope / 2). A straight profile through the field has the slope
    of one more (Hanssen 2001, sec. 4.7).

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    slope : float
        Exponent of the two-dimensional power spectrum, negative.
    generator : Generator
        Source of randomness.

    Returns
    -------
    float64 array (rows, cols)
        Mean 0, standard deviation 1.
    """
    # A Fourier series repeats; what is cut off keeps opposite edges from being alike.
    rows, cols = (next_fast_len(int(1.5 * n), real=True) for n in shape)
    spectrum = rfft2(generator.standard_normal((rows, cols)))
    wavenumber = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(cols)[None, :])
    wavenumber[0, 0] = np.inf
    field = irfft2(spectrum * wavenumber ** (slope / 2), s=(rows, cols))
    part = field[: shape[0], : shape[1]]
    return np.asarray((part - part.mean()) / part.std())
