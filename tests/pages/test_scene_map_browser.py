"""The map of whole scenes as a reader uses it."""

from datetime import date

import numpy as np
import pyproj
import pytest
from browser import CHROMIUM, opened_browser, scrolls_sideways, serious_faults

from glsweep.geodesy import point_lon_lat
from glsweep.pages import json_for_script, render
from glsweep.pages.map_pictures import phase_picture, probability_picture
from glsweep.pages.scene_map import MapLine, SceneMap, maps_json

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

TEMPLATE = """{% extends "base.html" %}
{% from "scene_map.html" import scene_map, scene_map_scripts %}
{% block title %}Maps{% endblock %}
{% block body %}
<main id="main"><section><h1>Maps</h1>{{ scene_map("maps", data) }}</section></main>
{% endblock %}
{% block scripts %}<script>{{ plotly() }}</script>{{ scene_map_scripts() }}{% endblock %}
"""
ABOUT = "40.0 km; half its band 120 m"
MEMBERS = {"unet-128": "U-Net 128", "hed-128": "HED <128>"}
SIDE_M = 40_000.0
NOT_JUDGED_FROM_M = 30_000.0


def _scene(name: str, x_m: float, days: tuple[date, ...]) -> SceneMap:
    bounds_m = (x_m, -744_000.0, x_m + SIDE_M, -744_000.0 + SIDE_M)
    along_m = np.linspace(0, SIDE_M, 200)
    true = np.column_stack([x_m + along_m, np.full(200, -724_000.0)])
    lines = [MapLine("true", true)]
    for off_m, member in zip((30.0, 700.0), MEMBERS, strict=True):
        error_m = np.where(along_m < NOT_JUDGED_FROM_M, off_m, np.nan)
        lines.append(
            MapLine("drawn", true + np.array([0, off_m]), error_m, member, "40.0 km; half its band 120 m")
        )
    lines.append(MapLine("missed", true[:50], None, "hed-128", "no line within 200 m"))
    phase_rad = np.angle(np.exp(1j * np.hypot(*np.mgrid[-5:5:0.1, -5:5:0.1])))
    return SceneMap(
        name=name,
        bounds_m=bounds_m,
        crs=pyproj.CRS("EPSG:3031"),
        dates=days,
        phase=phase_picture(phase_rad),
        probability={member: probability_picture(np.eye(50)) for member in MEMBERS},
        lines=tuple(lines),
        facts={member: f"drawn by {member}" for member in MEMBERS},
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    scenes = [
        _scene("first", -1_444_000.0, (date(2020, 1, 1), date(2020, 1, 13))),
        _scene("second", 1.2e6, ()),
    ]
    maps = maps_json(scenes, members=MEMBERS, tolerance_m=15.0)
    (folder / "page.html").write_text(TEMPLATE)
    (folder / "maps.html").write_text(render(folder / "page.html", {"data": json_for_script(maps)}))
    return f"file://{folder / 'maps.html'}"


def _open(page, address):
    page.goto(address)
    page.wait_for_function("sceneMaps.drawn[0]?.view")


@pytest.fixture(scope="module")
def browser_page():
    with opened_browser(width_px=1400, height_px=900) as page:
        yield page


@pytest.fixture
def page(browser_page, address):
    _open(browser_page, address)
    return browser_page


def _traces(page):
    """Return how many vertices each trace has, by its name."""
    return page.evaluate(
        "Object.fromEntries(document.querySelector('.map-plot').data"
        ".map(one => [one.name, one.x.filter(x => x !== null).length]))"
    )


def _pictures(page):
    return page.locator(".map-plot .imagelayer image").count()


def _kilometres(page):
    return page.evaluate("sceneMaps.drawn[0].view.x")


def test_scene_member_and_layers_change_what_is_drawn(page):
    traces = _traces(page)
    assert traces["true line"] == 2
    assert traces["drawn line of U-Net 128"] >= 3
    assert traces["error class 0 of U-Net 128"] == 2, "30 m, as far as it is judged"
    assert traces["error class 4 of U-Net 128"] == 0
    assert traces["missed"] == 0
    assert _kilometres(page) == pytest.approx([-1444, -1404])
    about = page.inner_text(".map-about")
    assert "first · " in about
    assert "Antarctica · 1 Jan 2020, 13 Jan 2020 · WGS 84 / Antarctic Polar Stereographic" in about
    assert page.inner_text(".map-facts") == "U-Net 128: drawn by unet-128"

    page.select_option(".map-member", label="HED <128>")
    traces = _traces(page)
    assert traces["error class 4 of HED <128>"] == 2
    assert traces["error class 0 of HED <128>"] == 0
    assert traces["missed of HED <128>"] == 2
    assert page.inner_text(".map-facts") == "HED <128>: drawn by hed-128"

    page.select_option(".map-scene", label="second")
    assert _kilometres(page) == pytest.approx([1200, 1240])
    assert "dates unknown" in page.inner_text(".map-about")

    page.uncheck("input[value=error]")
    assert not any(name.startswith("error class") for name in _traces(page))
    page.uncheck("input[value=true]")
    assert "true line" not in _traces(page)
    assert _pictures(page) == 1
    page.check("input[value=probability]")
    assert _pictures(page) == 2
    page.uncheck("input[value=phase]")
    assert _pictures(page) == 1


def test_where_the_pointer_is_the_map_says_what_is_there(page):

    def point_at(x_km, y_km):
        x, y = page.evaluate(
            "([x, y]) => { const plot = document.querySelector('.map-plot');"
            "const { xaxis, yaxis } = plot._fullLayout; const box = plot.getBoundingClientRect();"
            "return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)]; }",
            [x_km, y_km],
        )
        page.mouse.move(x - 1, y - 1)
        page.mouse.move(x, y)

    page.uncheck("input[value=true]")
    point_at(-1434, -723.97)
    page.wait_for_selector(".hoverlayer .hovertext")
    said = page.text_content(".hoverlayer")
    for words in (
        "drawn line of U-Net 128",
        "30 m from the true line",
        "half its band 120 m",
        "y \N{MINUS SIGN}724.0 km",
    ):
        assert words in said
    point_at(-1410, -723.97)
    page.wait_for_function("document.querySelector('.hoverlayer').textContent.includes('not judged here')")
    point_at(-1424, -715)
    on_map, degrees = page.inner_text(".map-readout").split(" · ")
    x, y = (float(part[1:].replace("\N{MINUS SIGN}", "-").removesuffix(" km")) for part in on_map.split(", "))
    assert (x, y) == pytest.approx((-1424, -715), abs=0.2)
    longitude, latitude = point_lon_lat(1000 * x, 1000 * y, pyproj.CRS("EPSG:3031"))
    assert [float(part[:-3]) for part in degrees.split(", ")] == pytest.approx(
        [-latitude, -longitude], abs=0.004
    )


def test_buttons_and_keys_zoom_and_move_and_the_scale_bar_follows(page):
    assert page.inner_text(".map-scale") == "10 km"
    bar_px, axis_px = (
        page.evaluate("document.querySelector('.map-scale i').getBoundingClientRect().width"),
        page.evaluate("document.querySelector('.map-plot')._fullLayout.xaxis._length"),
    )
    # 1.011 m of ground a metre of this map.
    assert bar_px / axis_px == pytest.approx(10 / 40 / 1.0114, abs=0.01)
    page.click("[data-zoom=in]")
    page.click("[data-zoom=in]")
    left, right = _kilometres(page)
    assert right - left == pytest.approx(40 * 0.36)
    assert page.inner_text(".map-scale") == "2 km"
    page.focus(".map-frame")
    page.keyboard.press("ArrowRight")
    assert _kilometres(page)[0] == pytest.approx(left + 0.2 * 40 * 0.36)
    page.select_option(".map-member", label="HED <128>")
    assert _kilometres(page)[0] == pytest.approx(left + 0.2 * 40 * 0.36), "another member, the same place"
    page.focus(".map-frame")
    page.keyboard.press("0")
    assert _kilometres(page) == pytest.approx([-1444, -1404])


def test_the_arrow_points_north_and_the_small_map_shows_the_place(page):
    # In EPSG:3031 north points away from the pole, which is at (0, 0).
    away_deg = np.degrees(np.arctan2(-1424, -724))
    turn = page.get_attribute(".map-north g", "transform")
    assert float(turn.removeprefix("rotate(").removesuffix(")")) == pytest.approx(away_deg, abs=0.01)
    place = [float(page.get_attribute(".map-locator .here", axis)) for axis in ("cx", "cy")]
    assert place == pytest.approx([-1424, 724])


@pytest.mark.parametrize(("width_px", "colours"), [(1400, "light"), (390, "dark")])
def test_it_is_for_every_reader_and_every_window(page, address, width_px, colours):
    page.set_viewport_size({"width": width_px, "height": 844})
    page.emulate_media(color_scheme=colours)
    _open(page, address)
    assert serious_faults(page) == []
    assert not scrolls_sideways(page)
