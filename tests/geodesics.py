"""What a map makes of a length, by PROJ's own formulas and Karney's geodesics."""

import numpy as np
import pyproj
import shapely

GEOD = pyproj.Geod(ellps="WGS84")


def map_factor(x, y, crs=3031):
    """Metres on a conformal map to one on the ground."""
    map_ = pyproj.Proj(crs)
    return map_.get_factors(*map_(x, y, inverse=True)).meridional_scale


def geodesic_km(line, crs=3031):
    """Length of a line, in one part or several, that is straight on its map."""
    to_degrees = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)
    parts = (shapely.get_coordinates(part) for part in shapely.get_parts(shapely.segmentize(line, 100)))
    return sum(GEOD.line_length(*to_degrees.transform(*xy.T)) for xy in parts) / 1000


def along(start, azimuth, *distances_m):
    """Places (longitude, latitude) at distances along a geodesic, (N, 2)."""
    n = len(distances_m)
    found = GEOD.fwd([start[0]] * n, [start[1]] * n, np.broadcast_to(azimuth, n), list(distances_m))
    return np.column_stack(found[:2])
