"""Outlines from a file of real grounding lines, cut out at random."""

import math
from functools import lru_cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from rasterio.features import rasterize
from scipy.ndimage import uniform_filter1d
from shapely import LineString

from glsweep.errors import ConfigError, DataError
from glsweep.scenes.simulator.outline import BELT_M, Outline, distance_px
from glsweep.scenes.vector_file import open_layer

TRIES = 200
LEAST_SHARE = 0.1
"""Of a scene that is grounded, and that floats."""
SINUOSITY_M = 60.0
STEP_M = 150.0


def cut_outline(
    path: Path, crs: str, shape: tuple[int, int], posting_m: float, generator: np.random.Generator
) -> Outline:
    """Cut a scene's outline out of real lines, at a random place along them.

    Closed lines are ground, all else floats. Between their vertices, which may lie a kilometre apart,
    lines get a little sinuosity. The place is forgotten: two scenes may show the same ground.

    Parameters
    ----------
    path : Path
        A file of closed lines or polygons, such as MEaSUREs NSIDC-0709 (doi:10.5067/AXE4121732AD).
    crs : str
        The scenes' CRS, to which lines are reprojected.
    shape : tuple of int
        Rows and columns.
    posting_m : float
        Side of a pixel in metres.
    generator : numpy Generator
        Source of randomness.

    Raises
    ------
    ConfigError
        When the file cannot be read, has no CRS or no closed line, or no scene of this size fits.
    """
    grounds = _grounds(path, crs)
    tree = shapely.STRtree(grounds)
    length_m = shapely.length(grounds)
    side_m = np.array(shape) * posting_m
    for _ in range(TRIES):
        ground = grounds[generator.choice(len(grounds), p=length_m / length_m.sum())]
        near = ground.exterior.interpolate(generator.uniform(0, ground.length))
        down_m, across_m = generator.uniform(0.2, 0.8, size=2) * side_m
        transform = Affine(posting_m, 0, near.x - across_m, 0, -posting_m, near.y + down_m)
        outline = _cut(grounds, tree, transform, shape, generator)
        if LEAST_SHARE < (outline.seaward_px > 0).mean() < 1 - LEAST_SHARE:
            return outline
    raise ConfigError(
        f"simulation.lines: {path}: no scene of {shape[0]} x {shape[1]} px at {posting_m:g} m holds both "
        "grounded and floating ice; make scenes larger"
    )


@lru_cache(maxsize=2)
def _grounds(path: Path, crs: str) -> npt.NDArray[np.object_]:
    """Return the grounded areas of a file as polygons, in `crs`."""
    try:
        layer = open_layer(path, option="simulation.lines:")
        _, geometries = layer.read()
    except DataError as error:
        raise ConfigError(f"simulation.lines: {error}") from error
    table = gpd.GeoSeries([one for one in geometries if one is not None], crs=layer.crs)
    parts = shapely.get_parts(table.to_crs(crs).to_numpy())
    closed = [p for p in parts if p.geom_type == "Polygon" or (p.geom_type == "LineString" and p.is_ring)]
    if not closed:
        raise ConfigError(f"simulation.lines: {path}: holds no closed line; what is grounded must be known")
    polygons = [p if p.geom_type == "Polygon" else shapely.Polygon(p) for p in closed]
    return np.array([shapely.Polygon(p.exterior) for p in polygons], dtype=object)


def _cut(
    grounds: npt.NDArray[np.object_],
    tree: shapely.STRtree,
    transform: Affine,
    shape: tuple[int, int],
    generator: np.random.Generator,
) -> Outline:
    rows, cols = shape
    margin_px = math.ceil(BELT_M / transform.a)
    left, top = transform @ (-margin_px, -margin_px)
    right, bottom = transform @ (cols + margin_px, rows + margin_px)
    window = shapely.box(left, bottom, right, top)
    hit = grounds[tree.query(window, predicate="intersects")]
    shores = shapely.get_parts(shapely.intersection([g.exterior for g in hit], window))
    merged = shapely.get_parts(shapely.line_merge(shapely.union_all(shores)))
    lines = [_roughened(line, generator) for line in merged if line.geom_type == "LineString"]
    padded = (rows + 2 * margin_px, cols + 2 * margin_px)
    # The roughened lines part the window; each face is grounded where its middle is.
    faces = shapely.get_parts(shapely.polygonize([shapely.union_all([*lines, window.exterior])]))
    union = shapely.union_all(shapely.make_valid(hit))
    grounded = [face for face in faces if union.covers(face.representative_point())]
    to_padded = Affine(transform.a, 0, left, 0, transform.e, top)
    is_ground = np.zeros(padded, np.uint8)
    if grounded:
        rasterize([(face, 1) for face in grounded], out=is_ground, transform=to_padded)
    inside = is_ground[margin_px : margin_px + rows, margin_px : margin_px + cols] > 0
    to_pixels = ~transform
    in_pixels = tuple(shapely.transform(lines, lambda xy: np.column_stack(to_pixels @ (xy[:, 0], xy[:, 1]))))
    return Outline(in_pixels, distance_px(in_pixels, shape) * np.where(inside, -1, 1))


def _roughened(line: LineString, generator: np.random.Generator) -> LineString:
    """Shift points of a line by correlated noise; its ends stay, so that lines still close."""
    points = shapely.get_coordinates(shapely.segmentize(line, STEP_M))
    shift = generator.normal(0, 1, points.shape)
    smooth = uniform_filter1d(shift, 5, axis=0, mode="constant") * 5**0.5
    smooth[[0, -1]] = 0
    return LineString(points + SINUOSITY_M * smooth)
