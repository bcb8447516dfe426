"""Opens a raster, whatever its format."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glsweep.scenes.formats.dimap import is_dimap, open_dimap
from glsweep.scenes.formats.gdal import GdalSource, file_of, open_with_gdal
from glsweep.scenes.formats.hdf5 import open_grid
from glsweep.scenes.products import NAMES_OF_GDAL
from glsweep.scenes.source import HDF5, NETCDF, Source, raster_kind


@contextmanager
def open_source(path: Path, variable: str | None = None) -> Iterator[Source]:
    """Open a raster for reading.

    Parameters
    ----------
    path : Path
        A file, or GDAL's name of one variable in it (`NETCDF:"file.nc":phase`).
    variable : str, optional
        A variable, as a user calls it: its name or the end of its whole one. Where a file holds several
        grids, the bands are those of its grid. Ignored for rasters without variables.

    Raises
    ------
    DataError
        When it cannot be read, or has no such variable.
    """
    match = NAMES_OF_GDAL.fullmatch(str(path))
    file = Path(match["file"]) if match else path
    kind = raster_kind(file)
    if kind in (HDF5, NETCDF):
        with open_grid(file, kind, match["variable"] if match else variable, alone=match is not None) as grid:
            grid.path = path
            yield grid
    elif is_dimap(file):
        with open_dimap(file) as stack:
            yield stack
    else:
        with open_with_gdal(file_of(file)) as dataset:
            yield GdalSource(file, dataset)


def is_read_by_gdal(path: Path) -> bool:
    """Whether a raster is one that GDAL alone opens, so that its bands are the same to every GDAL program.

    Raises
    ------
    DataError
        When there is no such file.
    """
    is_variable = NAMES_OF_GDAL.fullmatch(str(path)) is not None
    return not is_variable and raster_kind(path) not in (HDF5, NETCDF) and not is_dimap(path)
