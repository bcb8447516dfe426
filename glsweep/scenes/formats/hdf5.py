"""HDF5 and NetCDF files as sources: the variables on one of their grids are the bands."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glsweep.errors import DataError
from glsweep.scenes.formats.grid import GeoGrid, axes_of, grid_of
from glsweep.scenes.formats.variables import Numbers, Variable, Variables, open_variables
from glsweep.scenes.products import list_names
from glsweep.scenes.source import BandFacts, Mask, Window, ends_path

LEAST_SIDE_PX = 2
WRAPPED = re.compile(r"(?<!un)wrapped", re.IGNORECASE)
PHASE = re.compile(r"phase|ifg|interferogram", re.IGNORECASE)
PREFERRED = (("LSAR", "SSAR"), ("frequencyA", "frequencyB"), ("HH", "VV", "HV", "VH"))
"""NISAR's groups, of which a product has one or several; the best first."""
NO_INTERFEROGRAM = {
    **dict.fromkeys(("GSLC", "GCOV", "RSLC", "SLC"), "of one acquisition; give an interferogram (GUNW)"),
    **dict.fromkeys(("RIFG", "RUNW", "ROFF"), "in radar geometry; give the GUNW of this pair"),
    "GOFF": "of offsets, not of phase; give the GUNW of this pair",
}
"""What other products of NISAR are, and what to give instead."""
TAGS = ("_FillValue", "missing_value")


class GridSource:
    """The variables on one grid of a file.

    Parameters
    ----------
    path : Path
        The file that the user named.
    variables : sequence of Variable
        The bands.
    grid : GeoGrid
        Where they lie.
    remarks : tuple of str
        What the user should know of the choice.
    """

    def __init__(
        self, path: Path, variables: Sequence[Variable], grid: GeoGrid, remarks: tuple[str, ...] = ()
    ) -> None:
        self.path = path
        rows, cols = variables[0].shape[-2:]
        self.shape: tuple[int, int] = (rows, cols)
        self.crs, self.transform = grid.crs, grid.transform
        self.remarks = remarks
        names = _short_names([variable.path for variable in variables])
        self.bands = tuple(_facts(v, name) for v, name in zip(variables, names, strict=True))
        self._variables = tuple(variables)

    def read(self, numbers: Sequence[int], window: Window) -> npt.NDArray[Any]:
        """Return the stored numbers of bands, (B, rows, cols), with one number for no data."""
        part = (
            slice(window.row, window.row + window.rows),
            slice(window.col, window.col + window.cols),
        )
        return np.stack([_numbers(self._variables[number - 1], part) for number in numbers])

    def mask(self, window: Window) -> Mask | None:
        """Return None: these files mark pixels without data by their numbers alone."""
        return None


@contextmanager
def open_grid(
    path: Path, kind: str, requested: str | None = None, *, alone: bool = False
) -> Iterator[GridSource]:
    """Open an HDF5 or NetCDF file.

    The bands are the variables on the grid of the wrapped interferogram, where there is one, else of the
    first variable that may be one; those in its group and in the groups above.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        HDF5 or NETCDF, as its first bytes say.
    requested : str, optional
        A variable that decides the grid instead: its name, or the end of its whole one.
    alone : bool
        Whether it is the only band.

    Raises
    ------
    DataError
        When the file cannot be read, holds no such variable, or no grid that can be understood.
    """
    with open_variables(path, kind) as variables:
        _refuse_no_interferogram(path, variables)
        choices = _ranked(path, variables)
        if requested is not None:
            choices = _called(path, requested, choices, variables)
        first = choices[0]
        bands = [first] if alone else _on_the_grid_of(path, first, variables)
        yield GridSource(path, bands, grid_of(path, first, variables), _remarks(first, choices))


def _ranked(path: Path, variables: Variables) -> list[Variable]:
    """Return the layers of numbers, those first that are most likely a wrapped interferogram."""
    layers = [variable for variable in variables.values() if _is_layer(variable)]
    if not layers:
        arrays = [f"{v.path} {' x '.join(map(str, v.shape))}" for v in variables.values() if len(v.shape) > 1]
        deep = [v for v in variables.values() if len(v.shape) > 2 and v.is_numeric]
        remedy = "take out one layer (ncks -d time,0)" if deep else "is it an interferogram on a grid?"
        held = f" (it holds {list_names(arrays, 5)})" if arrays else ""
        raise DataError(f"{path}: holds no layer of rows and columns{held}; {remedy}")
    order = {variable.path: number for number, variable in enumerate(layers)}
    return sorted(layers, key=lambda v: (*_likeness(v), order[v.path]))


def _likeness(variable: Variable) -> tuple[int, ...]:
    groups = variable.path.split("/")
    preferences = (
        next((n for n, name in enumerate(names) if name in groups), len(names)) for names in PREFERRED
    )
    return (
        0 if WRAPPED.search(variable.path) else 1,
        0 if variable.dtype.kind == "c" else 1,
        0 if PHASE.search(variable.name) else 1,
        0 if variable.dtype.kind == "f" else 1,
        *preferences,
    )


def _is_layer(variable: Variable) -> bool:
    """Whether it is rows and columns, perhaps with axes of length 1 such as a time before them."""
    *before, rows, cols = variable.shape if len(variable.shape) > 1 else (0, 0, 0)
    is_large = min(rows, cols) >= LEAST_SIDE_PX
    return variable.is_numeric and is_large and all(length == 1 for length in before)


def _called(path: Path, requested: str, choices: Sequence[Variable], variables: Variables) -> list[Variable]:
    found = [variable for variable in choices if ends_path(variable.path, requested)]
    if found:
        return found
    other = next((v for v in variables.values() if v.path != "/" and ends_path(v.path, requested)), None)
    if other is not None:
        shape = " x ".join(map(str, other.shape)) or "one value"
        raise DataError(
            f"{path}: {other.path} is {shape}, not rows and columns of numbers; take out one layer of it "
            f"(ncks -d), or name one of {list_names([v.path for v in choices])}"
        )
    raise DataError(
        f"{path}: has no variable {requested}; name one of {list_names([v.path for v in choices])}"
    )


def _on_the_grid_of(path: Path, first: Variable, variables: Variables) -> list[Variable]:
    """Return the layers on the grid of one, in its group and those above, itself included."""
    axes = axes_of(path, first, variables)
    groups = [first.group]
    while groups[-1] != "/":
        groups.append(groups[-1].rpartition("/")[0] or "/")
    return [
        variable
        for variable in variables.values()
        if _is_layer(variable)
        and variable.group in groups
        and variable.shape[-2:] == first.shape[-2:]
        and axes_of(path, variable, variables) in (axes, ())
        and variable.path not in axes
    ]


def _remarks(first: Variable, choices: Sequence[Variable]) -> tuple[str, ...]:
    """Say which of several variables of one name was taken."""
    others = [variable.path for variable in choices[1:] if variable.name == first.name]
    if not others:
        return ()
    return (
        f"{first.path} is read, not {list_names(others)}; name another with --bands, or `bands` in a data "
        "card's layout",
    )


def _refuse_no_interferogram(path: Path, variables: Variables) -> None:
    for variable in variables.values():
        if variable.name == "productType" and variable.shape == ():
            value = variable.get(())
            kind = value.item() if isinstance(value, np.ndarray) else value
            kind = kind.decode() if isinstance(kind, bytes) else str(kind)
            if kind.strip().upper() in NO_INTERFEROGRAM:
                raise DataError(
                    f"{path}: is a {kind.strip()} product, {NO_INTERFEROGRAM[kind.strip().upper()]}"
                )


def _short_names(paths: Sequence[str]) -> list[str]:
    """Return the shortest end of each path that distinguishes it from the others."""
    names = []
    for path in paths:
        parts = path.strip("/").split("/")
        ends = ("/".join(parts[-length:]) for length in range(1, len(parts) + 1))
        names.append(next((end for end in ends if sum(ends_path(p, end) for p in paths) == 1), path))
    return names


def _facts(variable: Variable, name: str) -> BandFacts:
    attributes = variable.attributes
    tags = _tags(variable)
    long_name = variable.text("long_name") or variable.text("standard_name")
    generic = variable.name.lower() in ("z", "band1", "data", "values", "layer")
    return BandFacts(
        name=long_name if generic and long_name and long_name.lower() != variable.name.lower() else name,
        dtype=variable.dtype.newbyteorder("=").name,
        unit="" if variable.text("units") in ("1", "none", "unitless") else variable.text("units"),
        scale=_number(attributes.get("scale_factor"), 1.0),
        offset=_number(attributes.get("add_offset"), 0.0),
        nodata=tags[0] if tags else None,
        path=variable.path,
    )


def _tags(variable: Variable) -> list[float]:
    """Return the numbers that stand for no data."""
    values = [variable.attributes[key] for key in TAGS if key in variable.attributes]
    numbers = [number for value in values for number in np.ravel(value)]
    return [float(np.real(n)) for n in numbers if not isinstance(n, str | bytes)]


def _numbers(variable: Variable, part: tuple[slice, slice]) -> Numbers:
    """Return the numbers of a window; each kind of no data as the first of them, or as NaN."""
    values = variable.get((*(0 for _ in variable.shape[:-2]), *part))
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    tags = _tags(variable)
    if values.dtype.kind == "c" or not (tags or values.dtype.kind == "f"):
        return values
    others = np.asarray(tags[1:])
    missing = np.isin(values, others.astype(values.dtype) if values.dtype.kind == "f" else others)
    low, high = _valid_range(variable)
    missing |= (values < low) | (values > high)
    if missing.any():
        values = np.where(missing, values.dtype.type(tags[0] if tags else np.nan), values)
    return values


def _valid_range(variable: Variable) -> tuple[float, float]:
    low, high = (
        np.ravel(variable.attributes["valid_range"])[:2]
        if np.size(variable.attributes.get("valid_range", ())) == 2
        else (variable.attributes.get("valid_min"), variable.attributes.get("valid_max"))
    )
    return _number(low, -np.inf), _number(high, np.inf)


def _number(value: Any, otherwise: float) -> float:
    return otherwise if value is None or isinstance(value, str) else float(np.real(value))
