"""Lines are measured on the ground: not on a map, and no map or order of files changes the figures."""

import itertools

import geopandas as gpd
import numpy as np
import pytest
import shapely
from geodesics import GEOD, along, geodesic_km
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from shapely import LineString, MultiLineString, Polygon

from glsweep.comparison import distance_table, read_pairs
from glsweep.metrics.lines import line_distances
from glsweep.run import main

DEGREES = CRS.from_epsg(4326)
TOLERANCES_M = [200.0]


def winding(longitude, latitude, shift_m=0.0, shift_to=0.0):
    """A winding line of 60 km, dense enough to be the same on any map, moved over the ground."""
    ahead_m = np.linspace(0, 60_000, 601)
    middle = along((longitude, latitude), 70, *ahead_m)
    aside = GEOD.fwd(*middle.T, np.full(601, 160.0), 2_000 * np.sin(ahead_m / 7_000))
    moved = GEOD.fwd(*aside[:2], np.full(601, shift_to), np.full(601, shift_m))
    return LineString(np.column_stack(moved[:2]))


def write(path, line, crs=4326):
    gpd.GeoSeries([line], crs=4326).to_crs(crs).to_file(path)
    return path


def figures(drawn, truth):
    (pair,) = read_pairs(drawn, truth, by=None, reference_by=None)
    return distance_table([pair], TOLERANCES_M).iloc[0]


@pytest.mark.parametrize(
    "crs", ["EPSG:3031", "EPSG:3413", "EPSG:32713", "EPSG:3857", "EPSG:4087", "EPSG:6932"]
)
def test_no_map_and_no_order_of_files_changes_the_figures(tmp_path, crs):
    drawn, truth = winding(-105, -75, 350), winding(-105, -75)
    expected = figures(write(tmp_path / "d.gpkg", drawn), write(tmp_path / "t.gpkg", truth))
    there = write(tmp_path / "there.gpkg", drawn, crs)
    found, mirrored = figures(there, tmp_path / "t.gpkg"), figures(tmp_path / "t.gpkg", there)
    for name in ("mean_m", "median_m", "mad_m"):
        assert found[name] == pytest.approx(expected[name], abs=0.5)
        assert mirrored[name] == pytest.approx(found[name], rel=1e-6)
    assert found["lines_km"] == pytest.approx(GEOD.geometry_length(drawn) / 1000, abs=0.001)
    assert found["reference_km"] == pytest.approx(GEOD.geometry_length(truth) / 1000, abs=0.001)
    assert (mirrored["lines_km"], mirrored["reference_km"]) == (found["reference_km"], found["lines_km"])
    assert mirrored["missed_km_200"] == pytest.approx(found["false_km_200"])


@given(
    longitude=st.floats(-180, 180),
    latitude=st.floats(-89.8, 89.8),
    azimuth=st.floats(0, 360),
    apart_m=st.floats(1, 20_000),
)
@settings(max_examples=40, deadline=None)
def test_a_line_is_as_far_as_it_was_moved_wherever_it_lies(longitude, latitude, azimuth, apart_m):
    """A geodesic and its parallel, in degrees, across the antimeridian and beside the poles too."""
    middle = along((longitude, latitude), azimuth, *np.linspace(0, 3_000, 31))
    ahead = [GEOD.inv(*a, *b)[0] for a, b in itertools.pairwise(middle)]
    beside = GEOD.fwd(*middle[:-1].T, np.array(ahead) + 90, np.full(30, apart_m))
    line, other = LineString(middle[:-1]), LineString(np.column_stack(beside[:2]))
    found = line_distances([other], [line], crs=DEGREES)
    assert found.mean_m() == pytest.approx(apart_m, rel=0.001, abs=0.05)
    assert found.reference_km == pytest.approx(2.9, rel=0.001)


def test_a_line_across_the_antimeridian_is_the_same_however_it_is_written(tmp_path):
    """Going on beyond 180 degrees, leaping back to -180, and cut in two as RFC 7946 asks for."""
    beyond = LineString([(179, -77), (181, -77.2), (182, -77.1)])
    leaping = LineString([(179, -77), (-179, -77.2), (-178, -77.1)])
    cut = MultiLineString([[(179, -77), (180, -77.1)], [(-180, -77.1), (-179, -77.2), (-178, -77.1)]])
    paths = [
        write(tmp_path / f"{name}.gpkg", line)
        for name, line in {"beyond": beyond, "leaping": leaping, "cut": cut}.items()
    ]
    for path in paths[1:]:
        found = figures(path, paths[0])
        assert found["mean_m"] == pytest.approx(0, abs=0.01)
        assert found["lines_km"] == pytest.approx(found["reference_km"], rel=1e-5)
        assert found["lines_km"] == pytest.approx(GEOD.geometry_length(beyond) / 1000, rel=0.001)


@pytest.mark.parametrize(("crs", "latitude"), [(3031, -90), (3413, 90)])
def test_the_pole_is_a_place_like_any_other(tmp_path, crs, latitude):
    across = LineString([(-30_000, 0), (30_000, 0)])
    gpd.GeoSeries([across], crs=crs).to_file(tmp_path / "across.gpkg")
    meridians = np.array(gpd.GeoSeries([LineString([(-30_000, 0), (-1, 0)])], crs=crs).to_crs(4326)[0].coords)
    degrees = [*meridians, (meridians[0, 0], latitude), (meridians[0, 0] + 180, latitude)]
    gpd.GeoSeries([LineString([*degrees, (meridians[0, 0] + 180, meridians[0, 1])])], crs=4326).to_file(
        tmp_path / "degrees.gpkg"
    )
    found = figures(tmp_path / "across.gpkg", tmp_path / "degrees.gpkg")
    assert found["mean_m"] == pytest.approx(0, abs=0.01)
    assert found["lines_km"] == pytest.approx(geodesic_km(across, crs), rel=1e-5)
    assert found["reference_km"] == pytest.approx(found["lines_km"], rel=1e-5)


@pytest.mark.parametrize("latitude", [-68.0, -84.0, 79.0])
def test_a_line_clicked_sparsely_in_degrees_is_that_clicked_densely(tmp_path, latitude):
    sparse = LineString([(-20.0, latitude), (-16.0, latitude + 0.3), (-9.0, latitude)])
    dense = sparse.segmentize(0.001)
    found = figures(write(tmp_path / "s.gpkg", sparse), write(tmp_path / "d.gpkg", dense, 3995))
    assert found["mean_m"] < 0.2
    assert found["completeness_200"] == 1


def test_lines_of_both_poles_are_measured_together(tmp_path):
    both = MultiLineString([winding(-105, -75), winding(-45, 70)])
    moved = MultiLineString([winding(-105, -75, 90), winding(-45, 70, 90)])
    found = figures(write(tmp_path / "both.gpkg", both), write(tmp_path / "moved.gpkg", moved))
    assert found["completeness_200"] == 1
    assert found["lines_km"] == pytest.approx(GEOD.geometry_length(both) / 1000, abs=0.01)


@pytest.mark.parametrize(
    ("crs", "line"),
    [
        (4326, LineString([(-1_500_000, -500_000), (-1_490_000, -500_000)])),
        (4326, LineString([(0, -89), (0, -91)])),
        ("IAU_2015:30120", LineString([(0, 0), (1_000, 0)])),
    ],
)
@pytest.mark.parametrize("command", ["compare", "zone"])
def test_lines_that_lie_nowhere_are_refused_in_one_line(tmp_path, capsys, crs, line, command):
    table = gpd.GeoDataFrame({"dates": ["20180101", "20190101"]}, geometry=[line, line], crs=crs)
    table.to_file(tmp_path / "nowhere.gpkg")
    right = write(tmp_path / "right.gpkg", winding(-105, -75))
    lines = [str(tmp_path / "nowhere.gpkg")]
    assert main([command, *lines, *([str(right)] if command == "compare" else [])]) == 2
    error = capsys.readouterr().err.strip()
    assert "nowhere.gpkg: a line's vertex" in error
    assert "is no place on Earth" in error
    assert len(error.splitlines()) == 1


def zone_layers(tmp_path, crs):
    lines = [winding(-105, -75), winding(-105, -75, 300, 340), winding(-105, -75, 200, 160)]
    table = gpd.GeoDataFrame({"dates": ["20180101", "20190101", "20200101"]}, geometry=lines, crs=4326)
    table.to_crs(crs).to_file(tmp_path / "dates.gpkg")
    out = tmp_path / "zone.gpkg"
    assert main(["zone", str(tmp_path / "dates.gpkg"), "--out", str(out)]) == 0
    return gpd.read_file(out, layer="sections"), gpd.read_file(out, layer="envelope")


def test_a_zone_is_as_wide_and_large_as_on_the_ground_whatever_its_map(tmp_path):
    expected = None
    for crs, written in (
        ("EPSG:3031", 3031),
        ("EPSG:32713", 32713),
        ("EPSG:4326", 3031),
        ("EPSG:3857", 3031),
    ):
        folder = tmp_path / crs.replace(":", "")
        folder.mkdir()
        sections, ground = zone_layers(folder, crs)
        assert sections.crs.to_epsg() == ground.crs.to_epsg() == written
        degrees = sections.to_crs(4326).geometry
        lengths_m = [GEOD.geometry_length(line) for line in degrees]
        np.testing.assert_allclose(sections["width_m"], lengths_m, atol=0.1)
        area_km2 = sum(map(_area_km2, ground.to_crs(4326).geometry))
        assert ground["area_km2"].sum() == pytest.approx(area_km2, rel=1e-4)
        found = (np.median(sections["width_m"]), len(sections), area_km2)
        expected = expected or found
        assert found == pytest.approx(expected, rel=0.003)


def _area_km2(polygon: Polygon) -> float:
    rings = [polygon.exterior, *polygon.interiors]
    outer, *holes = (abs(GEOD.polygon_area_perimeter(*shapely.get_coordinates(ring).T)[0]) for ring in rings)
    return (outer - sum(holes)) / 1e6
