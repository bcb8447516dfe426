"""Where the grid of a variable lies: its coordinates and its CRS, as the CF conventions and NISAR say it."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyproj
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

from glsweep.errors import DataError
from glsweep.scenes.products.variables import Variable, Variables

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
CRS_NAMES = ("projection", "crs", "spatial_ref", "grid_mapping")
METRES = {"km": 1000.0, "kilometer": 1000.0, "kilometers": 1000.0, "kilometre": 1000.0, "kilometres": 1000.0}
IRREGULAR = 1e-3
"""Share of the spacing by which a coordinate may lie beside its place."""
DEGREES_EPSG = 4326


class Grid(NamedTuple):
    """Where a variable's pixels lie.

    Attributes
    ----------
    axes : tuple of str
        Whole names of the coordinates y and x; empty where there are none.
    transform : Affine
        From (col, row) pixel corners to map coordinates; the identity where the file does not tell.
    crs : CRS or None
    """

    axes: tuple[str, ...]
    transform: Affine
    crs: CRS | None


def grid_of(path: Path, variable: Variable, variables: Variables) -> Grid:
    """Return where a variable lies, whose last two axes are rows and columns.

    Coordinates are those of pixel centres; rows may go north or south.

    Raises
    ------
    DataError
        When its axes stand in another order, coordinates are not evenly spaced, or the CRS is not
        understood.
    """
    axes = axes_of(path, variable, variables)
    mapping = _grid_mapping(variable, variables)
    crs = _crs_of(path, mapping) if mapping is not None else None
    if not axes:
        given = mapping.text("GeoTransform").split() if mapping is not None else []
        return Grid((), Affine.from_gdal(*map(float, given)) if len(given) == 6 else Affine.identity(), crs)
    y, x = (variables[axis] for axis in axes)
    if crs is None and _is_degrees(x) and _is_degrees(y):
        crs = CRS.from_epsg(DEGREES_EPSG)
    in_metres = crs is not None and crs.is_projected and crs.linear_units_factor[1] == 1
    (top, down), (left, across) = (_even(path, axis, in_metres=in_metres) for axis in (y, x))
    return Grid(axes, Affine(across, 0, left - across / 2, 0, down, top - down / 2), crs)


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
        pair = []
        for wanted, length in (("y", rows), ("x", cols)):
            pair += [
                v.path
                for v in variables.values()
                if v.group == group and _is_axis(v, length) and _direction(v) == wanted
            ][:1]
        if len(pair) == 2:
            return tuple(pair)
    return ()


def _upwards(group: str) -> Iterator[str]:
    yield group
    yield from (str(parent) for parent in PurePosixPath(group).parents)


def _is_axis(variable: Variable | None, length: int) -> bool:
    return variable is not None and variable.shape == (length,) and variable.dtype.kind in "iuf"


def _direction(variable: Variable) -> str:
    """Return "x" or "y", or nothing where an axis is not known by its attributes or its name."""
    said = (variable.text("axis") or variable.text("standard_name") or variable.name).lower()
    if said in X_NAMES:
        return "x"
    if said in Y_NAMES:
        return "y"
    by_name = variable.name.lower()
    return "x" if by_name in X_NAMES else "y" if by_name in Y_NAMES else ""


def _is_degrees(axis: Variable) -> bool:
    unit = axis.text("units").lower().replace(" ", "_")
    return unit.startswith("degree") or axis.text("standard_name").lower() in ("longitude", "latitude")


def _even(path: Path, axis: Variable, *, in_metres: bool) -> tuple[float, float]:
    """Return the first coordinate and the step from one to the next."""
    stored = axis.get(...)
    values: npt.NDArray[np.float64] = stored.astype(np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or values[-1] == values[0]:
        raise DataError(f"{path}: {axis.path} holds no coordinates that tell the size of a pixel; mend them")
    step = float(values[-1] - values[0]) / (len(values) - 1)
    off = float(np.abs(values - values[0] - step * np.arange(len(values))).max())
    rounding = float(np.spacing(np.abs(stored).max())) if stored.dtype.kind == "f" else 1.0
    if off > IRREGULAR * abs(step) + rounding:
        raise DataError(
            f"{path}: {axis.path} is not evenly spaced (up to {off:.4g} beside steps of {abs(step):.4g}); "
            "resample it to a grid (gdalwarp, or gmt grdsample)"
        )
    factor = METRES.get(axis.text("units").lower(), 1.0) if in_metres else 1.0
    return float(values[0]) * factor, step * factor


def _grid_mapping(variable: Variable, variables: Variables) -> Variable | None:
    # "crs: x y" is CF's longer form.
    named = variable.text("grid_mapping").split(":")[0].strip()
    for name in (named,) if named else CRS_NAMES:
        for group in _upwards(variable.group):
            found = variables.get(str(PurePosixPath(group) / name))
            if found is not None:
                return found
    said = ("crs_wkt", "spatial_ref", "grid_mapping_name", "epsg_code")
    for group in _upwards(variable.group):
        for other in variables.values():
            if other.path != "/" and other.group == group and any(key in other.attributes for key in said):
                return other
    root = variables["/"]
    return root if any(key in root.attributes for key in said) else None


def _crs_of(path: Path, mapping: Variable) -> CRS | None:
    """Return the CRS of a grid mapping: by its WKT, its EPSG code, or CF's parameters, in this order."""
    try:
        for key in ("crs_wkt", "spatial_ref"):
            if mapping.text(key):
                return CRS.from_wkt(pyproj.CRS.from_user_input(mapping.text(key)).to_wkt())
        code = mapping.attributes.get("epsg_code") or _code(mapping)
        if code:
            return CRS.from_epsg(int(str(code).upper().removeprefix("EPSG:")))
        if mapping.text("grid_mapping_name"):
            return CRS.from_wkt(pyproj.CRS.from_cf(mapping.attributes).to_wkt())
    except (CRSError, pyproj.exceptions.CRSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path}: the CRS that {mapping.path} describes is not understood ({reason[:99]}); write its WKT "
            "into the attribute crs_wkt"
        ) from error
    return None


def _code(mapping: Variable) -> int:
    """Return the number that NISAR stores as the projection itself: an EPSG code; 0 where it is none."""
    is_number = mapping.dtype.kind in "iu" and int(np.prod(mapping.shape, dtype=int)) == 1
    value = int(np.ravel(mapping.get(...))[0]) if is_number and mapping.path != "/" else 0
    return value if 1024 <= value <= 32767 and mapping.name.lower() == "projection" else 0
