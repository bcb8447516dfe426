"""Grounding lines: random ones, ones cut from real lines, and both as an analyst would draw them."""

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from rasterio.features import rasterize
from scipy.ndimage import gaussian_filter, uniform_filter1d
from scipy.spatial import cKDTree
from shapely import LineString
from skimage.measure import find_contours, label

from glsweep.errors import ConfigError, DataError
from glsweep.scenes.vector_file import open_layer
from glsweep.simulation.phase import power_law_field

BELT_M = 8000.0
LARGEST_MARGIN_PX = 128
SMALLEST_ISLAND_SHARE, SMALLEST_POND_SHARE = 2e-4, 0.01
ROUGHNESS_SLOPE = -3.4
DENSE_PX = 0.5


@dataclass(frozen=True)
class Outline:
    """Where ice floats, and its grounding lines.

    Attributes
    ----------
    lines : tuple of LineString
        Grounding lines in (col, row) pixel coordinates, (0, 0) being the upper left corner; they
        reach beyond the scene.
    seaward_px : float64 array (rows, cols)
        Signed distance from each pixel's centre to the nearest line, positive on floating ice.
    """

    lines: tuple[LineString, ...]
    seaward_px: npt.NDArray[np.float64]


def draw_outline(shape: tuple[int, int], posting_m: float, generator: np.random.Generator) -> Outline:
    """Draw a random outline, and measure the distance of every pixel to it.

    The ground is a tilted plane with power-law roughness, at times with a hill at sea; ice floats
    where it is below 0. It is made with a margin as wide as the belt of fringes, since lines just
    outside bend the ice inside.
    """
    margin_px = min(LARGEST_MARGIN_PX, math.ceil(BELT_M / posting_m))
    padded = (shape[0] + 2 * margin_px, shape[1] + 2 * margin_px)
    height = _draw_ground(padded, shape, generator)
    # Contours are given at pixel centres as (row, col).
    contours = find_contours(height, 0.0)  # type: ignore[no-untyped-call]
    lines = tuple(LineString(contour[:, ::-1] + 0.5 - margin_px).simplify(0.15) for contour in contours)
    inside = slice(margin_px, -margin_px)
    return Outline(lines, distance_px(lines, shape) * np.where(height[inside, inside] < 0, 1, -1))


def _draw_ground(
    padded: tuple[int, int], shape: tuple[int, int], generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Height above floatation, without the smallest islands and ponds."""
    half_px = min(shape) / 2
    row, col = (np.indices(padded) - (np.array(padded)[:, None, None] - 1) / 2) / half_px
    heading = generator.uniform(0, 2 * math.pi)
    landward = row * math.sin(heading) + col * math.cos(heading)
    rough = power_law_field(padded, ROUGHNESS_SLOPE, generator)
    height = landward + generator.uniform(-0.3, 0.3) + generator.uniform(0.25, 0.4) * rough
    if generator.random() < 0.6:
        height += _ice_rise(row, col, heading, generator)
    height = gaussian_filter(height, sigma=1.5)
    parts = label(height < 0, background=-1, connectivity=1)  # type: ignore[no-untyped-call]
    share = np.bincount(parts.ravel())[parts] / parts.size
    small = share < np.where(height < 0, SMALLEST_POND_SHARE, SMALLEST_ISLAND_SHARE)
    return np.where(small, -height, height)


def _ice_rise(
    row: npt.NDArray[np.float64],
    col: npt.NDArray[np.float64],
    heading: float,
    generator: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """A hill that stands up from the sea, at half to nine tenths of the way to the seaward edge."""
    direction = heading + math.pi + generator.uniform(-0.6, 0.6)
    away = generator.uniform(0.5, 0.9)
    squared = (row - away * math.sin(direction)) ** 2 + (col - away * math.cos(direction)) ** 2
    return (away + 0.7) * np.exp(-squared / (2 * generator.uniform(0.08, 0.16) ** 2))


def distance_px(lines: tuple[LineString, ...], shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Distance of pixel centres to the nearest line, right to a twentieth of a pixel.

    Measured to the two segments that meet at the nearest of vertices DENSE_PX apart.
    """
    parts = [shapely.get_coordinates(shapely.segmentize(line, DENSE_PX)) for line in lines]
    vertices = np.concatenate(parts)
    is_last = np.zeros(len(vertices), dtype=bool)
    is_last[np.cumsum([len(part) for part in parts]) - 1] = True
    following = np.arange(len(vertices)) + ~is_last
    previous = np.arange(len(vertices)) - ~np.roll(is_last, 1)
    row, col = np.indices(shape) + 0.5
    centres = np.column_stack([col.ravel(), row.ravel()])
    _, nearest = cKDTree(vertices).query(centres)
    distances = [
        _distance_to_segments(centres, vertices[nearest], vertices[other[nearest]])
        for other in (previous, following)
    ]
    return np.asarray(np.minimum(*distances)).reshape(shape)


def _distance_to_segments(
    points: npt.NDArray[np.float64], start: npt.NDArray[np.float64], end: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Distance of each point (N, 2) to its own segment."""
    along = end - start
    squared = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip(((points - start) * along).sum(axis=1) / squared, 0, 1)
    return np.asarray(np.hypot(*(start + share[:, None] * along - points).T))


# --- Outlines cut from a file of real grounding lines

TRIES = 200
LEAST_SHARE = 0.1
"""Of a scene that is grounded, and that floats."""
SINUOSITY_M = 60.0
STEP_M = 150.0


def cut_outline(
    path: Path, crs: str, shape: tuple[int, int], posting_m: float, generator: np.random.Generator
) -> Outline:
    """Cut a scene's outline out of real lines, at a random place along them.

    Closed lines enclose grounded ice; all else floats. Between their vertices, which may lie a kilometre
    apart, lines are made a little sinuous. Places are drawn independently: two scenes may show the same
    ground.

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
    grounds = _grounded_areas(path, crs)
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
def _grounded_areas(path: Path, crs: str) -> npt.NDArray[np.object_]:
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
