"""A raster's posting is taken for metres on the ground only where it is that."""

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from geodesics import map_factor
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.vrt import WarpedVRT

from glsweep.checks.pixels import raster_facts
from glsweep.errors import DataError
from glsweep.geodesy import map_scale, place_in_words, suitable_crs
from glsweep.run import main
from glsweep.scenes.raster import read_header

SHAPE = (40, 60)


def write(path, crs, longitude=None, latitude=None, *, corner=None, posting=100.0):
    """A scene in the middle of which is a place, or whose upper left corner is at a point of its map."""
    crs = CRS.from_user_input(crs)
    if corner is None:
        to_map = pyproj.Transformer.from_crs(4326, crs.to_wkt(), always_xy=True)
        x, y = to_map.transform(longitude, latitude)
        corner = (x - posting * SHAPE[1] / 2, y + posting * SHAPE[0] / 2)
    values = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    transform = Affine(posting, 0, corner[0], 0, -posting, corner[1])
    size = {"count": 2, "height": SHAPE[0], "width": SHAPE[1], "dtype": "float32", "nodata": 0}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **size) as file:
        file.write(values)
        file.descriptions = ("real", "imaginary")
    return path


def warped(path, crs):
    """What `gdalwarp -t_srs` makes of a raster: GDAL's own choice of posting and extent."""
    there = path.with_name("warped.tif")
    with rasterio.open(path) as source, WarpedVRT(source, crs=crs) as there_as_read:
        profile = there_as_read.profile | {"driver": "GTiff"}
        with rasterio.open(there, "w", **profile) as file:
            file.write(there_as_read.read())
            file.descriptions = source.descriptions
    return there


REFUSED = [
    ("EPSG:3857", -110, -74, "but 27.6 m on the ground at its centre (74.0 S 110.0 W)", "EPSG:3031"),
    ("EPSG:3395", 30, -70, "but 34.", "EPSG:3031"),
    ("EPSG:3857", -45, 68, "EPSG:3857, but 37.", "EPSG:3413"),
    ("EPSG:3857", -73.2, -49.5, "EPSG:3857, but 65 m", "EPSG:32718"),
    ("EPSG:3413", 30, -52, "on the ground at its centre (52.0 S 30.0 E)", "EPSG:32736"),
    ("EPSG:3413", -100, -75, "on the ground at its centre (75.0 S 100.0 W)", "EPSG:3031"),
    ("EPSG:3031", -45, 70, "on the ground at its centre (70.0 N 45.0 W)", "EPSG:3413"),
    ("EPSG:32633", -65, 10, "on the ground", "EPSG:32620"),
    ("EPSG:4087", 100, -66, "m one way and ", "EPSG:3031"),
    ("EPSG:6933", 100, -66, "m one way and ", "EPSG:3031"),
    ("ESRI:54009", 150, -67, "m one way and ", "EPSG:3031"),
    ("ESRI:54008", 120, 40, "m one way and ", "EPSG:32651"),
    ("EPSG:2193", 172, -30, "", None),
]


@pytest.mark.parametrize(("crs", "longitude", "latitude", "told", "fitting"), REFUSED)
def test_a_map_that_is_not_true_is_refused_with_one_that_is(
    tmp_path, capsys, crs, longitude, latitude, told, fitting
):
    path = write(tmp_path / "a.tif", crs, longitude, latitude)
    if fitting is None:
        assert read_header(path).posting_m == 100, "a national grid is true at home"
        return
    with pytest.raises(DataError) as caught:
        read_header(path)
    error = str(caught.value)
    assert told in error
    assert f"reproject it (gdalwarp -t_srs {fitting})" in error
    assert len(error.splitlines()) == 1
    assert raster_facts(path, "auto").faults == (error.removeprefix(f"{path}: "),)
    header = read_header(warped(path, fitting))
    area_km2 = header.shape[0] * header.shape[1] * header.posting_m**2 / 1e6
    assert 0 < area_km2 < 400, "the ground of the scene, not that of its map"
    assert main(["predict", "--scene", str(path), "--out", str(tmp_path / "out")]) == 2
    assert fitting in capsys.readouterr().err


@pytest.mark.parametrize(("longitude", "latitude"), [(-110, -74), (20, -65), (-40, 75), (-73, -49), (10, 61)])
def test_degrees_and_feet_are_refused_with_a_map_that_fits(tmp_path, longitude, latitude):
    fitting = suitable_crs(longitude, latitude)
    degrees = write(tmp_path / "degrees.tif", 4326, longitude, latitude, posting=0.001)
    with pytest.raises(DataError, match=rf"EPSG:4326 is not projected.*\(gdalwarp -t_srs {fitting}\)"):
        read_header(degrees)
    feet = "+proj=stere +lat_0=-90 +lat_ts=-71 +units=us-ft +datum=WGS84"
    with pytest.raises(DataError, match=rf"counts in .*foot, not in metres.*-t_srs {fitting}\)"):
        read_header(write(tmp_path / "feet.tif", feet, longitude, latitude, posting=300))
    assert read_header(warped(degrees, fitting)).crs == CRS.from_user_input(fitting)


@pytest.mark.parametrize(
    ("crs", "corner"),
    [
        (4326, (-1_500_000, -500_000)),
        (32633, (9e9, 9e9)),
        ("+proj=laea +lat_0=-90 +datum=WGS84 +units=m", (5e7, 0)),
        ("IAU_2015:30120", (0, 0)),
        ('LOCAL_CS["made up",UNIT["metre",1]]', (0, 0)),
        ("ESRI:54009", (1.7e7, -8e6)),
    ],
)
def test_a_centre_that_is_no_place_on_earth_is_refused(tmp_path, crs, corner):
    path = write(tmp_path / "a.tif", crs, corner=corner)
    with pytest.raises(DataError, match=r"has no place on Earth for its centre .*; assign the CRS"):
        read_header(path)


@given(longitude=st.floats(-180, 180), latitude=st.floats(-90, 90))
@example(longitude=180.0, latitude=0.0)
@example(longitude=-180.0, latitude=59.9)
@example(longitude=0.0, latitude=-60.0)
@example(longitude=0.0, latitude=90.0)
@settings(max_examples=60, deadline=None)
def test_the_map_that_is_named_is_true_there(longitude, latitude):
    crs = pyproj.CRS.from_user_input(suitable_crs(longitude, latitude))
    x, y = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(longitude, latitude)
    assert map_scale(x, y, crs).is_true_to_scale


@given(x=st.floats(-4e6, 4e6), y=st.floats(-4e6, 4e6), crs=st.sampled_from([3031, 3413, 32721, 3857]))
@settings(max_examples=60, deadline=None)
def test_the_scale_is_that_of_projs_own_formula(x, y, crs):
    scale = map_scale(x, y, pyproj.CRS.from_epsg(crs))
    # Web Mercator is that of a sphere: not quite conformal on the ellipsoid.
    assert scale.least <= 1.001 / map_factor(x, y, crs)
    assert scale.most >= 0.999 / map_factor(x, y, crs)
    assert scale.most / scale.least < 1.007


def test_places_are_told_in_words():
    assert place_in_words(-110.25, -75) == "75.0 S 110.2 W"
    assert place_in_words(190, 5) == "5.0 N 170.0 W"
