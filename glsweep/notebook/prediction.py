"""What a network draws in one scene, as an object that shows itself in notebooks."""

import math
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pyproj
from affine import Affine

from glsweep.notebook import shown
from glsweep.notebook.thumbnails import probability_map
from glsweep.pages.map_place import map_bounds, place_words
from glsweep.pages.scene_map import crs_words
from glsweep.prediction.answers import weighted_mean
from glsweep.scenes.names import only_dates


@dataclass(frozen=True)
class Prediction:
    """What a network draws in one scene.

    Attributes
    ----------
    scene : str
        The scene's name.
    probability : float32 array (rows, cols)
        Of a grounding line, the mean of the members; NaN where there is no data.
    transform : Affine
        From (col, row) pixel corners to map coordinates, in metres.
    crs : CRS
        The map's.
    tau : float
        The probability from which a pixel is line.
    lines : GeoDataFrame
        One row a line, with the columns of the files that `predict` writes: docs/lines.md.
    files : list of Path
        What was written, if a folder was named.
    """

    scene: str
    probability: npt.NDArray[np.float32]
    transform: Affine
    crs: pyproj.CRS
    tau: float
    lines: gpd.GeoDataFrame
    files: list[Path]

    def __repr__(self) -> str:
        rows, cols = self.probability.shape
        return (
            f"Prediction({self.scene!r}, {len(self.lines)} lines, {self._length_km:.1f} km, "
            f"tau={self.tau:g}, {rows} x {cols} px, {self.crs.name})"
        )

    @property
    def _length_km(self) -> float:
        return float(self.lines["length_m"].sum()) / 1000

    @property
    def _dates(self) -> str:
        """The days of its images, as the lines' column has them."""
        days = [day.isoformat() for text in set(self.lines["dates"]) for day in only_dates(text)]
        return ", ".join(sorted(set(days))) or "not known"

    def _repr_html_(self) -> str:
        bounds = map_bounds(self.transform, self.probability.shape)
        facts = {
            "lines": f"{len(self.lines)}, {self._length_km:.1f} km",
            "mean probability": _number(weighted_mean(self.lines, "mean_prob"), ".2f"),
            "uncertainty": _number(weighted_mean(self.lines, "uncert_m"), ".0f", " m for 68 % of the line"),
            "networks' spread": _number(weighted_mean(self.lines, "spread_m"), ".0f", " m"),
            "threshold": f"{self.tau:g}",
            "size": " x ".join(map(str, self.probability.shape)) + " px",
            "place": place_words(bounds, self.crs),
            "map": crs_words(self.crs),
            "dates": self._dates,
        }
        context = {
            "heading": f"{self._length_km:.1f} km of grounding line in {self.scene}",
            "scene": self.scene,
            "facts": list(facts.items()),
            "picture": probability_map(self.probability, self.transform, list(self.lines.geometry)),
        }
        return shown("prediction.html", context)


def _number(value: float, form: str, unit: str = "") -> str:
    return f"{value:{form}}{unit}" if math.isfinite(value) else "not known"
