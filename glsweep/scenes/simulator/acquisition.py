"""Traces of how a radar takes a scene: burst seams, and slanted borders without data."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely import Polygon
from skimage.draw import polygon2mask

BURST_M = 20_000.0
SWATH_EDGE_SHARE = 0.3


@dataclass(frozen=True)
class Track:
    """The direction of flight over one scene.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the scene.
    heading_rad : float
        Angle between the flight and the columns' direction.
    """

    shape: tuple[int, int]
    heading_rad: float

    def along_px(self) -> npt.NDArray[np.float64]:
        """Return the coordinate along the flight of every pixel centre, (rows, cols)."""
        row, col = np.indices(self.shape) + 0.5
        return np.asarray(row * math.cos(self.heading_rad) + col * math.sin(self.heading_rad))

    def draw_seams_rad(self, posting_m: float, generator: np.random.Generator) -> npt.NDArray[np.float64]:
        """Draw TOPS bursts: each has an offset and a slope along the flight, so seams are steps."""
        position = self.along_px() * posting_m / BURST_M + generator.uniform(0, 1)
        burst = np.floor(position).astype(int)
        index = burst - burst.min()
        count = index.max() + 1
        offset_rad, slope_rad = generator.normal(0, 0.25, count), generator.normal(0, 0.25, count)
        return np.asarray(offset_rad[index] + slope_rad[index] * (position - burst - 0.5))

    def draw_footprint(self, generator: np.random.Generator) -> Polygon:
        """Draw the part that holds data, in (col, row) pixel coordinates: a slanted rectangle."""
        rows, cols = self.shape
        half_rows, half_cols = generator.uniform(0.44, 0.58, size=2) * (rows, cols)
        centre_row, centre_col = rows / 2, cols / 2
        if generator.random() < SWATH_EDGE_SHARE:
            # The swath ends within the scene, to either side of the flight.
            centre_col += generator.choice([-1, 1]) * generator.uniform(0.2, 0.6) * cols
        slanted = shapely.affinity.rotate(
            shapely.box(
                centre_col - half_cols, centre_row - half_rows, centre_col + half_cols, centre_row + half_rows
            ),
            -self.heading_rad,
            use_radians=True,
        )
        return shapely.intersection(slanted, whole_footprint(self.shape))


def draw_track(shape: tuple[int, int], generator: np.random.Generator) -> Track:
    """Draw a heading of 3 to 20 degrees to either side."""
    side = generator.choice([-1, 1])
    return Track(shape, math.radians(side * generator.uniform(3, 20)))


def whole_footprint(shape: tuple[int, int]) -> Polygon:
    """Return the outline of a scene without empty borders, in (col, row) pixel coordinates."""
    return shapely.box(0, 0, shape[1], shape[0])


def pixels_within(footprint: Polygon, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return the pixels whose centre lies within `footprint`, (rows, cols)."""
    vertices = shapely.get_coordinates(footprint)[:, ::-1] - 0.5
    return np.asarray(polygon2mask(shape, vertices))  # type: ignore[no-untyped-call]
