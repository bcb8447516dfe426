"""What is in the phase: the tide's flexure at the grounding line, and everything that disturbs it."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.special import expit

from glsweep.config.data_card import Tides

WATER_DENSITY_KG_M3 = 1027.0
GRAVITY_M_S2 = 9.81
POISSON_RATIO = 0.3
# w'(x) = 2 A b exp(-bx) sin(bx) is greatest at bx = pi / 4; in units of A b.
STEEPEST_SLOPE = 2 * math.exp(-math.pi / 4) * math.sin(math.pi / 4)
FINEST_FRINGE_PX = 2.5
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
        or not the posting resolves the fringes. "resolved": 0.25 to 1.4 m, and weakened where the
        steepest fringe would be narrower than two and a half pixels.
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
    return float(np.exp(generator.uniform(math.log(0.25), math.log(1.4))))


def _gauged_tide_m(generator: np.random.Generator) -> float:
    """Draw a double difference of tides from a log-normal law with a gauge's median and 90 %."""
    median_m, ninety_percent_m = GAUGES_M[int(generator.integers(len(GAUGES_M)))]
    deviation = math.log(ninety_percent_m / median_m) / NORMAL_90
    return max(LEAST_TIDE_M, median_m * math.exp(deviation * float(generator.standard_normal())))


# --- Disturbances: as strong as in real scenes, or varied more widely to train on


@dataclass(frozen=True)
class Disturbances:
    """Ranges from which a scene's disturbances are drawn; the defaults are those of real scenes.

    Ranges are (least, most).

    Attributes
    ----------
    atmosphere_rad : tuple of float
        Standard deviation of the delay.
    atmosphere_slope : float
        Spectral slope of the delay: -8/3 is one of -5/3 along a profile, turbulence over more than two
        kilometres; the thicker the layer of air, the nearer to -11/3 (Hanssen 2001, sec. 4.7).
    most_motion_rad, most_ramp_rad : float
        Standard deviation of what ice flow leaves; slope along rows and columns, over the scene.
    patch_slope, patch_edge : float
        Spectral slope of the patches that lost their coherence, and how softly they end.
    lost_share, highest_coherence : tuple of float
        Share of the scene that lost its coherence, and the coherence of the rest.
    strained_share : float
        Share of the scenes whose ice loses its coherence along the line.
    restless_share : float
        Share of the scenes whose ice keeps no coherence from the line on as far as the sea reaches.
    crevassed_share : tuple of float
        Share of the scene whose coherence is lost with a sharp edge that no fringe announces.
    sheared_share : float
        Share of the scenes with a shear margin.
    """

    atmosphere_rad: tuple[float, float] = (0.5, 1.8)
    atmosphere_slope: float = -8 / 3
    most_motion_rad: float = 2.5
    most_ramp_rad: float = math.pi
    patch_slope: float = -3.6
    patch_edge: float = 0.15
    lost_share: tuple[float, float] = (0.1, 0.8)
    highest_coherence: tuple[float, float] = (0.35, 0.88)
    strained_share: float = 0.5
    restless_share: float = 0.15
    crevassed_share: tuple[float, float] = (0.0, 0.12)
    sheared_share: float = 0.2


REALISTIC = Disturbances()


def draw_wide_disturbances(generator: np.random.Generator) -> Disturbances:
    """Draw disturbances that vary more widely than those of real scenes.

    A network trained only on realistic scenes takes every edge of lost coherence for a line, since in
    most of them the line is such an edge. Here patches end anywhere, sharply or softly, few lines lose
    their coherence, and air and ice motion make fringes that no tide made.
    """
    return Disturbances(
        atmosphere_rad=(0.3, 5.0),
        atmosphere_slope=generator.uniform(-11 / 3, -8 / 3),
        most_motion_rad=12.0,
        most_ramp_rad=6 * math.pi,
        patch_slope=generator.uniform(-3.8, -2.4),
        patch_edge=generator.uniform(0.03, 0.5),
        lost_share=(0.0, 0.8),
        highest_coherence=(0.4, 0.97),
        strained_share=0.25,
        restless_share=0.15,
        crevassed_share=(0.0, 0.2),
        sheared_share=0.3,
    )


# --- The phase besides the tide: air, orbits, subglacial lakes, ice flow

MOTION_SLOPE = -4.0
MOTION_REACH_M = 3_000.0


def draw_atmosphere_rad(
    shape: tuple[int, int], generator: np.random.Generator, disturbances: Disturbances = REALISTIC
) -> npt.NDArray[np.float64]:
    """Draw the delay of turbulent air."""
    strength_rad = generator.uniform(*disturbances.atmosphere_rad)
    return strength_rad * power_law_field(shape, disturbances.atmosphere_slope, generator)


def draw_ramp_rad(
    shape: tuple[int, int], generator: np.random.Generator, disturbances: Disturbances = REALISTIC
) -> npt.NDArray[np.float64]:
    """Draw the plane that imprecise orbits leave, and any offset."""
    row, col = np.indices(shape)
    most_rad = disturbances.most_ramp_rad
    slope_row, slope_col = generator.uniform(-most_rad, most_rad, size=2)
    offset = generator.uniform(-math.pi, math.pi)
    return np.asarray(offset + slope_row * row / shape[0] + slope_col * col / shape[1])


def draw_bulls_eyes_rad(
    landward_px: npt.NDArray[np.float64], posting_m: float, generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Draw none to two subglacial lakes that fill or drain: round fringes on grounded ice.

    They look like a belt of fringes, and no line is drawn around them.
    """
    phase_rad = np.zeros_like(landward_px)
    row, col = np.indices(landward_px.shape)
    for _ in range(generator.integers(0, 3)):
        radius_px = generator.uniform(800, 2000) / posting_m
        peak_rad = generator.choice([-1, 1]) * generator.uniform(3, 15)
        places = np.argwhere(landward_px > 3 * radius_px)
        if len(places):
            centre = places[generator.integers(len(places))]
            squared = (row - centre[0]) ** 2 + (col - centre[1]) ** 2
            phase_rad += peak_rad * np.exp(-squared / (2 * radius_px**2))
    return phase_rad


def draw_ice_motion_rad(
    seaward_px: npt.NDArray[np.float64],
    posting_m: float,
    generator: np.random.Generator,
    disturbances: Disturbances = REALISTIC,
) -> npt.NDArray[np.float64]:
    """Draw the phase of ice flow that changed between the dates: smooth, strongest on floating ice."""
    smooth = power_law_field(seaward_px.shape, MOTION_SLOPE, generator)
    floats = expit(seaward_px * posting_m / MOTION_REACH_M)
    return np.asarray(generator.uniform(0, disturbances.most_motion_rad) * smooth * (0.2 + 0.8 * floats))


# --- Random fields without a scale of their own, from which coasts, air and coherence are made


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
    # A Fourier series repeats; cutting a part off keeps opposite edges from matching.
    rows, cols = (next_fast_len(int(1.5 * n), real=True) for n in shape)
    spectrum = rfft2(generator.standard_normal((rows, cols)))
    wavenumber = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(cols)[None, :])
    wavenumber[0, 0] = np.inf
    field = irfft2(spectrum * wavenumber ** (slope / 2), s=(rows, cols))
    part = field[: shape[0], : shape[1]]
    return np.asarray((part - part.mean()) / part.std())
