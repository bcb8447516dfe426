"""Grounding lines as coasts are: sinuous at every scale, now and then with an ice rise."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from shapely import LineString
from skimage.measure import find_contours, label

from glsweep.scenes.simulator.spectrum import power_law_field

BELT_M = 8000.0
LARGEST_MARGIN_PX = 128
SMALLEST_ISLAND_SHARE, SMALLEST_POND_SHARE = 2e-4, 0.01
ROUGHNESS_SLOPE = -3.4
DENSE_PX = 0.1


@dataclass(frozen=True)
class Outline:
    """Where ice floats.

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
    """Distance of pixel centres to the nearest line, right to a hundredth of a pixel beyond one pixel.

    Measured to vertices DENSE_PX apart, which errs by DENSE_PX**2 / (8 distance) at most.
    """
    vertices = shapely.get_coordinates(shapely.segmentize(list(lines), DENSE_PX))
    row, col = np.indices(shape) + 0.5
    distance, _ = cKDTree(vertices).query(np.column_stack([col.ravel(), row.ravel()]))
    return np.asarray(distance, dtype=np.float64).reshape(shape)
