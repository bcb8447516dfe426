"""Speckle: what multilooking leaves of two partly coherent circular-Gaussian signals."""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from glsweep.scenes.simulator.spectrum import power_law_field
from glsweep.scenes.simulator.strengths import AS_REAL, Strengths

FRONT_M = (8_000.0, 60_000.0)
"""How far from the line a shelf ends."""
LANDWARD_M = (100.0, 1_000.0)
"""How far inland of the line ice still bends and shears."""


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
        Magnitude between 0 and 1: the coherence as it is measured, which is too high where the
        true one is low.
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


def draw_coherence(
    phase_rad: npt.NDArray[np.float64],
    seaward_m: npt.NDArray[np.float64],
    generator: np.random.Generator,
    strengths: Strengths = AS_REAL,
) -> npt.NDArray[np.float64]:
    """Draw a coherence map: good and lost patches, a worse sea side and line, narrow fringes blurred.

    Within a pixel the fringes of a phase gradient g average to sinc(g / 2 pi). Where ice bends and
    shears, along the line, coherence is lower still; beyond an ice front, where there is sea ice or
    open water, there is none. The shares were set so that scenes agree with
    real ones (`benchmarks/realism.py`).

    Parameters
    ----------
    phase_rad : float64 array (rows, cols)
        Unwrapped phase, whose gradient blurs.
    seaward_m : float64 array (rows, cols)
        Signed distance to the line in metres, positive on floating ice.
    generator : Generator
        Source of randomness.
    strengths : Strengths
        What is drawn from.

    Returns
    -------
    float64 array (rows, cols)
        Between 0 and 1.
    """
    patches = power_law_field(phase_rad.shape, strengths.patch_slope, generator)
    lost_share = generator.uniform(*strengths.lost_share)
    kept = expit((patches - np.quantile(patches, lost_share)) / strengths.patch_edge)
    highest, lowest = generator.uniform(*strengths.highest_coherence), generator.uniform(0.0, 0.08)
    at_sea = generator.uniform(0.35, 0.9)
    coherence = (lowest + (highest - lowest) * kept) * np.where(seaward_m > 0, at_sea, 1.0)
    lost, reach_m = generator.uniform(0.96, 1.0), generator.uniform(600, 3500)
    strained = lost if generator.random() < strengths.strained_share else generator.uniform(0, 0.5)
    landward_m = generator.uniform(*LANDWARD_M)
    coherence *= 1 - strained * np.exp(-((seaward_m / np.where(seaward_m > 0, reach_m, landward_m)) ** 2))
    front_m = generator.uniform(*FRONT_M)
    coherence = np.where(seaward_m > front_m, 0.0, coherence)
    gradient = np.gradient(phase_rad)
    blur = np.sinc(gradient[0] / (2 * math.pi)) * np.sinc(gradient[1] / (2 * math.pi))
    return np.asarray(np.clip(coherence * np.abs(blur), 0.0, 1.0))


def _circular_gaussian(shape: tuple[int, ...], generator: np.random.Generator) -> npt.NDArray[np.complex64]:
    """Independent complex values, real and imaginary part of variance 1 each."""
    pairs = generator.standard_normal((*shape, 2), dtype=np.float32)
    return pairs.view(np.complex64)[..., 0]
