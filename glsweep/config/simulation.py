"""Scenes to be simulated: how many, of what size, and as which radar would see them."""

from pathlib import Path

from pydantic import Field

from glsweep.config.base import Settings

C_BAND_WAVELENGTH_M = 0.0555


class Simulation(Settings):
    """Scenes to be simulated, from the elastic-beam model (see `scenes.simulator`).

    `lines` is a file of closed grounding lines from which outlines are cut; without it they are
    random. `noise` 1 is as noisy as real scenes are, 0 is the flexure's phase alone.
    """

    scenes: int = Field(default=8, ge=1)
    rows: int = Field(default=512, ge=64)
    cols: int = Field(default=512, ge=64)
    posting_m: float = Field(default=100.0, gt=0)
    wavelength_m: float = Field(default=C_BAND_WAVELENGTH_M, gt=0)
    looks: int = Field(default=12, ge=1)
    crs: str = "EPSG:3031"
    lines: Path | None = None
    noise: float = Field(default=1.0, ge=0, le=1)
