"""Reading two files of lines, and pairing what belongs together."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyproj
import shapely
from shapely import LineString

from glsweep.errors import DataError
from glsweep.geodesy import in_space
from glsweep.metrics.lines import LineDistances, line_distances
from glsweep.scenes.lines import LineFile, read_groups
from glsweep.scenes.names import difference_of

Lines = tuple[LineString, ...]


@dataclass(frozen=True)
class Pair:
    """Lines and their reference, of one scene or region, each on the map of its file."""

    name: str
    lines: Lines
    reference: Lines
    crs: pyproj.CRS
    reference_crs: pyproj.CRS

    def distances(self, step_m: float) -> LineDistances:
        """Measure the lines against the reference, in pieces of `step_m` at most."""
        return line_distances(
            self.lines, self.reference, crs=self.crs, reference_crs=self.reference_crs, step_m=step_m
        )


def read_pairs(
    lines: Path,
    reference: Path,
    *,
    by: str | None,
    reference_by: str | None,
    layer: str | None = None,
    reference_layer: str | None = None,
    tell: Callable[[str], object] = lambda remark: None,
) -> list[Pair]:
    """Read both files, and pair their rows by the value of a column.

    Parameters
    ----------
    lines, reference : Path
        Files of lines in any CRS.
    by, reference_by : str or None
        The column of each file; without one, all rows are one pair. `reference_by` follows `by`.
        What only one of the files has is paired with nothing: it is missed, or invented.
    layer, reference_layer : str or None
        The layer of each file, where it has several.
    tell : callable
        Told what was not taken as it stands in a file, in a sentence each.

    Raises
    ------
    DataError
        When a file cannot be read, has no such column, no value is in both, the reference holds no
        line, or a line has no place on Earth.
    """
    reference_by = reference_by or by
    drawn = read_groups(lines, by, layer=layer)
    truth = read_groups(reference, reference_by, layer=reference_layer, option="--reference-layer")
    for file in (drawn, truth):
        for remark in file.remarks:
            tell(f"{file.path}: {remark}")
    if not any(truth.by_scene.values()):
        raise DataError(f"{reference}: holds no line; name the file of the reference second")
    for file in (drawn, truth):
        check_places(file)
    names = sorted(set(drawn.by_scene) | set(truth.by_scene))
    _check_common(drawn, truth, by, reference_by, tell)
    return [
        Pair(name, drawn.by_scene.get(name, ()), truth.by_scene.get(name, ()), drawn.crs, truth.crs)
        for name in names
    ]


def check_places(file: LineFile) -> None:
    """Make sure that all lines of a file lie on Earth.

    Raises
    ------
    DataError
        When one does not.
    """
    xy = shapely.get_coordinates([line for lines in file.by_scene.values() for line in lines])
    lost = ~np.isfinite(in_space(xy, file.crs)).all(axis=1)
    if lost.any():
        x, y = xy[lost][0]
        raise DataError(
            f"{file.path}: a line's vertex ({x:g}, {y:g}) is no place on Earth in the file's CRS "
            f"{file.crs.name}; mend the line, or assign the CRS in which it was drawn (ogr2ogr -a_srs)"
        )


def _check_common(
    drawn: LineFile, truth: LineFile, by: str | None, reference_by: str | None, tell: Callable[[str], object]
) -> None:
    """Make sure that some value is in both files, and tell of values that are only spelt otherwise."""
    ours, theirs = set(drawn.by_scene), set(truth.by_scene)
    if by is None or not ours:
        return
    near = difference_of(theirs - ours, ours - theirs, by)
    one, other = (near.other, near.one) if near else (min(ours), min(theirs))
    if not ours & theirs:
        raise DataError(
            f"{drawn.path}: its column {by} and {reference_by} of {truth.path} have no value in common "
            f"(such as {one!r} and {other!r}); {near.told if near else 'name the columns that do'}"
        )
    if near:
        tell(f"{drawn.path}: {one!r} is paired with nothing, though there is {other!r}: {near.told}")
