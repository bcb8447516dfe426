"""The variables of HDF5 and NetCDF files, alike for both."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from scipy.io import netcdf_file

from glsweep.errors import DataError
from glsweep.scenes.first_bytes import HDF5

Numbers = npt.NDArray[Any]
COMPLEX_PARTS = ({"r", "i"}, {"real", "imag"}, {"real", "imaginary"}, {"re", "im"})


@dataclass(frozen=True)
class Variable:
    """One variable, whose numbers are read when asked for.

    Attributes
    ----------
    path : str
        Its whole name from the root, such as `/science/LSAR/phase`.
    shape : tuple of int
    dtype : numpy dtype
        Of what `get` returns.
    attributes : dict
        Texts as str, single numbers as numbers.
    axes : tuple of str
        Whole names of the coordinate variables along each axis; empty where the file does not tell.
    get : callable
        Given an index of slices, the numbers.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attributes: dict[str, Any]
    axes: tuple[str, ...]
    get: Callable[[Any], Numbers]

    @property
    def group(self) -> str:
        """Whole name of the group that it is in."""
        return str(PurePosixPath(self.path).parent)

    @property
    def name(self) -> str:
        """Its name within its group."""
        return PurePosixPath(self.path).name

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
        yield variables


def _root(attributes: dict[str, Any]) -> Variable:
    return Variable("/", (), np.dtype("V1"), attributes, (), lambda _: np.empty(0))


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

        try:
            file.visititems(note)
            found["/"] = _root(_attributes(file.attrs))
        except (OSError, RuntimeError, KeyError) as error:
            raise _cut_short(path, error) from error
        yield found


def _hdf5_variable(path: Path, dataset: h5py.Dataset) -> Variable:
    axes = tuple(dim[0].name if len(dim) else "" for dim in dataset.dims) if dataset.ndim else ()
    names = dataset.dtype.names or ()
    is_complex = len(names) == 2 and {name.lower() for name in names} in COMPLEX_PARTS

    def get(index: Any) -> Numbers:
        try:
            numbers = dataset[index]
        except (OSError, RuntimeError) as error:
            raise _cut_short(path, error) from error
        if not is_complex:
            return np.asarray(numbers)
        joined = np.empty(numbers.shape, np.complex64)
        real, imaginary = sorted(names, key=lambda name: name.lower().startswith("i"))
        joined.real, joined.imag = numbers[real], numbers[imaginary]
        return joined

    dtype = np.dtype(np.complex64) if is_complex else dataset.dtype
    return Variable(dataset.name, dataset.shape or (), dtype, _attributes(dataset.attrs), axes, get)


def _attributes(attributes: Any) -> dict[str, Any]:
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
                _netcdf3_attributes(variable),
                tuple(f"/{axis}" for axis in variable.dimensions),
                getter(name),
            )
            for name, variable in file.variables.items()
        }
        found["/"] = _root(_netcdf3_attributes(file))
        try:
            yield found
        finally:
            file.close()


def _netcdf3_attributes(item: Any) -> dict[str, Any]:
    return {key: _plain(value) for key, value in item._attributes.items()}
