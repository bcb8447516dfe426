"""What a data card says and what would be passed over is refused, with its line."""

import re

import pytest
from made_configs import write_yaml

from glsweep.config.data_card import DataCard
from glsweep.errors import ConfigError
from glsweep.scenes.cards import join_cards, load_card

LINES = "layout:\n  rasters: '*.tif'\n  lines: lines.gpkg\n  scene_column: name\n"
MASKS = "layout:\n  rasters: 'a*.tif'\n  lines: null\n  masks: 'b*.tif'\n"
ROOT = "name: some\nroot: .\n"


def refusal(tmp_path, text):
    path = tmp_path / "card.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_card(path)
    line, fault = re.fullmatch(rf"{path}: line (\d+): (.*)", str(caught.value)).groups()
    return text.splitlines()[int(line) - 1].strip(), fault


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (
            ROOT + MASKS + "  scene_column: name\n",
            "scene_column: name",
            "layout.scene_column: is for a file of lines",
        ),
        (
            ROOT + LINES.replace("lines.gpkg", "'*_gl.shp'"),
            "scene_column: name",
            "layout.scene_column: is for one file of lines",
        ),
        (
            ROOT + "split:\n  rule: patch\n  buffer_px: 9\n",
            "buffer_px: 9",
            "split.buffer_px: is for ground that",
        ),
        (
            "name: some\nsimulation: {}\nchecksums: {a.tif: abc}\n",
            "checksums: {a.tif: abc}",
            "that are simulated",
        ),
        ("name: some\nparts: [one.yaml]\n" + LINES, "layout:", "this one has its parts; remove it"),
        ("name: some\nroot: nowhere\n", "root: nowhere", "is not a folder; obtain the data"),
        ("name: some\nroot: .\nposting_m: -1\n", "posting_m: -1", "input should be greater than 0"),
        (
            "name: some\nparts:\n  - one.yaml\n  - 3\n",
            "- 3",
            "parts.1: should be the path of a card or folder",
        ),
        (
            "name: some\nparts:\n  - one.yaml\n  - own.yaml\n",
            "- own.yaml",
            "parts.1: the card own asks for another",
        ),
        (
            "name: some\nparts:\n  - one.yaml\n  - x.yaml\n",
            "parts:",
            "are of wavelengths of 0.0312 and 0.0555 m",
        ),
    ],
)
def test_what_has_no_effect_or_cannot_be_is_refused_in_its_line(tmp_path, text, line, told):
    parts(tmp_path)
    found, fault = refusal(tmp_path, text)
    assert found == line
    assert told in fault


def parts(tmp_path):
    for name, more in (("one", {}), ("own", {"split": {"rule": "block"}}), ("x", {"wavelength_m": 0.0312})):
        write_yaml(tmp_path / f"{name}.yaml", {"name": name, "simulation": {}, **more})


@pytest.mark.parametrize(
    "text", [LINES, MASKS, MASKS + "  scene_column: null\n", "split: {rule: block, buffer_px: 9}\n"]
)
def test_what_has_an_effect_is_taken(tmp_path, text):
    path = tmp_path / "card.yaml"
    path.write_text(ROOT + text)
    assert load_card(path).name == "some"


def test_a_joined_card_has_the_wavelength_of_what_is_trained_on(tmp_path):
    parts(tmp_path)
    path = tmp_path / "card.yaml"
    path.write_text("name: some\nparts:\n  - x.yaml\n  - {data: one.yaml, test_only: true}\n")
    assert load_card(path).wavelength_m == 0.0312
    path.write_text("name: some\nwavelength_m: 0.05\nparts: [x.yaml, one.yaml]\n")
    assert load_card(path).wavelength_m == 0.05
    path.write_text("name: some\nsplit: {rule: block}\nparts: [one.yaml, own.yaml]\n")
    assert load_card(path).split.rule == "block"


def test_data_sets_that_are_joined_on_the_command_line_must_agree_in_what_the_first_decides():
    one, own, x = (
        DataCard.model_validate({"name": name, "simulation": {}, **more})
        for name, more in (
            ("one", {}),
            ("own", {"split": {"rule": "block"}}),
            ("x", {"wavelength_m": 0.0312}),
        )
    )
    assert join_cards([own, one]).split.rule == "block"
    assert join_cards([x], [one]).wavelength_m == 0.0312
    with pytest.raises(ConfigError, match=r"^--data: parts\.1: the card own asks for another `split`"):
        join_cards([one, own])
    assert join_cards([one], [own]).split == one.split, "where all is for test there is nothing to split"
    with pytest.raises(ConfigError, match=r"^--data: parts: are of wavelengths of 0\.0312 and 0\.0555 m"):
        join_cards([one, x])
