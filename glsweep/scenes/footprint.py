"""Pixels and polygons of the map: which pixels lie wholly within one."""

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pyogrio
import shapely
from affine import Affine
from pyproj import CRS
from rasterio.features import rasterize
from shapely import MultiPolygon, Polygon

from glsweep.config.split import Region
from glsweep.errors import DataError


def pixels_within(
    polygon: Polygon | MultiPolygon, shape: tuple[int, int], transform: Affine
) -> npt.NDArray[np.bool_]:
    """Return the pixels that lie wholly within a polygon of the map, (rows, cols).

    Every pixel that the rest of the ground so much as touches is left out.
    """
    rows, cols = shape
    corners = [(-1, -1), (cols + 1, -1), (cols + 1, rows + 1), (-1, rows + 1)]
    rest = Polygon([transform @ corner for corner in corners]).difference(polygon)
    touched = np.zeros(shape, np.uint8)
    parts = [part for part in shapely.get_parts(rest) if part.area > 0]
    if parts:
        rasterize([(part, 1) for part in parts], out=touched, transform=transform, all_touched=True)
    return np.asarray(touched == 0)


def read_region(region: Region, crs: CRS) -> MultiPolygon:
    """Return the ground of a region's polygons, in `crs`.

    Raises
    ------
    DataError
        When the file cannot be read, has no CRS or no such column or names, or holds no polygon.
    """
    path = region.polygons
    assert path is not None
    try:
        table = gpd.read_file(path)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read as polygons ({reason}); mend split.regions") from error
    if table.crs is None:
        raise DataError(f"{path}: has no CRS; assign the one it was drawn in")
    if region.names:
        if region.column not in table.columns:
            known = ", ".join(str(c) for c in table.columns if c != table.geometry.name)
            raise DataError(f"{path}: has no column {region.column!r}; its columns are {known}")
        unknown = set(region.names) - set(table[region.column].astype(str))
        if unknown:
            raise DataError(
                f"{path}: its column {region.column!r} has no {min(unknown)!r}; mend `names` in split.regions"
            )
        table = table[table[region.column].astype(str).isin(region.names)]
    ground = shapely.union_all(table.geometry.make_valid().to_crs(crs).to_numpy())
    areas = [part for part in shapely.get_parts(ground) if part.geom_type == "Polygon"]
    if not areas or not np.isfinite(shapely.get_coordinates(areas)).all():
        raise DataError(f"{path}: holds no polygon that has a place in the scenes' map; mend split.regions")
    return MultiPolygon(shapely.get_parts(shapely.union_all(areas)).tolist())
