"""Results show themselves in notebooks: quickly, escaped, in valid HTML that needs nothing else."""

import base64
import io
import pickle
import re
from html.parser import HTMLParser

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
from made_drawn_scenes import drawn_scene
from made_input import NORTH_UP
from PIL import Image
from shapely import LineString
from shapely.affinity import translate

import glsweep
from glsweep.notebook.thumbnails import probability_map

LINE = LineString([(NORTH_UP.c + 500, NORTH_UP.f - 5_000), (NORTH_UP.c + 15_000, NORTH_UP.f - 6_000)])
VOID = {"img", "br"}


class Nesting(HTMLParser):
    """Sees to it that what is opened is closed, and that nothing is fetched."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        sources = [value for name, value in attrs if name in ("src", "href")]
        assert all(value.startswith("data:") for value in sources), sources

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check_html(html):
    parser = Nesting()
    parser.feed(html)
    assert parser.open == []
    return html


def pictures_of(html):
    """The pictures of a page, each of them small."""
    found = re.findall(r'src="data:image/webp;base64,([^"]+)"', html)
    assert all(len(one) < 60_000 for one in found)
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in found]


def prediction(scene="a<b>", lines=(LINE,), shape=(150, 210)):
    noise = np.random.default_rng(0).random(shape, np.float32)
    table = drawn_scene("20180105", list(lines)).table
    return glsweep.Prediction(scene, noise, NORTH_UP, pyproj.CRS.from_epsg(3031), 0.5, table, [])


def test_a_prediction_shows_a_map_and_what_is_known_of_it():
    html = check_html(prediction()._repr_html_())
    (picture,) = pictures_of(html)
    assert picture.width > 200
    assert "a&lt;b&gt;" in html and "a<b>" not in html
    assert all(text in html for text in ("2018-01-05", "EPSG:3031", "Antarctica", "not known"))


def test_a_prediction_of_noise_and_of_a_big_scene_stays_small():
    big = prediction(shape=(2000, 1700))
    assert len(pictures_of(check_html(big._repr_html_()))) == 1


def test_a_prediction_without_a_line_shows_itself():
    assert "0.0 km of grounding line" in check_html(prediction(lines=())._repr_html_())


def test_what_is_printed_of_a_prediction_is_one_line():
    assert repr(prediction("a")).startswith("Prediction('a', 1 lines,")
    assert len(repr(prediction("a"))) < 160 and "\n" not in repr(prediction("a"))


@pytest.mark.parametrize("turn", [1, -1])
def test_a_line_of_high_probability_is_drawn_where_it_is(turn):
    values = np.zeros((100, 100), np.float32)
    values[:20] = 1
    transform = NORTH_UP if turn == 1 else NORTH_UP @ NORTH_UP.translation(0, 100) @ NORTH_UP.scale(1, -1)
    uri = probability_map(values, transform, [])
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("L"), float)
    rows = seen[:, 20:-20].mean(axis=1)
    upper, lower = rows[10:40].mean(), rows[-40:-10].mean()
    assert (upper > lower) == (turn == 1)


@pytest.fixture
def compared(tmp_path):
    for name, north_m in (("lines", 0), ("reference", 150)):
        table = gpd.GeoDataFrame(
            {"scene": ["<a>", "b"]}, geometry=[translate(LINE, 0, north_m)] * 2, crs=3031
        )
        table.to_file(tmp_path / f"{name}.gpkg")
    return glsweep.compare(tmp_path / "lines.gpkg", tmp_path / "reference.gpkg", by="scene")


def test_a_comparison_is_a_frame_that_shows_a_map(compared):
    assert isinstance(compared, pd.DataFrame) and len(compared) == 3
    html = check_html(compared._repr_html_())
    assert len(pictures_of(html)) == 1
    assert "&lt;a&gt;" in html and "<a>" not in html and "median m" in html


def test_what_is_made_of_a_comparison_is_a_plain_frame(compared, tmp_path):
    for made in (compared[["mean_m"]], compared[compared["mean_m"] > 0], compared.copy()):
        assert type(made) is pd.DataFrame
    assert compared["mean_m"].iloc[-1] == pytest.approx(150, rel=0.03)
    again = pickle.loads(pickle.dumps(compared))
    pd.testing.assert_frame_equal(pd.DataFrame(again), pd.DataFrame(compared))
    assert [pair.name for pair in again.pairs] == ["<a>", "b"]
