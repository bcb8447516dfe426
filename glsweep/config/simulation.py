"""Scenes to be simulated: how many, of what size, and as which radar would see them."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from glsweep.config.base import Settings

C_BAND_WAVELENGTH_M = 0.0555

Tides = Literal["gauges", "resolved"]
Disturbances = Literal["as_real", "wide"]


class Simulation(Settings):
    """Scenes to be simulated, from the elastic-beam model (see `scenes.simulator`).

    `lines` is a file of closed grounding lines from which outlines are cut; without it they are
    random. `tides` are as strong as at Antarctic gauges, where many a belt is finer than the posting
    resolves, or only as strong as it does resolve. `noise` 1 is as noisy as real scenes are, 0 is
    the flexure's phase alone. `disturbances` are as strong as in real scenes, or drawn
    more widely, to train on. Of the scenes with noise `filtered_share` are filtered as processors
    filter them.
    """

    scenes: int = Field(default=8, ge=1)
    rows: int = Field(default=512, ge=64)
    cols: int = Field(default=512, ge=64)
    posting_m: float = Field(default=100.0, gt=0)
    wavelength_m: float = Field(default=C_BAND_WAVELENGTH_M, gt=0)
    looks: int = Field(default=12, ge=1)
    crs: str = "EPSG:3031"
    lines: Path | None = None
    tides: Tides = "gauges"
    noise: float = Field(default=1.0, ge=0, le=1)
    disturbances: Disturbances = "as_real"
    filtered_share: float = Field(default=0.0, ge=0, le=1)
