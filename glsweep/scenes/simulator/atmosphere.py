"""What is in the phase besides the tide: air, orbits, ice flow and water that moves under the ice."""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from glsweep.scenes.simulator.spectrum import power_law_field
from glsweep.scenes.simulator.strengths import AS_REAL, Strengths

MOTION_SLOPE = -4.0
MOTION_REACH_M = 3_000.0


def draw_atmosphere_rad(
    shape: tuple[int, int], generator: np.random.Generator, strengths: Strengths = AS_REAL
) -> npt.NDArray[np.float64]:
    """Draw turbulent delay."""
    strength_rad = generator.uniform(*strengths.atmosphere_rad)
    return strength_rad * power_law_field(shape, strengths.atmosphere_slope, generator)


def draw_ramp_rad(
    shape: tuple[int, int], generator: np.random.Generator, strengths: Strengths = AS_REAL
) -> npt.NDArray[np.float64]:
    """Draw the plane that imprecise orbits leave, and any offset."""
    row, col = np.indices(shape)
    most_rad = strengths.most_ramp_rad
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
    strengths: Strengths = AS_REAL,
) -> npt.NDArray[np.float64]:
    """Draw what flow leaves that changed between the dates: smooth, and most on floating ice."""
    smooth = power_law_field(seaward_px.shape, MOTION_SLOPE, generator)
    floats = expit(seaward_px * posting_m / MOTION_REACH_M)
    return np.asarray(generator.uniform(0, strengths.most_motion_rad) * smooth * (0.2 + 0.8 * floats))
