"""Ground in one map for all: what another map bends and turns lies where pyproj has it, point by point."""

import numpy as np
import pyproj
import pytest
import shapely
from made_scenes import POSTING_M, all_origins, entry_at
from rasterio.crs import CRS
from shapely import box

from glsweep.errors import DataError
from glsweep.patches.ground import (
    assert_no_shared_ground,
    common_map,
    footprint,
    in_own_map,
    lines_within,
    negligible_area_m2,
    window_outlines,
)
from glsweep.patches.windows import GroundStrip

TURNED = CRS.from_string("+proj=laea +lat_0=-90 +lon_0=10 +datum=WGS84 +units=m")
COMMON = common_map(entry_at("polar", 0, 0, (8, 8)))
FAR_PX = 12_000
"""So far from the pole the two maps bend each other's straight lines."""


def to_common(xy):
    moved = pyproj.Transformer.from_crs(TURNED.to_wkt(), COMMON, always_xy=True).transform(*np.asarray(xy).T)
    return np.column_stack(moved)


def turned_scene(shape=(60, 60), **changes):
    return entry_at("turned", FAR_PX, 30, shape, crs=TURNED, **changes)


def test_a_scenes_footprint_follows_the_bend_of_its_edges():
    scene = turned_scene((3000, 4000))
    outline = scene.ground()
    along = shapely.line_interpolate_point(outline.exterior, np.linspace(0, 1, 997), normalized=True)
    true = shapely.points(to_common(shapely.get_coordinates(along)))
    edge = footprint(scene, COMMON).exterior
    straight = shapely.transform(outline, to_common).exterior
    assert shapely.distance(straight, true).max() > POSTING_M
    assert shapely.distance(edge, true).max() < 0.01 * POSTING_M
    assert footprint(scene, common_map(scene)) == outline


def test_a_scene_that_has_no_place_in_the_map_is_refused():
    pole = entry_at("pole", 0, 0, (8, 8))
    from_above_the_equator = pyproj.CRS.from_string("+proj=geos +h=35785831 +lon_0=0 +datum=WGS84")
    with pytest.raises(DataError, match=r"pole\.tif: cannot be placed in the first scene's map"):
        footprint(pole, from_above_the_equator)


def test_lines_are_those_within_the_outline_in_the_common_map():
    scene = turned_scene()
    (line,) = scene.lines
    half = box(*footprint(scene, COMMON).bounds)
    left, bottom, right, top = half.bounds
    half = box(left, bottom, right, (bottom + top) / 2)
    (part,) = lines_within(scene, half, COMMON)
    whole = shapely.LineString(to_common(line.coords))
    assert part.length == pytest.approx(whole.intersection(half).length, rel=1e-6)
    assert part.hausdorff_distance(whole.intersection(half)) < 0.01 * POSTING_M
    assert 0.2 * whole.length < part.length < 0.8 * whole.length
    assert len(lines_within(scene, box(0, 0, 1, 1), COMMON)) == 0


def test_windows_lie_where_their_corners_do():
    scene = turned_scene(degrees=30.0)
    (outline,) = window_outlines(scene, [7], [19], 16, COMMON)
    pixels = [(19, 7), (35, 7), (35, 23), (19, 23)]
    on_own_map = [scene.header.transform @ corner for corner in pixels]
    assert shapely.get_coordinates(outline)[:4] == pytest.approx(to_common(on_own_map))


def test_ground_of_another_map_is_a_pixel_smaller_all_around_and_ground_of_the_same_as_it_was():
    scene = turned_scene()
    centre = to_common([(FAR_PX * POSTING_M, 0)])[0]
    ground = box(*(centre - 150_000), *(centre + 150_000))
    own = in_own_map(scene, ground, COMMON)
    back = shapely.transform(shapely.segmentize(own.exterior, 5_000), to_common)
    inside_m = shapely.distance(shapely.points(shapely.get_coordinates(back)), ground.exterior)
    assert shapely.contains(ground, back)
    # The two maps' metres differ by a few percent.
    assert inside_m.min() > 0.8 * POSTING_M
    assert np.median(inside_m) == pytest.approx(POSTING_M, rel=0.1)
    assert in_own_map(scene, ground, common_map(scene)) is ground


def test_coordinates_are_x_before_y_also_where_the_map_names_north_first():
    north_first = CRS.from_epsg(32761)
    scene = entry_at("ups", 12_000, -17_000, (60, 60), crs=north_first)
    assert common_map(scene).axis_info[0].direction == "north"
    outline = footprint(scene, COMMON)
    corners = pyproj.Transformer.from_crs(32761, 3031, always_xy=True).transform(*scene.ground().exterior.xy)
    assert outline.symmetric_difference(shapely.Polygon(np.column_stack(corners))).area < POSTING_M**2
    own = in_own_map(scene, outline, COMMON)
    smaller = scene.ground().buffer(-POSTING_M)
    assert own.symmetric_difference(smaller).area < 0.01 * smaller.area


@pytest.mark.parametrize("by", ["strip", "within", "both"])
def test_windows_begin_where_they_lie_wholly_in_all_that_limits_them(by):
    scene = entry_at("s", 0, 0, (20, 30))
    strip = None if by == "within" else GroundStrip(0, 10 * POSTING_M, 22 * POSTING_M)
    within = None if by == "strip" else box(0, -16 * POSTING_M, 18 * POSTING_M, -4 * POSTING_M)
    origins = all_origins(scene, 8, COMMON, strip=strip, within=within)
    rows, cols = np.nonzero(origins)
    assert origins.shape == (13, 23)
    assert (cols.min(), cols.max()) == {"strip": (10, 14), "within": (0, 10), "both": (10, 10)}[by]
    assert (rows.min(), rows.max()) == ((0, 12) if by == "strip" else (4, 8))
    assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(cols) + 1)


def test_a_scene_as_large_as_a_window_holds_one_and_a_smaller_scene_none():
    just = entry_at("s", 0, 0, (8, 9))
    assert all_origins(just, 8, COMMON).tolist() == [[True, True]]
    right = GroundStrip(0, POSTING_M, 9 * POSTING_M)
    assert all_origins(just, 8, COMMON, strip=right).tolist() == [[False, True]]
    for limit in (None, right):
        assert all_origins(entry_at("s", 0, 0, (6, 9)), 8, COMMON, strip=limit).shape == (0, 2)
        assert all_origins(entry_at("s", 0, 0, (9, 6)), 8, COMMON, strip=limit).shape == (2, 0)


def test_the_proof_covers_every_pair_of_patches_of_two_splits():
    patches = np.array([box(n, 0, n + 1, 1) for n in range(6)], dtype=object)
    outlines = {"train": patches[:3], "val": patches[3:4], "test": patches[4:]}
    names = {split: [split] * len(its) for split, its in outlines.items()}
    assert assert_no_shared_ground(outlines, names, posting_m=1.0) == 3 * 1 + 3 * 2 + 1 * 2


@pytest.mark.parametrize(("share", "refused"), [(0.9, False), (1.1, True)])
def test_a_thousandth_of_a_pixel_is_taken_for_rounding(share, refused):
    assert negligible_area_m2(20.0) == pytest.approx(0.4)
    over = 20.0 - share * 0.4 / 20.0
    outlines = {"train": np.array([box(0, 0, 20, 20)]), "test": np.array([box(over, 0, 40, 20)])}
    names = {"train": ["a"], "test": ["b"]}
    if refused:
        with pytest.raises(DataError, match=r"a \(train\) and b \(test\) share ground"):
            assert_no_shared_ground(outlines, names, posting_m=20.0)
    else:
        assert assert_no_shared_ground(outlines, names, posting_m=20.0) == 1
