"""The map of whole scenes as JSON."""

import json
from datetime import date

import numpy as np
import pyproj
import pytest
import shapely
from shapely import LineString

from glsweep.pages import json_for_script
from glsweep.pages.scene_map import OLD, TRUE, MapLine, SceneMap, maps_json, thinned

BOUNDS_M = (-1_444_000.0, -744_800.0, -1_399_200.0, -700_000.0)


def _wavy(count: int = 2000) -> np.ndarray:
    along = np.linspace(0, 40_000, count)
    return np.column_stack([BOUNDS_M[0] + along, BOUNDS_M[1] + 20_000 + 3000 * np.sin(along / 4000)])


def _scene(*lines: MapLine, **given) -> SceneMap:
    return SceneMap(
        **{
            "name": "</script><b>",
            "bounds_m": BOUNDS_M,
            "crs": pyproj.CRS("EPSG:3031"),
            "dates": (date(2020, 1, 1),),
            "phase": b"webp",
            "lines": lines,
            **given,
        }
    )


def _decoded(line: dict) -> np.ndarray:
    return np.cumsum(np.column_stack([line["x_m"], line["y_m"]]), axis=0) + BOUNDS_M[:2]


def test_lines_come_back_where_they_were_within_the_tolerance():
    xy_m = _wavy()
    written = maps_json([_scene(MapLine("true", xy_m))], members={}, tolerance_m=30.0)
    (line,) = json.loads(json.dumps(written))["scenes"][0]["lines"]
    assert len(line["x_m"]) < len(xy_m) / 10
    back = LineString(_decoded(line))
    assert shapely.hausdorff_distance(LineString(xy_m), back, densify=0.01) < 31
    assert line["error_m"] is None


def test_errors_come_back_within_the_tolerance_and_are_null_where_nobody_judged():
    xy_m = np.column_stack([np.linspace(0, 20_000, 1001), np.zeros(1001)]) + BOUNDS_M[:2]
    error_m = 200 + 150 * np.sin(np.arange(1001) / 60)
    error_m[700:] = np.nan
    (line,) = _scene(MapLine("drawn", xy_m, error_m, "unet-128")).as_json(20.0)["lines"]
    place_m = _decoded(line)[:, 0] - BOUNDS_M[0]
    judged = [value is not None for value in line["error_m"]]
    kept_m = np.array([value for value in line["error_m"] if value is not None])
    between = np.interp(np.linspace(0, 13_900, 500), place_m[judged], kept_m)
    true_m = 200 + 150 * np.sin(np.linspace(0, 13_900, 500) / 20 / 60)
    assert np.abs(between - true_m).max() < 21
    assert place_m[judged].max() == pytest.approx(13_980)
    assert not any(judged[place_m.searchsorted(13_990) :])


def test_thinning_keeps_ends_corners_and_is_true_to_the_tolerance():
    corner = np.array([[0.0, 0], [50, 1], [100, 0], [100, 50], [100, 100]])
    assert thinned(corner, 5.0).tolist() == [0, 2, 4]
    assert thinned(corner, 0.5).tolist() == [0, 1, 2, 4]
    ring = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10], [0, 0]])
    assert thinned(ring, 1.0).tolist() == [0, 1, 2, 3, 4], "a ring has no chord, and is no point"


def test_what_a_page_shows_around_the_map_is_told():
    written = maps_json(
        [_scene(), _scene(remark="simulated", dates=()), _scene(crs=None, dates=())],
        members={"unet-128": "U-Net 128"},
        layers=[TRUE, OLD],
        tolerance_m=30.0,
    )
    placed, simulated, unplaced = written["scenes"]
    assert placed["place"].endswith("W, Antarctica")
    assert placed["dates"] == "1 Jan 2020"
    assert placed["crs"] == "WGS 84 / Antarctic Polar Stereographic (EPSG:3031)"
    assert placed["locator"] == {"land": 0, "at_km": [-1421.6, -722.4]}
    assert len(written["lands"]) == 1, "the coast is told once"
    assert (simulated["remark"], simulated["dates"]) == ("simulated", "")
    assert (unplaced["place"], unplaced["dates"]) == ("place unknown", "dates unknown")
    assert unplaced["north_deg"] is unplaced["locator"] is unplaced["directions"] is None
    assert unplaced["ground_per_map"] == 1
    assert [layer["key"] for layer in written["layers"]] == ["true", "old"]
    assert written["members"] == [{"key": "unet-128", "title": "U-Net 128"}]


def test_no_name_of_a_scene_ends_the_script_that_holds_it():
    assert "</script" not in json_for_script(maps_json([_scene()], members={}, tolerance_m=30.0))
