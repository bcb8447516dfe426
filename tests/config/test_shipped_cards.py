"""The cards of `datasets/`: complete, loadable, and each says how to obtain what is missing."""

from pathlib import Path

import pytest

from glsweep.config.settings import read_yaml
from glsweep.errors import ConfigError
from glsweep.scenes.cards import load_card

FOLDER = Path(__file__).resolve().parents[2] / "datasets"
CARDS = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "joined.yaml")


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_a_card_is_complete(path, tmp_path):
    has_root = "root" in read_yaml(path)
    card = load_card(path, root=tmp_path if has_root else None)
    assert card.name == path.stem
    assert card.title
    for part in card.data_sets:
        assert part.source
        assert part.licence
        assert part.how_to_obtain
        assert part.root == tmp_path or part.simulation is not None


@pytest.mark.parametrize("path", [p for p in CARDS if "root" in read_yaml(p)], ids=lambda path: path.stem)
def test_a_card_whose_data_is_not_there_says_how_to_obtain_it(path):
    with pytest.raises(
        ConfigError, match=r"is not a folder; obtain the data \(.+\) and name its folder with --root"
    ):
        load_card(path)


def test_the_readme_lists_every_card():
    text = (FOLDER / "README.md").read_text()
    assert all(f"[{path.name}]({path.name})" in text for path in FOLDER.glob("*.yaml"))


def test_the_joined_card_needs_its_parts_data():
    with pytest.raises(ConfigError, match=r"getz\.yaml: line 15: root"):
        load_card(FOLDER / "joined.yaml")
