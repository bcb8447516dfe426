"""The variables of HDF5 and NetCDF files, in one form for both."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
import numpy.typing as npt
from scipy.io import netcdf_file

from glsweep.errors import DataError
from glsweep.scenes.source import HDF5

Numbers = npt.NDArray[Any]
Attributes = dict[str, Any]
Read = TypeVar("Read")
STORED = ("_FillValue", "missing_value", "valid_range", "valid_min", "valid_max")
"""Attributes with numbers as they are stored."""
COMPLEX_PARTS = ({"r", "i"}, {"real", "imag"}, {"real", "imaginary"}, {"re", "im"})


@dataclass(frozen=True)
class Variable:
    """One variable; all but its shape and type is read only when needed, since products hold hundreds.

    Attributes
    ----------
    path : str
        Its whole name from the root, such as `/science/LSAR/phase`.
    shape : tuple of int
    dtype : numpy dtype
        Of what `get` returns.
    get : callable
        Given an index of slices, the numbers.
    get_attributes, get_axes : callable
        Return `attributes` and `axes`.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    get: Callable[[Any], Numbers]
    get_attributes: Callable[[], Attributes]
    get_axes: Callable[[], tuple[str, ...]]

    @cached_property
    def attributes(self) -> Attributes:
        """Attributes by name: texts as str, single numbers as numbers."""
        return self.get_attributes()

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """Whole names of the coordinates along each axis; empty where the file names none."""
        return self.get_axes()

    @property
    def group(self) -> str:
        """Whole name of the group that it is in."""
        return self.path.rpartition("/")[0] or "/"

    @property
    def name(self) -> str:
        """Its name within its group."""
        return self.path.rpartition("/")[2]

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers, and not texts or records."""
        return self.dtype.kind in "biufc"

    def text(self, key: str) -> str:
        """Return an attribute as text, empty where there is none."""
        return str(self.attributes.get(key, "")).strip()


Variables = dict[str, Variable]


@contextmanager
def open_variables(path: Path, kind: str) -> Iterator[Variables]:
    """Open a file and yield its variables by their whole names; `/` holds the attributes of the file.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    with _open_hdf5(path) if kind == HDF5 else _open_netcdf3(path) as variables:
        yield {name: _with_its_sign(variable) for name, variable in variables.items()}


def _with_its_sign(variable: Variable) -> Variable:
    """Return integers as the attribute `_Unsigned` says, since NetCDF-3 has only signed ones."""
    if variable.dtype.kind not in "iu" or not variable.text("_Unsigned"):
        return variable
    kind = "u" if variable.text("_Unsigned").lower() == "true" else "i"
    dtype = np.dtype(f"{variable.dtype.byteorder}{kind}{variable.dtype.itemsize}")

    def attributes() -> Attributes:
        return {
            key: _plain(np.asarray(value).astype(variable.dtype).view(dtype)) if key in STORED else value
            for key, value in variable.attributes.items()
        }

    return replace(
        variable, dtype=dtype, get=lambda i: variable.get(i).view(dtype), get_attributes=attributes
    )


def _root(attributes: Attributes) -> Variable:
    return Variable("/", (), np.dtype("V1"), lambda _: np.empty(0), lambda: attributes, tuple)


def _cut_short(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split())
    return DataError(f"{path}: cannot be read ({reason}); it may be cut short, obtain it again")


@contextmanager
def _open_hdf5(path: Path) -> Iterator[Variables]:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _cut_short(path, error) from error
    with file:
        found: Variables = {}

        def note(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                found[f"/{name}"] = _hdf5_variable(path, item)

        _readable(path, lambda: file.visititems(note))
        found["/"] = _root(_readable(path, lambda: _attributes(file.attrs)))
        yield found


def _hdf5_variable(path: Path, dataset: h5py.Dataset) -> Variable:
    names = dataset.dtype.names or ()
    is_complex = len(names) == 2 and {name.lower() for name in names} in COMPLEX_PARTS

    def get(index: Any) -> Numbers:
        numbers = _readable(path, lambda: dataset[index])
        if not is_complex:
            return np.asarray(numbers)
        joined = np.empty(numbers.shape, np.complex64)
        real, imaginary = sorted(names, key=lambda name: name.lower().startswith("i"))
        joined.real, joined.imag = numbers[real], numbers[imaginary]
        return joined

    dtype = np.dtype(np.complex64) if is_complex else dataset.dtype
    return Variable(
        dataset.name,
        dataset.shape or (),
        dtype,
        get,
        lambda: _readable(path, lambda: _attributes(dataset.attrs)),
        lambda: _readable(path, lambda: tuple(dim[0].name if len(dim) else "" for dim in dataset.dims)),
    )


def _readable(path: Path, read: Callable[[], Read]) -> Read:
    try:
        return read()
    except (OSError, RuntimeError, KeyError) as error:
        raise _cut_short(path, error) from error


def _attributes(attributes: Any) -> Attributes:
    """Return attributes as plain values; links within the file, such as to dimensions, are left out."""
    plain = {}
    for key in attributes:
        if key not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME"):
            plain[key] = _plain(attributes[key])
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value.item() if isinstance(value, np.generic) else value


@contextmanager
def _open_netcdf3(path: Path) -> Iterator[Variables]:
    with path.open("rb") as stream:
        try:
            file = netcdf_file(stream, "r", mmap=True)
        except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
            # A header that ends too early makes SciPy stumble in various ways.
            raise _cut_short(path, error) from error

        def getter(name: str) -> Callable[[Any], Numbers]:
            # A copy: the file cannot be closed while parts of its memory map are held.
            return lambda index: np.array(file.variables[name][index])

        found = {
            f"/{name}": Variable(
                f"/{name}",
                variable.shape,
                variable.data.dtype,
                getter(name),
                partial(_netcdf3_attributes, file, name),
                partial(_netcdf3_axes, variable.dimensions),
            )
            for name, variable in file.variables.items()
        }
        found["/"] = _root(_plain_attributes(file))
        try:
            yield found
        finally:
            file.close()


def _netcdf3_attributes(file: netcdf_file, name: str) -> Attributes:
    return _plain_attributes(file.variables[name])


def _netcdf3_axes(dimensions: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"/{axis}" for axis in dimensions)


def _plain_attributes(item: Any) -> Attributes:
    return {key: _plain(value) for key, value in item._attributes.items()}
