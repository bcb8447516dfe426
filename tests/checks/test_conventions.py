"""What `check` says of where lines are drawn, and what a study minds of data sets that differ in it."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
import yaml
from affine import Affine
from PIL import Image
from rasterio.crs import CRS
from shapely import LineString
from skimage.measure import find_contours

from glsweep.checks.messages import ODD
from glsweep.config.contradictions import remarks_on_lines
from glsweep.run import main
from glsweep.scenes.cards import load_card
from glsweep.scenes.raster import write_interferogram
from glsweep.simulation.phase import Beam
from glsweep.simulation.radar import speckled_interferogram

SIDE = 192
POLAR = CRS.from_epsg(3031)
BEAM = Beam(thickness_m=500, young_pa=1e9, amplitude_m=0.25, incidence_rad=0.7, wavelength_m=0.0555)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")


def check(capsys, *arguments):
    code = main(["check", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def folder_of(root, level_cycles, *, shifted_px=None, first=0, scenes=4, **keys):
    """Scenes of a straight coast with the line at a level, and a data card; the last line may be shifted."""
    names, lines = [], []
    for number in range(first, first + scenes):
        place = Affine(100, 0, number * 40_000, 0, -100, 0)
        row, col = np.indices((SIDE, SIDE)) + 0.5
        phase_rad = BEAM.phase_rad(100 * (col - 80 + 4 * np.sin(row / 30)))
        generator = np.random.default_rng(number)
        values = speckled_interferogram(
            phase_rad, np.full(phase_rad.shape, 0.6), looks=12, generator=generator
        )
        values[:, :8] = 0
        write_interferogram(root / "DInSAR" / f"s{number}.tif", values, place, POLAR)
        (contour,) = find_contours(np.abs(phase_rad) / (2 * np.pi), level_cycles)[:1]
        line = LineString(contour[:, ::-1] + 0.5)
        if shifted_px and number == first + scenes - 1:
            line = shapely.affinity.translate(line, shifted_px)
        names.append(f"s{number}.shp")
        lines.append(shapely.affinity.affine_transform(line, place.to_shapely()))
    gpd.GeoDataFrame({"source_file": names}, geometry=lines, crs=3031).to_file(
        root / "all_manual_segm_gl.gpkg"
    )
    card = root.parent / f"{root.name}.yaml"
    card.write_text(yaml.safe_dump({"name": root.name, "root": str(root), **keys}))
    return card


def test_it_is_said_where_lines_are_drawn_and_how_many_lie_elsewhere(capsys, tmp_path):
    card = folder_of(tmp_path / "mine", 0.6, shifted_px=-22, scenes=5)
    code, out = check(capsys, card, "--sheet", tmp_path / "sheet.png")
    assert code == 0
    drawn = next(line for line in out.splitlines() if "lines are drawn at" in line)
    assert "mine: lines are drawn at .6 cycle, " in drawn and " m seaward of the first bending" in drawn
    assert "(`line: analyst`), by 4 of 5" in drawn
    assert drawn.endswith("1 of 5 lines lies elsewhere: shifted, of another date, or another hand")
    assert "s4: 1 of its 1 line lies elsewhere than most lines" in out
    colour = tuple(int(ODD[i : i + 2], 16) for i in (1, 3, 5))
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert (np.asarray(sheet.convert("RGB")) == colour).all(axis=-1).sum() > 20


def test_lines_at_the_first_bending_are_the_hinge(capsys, tmp_path):
    card = folder_of(tmp_path / "mine", 0.003, line="hinge")
    _, out = check(capsys, card)
    assert "mine: lines are drawn at 0.0 cycle" in out and "`line: hinge`" in out
    assert "elsewhere" not in out and "the data card says" not in out


def test_a_card_that_says_otherwise_than_the_fringes_is_named(capsys, tmp_path):
    _, out = check(capsys, folder_of(tmp_path / "mine", 0.7, line="hinge"))
    assert "mine: the data card says `line: hinge`, and the lines are drawn at .7 cycle" in out
    assert "say `line: analyst`" in out


def test_joined_data_sets_of_two_conventions_are_named_by_what_is_measured(capsys, tmp_path):
    one, other = folder_of(tmp_path / "one", 0.7), folder_of(tmp_path / "other", 0.003, first=4)
    joined = tmp_path / "joined.yaml"
    joined.write_text(yaml.safe_dump({"name": "joined", "parts": [{"data": str(one)}, {"data": str(other)}]}))
    _, out = check(capsys, joined)
    assert "mixes conventions (one: drawn at .7 cycle" in out and "other: drawn at 0.0 cycle" in out


@pytest.mark.parametrize("test_only", [False, True])
def test_a_study_minds_parts_whose_cards_say_different_lines(tmp_path, test_only):
    for name, kind in (("one", "analyst"), ("other", "hinge")):
        (tmp_path / f"{name}.yaml").write_text(
            yaml.safe_dump({"name": name, "root": str(tmp_path), "line": kind})
        )
    joined = tmp_path / "joined.yaml"
    parts = [{"data": "one.yaml"}, {"data": "other.yaml", "test_only": test_only}]
    joined.write_text(yaml.safe_dump({"name": "joined", "parts": parts}))
    card = load_card(joined)
    remarks = remarks_on_lines(card)
    assert bool(remarks) is not test_only
    assert all("one has `line: analyst`, other has `line: hinge`" in remark for remark in remarks)
    assert card.line_kind == ("analyst" if test_only else None)


def test_what_a_card_says_of_its_lines_changes_no_patch(tmp_path):
    texts = [{"name": "mine", "root": str(tmp_path)} | key for key in ({}, {"line": "hinge"})]
    hashes = set()
    for number, text in enumerate(texts):
        path = tmp_path / f"card{number}.yaml"
        path.write_text(yaml.safe_dump(text))
        hashes.add(load_card(path).content_hash())
    assert len(hashes) == 1


def test_simulated_lines_are_what_their_simulation_draws(tmp_path):
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump({"name": "sim", "simulation": {"line": "hinge"}}))
    assert load_card(path).line_kind == "hinge"
