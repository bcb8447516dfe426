"""Where the signal is lost: in patches, along the line, at sea, in crevasses and where fringes are narrow."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, zoom
from scipy.special import expit

from glsweep.simulation.phase import REALISTIC, Disturbances, power_law_field

FRONT_M = (8_000.0, 60_000.0)
"""How far from the line a shelf ends."""
LANDWARD_M = (100.0, 900.0)
"""How far inland of the line ice still bends and shears."""
LOOSENS_M = (200.0, 2_000.0)
"""How far seaward of the first bending a shelf that is too restless for the radar loses its coherence."""
STRETCHED = (1.0, 4.0)
"""How many times longer than wide crevassed or wet ground is."""
CURVE_SLOPE = -4.5


class ShearMargin(NamedTuple):
    """A seam between slow and fast ice.

    Attributes
    ----------
    phase_rad : float64 array (rows, cols)
        Of the flow that changed between the dates, on one side more than on the other.
    kept : float64 array (rows, cols)
        Share of the coherence that is left.
    """

    phase_rad: npt.NDArray[np.float64]
    kept: npt.NDArray[np.float64]


def draw_shear_margin(
    shape: tuple[int, int],
    posting_m: float,
    generator: np.random.Generator,
    disturbances: Disturbances = REALISTIC,
) -> ShearMargin:
    """Draw a shear margin, or none: fringes and noise along a curve that is no grounding line."""
    if generator.random() >= disturbances.sheared_share:
        return ShearMargin(np.zeros(shape), np.ones(shape))
    field = power_law_field(shape, CURVE_SLOPE, generator)
    side = field > np.quantile(field, generator.uniform(0.2, 0.8))
    away_m = posting_m * (distance_transform_edt(side) - distance_transform_edt(~side))
    half_width_m = generator.uniform(200, 1500)
    phase_rad = generator.uniform(-20, 20) * np.tanh(away_m / (generator.uniform(0.5, 2.0) * half_width_m))
    lost = generator.uniform(0.3, 1.0)
    return ShearMargin(phase_rad, 1 - lost * np.exp(-((away_m / half_width_m) ** 4)))


def draw_coherence(
    phase_rad: npt.NDArray[np.float64],
    seaward_m: npt.NDArray[np.float64],
    generator: np.random.Generator,
    disturbances: Disturbances = REALISTIC,
) -> npt.NDArray[np.float64]:
    """Draw a coherence map: good and lost patches, a worse sea side and line, narrow fringes blurred.

    Within a pixel the fringes of a phase gradient g average to sinc(g / 2 pi). Where ice bends and
    shears, along the line, coherence is lower still; in one scene of seven there is none from the line
    on; beyond an ice front, where there is sea ice or open water, there never is. Noise also ends
    sharply where there is no line. The shares were set so that scenes agree with real ones
    (`benchmarks/realism.py`).

    Parameters
    ----------
    phase_rad : float64 array (rows, cols)
        Unwrapped phase, whose gradient blurs.
    seaward_m : float64 array (rows, cols)
        Signed distance in metres to where bending begins, positive on floating ice.
    generator : Generator
        Source of randomness.
    disturbances : Disturbances
        Ranges of what is drawn.

    Returns
    -------
    float64 array (rows, cols)
        Between 0 and 1.
    """
    patches = power_law_field(phase_rad.shape, disturbances.patch_slope, generator)
    lost_share = generator.uniform(*disturbances.lost_share)
    kept = expit((patches - np.quantile(patches, lost_share)) / disturbances.patch_edge)
    highest, lowest = generator.uniform(*disturbances.highest_coherence), generator.uniform(0.0, 0.08)
    at_sea = generator.uniform(0.35, 0.9)
    coherence = (lowest + (highest - lowest) * kept) * np.where(seaward_m > 0, at_sea, 1.0)
    coherence *= _left_along_line(seaward_m, generator, disturbances)
    coherence *= _left_at_sea(seaward_m, generator, disturbances)
    coherence *= _left_of_crevasses(phase_rad.shape, generator, disturbances)
    gradient = np.gradient(phase_rad)
    blur = np.sinc(gradient[0] / (2 * math.pi)) * np.sinc(gradient[1] / (2 * math.pi))
    return np.asarray(np.clip(coherence * np.abs(blur), 0.0, 1.0))


def _left_along_line(
    seaward_m: npt.NDArray[np.float64], generator: np.random.Generator, disturbances: Disturbances
) -> npt.NDArray[np.float64]:
    lost, reach_m = generator.uniform(0.96, 1.0), generator.uniform(600, 3500)
    strained = lost if generator.random() < disturbances.strained_share else generator.uniform(0, 0.5)
    landward_m = generator.uniform(*LANDWARD_M)
    return np.asarray(
        1 - strained * np.exp(-((seaward_m / np.where(seaward_m > 0, reach_m, landward_m)) ** 2))
    )


def _left_at_sea(
    seaward_m: npt.NDArray[np.float64], generator: np.random.Generator, disturbances: Disturbances
) -> npt.NDArray[np.float64]:
    left = np.where(seaward_m > generator.uniform(*FRONT_M), 0.0, 1.0)
    is_restless = generator.random() < disturbances.restless_share
    lost, begins_m, width_m = (
        generator.uniform(0.9, 1.0),
        generator.uniform(*LOOSENS_M),
        generator.uniform(50, 400),
    )
    return left * (1 - lost * expit((seaward_m - begins_m) / width_m)) if is_restless else left


def _left_of_crevasses(
    shape: tuple[int, ...], generator: np.random.Generator, disturbances: Disturbances
) -> npt.NDArray[np.float64]:
    """Share that crevassed or wet ground keeps: it ends sharply, with no fringe before it."""
    share = generator.uniform(*disturbances.crevassed_share)
    lost, edge = generator.uniform(0.8, 1.0), generator.uniform(0.01, 0.1)
    stretched = generator.uniform(*STRETCHED)
    rows, cols = shape
    short = power_law_field((max(2, round(rows / stretched)), cols), generator.uniform(-3.6, -2.4), generator)
    field = zoom(short, (rows / short.shape[0], 1), order=1)
    if generator.random() < 0.5 and rows == cols:
        field = field.T
    return np.asarray(1 - lost * expit((field - np.quantile(field, 1 - share)) / edge))
