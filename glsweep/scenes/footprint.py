"""Pixels and polygons of the map: which pixels lie wholly within one."""

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from pyproj import CRS
from rasterio.features import rasterize
from shapely import MultiPolygon, Polygon

from glsweep.config.split import Region
from glsweep.errors import DataError
from glsweep.geodesy import moved
from glsweep.scenes.names import cell_text
from glsweep.scenes.vector_file import VectorLayer, open_layer


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
    layer = open_layer(path, holds="polygons", option="split.regions: polygons:")
    cells, geometries = layer.read([_column(region, layer)] if region.names else [])
    if region.names:
        wanted = {cell_text(name) for name in region.names}
        (column,) = cells.values()
        values = [cell_text(cell) for cell in column]
        if unknown := wanted - set(values):
            raise DataError(
                f"{path}: its column {region.column!r} has no {min(unknown)!r}; mend `names` in split.regions"
            )
        geometries = [shape for shape, value in zip(geometries, values, strict=True) if value in wanted]
    whole = shapely.get_parts(shapely.get_parts(shapely.make_valid(np.array(geometries, dtype=object))))
    polygons = [part for part in whole.tolist() if part.geom_type == "Polygon"]
    ground = shapely.union_all(shapely.make_valid(moved(polygons, layer.crs, crs)))
    areas = [part for part in shapely.get_parts(ground) if part.geom_type == "Polygon"]
    if not areas or not np.isfinite(shapely.get_coordinates(areas)).all():
        raise DataError(f"{path}: holds no polygon that has a place in the scenes' map; mend split.regions")
    return MultiPolygon(shapely.get_parts(shapely.union_all(areas)).tolist())


def _column(region: Region, layer: VectorLayer) -> str:
    column = layer.column(region.column)
    if column is None:
        known = ", ".join(layer.columns) or "none"
        raise DataError(f"{layer.path}: has no column {region.column!r}; its columns are {known}")
    return column
