"""Verdicts on lines: what each does to the labels, what enters a study's identity, and what is refused."""

import geopandas as gpd
import pytest
import shapely
import yaml
from made_configs import SPACE
from made_input import NORTH_UP, write_scene
from pyproj import CRS
from shapely import LineString
from shapely.affinity import translate

from glsweep.config.data_card import DataCard, Layout, Simulation
from glsweep.config.space import SearchSpace
from glsweep.errors import DataError, GlsweepError
from glsweep.patches.store import has_target
from glsweep.scenes.cards import card_for_folder, load_card
from glsweep.scenes.catalogue import open_catalogue, open_data
from glsweep.scenes.corrections import as_text, read_corrections
from glsweep.study.configuration import StudyConfig, changes_between

MAP = CRS.from_epsg(3031)


def on_map(*points_px):
    return LineString([NORTH_UP @ point for point in points_px])


LABEL = on_map((5, 20), (60, 30), (120, 25), (200, 20))
STRETCH = on_map((60, 30), (120, 25))
OTHER = on_map((10, 100), (150, 110))


@pytest.fixture
def folder(tmp_path):
    """A folder with one scene and one label."""
    root = tmp_path / "getz"
    (root / "DInSAR").mkdir(parents=True)
    write_scene(root / "DInSAR" / "a.tif", [LABEL, OTHER])
    table = gpd.GeoDataFrame({"source_file": ["a.shp"]}, geometry=[LABEL], crs=3031)
    table.to_file(root / "all_manual_segm_gl.gpkg", driver="GPKG")
    return root


def row(verdict, line, *, found=None, scene="a", comment=""):
    as_found = "" if found is None else as_text(found, MAP)
    return {"scene": scene, "verdict": verdict, "comment": comment, "as_found": as_found, "geometry": line}


def write_review(folder, *rows, crs=3031, name="review.gpkg"):
    gpd.GeoDataFrame(list(rows), crs=3031).to_crs(crs).to_file(folder / name, driver="GPKG")
    return folder / name


def entry_of(folder):
    (entry,) = open_catalogue(folder, card_for_folder(folder)).entries
    return entry


def same(lines, *others):
    return shapely.hausdorff_distance(shapely.union_all(list(lines)), shapely.union_all(list(others))) < 1


@pytest.mark.parametrize("crs", [3031, 4326])
def test_a_line_that_was_confirmed_is_a_label(folder, crs):
    write_review(folder, row("line", OTHER, found=OTHER), crs=crs)
    assert same(entry_of(folder).lines, LABEL, OTHER)


def test_a_label_that_was_confirmed_stays_as_it_is(folder):
    write_review(folder, row("line", STRETCH, found=STRETCH))
    assert entry_of(folder).lines == (LABEL,)


def test_a_label_that_is_none_is_cut_out_within_the_stretch(folder):
    write_review(folder, row("No Line ", STRETCH, found=STRETCH))
    assert same(entry_of(folder).lines, on_map((5, 20), (60, 30)), on_map((120, 25), (200, 20)))


def test_a_stretch_that_was_trimmed_is_taken_as_trimmed(folder):
    half = on_map((60, 30), (90, 27.5))
    write_review(folder, row("no line", half, found=STRETCH))
    assert same(entry_of(folder).lines, on_map((5, 20), (60, 30)), on_map((90, 27.5), (120, 25), (200, 20)))


def test_a_label_that_was_moved_replaces_what_was_found(folder):
    moved = translate(STRETCH, 0, 800)
    write_review(folder, row("line", moved, found=STRETCH))
    assert same(entry_of(folder).lines, on_map((5, 20), (60, 30)), moved, on_map((120, 25), (200, 20)))


def test_what_nobody_can_tell_is_no_label_and_is_marked(folder):
    write_review(folder, row("unsure", STRETCH, found=STRETCH), row("unsure", OTHER, found=OTHER))
    entry = entry_of(folder)
    assert same(entry.lines, on_map((5, 20), (60, 30)), on_map((120, 25), (200, 20)))
    assert same(entry.unsure, STRETCH, OTHER)
    assert entry.unsure_within_m == 500
    assert has_target(card_for_folder(folder)), "or patches would be trained on what is left"


def test_lines_that_an_analyst_adds_count_too(folder):
    by_hand = translate(STRETCH, 0, 60)
    write_review(folder, row("line", OTHER), row("no line", by_hand, scene="DInSAR/a.tif"))
    assert same(entry_of(folder).lines, on_map((5, 20), (60, 30)), on_map((120, 25), (200, 20)), OTHER)


def test_rows_without_a_verdict_change_nothing_not_even_the_identity(folder):
    bare = card_for_folder(folder)
    write_review(folder, row("", STRETCH, found=STRETCH, comment="?"), row(None, OTHER, scene="nowhere"))
    card = card_for_folder(folder)
    assert entry_of(folder).lines == (LABEL,)
    assert card.content_hash() == bare.content_hash()
    assert all(change.is_possible for change in changes_between(config(bare), config(card)))
    (remark,) = open_catalogue(folder, card).remarks
    assert remark == "review.gpkg: has no verdict yet and corrects nothing"


def config(card):
    return StudyConfig(seed=0, card=card, space=SearchSpace.model_validate(SPACE))


def test_a_verdict_enters_the_identity_and_a_comment_or_a_name_does_not(folder):
    bare = card_for_folder(folder)
    write_review(folder, row("line", OTHER, found=OTHER), row("", STRETCH, found=STRETCH))
    card = card_for_folder(folder)
    assert card.content_hash() != bare.content_hash()
    refused = [change for change in changes_between(config(bare), config(card)) if not change.is_possible]
    assert [change.key for change in refused] == ["card.layout.corrections_hash"]
    write_review(folder, row("line", OTHER, found=OTHER, comment="sure"), row("", OTHER), name="mine.gpkg")
    (folder / "card.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "getz",
                "root": ".",
                "layout": {"corrections": "mine.gpkg", "rasters": card.layout.rasters},
            }
        )
    )
    assert load_card(folder / "card.yaml").content_hash() == card.content_hash()
    (folder / "mine.gpkg").unlink()
    write_review(folder, row("line", translate(OTHER, 0, 5), found=OTHER))
    assert card_for_folder(folder).content_hash() not in (bare.content_hash(), card.content_hash())


def test_a_card_without_corrections_is_written_as_before():
    assert not {"corrections", "corrections_hash"} & set(Layout().model_dump())


def test_verdicts_that_change_after_a_study_began_are_refused(folder):
    write_review(folder, row("line", OTHER))
    card = card_for_folder(folder)
    write_review(folder, row("no line", OTHER))
    with pytest.raises(DataError, match=r"review\.gpkg: its verdicts are others than those with which the"):
        open_catalogue(folder, card)


def test_rows_of_another_data_set_are_left_to_its_card(folder, tmp_path):
    other = tmp_path / "ross"
    folder.rename(other)
    write_review(other, row("no line", STRETCH, scene="ross/a"), row("line", OTHER, scene="getz/a"))
    assert len(entry_of(other).lines) == 2
    write_review(other, row("line", OTHER, scene="getz/a"))
    with pytest.raises(DataError, match=r"none of its verdicts is on a scene of the data set ross"):
        entry_of(other)


def test_joined_data_sets_are_corrected_each_by_itself(folder, tmp_path):
    write_review(folder, row("line", OTHER))
    card = card_for_folder(folder)
    plain = card.model_copy(update={"name": "plain", "layout": Layout()})
    joined = DataCard(name="both", parts=(card, plain))
    entries = open_data(joined, {"getz": folder, "plain": folder}).entries
    assert [len(entry.lines) for entry in entries] == [2, 1]
    assert has_target(joined)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (row("maybe", OTHER), "row 1: its verdict is 'maybe'; write one of 'line', 'no line', 'unsure'"),
        (row("line", OTHER, scene="b"), "row 1: there is no scene 'b' in"),
        (row("line", None), "row 1: has a verdict and no line; draw it, or empty the verdict"),
        (row("line", translate(OTHER, 9e5, 0)), "row 1: its line does not touch its scene a"),
        (row("line", OTHER) | {"as_found": "LINESTRING (1 2, 3"}, "row 1: its as_found 'LINESTRING (1 2, 3'"),
    ],
)
def test_a_row_that_cannot_be_followed_is_refused_in_one_line(folder, bad, said):
    write_review(folder, row("", OTHER), bad)
    with pytest.raises(DataError) as caught:
        entry_of(folder)
    assert str(caught.value).startswith(f"{folder / 'review.gpkg'}: {said}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_review_is_refused(folder):
    with pytest.raises(DataError, match=r"has no columns 'scene' and 'verdict', so it holds no corrections"):
        read_corrections(folder / "all_manual_segm_gl.gpkg")


def test_corrections_go_with_lines_in_files():
    with pytest.raises(ValueError, match="masks and patches must be drawn anew"):
        Layout(lines=None, masks="masks/*.tif", corrections="review.gpkg")
    with pytest.raises(ValueError, match="lines that are simulated are the truth"):
        DataCard(name="made", simulation=Simulation(), layout=Layout(corrections="review.gpkg"))


def test_a_review_is_not_mistaken_for_the_lines_of_a_folder(folder):
    write_review(folder, row("", OTHER))
    layout = card_for_folder(folder).layout
    assert (layout.lines, layout.corrections) == ("all_manual_segm_gl.gpkg", "review.gpkg")
    (folder / "all_manual_segm_gl.gpkg").unlink()
    with pytest.raises(GlsweepError, match="needs one file of lines"):
        card_for_folder(folder)
