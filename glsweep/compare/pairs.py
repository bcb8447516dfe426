"""Reading two files of lines into one map in metres, and pairing what belongs together."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
from shapely import LineString

from glsweep.errors import DataError
from glsweep.scenes.lines import LineFile, read_groups
from glsweep.scenes.names import difference_of

Lines = tuple[LineString, ...]

SOUTH_POLAR, NORTH_POLAR = 3031, 3413
POLAR_LATITUDE_DEG = 60.0


@dataclass(frozen=True)
class Pair:
    """Lines and their reference, of one scene or region, in one map in metres."""

    name: str
    lines: Lines
    reference: Lines


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
        When a file cannot be read, has no such column, no value is in both, or the reference holds
        no line.
    """
    reference_by = reference_by or by
    drawn = read_groups(lines, by, layer=layer)
    truth = read_groups(reference, reference_by, layer=reference_layer, option="--reference-layer")
    for file in (drawn, truth):
        for remark in file.remarks:
            tell(f"{file.path}: {remark}")
    if not any(truth.by_scene.values()):
        raise DataError(f"{reference}: holds no line; name the file of the reference second")
    crs = metric_crs(drawn, truth)
    names = sorted(set(drawn.by_scene) | set(truth.by_scene))
    _check_common(drawn, truth, by, reference_by, tell)
    return [Pair(name, moved(drawn, name, crs), moved(truth, name, crs)) for name in names]


def metric_crs(*files: LineFile) -> pyproj.CRS:
    """Return the first projected CRS of `files`; for degrees, the polar map or UTM zone of their lines."""
    for file in files:
        if file.crs.is_projected and file.crs.axis_info[0].unit_conversion_factor == 1:
            return file.crs
    every = [line for file in files for lines in file.by_scene.values() for line in lines]
    degrees = gpd.GeoSeries(every, crs=files[0].crs).to_crs(4326)
    latitude = degrees.total_bounds[[1, 3]].mean()
    if abs(latitude) >= POLAR_LATITUDE_DEG:
        return pyproj.CRS.from_epsg(SOUTH_POLAR if latitude < 0 else NORTH_POLAR)
    return pyproj.CRS.from_user_input(degrees.estimate_utm_crs())


def moved(file: LineFile, name: str, crs: pyproj.CRS) -> Lines:
    """Return a file's lines of one name, in `crs`."""
    lines = file.by_scene.get(name, ())
    if not lines or file.crs.equals(crs, ignore_axis_order=True):
        return lines
    there = gpd.GeoSeries(list(lines), crs=file.crs).to_crs(crs)
    if not np.isfinite(there.total_bounds).all():
        raise DataError(f"{file.path}: a line has no place in {crs.name}; mend the line or the file's CRS")
    return tuple(there)


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
