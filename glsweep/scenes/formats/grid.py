"""Where the grid of a variable lies: coordinates and CRS by the conventions of CF, NISAR and MintPy."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyproj
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

from glsweep.errors import DataError
from glsweep.scenes.formats.variables import Variable, Variables

X_NAMES = (
    "xcoordinates",
    "x",
    "easting",
    "longitude",
    "lon",
    "xc",
    "x_coordinate",
    "projection_x_coordinate",
)
Y_NAMES = (
    "ycoordinates",
    "y",
    "northing",
    "latitude",
    "lat",
    "yc",
    "y_coordinate",
    "projection_y_coordinate",
)
LAT_LON = ("lat", "lon")
CRS_NAMES = ("projection", "crs", "spatial_ref", "grid_mapping")
METRES = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("km", "kilometer", "kilometers", "kilometre", "kilometres"), 1000.0),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 0.01),
}
IRREGULAR = 1e-3
"""Share of the spacing by which a coordinate may be off its place."""
APART_PX = 0.01
"""How far coordinates and a geotransform may lie apart, in addition to the coordinates' rounding."""
OTHER_CRS_PX = 0.1
"""How far apart two declarations of one CRS may put a corner."""
CORNERS = ("X_FIRST", "Y_FIRST", "X_STEP", "Y_STEP")
"""MintPy's attributes of the file: the upper left corner of the first pixel, and the steps."""
DEGREES_EPSG = 4326


class GeoGrid(NamedTuple):
    """Where a variable's pixels lie.

    Attributes
    ----------
    axes : tuple of str
        Whole names of the coordinates y and x; empty where there are none.
    transform : Affine
        From (col, row) pixel corners to map coordinates; the identity where the file has none.
    crs : CRS or None
    """

    axes: tuple[str, ...]
    transform: Affine
    crs: CRS | None


def grid_of(path: Path, variable: Variable, variables: Variables) -> GeoGrid:
    """Return where a variable lies, whose last two axes are rows and columns.

    Coordinates are those of pixel centres; rows may go north or south.

    Raises
    ------
    DataError
        When its axes stand in another order, coordinates are not evenly spaced, contradict the grid
        mapping or have an unknown unit, or the CRS is not understood.
    """
    axes = axes_of(path, variable, variables)
    mapping = _grid_mapping(variable, variables)
    crs = _crs_of(path, mapping) if mapping is not None else _crs_by_mintpy(path, variables["/"])
    given = _geotransform(path, mapping) if mapping is not None else None
    if not axes:
        grid = GeoGrid((), given or _corner_by_mintpy(path, variables["/"]) or Affine.identity(), crs)
    else:
        y, x = (variables[axis] for axis in axes)
        if crs is None and _is_degrees(x) and _is_degrees(y):
            crs = CRS.from_epsg(DEGREES_EPSG)
        lines = [_evenly_spaced(path, axis, crs) for axis in (y, x)]
        grid = GeoGrid(axes, _transform(*lines), crs)
        if mapping is not None and given is not None:
            _check_place(path, (y, x), lines, mapping, given)
    if mapping is not None and crs is not None and grid.transform != Affine.identity():
        _check_crs(path, mapping, grid, variable.shape[-2:])
    return grid


def axes_of(path: Path, variable: Variable, variables: Variables) -> tuple[str, ...]:
    """Return the whole names of the coordinates y and x of a variable, or nothing if there are none."""
    rows, cols = variable.shape[-2:]
    own = variable.axes[-2:]
    if len(own) == 2 and _is_axis(variables.get(own[0]), rows) and _is_axis(variables.get(own[1]), cols):
        if _direction(variables[own[0]]) == "x" or _direction(variables[own[1]]) == "y":
            raise DataError(
                f"{path}: {variable.path} is stored with x before y; turn it (ncpdq -a y,x, or transpose)"
            )
        return own
    for group in _upwards(variable.group):
        found = [
            [
                v
                for v in variables.values()
                if v.group == group and _is_axis(v, n) and _direction(v) == direction
            ]
            for direction, n in (("y", rows), ("x", cols))
        ]
        if max(map(len, found)) > 1:
            # Latitudes and longitudes may stand beside the coordinates on the map.
            mapping = _grid_mapping(variable, variables)
            crs = _crs_of(path, mapping) if mapping is not None else None
            on_map = crs is not None and crs.is_projected
            found = [
                sorted(
                    several,
                    key=lambda axis: (_is_degrees(axis) or axis.name[:3].lower() in LAT_LON) == on_map,
                )
                for several in found
            ]
        if all(found):
            return tuple(several[0].path for several in found)
    return ()


def _upwards(group: str) -> Iterator[str]:
    yield group
    yield from (str(parent) for parent in PurePosixPath(group).parents)


def _is_axis(variable: Variable | None, length: int) -> bool:
    return variable is not None and variable.shape == (length,) and variable.dtype.kind in "iuf"


def _direction(variable: Variable) -> str:
    """Return "x" or "y", or nothing where an axis is not known by its attributes or its name."""
    direction = (variable.text("axis") or variable.text("standard_name") or variable.name).lower()
    if direction in X_NAMES:
        return "x"
    if direction in Y_NAMES:
        return "y"
    by_name = variable.name.lower()
    return "x" if by_name in X_NAMES else "y" if by_name in Y_NAMES else ""


def _is_degrees(axis: Variable) -> bool:
    unit = axis.text("units").lower().replace(" ", "_")
    return unit.startswith("degree") or axis.text("standard_name").lower() in ("longitude", "latitude")


class Axis(NamedTuple):
    """Evenly spaced coordinates, as the CRS counts."""

    first: float
    step: float
    number: int
    rounding: float
    factor: float
    """Units of the CRS in one unit of the file."""


def _transform(y: Axis, x: Axis) -> Affine:
    return Affine(x.step, 0, x.first - x.step / 2, 0, y.step, y.first - y.step / 2)


def _evenly_spaced(path: Path, axis: Variable, crs: CRS | None) -> Axis:
    stored = axis.get(...)
    scale, shift = (float(axis.attributes.get(k, d)) for k, d in (("scale_factor", 1.0), ("add_offset", 0.0)))
    values: npt.NDArray[np.float64] = stored.astype(np.float64) * scale + shift
    if len(values) < 2 or not np.isfinite(values).all() or values[-1] == values[0]:
        raise DataError(f"{path}: {axis.path} holds no coordinates that tell the size of a pixel; mend them")
    step = float(values[-1] - values[0]) / (len(values) - 1)
    off = float(np.abs(values - values[0] - step * np.arange(len(values))).max())
    rounding = (float(np.spacing(np.abs(stored).max())) if stored.dtype.kind == "f" else 1.0) * abs(scale)
    if off > IRREGULAR * abs(step) + rounding:
        raise DataError(
            f"{path}: {axis.path} is not evenly spaced (up to {off:.4g} beside steps of {abs(step):.4g}); "
            "resample it to a grid (gdalwarp, or gmt grdsample)"
        )
    factor = _map_units(path, axis, crs)
    rounding = rounding if stored.dtype.kind == "f" else off
    return Axis(float(values[0]) * factor, step * factor, len(values), rounding * factor, factor)


def _map_units(path: Path, axis: Variable, crs: CRS | None) -> float:
    """Return how many units of the CRS are in one of the coordinate; 1 where it names no unit."""
    unit = axis.text("units").lower()
    if crs is None or not unit:
        return 1.0
    if not crs.is_projected and (unit.startswith("deg") or unit == "°"):
        return 1.0
    if crs.is_projected:
        name, metres = crs.linear_units_factor
        if unit in METRES:
            return float(METRES[unit] / metres)
        if unit == name.lower():
            return 1.0
    known = "m, km or cm" if crs.is_projected else "degrees_north and degrees_east"
    raise DataError(
        f"{path}: {axis.path} is in {axis.text('units')}, which is no unit that is known here for "
        f"coordinates of this CRS; write them in {known} and name it in the attribute units"
    )


def _geotransform(path: Path, mapping: Variable) -> Affine | None:
    """Return the geotransform that GDAL writes into a grid mapping, with coordinates or instead of them."""
    numbers = mapping.text("GeoTransform").split()
    if len(numbers) != 6:
        return None
    return Affine.from_gdal(*(_finite(path, number, f"GeoTransform of {mapping.path}") for number in numbers))


def _corner_by_mintpy(path: Path, root: Variable) -> Affine | None:
    if not all(key in root.attributes for key in CORNERS):
        return None
    left, top, across, down = (_finite(path, root.text(key), f"attribute {key}") for key in CORNERS)
    return Affine(across, 0, left, 0, down, top)


def _crs_by_mintpy(path: Path, root: Variable) -> CRS | None:
    if not all(key in root.attributes for key in CORNERS):
        return None
    if root.text("EPSG"):
        return CRS.from_epsg(int(_finite(path, root.text("EPSG").upper().removeprefix("EPSG:"), "EPSG")))
    return CRS.from_epsg(DEGREES_EPSG) if root.text("X_UNIT").lower().startswith("deg") else None


def _finite(path: Path, text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise DataError(f"{path}: the {what} holds {text}, which is no number; mend it")
    return number


def _check_place(
    path: Path, axes: tuple[Variable, Variable], lines: Sequence[Axis], mapping: Variable, given: Affine
) -> None:
    """Compare boxes, not corners: GDAL writes rows from the south with a geotransform from the north."""
    y, x = lines
    shape = (y.number, x.number)
    steps = np.abs([x.step, y.step] * 2)
    # A geotransform may be in the unit of the coordinates, or in that of the CRS.
    apart = min(
        float((np.abs(_box(_transform(y, x), shape) - factor * _box(given, shape)) / steps).max())
        for factor in (1.0, x.factor)
    )
    if not apart <= APART_PX + max(line.rounding / abs(line.step) for line in lines):
        raise DataError(
            f"{path}: the coordinates {axes[0].path} and {axes[1].path} and the GeoTransform of "
            f"{mapping.path} lie {apart:.4g} pixels apart; remove the one that is wrong"
        )


def _box(transform: Affine, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Return left, bottom, right and top."""
    rows, cols = shape
    corners = np.array([transform @ corner for corner in [(0, 0), (cols, 0), (cols, rows), (0, rows)]])
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def _grid_mapping(variable: Variable, variables: Variables) -> Variable | None:
    # "crs: x y" is CF's longer form.
    named = variable.text("grid_mapping").split(":")[0].strip()
    for name in (named,) if named else CRS_NAMES:
        for group in _upwards(variable.group):
            found = variables.get(str(PurePosixPath(group) / name))
            if found is not None:
                return found
    keys = ("crs_wkt", "spatial_ref", "grid_mapping_name", "epsg_code")
    for group in _upwards(variable.group):
        for other in variables.values():
            if other.path != "/" and other.group == group and any(key in other.attributes for key in keys):
                return other
    root = variables["/"]
    return root if any(key in root.attributes for key in keys) else None


def _crs_of(path: Path, mapping: Variable) -> CRS | None:
    """Return the CRS of a grid mapping: by its WKT, its EPSG code, or CF's parameters, in this order."""
    return next((crs for _, crs in _declared_crs(path, mapping)), None)


def _declared_crs(path: Path, mapping: Variable) -> Iterator[tuple[str, CRS]]:
    """Yield each attribute by which a grid mapping declares a CRS, and the CRS; the most exact first."""
    key = ""
    try:
        for key in ("crs_wkt", "spatial_ref"):
            if mapping.text(key):
                yield key, CRS.from_wkt(pyproj.CRS.from_user_input(mapping.text(key)).to_wkt())
        key, code = "epsg_code", mapping.attributes.get("epsg_code") or _code(mapping)
        if code:
            yield key, CRS.from_epsg(int(str(code).upper().removeprefix("EPSG:")))
        key = "grid_mapping_name"
        if mapping.text(key):
            yield key, CRS.from_wkt(pyproj.CRS.from_cf(mapping.attributes).to_wkt())
    except (CRSError, pyproj.exceptions.CRSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path}: the CRS that {mapping.path} describes by {key} is not understood ({reason[:99]}); "
            "write its WKT into the attribute crs_wkt"
        ) from error


def _check_crs(path: Path, mapping: Variable, grid: GeoGrid, shape: tuple[int, ...]) -> None:
    """Make sure that the WKT and the EPSG code of a grid mapping put its corners in one place."""
    declared = []
    for key, crs in _declared_crs(path, mapping):
        if key == "grid_mapping_name":
            break
        declared.append((key, crs))
    left, bottom, right, top = _box(grid.transform, shape)
    corners = np.array([[left, bottom], [right, bottom], [right, top], [left, top]])
    for key, other in declared[1:]:
        if other == declared[0][1]:
            continue
        first, second = (pyproj.CRS.from_wkt(crs.to_wkt()) for crs in (declared[0][1], other))
        there = np.column_stack(
            pyproj.Transformer.from_crs(first, second, always_xy=True).transform(*corners.T)
        )
        steps = np.abs([grid.transform.a, grid.transform.e])
        if not (np.abs(there - corners) < OTHER_CRS_PX * steps).all():
            raise DataError(
                f"{path}: {mapping.path} tells two CRS, {first.name} ({declared[0][0]}) and {second.name} "
                f"({key}); remove the one that is wrong"
            )


def _code(mapping: Variable) -> int:
    """Return the number that NISAR stores as the projection itself: an EPSG code; 0 where it is none."""
    is_number = mapping.dtype.kind in "iu" and int(np.prod(mapping.shape, dtype=int)) == 1
    value = int(np.ravel(mapping.get(...))[0]) if is_number and mapping.path != "/" else 0
    return value if 1024 <= value <= 32767 and mapping.name.lower() == "projection" else 0
