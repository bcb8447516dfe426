"""Lines that are rasterised and drawn again lie where they were."""

import numpy as np
import pytest
import shapely
from affine import Affine
from array_grid import ArrayGrid
from pyproj import CRS
from scipy.ndimage import gaussian_filter
from shapely import LineString, MultiLineString, Point

from glsweep.config.data_card import Simulation
from glsweep.geodesy import lengths_m
from glsweep.metrics.lines import line_distances
from glsweep.scenes.masks import line_mask
from glsweep.simulation import simulate_scene
from glsweep.vectorize import draw_lines

MAP = Affine(100, 0, -1_500_000, 0, -100, -700_000)


def drawn_from(probability, transform=MAP, **changes):
    settings = {"tau": 0.5, "shortest_m": 0.0, "bridge_m": 0.0, **changes}
    return draw_lines(ArrayGrid(np.asarray(probability, np.float32)), transform, **settings)


def rasterised(lines, shape=(120, 150), transform=MAP, rule="all_touched"):
    return line_mask(lines, shape, transform, rule)


def on_map(points, transform=MAP):
    return LineString([transform @ point for point in points])


@pytest.mark.parametrize("rule", ["all_touched", "bresenham"])
@pytest.mark.parametrize("seed", range(8))
def test_the_truth_of_a_clean_scene_is_drawn_again(seed, rule):
    """Islands included: nothing missed, nothing invented, a third of a pixel off at most."""
    settings = Simulation(rows=200, cols=288, tides="resolved", line="hinge")
    scene = simulate_scene(settings, seed=seed, name="a", origin_xy_m=(-1_500_000, -700_000), noise=0)
    mask = line_mask(scene.lines, scene.shape, scene.transform, rule)
    found = drawn_from(mask, scene.transform)
    distances = line_distances([one.line for one in found], scene.lines)
    assert distances.mean_m() < 0.35 * settings.posting_m
    # A line that grazes the scene's border loses some tens of metres of its end.
    assert distances.completeness(200) > 0.998
    assert distances.completeness(500) == 1
    assert distances.false_km(200) == 0
    assert distances.drawn_km == pytest.approx(distances.reference_km, rel=0.05)


@pytest.mark.parametrize(
    "transform",
    [
        MAP,
        Affine(100, 0, 0, 0, 100, 0),
        Affine(50, 0, 3e5, 0, -50, 9e6),
        Affine.translation(1e6, 2e6) @ Affine.rotation(20) @ Affine.scale(100, -100),
    ],
)
def test_a_line_lands_where_it_was_on_every_grid(transform):
    line = on_map([(10, 20), (60, 30), (90, 100), (140, 110)], transform)
    posting_m = np.hypot(transform.a, transform.d)
    found = drawn_from(rasterised([line], transform=transform), transform)
    assert len(found) == 1
    distances = line_distances([found[0].line], [line], step_m=posting_m / 10)
    assert distances.mean_m() < 0.25 * posting_m
    assert distances.drawn_m.max() < posting_m
    # Neither to the left nor to the right of it on the whole: half a pixel would show.
    away = LineString(line).offset_curve(0.5 * posting_m)
    assert line_distances([found[0].line], [away], step_m=posting_m / 10).mean_m() > 0.3 * posting_m


def test_a_slanted_line_is_no_staircase():
    for slope in (0.1, 0.37, 1.0):
        line = on_map([(5, 10), (125, 10 + 90 * slope)])
        (found,) = drawn_from(rasterised([line]))
        assert found.length_m == pytest.approx(line.length, rel=0.02)
        steps = np.diff(shapely.get_coordinates(found.line), axis=0)
        heading = np.arctan2(-steps[:, 1], steps[:, 0]) * np.sign(steps[0, 0])
        assert np.abs(np.degrees(heading - np.arctan(90 * slope / 120))).max() < 20


def test_a_band_of_uneven_width_has_no_spurs():
    generator = np.random.default_rng(0)
    row = np.arange(100)[:, None]
    half_width = 3.5 + gaussian_filter(generator.normal(size=150), 2) * 3
    found = drawn_from(np.abs(row - 50) <= half_width)
    assert len(found) == 1
    assert found[0].length_m == pytest.approx(15_000, rel=0.05)
    assert found[0].line.is_simple


def test_loops_and_islands_stay_closed():
    middle = Point(MAP @ (60, 60))
    rings = [LineString(middle.buffer(radius).exterior) for radius in (600, 3_000)]
    found = drawn_from(rasterised(rings))
    assert [one.line.is_closed for one in found] == [True, True]
    for one, ring in zip(found, rings[::-1], strict=True):
        assert one.length_m == pytest.approx(ring.length, rel=0.06)


@pytest.mark.parametrize(("bridge_m", "count"), [(0, 2), (600, 2), (1_200, 1)])
def test_gaps_are_bridged_up_to_the_stated_length(bridge_m, count):
    lines = [on_map([(10, 40), (60, 40)]), on_map([(70, 41), (120, 41)])]
    found = drawn_from(rasterised(lines), bridge_m=bridge_m)
    assert len(found) == count
    whole = on_map([(10, 40), (120, 41)])
    gap_km = 0 if count == 1 else 1
    assert sum(one.length_m for one in found) == pytest.approx(whole.length - 1000 * gap_km, rel=0.04)


def test_lines_side_by_side_are_not_bridged():
    lines = [on_map([(10, 40), (60, 40)]), on_map([(10, 46), (60, 46)])]
    assert len(drawn_from(rasterised(lines), bridge_m=1_500)) == 2


def test_short_lines_are_left_out_and_the_longest_comes_first():
    lines = [on_map([(10, 10), (18, 10)]), on_map([(10, 40), (60, 40)]), on_map([(10, 70), (140, 70)])]
    found = drawn_from(rasterised(lines), shortest_m=2_000)
    assert [round(one.length_m, -3) for one in found] == [13_000, 5_000]


def test_lengths_are_those_on_the_ground_of_the_map():
    line = on_map([(10, 40), (60, 47), (130, 40)])
    (flat,) = drawn_from(rasterised([line]))
    crs = CRS.from_epsg(3031)
    (found,) = drawn_from(rasterised([line]), crs=crs)
    assert found.line == flat.line
    assert found.length_m == pytest.approx(float(lengths_m([found.line], crs)[0]))
    # Here the map is a few percent too small, and so are a band's widths on it.
    assert 1.01 < found.length_m / flat.length_m < 1.05
    assert found.half_width_m / flat.half_width_m == pytest.approx(found.length_m / flat.length_m)
    between_m = (found.length_m + flat.length_m) / 2
    assert drawn_from(rasterised([line]), shortest_m=between_m) == []
    assert len(drawn_from(rasterised([line]), shortest_m=between_m, crs=crs)) == 1


def test_no_line_is_drawn_where_there_is_none():
    assert drawn_from(np.zeros((50, 60))) == []


def ridge(at_row, deviation_px, height=0.9, shape=(80, 120)):
    """A probability that falls like a Gaussian to either side of a level line."""
    row = np.arange(shape[0])[:, None] + 0.5
    return (height * np.exp(-((row - at_row) ** 2) / (2 * deviation_px**2))) * np.ones(shape)


@pytest.mark.parametrize("deviation_px", [1.5, 3.0])
def test_half_a_bands_width_is_where_the_probability_is_half_as_high(deviation_px):
    (found,) = drawn_from(ridge(40, deviation_px), tau=0.6)
    assert found.half_width_m == pytest.approx(100 * deviation_px * np.sqrt(2 * np.log(2)), abs=40)
    assert found.probability == pytest.approx(0.9, abs=0.06)


def test_members_that_disagree_make_a_band_wider():
    apart_px = 4.0
    members = np.stack([ridge(40 - apart_px, 4.0), ridge(40 + apart_px, 4.0)])
    (together,) = drawn_from(np.stack([ridge(40, 4.0)] * 2), tau=0.5)
    (apart,) = drawn_from(members, tau=0.4)
    assert apart.half_width_m > together.half_width_m + 100
    assert MultiLineString([apart.line]).distance(Point(MAP @ (60, 40))) < 60, "between the two"
