import pytest
import yaml
from made_configs import CARD, changed, write_yaml

from glsweep.config.data_card import DataCard, Split
from glsweep.errors import ConfigError, DataError
from glsweep.scenes.cards import load_card


def folder_with(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


@pytest.mark.parametrize("card", [{"name": "a"}, {**CARD, "root": "scenes"}])
def test_a_card_names_exactly_one_of_root_and_simulation(tmp_path, card):
    (tmp_path / "scenes").mkdir()
    path = write_yaml(tmp_path / "card.yaml", card)
    with pytest.raises(ConfigError, match="exactly one of `root`") as caught:
        load_card(path)
    assert str(path) in str(caught.value)


def test_a_relative_root_is_taken_from_the_cards_own_folder(tmp_path, monkeypatch):
    (tmp_path / "cards").mkdir()
    (tmp_path / "scenes").mkdir()
    path = write_yaml(tmp_path / "cards" / "card.yaml", {"name": "a", "root": "../scenes"})
    monkeypatch.chdir("/")
    assert load_card(path).root == (tmp_path / "scenes").resolve()


def test_a_root_that_is_not_there_is_named(tmp_path):
    path = write_yaml(tmp_path / "card.yaml", {"name": "a", "root": "nowhere"})
    with pytest.raises(ConfigError) as caught:
        load_card(path)
    assert str(path) in str(caught.value)
    assert str(tmp_path / "nowhere") in str(caught.value)


def test_a_simulated_card_needs_no_folder(tmp_path):
    card = load_card(write_yaml(tmp_path / "card.yaml", CARD))
    assert card.root is None
    assert (card.simulation.scenes, card.simulation.rows) == (3, 96)


@pytest.mark.parametrize(
    ("name", "value"), [("train", 0.8), ("val", 0.0), ("rule", "random"), ("testt", 0.15)]
)
def test_a_split_that_is_no_split_is_refused(tmp_path, name, value):
    card = changed({**CARD, "split": {}}, f"split.{name}", value)
    with pytest.raises(ConfigError, match="split"):
        load_card(write_yaml(tmp_path / "card.yaml", card))


def test_the_default_split_is_the_published_one_without_its_leak():
    assert Split() == Split(rule="scene", train=0.70, val=0.15, test=0.15)


@pytest.mark.parametrize(
    ("files", "rasters", "lines"),
    [
        (["DInSAR/a.tif", "lines.gpkg"], "DInSAR/*", "lines.gpkg"),
        (["a.tif", "b.nc", "lines.geojson"], "*", "lines.geojson"),
        (["a.tif", "lines.shp", "lines.dbf", "lines.shx", "lines.prj"], "*", "lines.shp"),
        (["dinsar/a.TIF", "overview.tif", "LINES.GPKG"], "dinsar/*", "LINES.GPKG"),
    ],
)
def test_a_folder_without_a_card_is_read_in_both_layouts(tmp_path, files, rasters, lines):
    folder = folder_with(tmp_path / "my scenes", *files)
    card = load_card(folder)
    assert (card.layout.rasters, card.layout.lines) == (rasters, lines)
    assert card.root == folder.resolve()
    assert card.name == "my-scenes"


def test_a_folder_with_letters_beyond_ascii_has_a_name_for_files(tmp_path):
    assert load_card(folder_with(tmp_path / "Gétz β", "a.tif", "l.gpkg")).name == "G-tz--"


@pytest.mark.parametrize(("lines", "found"), [([], "none"), (["a.gpkg", "b.shp"], "a.gpkg, b.shp")])
def test_a_folder_needs_exactly_one_file_of_lines(tmp_path, lines, found):
    folder = folder_with(tmp_path / "scenes", "DInSAR/a.tif", *lines)
    with pytest.raises(DataError) as caught:
        load_card(folder)
    assert str(folder) in str(caught.value)
    assert f"found {found};" in str(caught.value)


def test_a_folder_without_rasters_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no raster .*, only 1 \.gpkg"):
        load_card(folder_with(tmp_path / "scenes", "lines.gpkg"))


def test_a_name_must_serve_as_a_files_name():
    with pytest.raises(ValueError, match="pattern"):
        DataCard.model_validate({**CARD, "name": "../else"})


def test_a_part_that_asks_for_another_label_than_the_whole_is_refused():
    """It would be passed over in silence: patches of all parts are drawn alike."""
    part = {**CARD, "label": "soft", "label_width_m": 120.0}
    with pytest.raises(ValueError, match=f"the part {CARD['name']} asks for `label: soft`"):
        DataCard.model_validate({"name": "joined", "parts": [part]})
    whole = {"name": "joined", "parts": [part], "label": "soft", "label_width_m": 120.0}
    assert DataCard.model_validate(whole).label == "soft"


@pytest.mark.parametrize(
    ("part", "test_only"),
    [("b.yaml", True), ({"data": "b.yaml"}, True), ({"data": "b.yaml", "test_only": False}, False)],
    ids=["as its card says", "as its card says, in a mapping", "as the joined card says"],
)
def test_a_part_for_test_alone_stays_so_and_is_not_named_among_what_was_trained_on(tmp_path, part, test_only):
    for name, of_its_own in (("a", {}), ("b", {"test_only": True})):
        card = {"name": name, "title": f"Scenes {name}", "simulation": {"scenes": 3}, **of_its_own}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(card))
    (tmp_path / "joined.yaml").write_text(yaml.safe_dump({"name": "joined", "parts": ["a.yaml", part]}))
    joined = load_card(tmp_path / "joined.yaml")
    assert [card.test_only for card in joined.parts] == [False, test_only]
    assert joined.trained_on == ("Scenes a" if test_only else "Scenes a, Scenes b")
