"""A raster's outline in degrees holds what the raster holds, wherever on Earth that is."""

import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from glsweep.scenes.probability import geojson_outline

ROWS, COLS = 300, 400
PLACES = {
    "inland": (Affine(100, 0, -1_000_000, 0, -100, 500_000), 3031),
    "across the antimeridian": (Affine(100, 0, -20_000, 0, -100, -1_000_000), 3031),
    "with a side on the antimeridian": (Affine(100, 0, 0, 0, -100, -1_000_000), 3031),
    "turned across the antimeridian": (
        Affine.translation(0, -1e6) @ Affine.rotation(30) @ Affine.scale(100, -100),
        3031,
    ),
    "over the pole": (Affine(100, 0, -12_345, 0, -100, 6_789), 3031),
    "over the pole, south up": (Affine(100, 0, -12_345, 0, 100, -6_789), 3031),
    "with a corner at the pole": (Affine(100, 0, 0, 0, -100, 0), 3031),
    "with a side at the pole": (Affine(100, 0, -20_000, 0, -100, 0), 3031),
    "with a side just beyond the pole": (Affine(100, 0, -20_000, 0, -100, 30), 3031),
    "over the other pole": (Affine(100, 0, -20_000, 0, -100, 15_000), 3413),
    "in the north, across": (Affine(100, 0, -1_414_000, 0, -100, 1_414_000), 3413),
    "in the last zone, across": (Affine(100, 0, 700_000, 0, -100, 7_800_000), 32660),
    "of a zone in the south": (Affine(100, 0, 400_000, 0, -100, 2_000_000), 32720),
}


def check(transform, epsg):
    found = geojson_outline((ROWS, COLS), transform, CRS.from_epsg(epsg))
    geometry = found.geometry
    assert geometry.is_valid
    assert found.geometry.geom_type in ("Polygon", "MultiPolygon")
    assert all(part.exterior.is_ccw for part in shapely.get_parts(geometry))
    west, south, east, north = found.bbox
    left, bottom, right, top = geometry.bounds
    assert -180 <= left <= right <= 180
    assert -90 <= bottom <= top <= 90
    assert (south, north) == (bottom, top)
    to_degrees = pyproj.Transformer.from_crs(epsg, 4326, always_xy=True)
    # A fringe of two pixels is left out: straight in degrees is not straight on the map.
    inner = np.linspace(0.02, 0.98, 25)
    outer = np.array([-0.02, 1.02])
    for share, is_within in ((np.meshgrid(inner, inner), True), (np.meshgrid(outer, outer), False)):
        col, row = share[0].ravel() * COLS, share[1].ravel() * ROWS
        longitude, latitude = to_degrees.transform(*(transform @ (col, row)))
        assert (shapely.intersects_xy(geometry, longitude, latitude) == is_within).all()
        if is_within:
            assert (latitude > south).all()
            if west <= east:
                assert ((longitude >= west) & (longitude <= east)).all()
            else:
                assert ((longitude >= west) | (longitude <= east)).all()
    return found


@pytest.mark.parametrize(("transform", "epsg"), PLACES.values(), ids=PLACES.keys())
def test_what_the_raster_holds_lies_within(transform, epsg):
    check(transform, epsg)


near_or_far = st.one_of(st.floats(-5e4, 5e4), st.floats(-3e6, 3e6))


@given(x=near_or_far, y=near_or_far, angle=st.floats(0, 360), epsg=st.sampled_from([3031, 3413]))
def test_wherever_it_lies_and_however_it_is_turned(x, y, angle, epsg):
    check(Affine.translation(x, y) @ Affine.rotation(angle) @ Affine.scale(100, -100), epsg)


def test_a_box_across_the_antimeridian_goes_from_east_to_west():
    west, _, east, _ = check(*PLACES["across the antimeridian"]).bbox
    assert west > 0 > east
    whole = check(*PLACES["over the pole"])
    assert whole.bbox[:3] == [-180, -90, 180]
    assert whole.geometry.geom_type == "Polygon"


def test_what_has_no_place_on_earth_has_no_outline():
    assert geojson_outline((10, 10), Affine(100, 0, 0, 0, -100, 5e12), CRS.from_epsg(32720)) is None


@pytest.mark.parametrize(("rows", "cols"), [(20, 3000), (4, 3000), (3000, 4)])
def test_an_outline_is_exact_to_a_pixel_however_long_and_narrow_a_scene_is(rows, cols):
    transform = Affine(1000, 0, -1_500_000, 0, -1000, 300_000)
    found = geojson_outline((rows, cols), transform, CRS.from_epsg(3031))
    geometry = found.geometry
    to_degrees = pyproj.Transformer.from_crs(3031, 4326, always_xy=True)
    for outside in (-1, 1):
        # Along the long sides, a pixel within and a pixel without.
        across = [outside * -1, min(rows, cols) + outside]
        for col, row in [(np.linspace(2, 2998, 500), a) for a in across]:
            where = (col, np.full_like(col, row)) if cols > rows else (np.full_like(col, row), col)
            longitude, latitude = to_degrees.transform(*(transform @ where))
            assert (shapely.intersects_xy(geometry, longitude, latitude) == (outside < 0)).all()
    assert len(shapely.get_coordinates(geometry)) < 2000
