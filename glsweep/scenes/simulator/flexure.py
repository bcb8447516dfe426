"""The belt of fringes: ice bends between its bed and its floating level as an elastic beam."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from glsweep.config.simulation import Tides

WATER_DENSITY_KG_M3 = 1027.0
GRAVITY_M_S2 = 9.81
POISSON_RATIO = 0.3
# w'(x) = 2 A b exp(-bx) sin(bx) is greatest at bx = pi / 4; in units of A b.
STEEPEST_SLOPE = 2 * math.exp(-math.pi / 4) * math.sin(math.pi / 4)
FINEST_FRINGE_PX = 3
LEAST_TIDE_M = 0.05
GAUGES_M = ((0.72, 1.6), (0.82, 2.1))
"""Median and 90 % of double-difference amplitudes at the tide gauges of Syowa and Astrolabe."""
NORMAL_90 = 1.2816
"""The 90 % point of the standard normal law."""


@dataclass(frozen=True)
class Beam:
    """An ice shelf at its grounding line, as the radar looks at it.

    Attributes
    ----------
    thickness_m : float
        Ice thickness h.
    young_pa : float
        Young's modulus E.
    amplitude_m : float
        Differential tide A, the floating side's level between the two interferograms; signed.
    incidence_rad : float
        Angle between the line of sight and the vertical.
    wavelength_m : float
        The radar's.
    """

    thickness_m: float
    young_pa: float
    amplitude_m: float
    incidence_rad: float
    wavelength_m: float

    @property
    def rate_per_m(self) -> float:
        """Spatial rate b = (3 rho_w g (1 - nu^2) / (E h^3))^(1/4)."""
        load = 3 * WATER_DENSITY_KG_M3 * GRAVITY_M_S2 * (1 - POISSON_RATIO**2)
        return float((load / (self.young_pa * self.thickness_m**3)) ** 0.25)

    @property
    def phase_per_m(self) -> float:
        """Phase in radians for a metre of uplift, 4 pi / lambda * cos(incidence)."""
        return 4 * math.pi / self.wavelength_m * math.cos(self.incidence_rad)

    def phase_rad(self, distance_m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the unwrapped phase at each signed distance seaward of the line; 0 landward."""
        return self.phase_per_m * uplift_m(distance_m, self.amplitude_m, self.rate_per_m)

    def migrating_phase_rad(
        self,
        distance_m: npt.NDArray[np.float64],
        rate_factor: npt.NDArray[np.float64],
        *,
        retreat_m: float,
        share: float,
    ) -> npt.NDArray[np.float64]:
        """Return the phase where ice is uneven and the line lay elsewhere at the other date.

        The interferogram of the higher tide, whose line lies farthest inland and is the one that is
        drawn, less `share` of the tide at a line that lies `retreat_m` seaward.

        Parameters
        ----------
        distance_m : float64 array (rows, cols)
            Signed distance seaward of the landward line.
        rate_factor : float64 array (rows, cols)
            How much faster than on average the ice bends, as thickness and stiffness vary.
        """
        rate_per_m = self.rate_per_m * rate_factor
        near = uplift_m(distance_m, self.amplitude_m * (1 + share), rate_per_m)
        far = uplift_m(distance_m - retreat_m, self.amplitude_m * share, rate_per_m)
        return self.phase_per_m * (near - far)


def uplift_m(
    distance_m: npt.NDArray[np.float64], amplitude_m: float, rate_per_m: float | npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return w(x) = A [1 - exp(-bx) (cos bx + sin bx)] for x > 0, and 0 elsewhere.

    The solution of the beam on an elastic foundation, clamped at x = 0 (Holdsworth 1969; Vaughan
    1995, eq. 1).

    Parameters
    ----------
    distance_m : float array
        Distance x from the grounding line, positive seaward.
    amplitude_m : float
        A, the level far from the line.
    rate_per_m : float or float array
        b.
    """
    u = rate_per_m * np.maximum(distance_m, 0.0)
    return np.asarray(amplitude_m * (1 - np.exp(-u) * (np.cos(u) + np.sin(u))))


def draw_beam(generator: np.random.Generator, *, wavelength_m: float, posting_m: float, tides: Tides) -> Beam:
    """Draw a beam; thickness, stiffness, tide and incidence spread over what Antarctic shelves show.

    Parameters
    ----------
    generator : Generator
        Source of randomness.
    wavelength_m, posting_m : float
        The radar's wavelength, and the side of a pixel.
    tides : str
        "gauges": as strong as double differences are at two of the continent's tide gauges, whether
        or not the posting resolves the fringes. "resolved": 0.1 to 0.8 m, and weakened where the
        steepest fringe would be narrower than three pixels.
    """
    beam = Beam(
        thickness_m=float(generator.uniform(200, 1200)),
        young_pa=float(generator.uniform(0.8e9, 3e9)),
        amplitude_m=_gauged_tide_m(generator) if tides == "gauges" else _moderate_tide_m(generator),
        incidence_rad=math.radians(float(generator.uniform(35, 45))),
        wavelength_m=wavelength_m,
    )
    sign = -1 if generator.random() < 0.5 else 1
    amplitude_m = beam.amplitude_m
    if tides == "resolved":
        steepest = STEEPEST_SLOPE * beam.rate_per_m * beam.phase_per_m * posting_m
        amplitude_m = max(LEAST_TIDE_M, min(amplitude_m, 2 * math.pi / FINEST_FRINGE_PX / steepest))
    return replace(beam, amplitude_m=sign * amplitude_m)


def _moderate_tide_m(generator: np.random.Generator) -> float:
    return float(np.exp(generator.uniform(math.log(0.1), math.log(0.8))))


def _gauged_tide_m(generator: np.random.Generator) -> float:
    """Draw a double difference of tides from a log-normal law with a gauge's median and 90 %."""
    median_m, ninety_percent_m = GAUGES_M[int(generator.integers(len(GAUGES_M)))]
    deviation = math.log(ninety_percent_m / median_m) / NORMAL_90
    return max(LEAST_TIDE_M, median_m * math.exp(deviation * float(generator.standard_normal())))
