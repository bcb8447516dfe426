"""Another analyst's lines as a row: scored as a network's on test ground, and only where they were drawn."""

import geopandas as gpd
import pytest
import shapely
from made_configs import SPACE
from made_input import card as model_card

from glsweep.config.data_card import SECOND_ANALYST, DataCard, Layout, Simulation
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum
from glsweep.evaluate import _second_analyst, patches_to_score
from glsweep.evaluate.scenes import evaluate_scenes
from glsweep.nets import build_network
from glsweep.nets.member import save_member
from glsweep.patches.prepare import prepare_patches
from glsweep.patches.store import open_patches
from glsweep.report.scene_tables import scenes_rows
from glsweep.scenes.cards import card_for_folder
from glsweep.simulation import simulate_data
from glsweep.study import create_study
from glsweep.study.configuration import StudyConfig, changes_between
from glsweep.study.evaluation_artifacts import StudyLines

SIZE = 32
STRATUM = Stratum("unet", SIZE)
LINES = "all_manual_segm_gl.gpkg"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("second")
    root = folder / "scenes"
    simulate_data(Simulation(scenes=8, rows=128, cols=128, noise=0.3, tides="resolved"), root, seed=3)
    layout = Layout(unsure="unsure_lines.gpkg", second_analyst=SECOND_ANALYST)
    card = DataCard(name="made", root=root, layout=layout, split={"train": 0.4, "val": 0.3, "test": 0.3})
    config = StudyConfig(name="made", seed=0, card=card, space=SearchSpace.model_validate(SPACE))
    made = create_study(folder / "study", config)
    prepare_patches(made, [SIZE])
    network = build_network("unet", in_channels=2, base_width=4, seed=0)
    save_member(made.member(STRATUM), network, model_card(patch_size_px=SIZE))
    return made


@pytest.fixture
def second(study):
    """The file of the second analyst's lines; what a test writes there is undone."""
    path = study.config.card.root / SECOND_ANALYST
    kept = path.read_bytes()
    yield path
    path.write_bytes(kept)


def rows_of(study):
    return [row for row, _ in _second_analyst(study, {SIZE: patches_to_score(study, SIZE)})]


def test_another_analyst_is_close_to_the_first_and_not_the_same(study):
    (row,) = rows_of(study)
    assert (row.title, row.kind, row.tau, row.parameters) == ("second analyst 32", "second_analyst", None, 0)
    assert row.patches_with_line + row.patches_without_line == len(open_patches(study, SIZE).index("test"))
    assert 0.3 < row.dice < 1
    lines = evaluate_scenes(study, [STRATUM])
    (group,) = lines.second_analyst
    assert group.scenes == len(lines.members[0].scenes) > 1
    assert 20 < group.pooled.median_m < 400
    member, other = scenes_rows(lines)
    assert (other.title, other.pooled) == ("second analyst", group.pooled)
    assert member.pooled.reference_km == other.pooled.reference_km


def test_a_copy_of_the_first_lines_is_without_fault(study, second):
    second.write_bytes((study.config.card.root / LINES).read_bytes())
    (row,) = rows_of(study)
    assert row.relaxed_f1 == row.dice == 1
    (group,) = evaluate_scenes(study, []).second_analyst
    assert group.pooled.mean_m < 1e-6
    assert (group.pooled.completeness_100, group.pooled.false_km_100) == (1, 0)


def test_only_scenes_that_were_looked_at_are_scored_and_the_title_says_so(study, second):
    tested = open_patches(study, SIZE).index("test")
    one, *others = dict.fromkeys(tested["scene"])
    assert others
    table = gpd.read_file(study.config.card.root / LINES)
    table[table["source_file"] != f"{one}.shp"].to_file(second, driver="GPKG", layer="grounding_lines")
    (row,) = rows_of(study)
    assert row.title == f"second analyst ({len(others)} of {len(others) + 1} scenes) 32"
    assert row.relaxed_f1 == 1
    assert row.patches_with_line + row.patches_without_line == (tested["scene"] != one).sum()
    (group,) = evaluate_scenes(study, []).second_analyst
    assert group.scenes == len(others)
    table.loc[table["source_file"] == f"{one}.shp", "geometry"] = shapely.LineString()
    table.to_file(second, driver="GPKG", layer="grounding_lines")
    (row,) = rows_of(study)
    assert row.title == "second analyst 32"
    assert row.relaxed_f1 < 1, "looked at, and nothing drawn"


def test_a_card_without_such_lines_has_no_row_and_cuts_the_same_patches(study):
    card = study.config.card
    bare = card.model_copy(update={"layout": card.layout.model_copy(update={"second_analyst": None})})
    assert bare.content_hash() == card.content_hash()
    assert "second_analyst" not in bare.model_dump()["layout"]
    config = study.config.model_copy(update={"card": bare})
    (change,) = changes_between(config, study.config)
    assert change.is_possible and "sweep" not in change.stale
    without = type(study)(study.directory, config)
    assert rows_of(without) == []
    lines = evaluate_scenes(without, [])
    assert lines.second_analyst == ()
    older = lines.model_dump(exclude={"second_analyst"})
    assert StudyLines.model_validate(older) == lines


def test_a_folder_that_holds_such_lines_needs_no_card(study):
    layout = card_for_folder(study.config.card.root).layout
    assert (layout.lines, layout.second_analyst) == (LINES, SECOND_ANALYST)
