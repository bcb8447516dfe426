"""What a study's folder `maps/` holds of one member on one test scene, in map coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from scipy.spatial import cKDTree

from glsweep.errors import StudyError
from glsweep.metrics.lines import STEP_M
from glsweep.pages.map_pictures import Floats, highest, north_up
from glsweep.pages.map_place import Bounds, map_bounds
from glsweep.scenes.names import dates_in
from glsweep.scenes.probability import open_probability
from glsweep.study.evaluation_artifacts import LinesOnScene

Points = npt.NDArray[np.float64]
Metres = npt.NDArray[np.float64]

APART_M = 1.5 * STEP_M
"""Pieces of one line lie nearer to each other than this, whatever the map's scale."""
ENDINGS = {"probability": "-probability.tif", "lines": "-lines.gpkg"}


@dataclass(frozen=True, eq=False)
class Pieces:
    """A line's pieces, in their order: their middles on the map, and how far off the other side is."""

    xy_m: Points
    distance_m: Metres


@dataclass(frozen=True, eq=False)
class DrawnOnMap:
    """A drawn line.

    Attributes
    ----------
    xy_m : float64 array (N, 2)
        Its vertices, and points between them no farther apart than pieces are long.
    error_m : float64 array (N,)
        Distance to the true line; NaN where it is not judged: beyond the test ground, and where
        nobody can tell.
    columns : dict
        What the GeoPackage says of it.
    """

    xy_m: Points
    error_m: Metres
    columns: dict[str, Any]


@dataclass(frozen=True, eq=False)
class MapFiles:
    """One member on one test scene.

    Attributes
    ----------
    crs : CRS
    bounds_m : tuple of float
    dates : tuple of date
        Empty where they are not known.
    grid : Affine
        From the scene's pixels to the map.
    phase_rad : float array (rows, cols)
        Coarse, NaN without data; every `phase_step`-th pixel.
    drawn : list of DrawnOnMap
    true : list of Pieces
        The true lines on the test ground.
    """

    crs: pyproj.CRS
    bounds_m: Bounds
    dates: tuple[date, ...]
    grid: Affine
    phase_rad: Floats
    phase_step: int
    drawn: list[DrawnOnMap]
    true: list[Pieces]
    probability: Path

    def phase_north_up(self, longest_px: int) -> Floats:
        """Return the phase on a grid whose rows run along the map's x axis, NaN without data."""
        return north_up(self.phase_rad, self.grid @ Affine.scale(self.phase_step), self.bounds_m, longest_px)

    def probability_north_up(self, longest_px: int) -> Floats:
        """Return the highest probability in each pixel of a coarse grid, NaN without data."""
        with open_probability(self.probability) as raster:
            # A big scene has overviews, and need not be read whole.
            read = raster.read_coarsely(4 * longest_px)
            rows, cols = raster.shape
        coarse, side = highest(read, longest_px)
        to_pixels = Affine.scale(side * cols / read.shape[1], side * rows / read.shape[0])
        return north_up(coarse, self.grid @ to_pixels, self.bounds_m, longest_px)


def read_map(folder: Path, scene: LinesOnScene) -> MapFiles:
    """Read what a member's folder in `maps/` holds of a scene.

    Raises
    ------
    StudyError
        When a file of the map is missing.
    """
    stem = scene.errors.removesuffix("-errors.npz")
    errors, probability, drawn = (folder / f"{stem}{ending}" for ending in ("-errors.npz", *ENDINGS.values()))
    for file in (errors, probability, drawn):
        if not file.exists():
            raise StudyError(f"{file}: is missing; `glsweep evaluate` writes it")
    with open_probability(probability) as raster:
        grid, shape, crs, tags = raster.transform, raster.shape, raster.map_crs, raster.tags
    with np.load(errors, allow_pickle=False) as arrays:
        phase_rad = arrays["phase_rad"]
        judged = Pieces(_on_map(arrays["drawn_km"], grid), arrays["drawn_m"].astype(np.float64))
        true = Pieces(_on_map(arrays["reference_km"], grid), arrays["reference_m"].astype(np.float64))
    return MapFiles(
        crs=crs,
        bounds_m=map_bounds(grid, shape),
        dates=tuple(dates_in(tags.get("DATES", ""))),
        grid=grid,
        phase_rad=phase_rad,
        phase_step=max(-(-length // coarse) for length, coarse in zip(shape, phase_rad.shape, strict=True)),
        drawn=_drawn(drawn, judged),
        true=_apart(true),
        probability=probability,
    )


def beyond(lines: Sequence[Pieces], farthest_m: float) -> list[Points]:
    """Return the parts of lines, of two pieces or more, that the other side comes nowhere near."""
    found: list[Points] = []
    for line in lines:
        far = line.distance_m > farthest_m
        ends = np.flatnonzero(np.diff(far)) + 1
        parts = zip(np.split(line.xy_m, ends), np.split(far, ends), strict=True)
        found += [xy for xy, is_far in parts if is_far[0] and len(xy) > 1]
    return found


def _on_map(km: Floats, grid: Affine) -> Points:
    """Return map coordinates of points in kilometres from a raster's corner, along its rows and columns."""
    posting_m = float(np.hypot(grid.a, grid.d))
    col, row = km.astype(np.float64).T * 1000 / posting_m
    return np.column_stack(grid @ (col, row))


def _apart(pieces: Pieces) -> list[Pieces]:
    """Return the lines that pieces are of."""
    if not len(pieces.xy_m):
        return []
    ends = np.flatnonzero(np.linalg.norm(np.diff(pieces.xy_m, axis=0), axis=1) > APART_M) + 1
    parts = zip(np.split(pieces.xy_m, ends), np.split(pieces.distance_m, ends), strict=True)
    return [Pieces(xy, distance) for xy, distance in parts if len(xy) > 1]


def _drawn(path: Path, judged: Pieces) -> list[DrawnOnMap]:
    """Return the GeoPackage's lines with the distance of each point to the true line."""
    table = gpd.read_file(path, layer=path.stem)
    tree = cKDTree(judged.xy_m) if len(judged.xy_m) else None
    columns = table.drop(columns="geometry").to_dict("records")
    drawn = []
    for line, known in zip(shapely.segmentize(table.geometry.to_numpy(), STEP_M), columns, strict=True):
        xy_m = shapely.get_coordinates(line)
        error_m = np.full(len(xy_m), np.nan)
        if tree is not None:
            away_m, nearest = map(np.asarray, tree.query(xy_m))
            near = away_m <= STEP_M
            error_m[near] = judged.distance_m[nearest[near]]
        drawn.append(DrawnOnMap(xy_m, error_m, known))
    return drawn
