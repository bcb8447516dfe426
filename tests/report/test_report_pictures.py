"""How figures go into the page within what it may weigh."""

import base64
import io
import json

import numpy as np
from PIL import Image

from glsweep.pages import json_for_script
from glsweep.report.figures import CaptionedFigure, house_style, new_figure
from glsweep.report.pictures import write_figures


def noise(name):
    """A figure that nothing makes small."""
    figure = new_figure(1.0)
    figure.subplots().imshow(np.random.default_rng(len(name)).random((100, 700, 3)), aspect="auto")
    return CaptionedFigure(name, "Noise", figure, "Random colours.", "Random colours in a rectangle.")


def width_px(picture):
    return Image.open(io.BytesIO(base64.b64decode(picture.source.partition(",")[2]))).width


def written(folder, room_bytes, *figures):
    with house_style():
        return write_figures(figures, folder, [], room_bytes=room_bytes)


def test_pictures_fill_the_room_that_there_is_and_no_more(tmp_path):
    large = written(tmp_path, 10_000_000, noise("a"), noise("bb"))
    small = written(tmp_path, 120_000, noise("a"), noise("bb"))
    assert sum(len(picture.source) for picture in small.values()) <= 120_000
    for name, picture in large.items():
        with Image.open(tmp_path / f"{name}.png") as file:
            assert width_px(picture) == file.width > width_px(small[name])


def test_a_figure_that_the_browser_draws_takes_its_room_but_is_not_there_twice(tmp_path):
    figure = {"data": [{"type": "scatter", "y": [1.5] * 20_000}], "layout": {"height": 321}}
    drawn = noise("drawn")
    drawn = CaptionedFigure(**{**vars(drawn), "interactive": figure})
    pictures = written(tmp_path, 200_000, drawn, noise("a"))
    assert pictures["drawn"].source == ""
    assert pictures["drawn"].height == 321
    assert json.loads(pictures["drawn"].interactive) == figure
    assert sum(len(p.source) + len(p.interactive) for p in pictures.values()) <= 200_000
    assert {path.name for path in tmp_path.iterdir()} == {"drawn.png", "drawn.svg", "a.png", "a.svg"}


def test_json_within_a_script_cannot_end_it():
    value = {"text": "</script><!-- & 'quoted' \N{EM DASH}"}
    text = json_for_script(value)
    assert "<" not in text
    assert json.loads(text) == value
