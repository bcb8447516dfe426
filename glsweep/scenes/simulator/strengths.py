"""How strong the disturbances of a scene may be: as in real scenes, or wider, to train on."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Strengths:
    """What a scene's disturbances are drawn from; as it stands here, as real scenes have them.

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
    """

    atmosphere_rad: tuple[float, float] = (0.5, 1.8)
    atmosphere_slope: float = -8 / 3
    most_motion_rad: float = 2.5
    most_ramp_rad: float = math.pi
    patch_slope: float = -3.6
    patch_edge: float = 0.15
    lost_share: tuple[float, float] = (0.1, 0.8)
    highest_coherence: tuple[float, float] = (0.35, 0.92)
    strained_share: float = 0.88


AS_REAL = Strengths()


def draw_widely(generator: np.random.Generator) -> Strengths:
    """Draw a scene's strengths wider than real scenes vary.

    A network that has seen only scenes that agree with real ones takes every edge of lost coherence
    for a line: in most of them the line is one. Here patches end anywhere and in any way, and few
    belts are lost; in air and motion there are fringes that no tide made.
    """
    return Strengths(
        atmosphere_rad=(0.3, 5.0),
        atmosphere_slope=generator.uniform(-11 / 3, -8 / 3),
        most_motion_rad=12.0,
        most_ramp_rad=6 * math.pi,
        patch_slope=generator.uniform(-3.8, -2.4),
        patch_edge=generator.uniform(0.03, 0.5),
        lost_share=(0.0, 0.8),
        highest_coherence=(0.4, 0.97),
        strained_share=0.25,
    )
