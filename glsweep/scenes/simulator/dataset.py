"""A folder of simulated scenes in the study layout, as if it had been obtained."""

import math
from pathlib import Path

import geopandas as gpd
from shapely import LineString

from glsweep.config.data_card import Layout
from glsweep.config.simulation import Simulation
from glsweep.files import replacing
from glsweep.scenes.raster import write_interferogram
from glsweep.scenes.simulator.simulate import projected_crs, simulate_scene

# In West Antarctica, where EPSG:3031 has such coordinates.
FIRST_XY_M = (-1_500_000.0, -700_000.0)
GAP_SHARE = 0.25
APART_M = 1_500_000.0
"""Between the grounds of two data sets."""


def simulate_data(settings: Simulation, root: Path, *, seed: int, number: int = 0) -> None:
    """Write scenes and lines under `root` in the study layout, whole or not at all.

    Footprints do not overlap, so that a split by scene shares no ground. The same settings and
    seed give the same scenes and lines.

    Parameters
    ----------
    settings : Simulation
        Number and kind of scenes.
    root : Path
        The folder to be made or replaced: `DInSAR/<name>.tif` and `all_manual_segm_gl.gpkg`.
    seed : int
        Decides every draw.
    number : int
        Of the data set among those of a study: no two share a scene or ground.

    Raises
    ------
    ConfigError
        When the CRS is unknown or not projected.
    """
    layout = Layout()
    crs = projected_crs(settings)
    names: list[str] = []
    lines: list[LineString] = []
    with replacing(root) as folder:
        for index in range(settings.scenes):
            name = f"sim{index:03d}_seed{seed}" + (f"_set{number}" if number else "")
            origin_xy_m = _origin_xy_m(settings, index, number)
            scene = simulate_scene(settings, seed=seed, name=name, origin_xy_m=origin_xy_m)
            write_interferogram(folder / "DInSAR" / f"{name}.tif", scene.interferogram, scene.transform, crs)
            names += [f"{name}.shp"] * len(scene.lines)
            lines += scene.lines
        table = gpd.GeoDataFrame({layout.scene_column: names}, geometry=lines, crs=crs.to_wkt())
        table.to_file(folder / str(layout.lines), driver="GPKG", layer="grounding_lines")


def _origin_xy_m(settings: Simulation, index: int, number: int) -> tuple[float, float]:
    """Upper left corner of a scene: a grid of as many columns as rows, with gaps between."""
    down, across = divmod(index, math.ceil(math.sqrt(settings.scenes)))
    width_m, height_m = settings.cols * settings.posting_m, settings.rows * settings.posting_m
    x_m = FIRST_XY_M[0] + across * width_m * (1 + GAP_SHARE)
    y_m = FIRST_XY_M[1] + number * APART_M - down * height_m * (1 + GAP_SHARE)
    return x_m, y_m
