"""What every format offers of a raster (bands, windows, tags), and which files are no raster."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.crs import CRS

from glsweep.errors import DataError

HEAD_BYTES = 1024
PROLOGUE = re.compile(rb"<\?xml[^>]*>\s*")
HDF5, NETCDF, OTHER = "HDF5", "NetCDF-3", "other"
AGAIN = "obtain it again"
NOT_RASTERS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs.github.com/spec/",
        "is a git-lfs pointer, not the file itself; fetch it (git lfs pull)",
    ),
    (b"<!doctype html", f"is a web page, such as of a failed or unauthorised download; {AGAIN}"),
    (b"<html", f"is a web page, such as of a failed or unauthorised download; {AGAIN}"),
    (b"<error>", f"is a server's error message; {AGAIN}"),
    (b"pk\x03\x04", "is a zip archive; unpack it (unzip) and name the raster in it"),
    (b"\x1f\x8b", "is compressed; unpack it (gunzip, or tar xf for a .tgz)"),
    (b"bzh", "is compressed; unpack it (bunzip2)"),
    (b"\xfd7zxz\x00", "is compressed; unpack it (unxz)"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it and name the raster in it"),
    (b"\x0e\x03\x13\x01", "is an HDF4 file; convert it to HDF5 (h4toh5)"),
    (b"cdf\x05", "is a NetCDF file of the kind CDF-5; convert it (nccopy -k nc4)"),
)
"""The first bytes of such a file, in lower case, and what the message says of it."""
WITH_A_HEADER = (".tif", ".tiff", ".h5", ".hdf5", ".he5", ".nc", ".nc4", ".grd")
DESCRIPTIONS = (".xml", ".hdr", ".rsc", ".prj", ".ovr")


def raster_kind(path: Path) -> str:
    """Return the kind of a file: HDF5, NETCDF, or OTHER for all that GDAL may open.

    Raises
    ------
    DataError
        When there is no such file, or its first bytes show that it is no raster.
    """
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name the raster in it")
    if not path.exists():
        if path.is_symlink():
            raise DataError(f"{path}: is a link to {path.readlink()}, which is not there; mend the link")
        raise DataError(f"{path}: there is no such file; name a raster")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); check its permissions and its disk"
        ) from error
    if not head:
        raise DataError(f"{path}: is empty (0 bytes); {AGAIN}")
    if not head.strip(b"\x00") and path.suffix.lower() in WITH_A_HEADER:
        raise DataError(f"{path}: begins with zeros alone, as a download does that was cut off; {AGAIN}")
    text = PROLOGUE.sub(b"", head.removeprefix(b"\xef\xbb\xbf").lstrip().lower())
    if text.startswith(b"{") and b"\x00" not in head and b'"' in head:
        raise DataError(f"{path}: is a text (JSON), such as a server's error message; {AGAIN}")
    for beginning, what in NOT_RASTERS:
        if text.startswith(beginning):
            raise DataError(f"{path}: {what}")
    if path.suffix.lower() in DESCRIPTIONS:
        raise DataError(f"{path}: describes a raster; name the raster itself")
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return HDF5
    return NETCDF if head.startswith((b"CDF\x01", b"CDF\x02")) else OTHER


# --- A raster that is open for reading, whatever its format

Mask = npt.NDArray[np.bool_]


class Window(NamedTuple):
    """A pixel rectangle: its upper left pixel and its size, rows before columns."""

    row: int
    col: int
    rows: int
    cols: int


class BandFacts(NamedTuple):
    """What a file says of one band.

    Attributes
    ----------
    name : str
        Its description, or the variable's name; empty where there is none.
    dtype : str
        Of the stored numbers, as NumPy calls it.
    unit : str
        Of the scaled values; empty where there is none.
    scale, offset : float
        A value is the stored number times `scale` plus `offset`.
    nodata : float or None
        The stored number that stands for no data.
    is_alpha : bool
        Whether the file marks it as an alpha band: 0 where there is no data.
    path : str
        Where files hold groups: the variable's whole name from the root. Empty elsewhere.
    """

    name: str = ""
    dtype: str = "float32"
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    is_alpha: bool = False
    path: str = ""

    @property
    def is_complex(self) -> bool:
        """Whether each number has a real and an imaginary part."""
        return self.dtype.startswith("complex")

    def is_called(self, name: str) -> bool:
        """Whether a user who says `name` means this band: its name, or the end of its whole one."""
        return name == self.name or (bool(self.path) and ends_path(self.path, name))


def ends_path(path: str, end: str) -> bool:
    """Whether a variable's whole name ends in the groups and the name that `end` gives."""
    return f"/{path.strip('/')}".endswith(f"/{end.strip('/')}")


class Source(Protocol):
    """A raster that is open for reading.

    Attributes
    ----------
    path : Path
        What a user gave and what opens it again: a file, or GDAL's name of one variable in it.
    shape : tuple of int
        Rows and columns.
    crs : rasterio CRS or None
        None where the file names none.
    transform : Affine
        From (col, row) pixel corners to map coordinates; the identity where the file has none.
    bands : tuple of BandFacts
        In their order; the first is number 1.
    remarks : tuple of str
        What the user should know of the choice among several grids or bands.
    """

    path: Path
    shape: tuple[int, int]
    crs: CRS | None
    transform: Affine
    bands: tuple[BandFacts, ...]
    remarks: tuple[str, ...]

    def read(self, numbers: Sequence[int], window: Window) -> npt.NDArray[Any]:
        """Return the stored numbers of bands, (B, rows, cols)."""

    def mask(self, window: Window) -> Mask | None:
        """Return where the file's own mask says that there is data, (rows, cols); None without a mask."""
