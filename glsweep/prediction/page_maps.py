"""The maps that one can move and zoom on the page of lines: phase, probability and lines of each scene."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyproj
from affine import Affine

from glsweep.pages.map_pictures import highest, north_up, phase_picture, probability_picture
from glsweep.pages.map_place import Bounds, map_bounds
from glsweep.pages.scene_map import DRAWN, OLD, MapLine, SceneMap, maps_json
from glsweep.prediction.near import Prior
from glsweep.prediction.old_lines import lines_within
from glsweep.prediction.overview import middle_day
from glsweep.prediction.scene import PredictedScene
from glsweep.scenes.phase import coarse_phase_rad
from glsweep.scenes.probability import open_probability

MOST_SCENES = 12
"""With maps of their own, so that the page stays small; the newest."""
PHASE_PX, PROBABILITY_PX = 448, 300
TOLERANCE_PX = 0.3
MEAN = "mean"
ABOUT_A_LINE = {
    "band_m": "half its band {:.0f} m",
    "uncert_m": "uncertain by {:.0f} m",
    "spread_m": "networks differ by {:.0f} m",
}
"""Columns of the GeoPackage, and how the page says them."""


def maps_of(scenes: Sequence[PredictedScene], old: Prior | None) -> dict[str, Any]:
    """Return the maps of the newest scenes, the newest first, as the page's script reads them.

    Raises
    ------
    DataError
        When a scene's pixels cannot be read.
    """
    newest = sorted(scenes, key=lambda scene: middle_day(scene.acquisition) or date.min, reverse=True)
    shown = newest[:MOST_SCENES]
    return maps_json(
        [_scene_map(scene, old) for scene in shown],
        members={MEAN: "drawn"},
        layers=(OLD, DRAWN) if old else (DRAWN,),
        tolerance_m=TOLERANCE_PX * min(scene.header.posting_m for scene in shown),
    )


def _scene_map(scene: PredictedScene, old: Prior | None) -> SceneMap:
    header = scene.header
    crs = pyproj.CRS.from_wkt(header.crs.to_wkt()) if header.is_placed else None
    bounds = map_bounds(header.transform, header.shape)
    phase_rad, grid = coarse_phase_rad(header, PHASE_PX)
    drawn = [
        MapLine.of(DRAWN.key, one.line, text=about_a_line(columns))
        for one, columns in zip(scene.lines, scene.table.to_dict("records"), strict=True)
    ]
    known = [] if old is None or crs is None else lines_within(old, bounds, crs)
    old_lines = [MapLine.of(OLD.key, line) for line in known]
    return SceneMap(
        name=scene.scene,
        bounds_m=bounds,
        crs=crs,
        dates=scene.acquisition.dates,
        phase=phase_picture(north_up(phase_rad, grid, bounds, PHASE_PX)),
        probability={MEAN: _probability(scene, bounds)},
        lines=(*old_lines, *drawn),
        remark=scene.far_from_prior,
        facts={MEAN: f"{len(scene.lines)} lines, {scene.length_km:.1f} km"},
    )


def _probability(scene: PredictedScene, bounds: Bounds) -> bytes:
    """Return the highest probability in each pixel of a coarse picture."""
    with open_probability(scene.probability) as raster:
        read = raster.read_coarsely(4 * PROBABILITY_PX)
        (rows, cols), transform = raster.shape, raster.transform
    coarse, side = highest(read, PROBABILITY_PX)
    to_pixels = Affine.scale(side * cols / read.shape[1], side * rows / read.shape[0])
    return probability_picture(north_up(coarse, transform @ to_pixels, bounds, PROBABILITY_PX))


def about_a_line(columns: Mapping[Any, Any]) -> str:
    """Return in words what the GeoPackage says of a drawn line; what it does not know is left out."""
    words = [f"{columns['length_m'] / 1000:.1f} km", f"mean probability {columns['mean_prob']:.2f}"]
    for name, form in ABOUT_A_LINE.items():
        value = columns.get(name)
        if value is not None and math.isfinite(value):
            words.append(form.format(value))
    hinge_m = columns.get("hinge_m")
    if hinge_m is not None and math.isfinite(hinge_m):
        words.append(f"ice first bends {abs(hinge_m):.0f} m {'inland' if hinge_m >= 0 else 'seaward'} of it")
    return "; ".join(words)
