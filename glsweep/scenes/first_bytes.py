"""What a file is by its first bytes, since its suffix says only what it should be."""

import re
from pathlib import Path

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
"""How such a file begins, in lower case, and what to say of it."""
WITH_A_HEADER = (".tif", ".tiff", ".h5", ".hdf5", ".he5", ".nc", ".nc4", ".grd")
DESCRIPTIONS = (".xml", ".hdr", ".rsc", ".prj", ".ovr")


def refuse_no_raster(path: Path) -> str:
    """Return the kind of a file: HDF5, NETCDF, or OTHER for all that GDAL may know.

    Raises
    ------
    DataError
        When there is no such file, or it is something that is no raster, whatever it is called.
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
