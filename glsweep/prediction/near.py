"""Only what lies near a line that was known before: drawn lines are cut to it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from scipy.spatial import cKDTree
from shapely import LineString, Polygon
from shapely.ops import substring

from glsweep.errors import ConfigError, DataError
from glsweep.geodesy import FINE_M, earth_centred, fine_vertices, reproject
from glsweep.metrics.lines import STEP_M, LineDistances, line_distances
from glsweep.prediction.blend import SceneInput
from glsweep.scenes.lines import check_places, read_groups
from glsweep.scenes.vector_file import split_layer
from glsweep.vectorize import DrawnLine, measured_lines
from glsweep.vectorize.outlines import ProbabilityGrid

WITHIN_M = 2000.0


@dataclass(frozen=True)
class Prior:
    """Lines known before, and how far from them a drawn one may lie.

    Attributes
    ----------
    source : str
        The file, as the user named it.
    file_hash : str
        SHA-256 of the file; of a folder, of the files in it.
    lines : tuple of LineString
        On the file's map.
    crs : CRS
        That map.
    within_m : float
        On the ground.
    """

    source: str
    file_hash: str
    lines: tuple[LineString, ...]
    crs: pyproj.CRS
    within_m: float

    def settings(self) -> dict[str, str | float]:
        """Return what is to be written beside lines that were cut."""
        return {"prior": self.source, "prior_sha256": self.file_hash, "within_m": self.within_m}

    def cut(self, lines: Sequence[LineString], crs: pyproj.CRS) -> list[LineString]:
        """Cut lines on a map to what lies within the distance, piece by piece of 20 m at most.

        A line that is near all along stays as it is; a loop that is cut is open.
        """
        if not lines:
            return []
        vertices = fine_vertices(lines, crs, STEP_M)
        near = np.isfinite(self.distances(lines, crs).drawn_m)
        line_of_piece = vertices.line[vertices.joined]
        passed = np.hypot(*vertices.ahead[vertices.joined].T)
        kept: list[LineString] = []
        for number, line in enumerate(lines):
            own = line_of_piece == number
            kept += _stretches(line, near[own], np.concatenate([[0.0], np.cumsum(passed[own])]))
        return kept

    def distances(self, lines: Sequence[LineString], crs: pyproj.CRS) -> LineDistances:
        """Measure lines on a map against these, in pieces of 20 m at most; what is not near is infinite."""
        found = line_distances(lines, self.pieces_around(lines, crs), crs=crs, reference_crs=self.crs)
        return replace(found, drawn_m=np.where(found.drawn_m <= self.within_m, found.drawn_m, np.inf))

    def distance_m(self, ground: Polygon, crs: pyproj.CRS) -> float:
        """Return how far a scene's ground is from the nearest of the lines; 0 where one crosses it."""
        there = reproject(self._pieces, self.crs, crs)
        placed = [line for line in there if np.isfinite(shapely.get_coordinates(line)).all()]
        if shapely.intersects(placed, ground).any():
            return 0.0
        border = [LineString(ground.exterior.coords)]
        found = line_distances(border, self._pieces, crs=crs, reference_crs=self.crs, step_m=FINE_M)
        return float(found.drawn_m.min())

    def pieces_around(self, lines: Sequence[LineString], crs: pyproj.CRS) -> list[LineString]:
        """Return the pieces that may be near: a continent's line in steps of 20 m would fill the memory."""
        coarse = earth_centred(fine_vertices(lines, crs, FINE_M).xy, crs)
        starts = earth_centred(np.array([piece.coords[0] for piece in self._pieces]), self.crs)
        away_m, _ = cKDTree(coarse).query(starts, distance_upper_bound=self.within_m + 2 * FINE_M)
        return [self._pieces[at] for at in np.flatnonzero(np.isfinite(away_m))]

    @cached_property
    def _pieces(self) -> list[LineString]:
        """The lines in pieces of a kilometre at most, straight on any map."""
        vertices = fine_vertices(self.lines, self.crs, FINE_M)
        start = vertices.xy[vertices.joined]
        pieces = shapely.linestrings(np.stack([start, start + vertices.ahead[vertices.joined]], axis=1))
        return list(pieces)


def _stretches(
    line: LineString, near: npt.NDArray[np.bool_], passed: npt.NDArray[np.float64]
) -> list[LineString]:
    """Return the stretches of a line whose pieces are near, given how far along each piece begins."""
    if near.all():
        return [line]
    changes = np.flatnonzero(np.diff(np.concatenate([[False], near, [False]])))
    # The pieces were measured on the map as the line is, but for rounding.
    share = passed / passed[-1]
    cut = [
        substring(line, share[start], share[end], normalized=True)
        for start, end in zip(changes[::2], changes[1::2], strict=True)
    ]
    # A loop may be near where it begins and ends.
    merged = shapely.line_merge(shapely.multilinestrings(cut)) if cut else shapely.MultiLineString()
    return [part for part in shapely.get_parts(merged).tolist() if part.length > 0]


def remark_if_far(prior: Prior, scene: SceneInput) -> str:
    """Return in a sentence that no line known before is near a scene; empty where one is.

    Raises
    ------
    DataError
        When the scene has no place on the map.
    """
    header = scene.header
    if not header.is_placed:
        raise DataError(
            f"{header.path}: lies nowhere on the map, so nothing in it is near a line of {prior.source}; "
            "georeference it, or leave out --near"
        )
    rows, cols = scene.shape
    corners = [(0, 0), (cols, 0), (cols, rows), (0, rows)]
    ground = Polygon([scene.transform @ corner for corner in corners])
    away_m = prior.distance_m(ground, pyproj.CRS.from_wkt(header.crs.to_wkt()))
    if away_m <= prior.within_m:
        return ""
    return (
        f"{header.name}: is {away_m / 1000:.0f} km from the nearest line of {prior.source}: nothing is kept"
    )


def cut_to_near(
    prior: Prior, lines: Sequence[DrawnLine], grid: ProbabilityGrid, scene: SceneInput, *, shortest_m: float
) -> list[DrawnLine]:
    """Cut drawn lines to what is near, measure that anew, and leave out what is shorter than `shortest_m`."""
    crs = pyproj.CRS.from_wkt(scene.header.crs.to_wkt())
    cut = prior.cut([one.line for one in lines], crs)
    return measured_lines(cut, grid, scene.transform, crs=crs, shortest_m=shortest_m)


# --- The file of lines known before


def check_near(near: Path | None, within_m: float | None) -> None:
    """Make sure that a distance comes with a file, and is one.

    Raises
    ------
    ConfigError
        When it does not, or is not positive.
    """
    if within_m is None:
        return
    if near is None:
        raise ConfigError(f"--within-m {within_m:g}: says near what? add --near with a file of lines")
    if not within_m > 0:
        raise ConfigError(f"--within-m {within_m:g}: is not positive; choose more than 0")


def read_prior(near: Path, within_m: float | None, *, option: str = "--near") -> Prior:
    """Read the lines known before.

    Parameters
    ----------
    near : Path
        A file of lines in any CRS; `file.gpkg|layer` names one of its layers.
    within_m : float or None
        2,000 m if None.
    option : str
        By which the user named the file, for the message.

    Raises
    ------
    DataError
        When the file cannot be read, holds no line, or one that is no place on Earth.
    """
    file = read_groups(near, None, option="")
    lines = tuple(line for own in file.by_scene.values() for line in own)
    if not lines:
        raise DataError(f"{near}: holds no line that anything could be near; name another file with {option}")
    check_places(file)
    path, _ = split_layer(near)
    return Prior(str(near), _hash(path), lines, file.crs, WITHIN_M if within_m is None else within_m)


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    for part in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if part.is_file():
            digest.update(part.read_bytes())
    return digest.hexdigest()
