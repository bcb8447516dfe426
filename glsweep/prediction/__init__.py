"""From a trained network and a scene to lines; here, the options that several commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from glsweep.config.trial import FilterName

Format = Literal["gpkg", "geojson", "shp", "parquet"]
Scheme = Literal["glsweep", "ais_cci", "measures"]


def _hint(metavar: str, default: str) -> object:
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


@dataclass(frozen=True)
class DrawingOptions:
    """What is not said follows from the models."""

    model: Annotated[tuple[str, ...], _hint("FOLDER|models:/NAME@ALIAS...", "the package's network")] = ()
    """A member's folder, a registered model, or phase-gradient (no network); several are averaged."""
    window_px: Annotated[int | None, _hint("N", "twice the patch size")] = None
    """Side of the windows that a network sees at a time, a multiple of 16."""
    overlap: Annotated[float, tyro.conf.arg(metavar="SHARE")] = 0.5
    """Share of its side that a window has in common with the next."""
    turned: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")] = False
    """Average over the eight flips and quarter turns; takes eight times as long."""
    filters: Annotated[tuple[FilterName, ...], tyro.conf.arg()] = ("raw",)
    """Average over the phase as it is (raw) and filtered; takes as many times as long."""
    tau: Annotated[float | None, _hint("P", "the model card's")] = None
    """Probability from which a pixel is line."""
    shortest_m: Annotated[float, tyro.conf.arg(metavar="M")] = 1000.0
    """Shorter lines are left out."""
    bridge_m: Annotated[float, tyro.conf.arg(metavar="M")] = 500.0
    """Gaps up to this length are bridged where a line goes straight on."""
    near: Annotated[Path | None, _hint("FILE", "none")] = None
    """Keep only what lies near the lines of this file: .gpkg, .shp, .geojson or .fgb, in any CRS."""
    within_m: Annotated[float | None, _hint("M", "2000")] = None
    """How near."""
    formats: Annotated[tuple[Format, ...], tyro.conf.arg()] = ("gpkg",)
    """Files of lines to be written."""
    scheme: Scheme = "glsweep"
    """Whose columns come first: those of the products AIS_cci (ESA) or MEaSUREs (NASA), or our own alone."""
    device: Annotated[str | None, _hint("DEVICE", "a GPU if there is one")] = None
    """Such as cpu or cuda:1."""
