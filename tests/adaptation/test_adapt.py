"""Adapting to scenes without labels, as it is typed and from Python, on small noisy scenes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine
from made_input import POLAR, member_folder, seeing_member_folder, write_bands
from rich.console import Console

import glsweep
from glsweep.adaptation import scenes as part_of_scene
from glsweep.adaptation.agreement import CHECKED_FILTERS, Near, SceneCounts, agreement
from glsweep.adaptation.fit import fit
from glsweep.adaptation.scenes import ScenePart, TaughtScene, read_part, taught
from glsweep.nets.member import load_card_of, weights_hash
from glsweep.prediction import DrawingOptions
from glsweep.prediction.command import open_drawing
from glsweep.run import main
from glsweep.scenes.raster import read_header

SHAPE = (96, 112)


def write_band_scene(path, seed, noise_rad=1.3):
    """A winding band of phase pi, eight pixels wide, in noise; a corner without data."""
    generator = np.random.default_rng(seed)
    row, col = np.indices(SHAPE)
    in_band = abs(row - 48 - 12 * np.sin(col / 15 + seed)) < 4
    values = np.where(in_band, -1, 1) * np.exp(1j * generator.normal(0, noise_rad, SHAPE))
    values[-10:, -20:] = 0
    bands = np.stack([values.real, values.imag]).astype(np.float32)
    transform = Affine(100, 0, seed * 1e5, 0, -100, 0)
    return write_bands(path, bands, transform, POLAR, names=("real", "imaginary"))


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Five scenes and a member that sees each pixel by itself, in the folder in which the command runs."""
    monkeypatch.chdir(tmp_path)
    Path("scenes").mkdir()
    for seed in range(5):
        write_band_scene(Path("scenes") / f"s{seed}.tif", seed)
    seeing_member_folder(tmp_path / "member", tau=0.5)
    return tmp_path


def run(*options, scenes="scenes", model="member"):
    return main(["adapt", "--scene", *scenes.split(), "--out", "new", "--model", model, *options])


def test_a_better_network_is_written_and_says_what_it_was_fitted_to(given, capsys):
    found = glsweep.adapt("scenes", out="new", model="member", steps=60, seed=3)
    assert len(found.fitted_to) == 3
    assert len(found.held_out) == 2
    assert not {*found.fitted_to} & {*found.held_out}
    assert found.folder == Path("new")
    assert found.fitted.score > max(found.as_it_was.score, found.threshold_alone.score)
    card = load_card_of(Path("new"))
    assert card.tau == found.fitted.tau
    assert card.adapted.weights_hash == weights_hash(Path("member"))
    assert (card.adapted.scenes, card.adapted.held_out) == (3, 2)
    assert (card.adapted.before, card.adapted.after) == (found.as_it_was, found.fitted)
    assert card.uncertainty is None
    assert "without labels" in card.uncertainty_unknown
    assert glsweep.predict("scenes/s0.tif", model="new").tau == card.tau


def test_batch_normalisation_keeps_its_statistics_and_the_same_seed_gives_the_same(given):
    (member,), drawing = open_drawing(DrawingOptions(model=("member",)), Console(quiet=True))
    part = read_part(read_header(Path("scenes/s0.tif")), member, drawing)
    old = {name: value.clone() for name, value in member.network.state_dict().items()}
    scenes = [taught(part, member, drawing)]
    one, again, other = (fit(member, scenes, seed=seed, steps=5).network.state_dict() for seed in (0, 0, 1))
    for name, value in old.items():
        assert torch.equal(value, member.network.state_dict()[name]), "the teacher stays as it is"
        assert torch.equal(one[name], again[name])
        if "running" in name or "num_batches" in name:
            assert torch.equal(one[name], value)
    assert any(not torch.equal(one[name], value) for name, value in old.items())
    assert any(not torch.equal(one[name], other[name]) for name in old)


def test_the_old_network_is_kept_where_fitting_does_not_help(given, capsys):
    seeing_member_folder(given / "good", tau=0.5)
    for seed in range(5):
        write_band_scene(Path("scenes") / f"s{seed}.tif", seed, noise_rad=0.1)
    assert run("--steps", "1", model="good") == 0
    printed = capsys.readouterr().out
    assert "the fitted network is no better there: nothing is written, keep the old one" in printed
    assert not Path("new").exists()


@pytest.mark.parametrize(
    ("options", "changes", "told"),
    [
        ([], {"scenes": "scenes/s0.tif scenes/s1.tif scenes/s2.tif"}, "3 can be used, and 4 are needed"),
        ([], {"model": "gone"}, "gone: holds no complete member"),
        (["--steps", "0"], {}, "--steps 0: fits nothing"),
        ([], {"model": "phase-gradient"}, "phase-gradient: has no weights that could be fitted"),
        ([], {"model": "blind"}, "sure of a line (at 0.8) in none of the 3 scenes"),
        ([], {"model": "fine"}, "0 can be used"),
        (["--out", "scenes/s0.tif"], {}, "is a file, and results go into a folder"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(given, capsys, options, changes, told):
    member_folder(given / "blind")
    member_folder(given / "fine", posting_m=50.0)
    assert run(*options, **changes) == 2
    errors = capsys.readouterr().err.strip()
    assert told in errors
    assert len(errors.splitlines()) == 1
    assert not Path("new").exists()


@pytest.mark.parametrize("rows", [40, 200])
def test_of_a_large_scene_the_part_with_the_most_line_is_taken(given, monkeypatch, rows):
    monkeypatch.setattr(part_of_scene, "LARGEST_PX", 128)
    values = np.exp(1j * np.random.default_rng(0).normal(0, 0.1, (rows, 330)))
    values[rows - 20 : rows - 14, 200:320] *= -1
    bands = np.stack([values.real, values.imag]).astype(np.float32)
    write_bands(Path("large.tif"), bands, Affine(100, 0, 0, 0, -100, 0), POLAR, names=("real", "imaginary"))
    (member,), drawing = open_drawing(DrawingOptions(model=("member",)), Console(quiet=True))
    part = read_part(read_header(Path("large.tif")), member, drawing)
    assert part.signal.shape == (min(rows, 128), 128)
    assert (part.signal.real < 0).sum() > 0.9 * 6 * 120


def test_patches_hold_nothing_that_the_teacher_is_unsure_of(given):
    (member,), drawing = open_drawing(DrawingOptions(model=("member",)), Console(quiet=True))
    part = read_part(read_header(Path("scenes/s1.tif")), member, drawing)
    known = taught(part, member, drawing)
    assert set(np.unique(known.target)) == {-1, 0, 1}
    assert (known.target[part.signal == 0] == -1).all()
    unsure = TaughtScene(part, np.where(known.target == 0, -1, known.target), known.sure, known.possible)
    fitted = fit(member, [unsure], seed=0, steps=30)
    image = torch.zeros(1, 2, 64, 64)
    image[:, 0] = 1
    with torch.no_grad():
        before, after = (float(one.network(image)[-1].mean()) for one in (member, fitted))
    assert after >= before, "without a pixel that is no line nothing speaks against one"


# --- The measure


def counts(*, filtered, sure, possible):
    pairs = tuple((Near(*filtered), Near(*filtered)) for _ in CHECKED_FILTERS)
    return SceneCounts(pairs, Near(*sure), Near(*possible), 1.0)


def test_drawing_nothing_and_drawing_everything_both_score_badly():
    honest = agreement([counts(filtered=(80, 100), sure=(90, 100), possible=(90, 100))], 0.5)
    nothing = agreement([counts(filtered=(0, 0), sure=(0, 100), possible=(0, 0))], 0.5)
    everything = agreement([counts(filtered=(5000, 5000), sure=(100, 100), possible=(300, 5000))], 0.5)
    assert nothing.score == 0
    assert everything.score < 0.2 < honest.score
    assert honest.score == pytest.approx(3 / (1 / 0.8 + 1 / 0.9 + 1 / 0.9))


def test_scenes_are_pooled_by_their_length():
    one = counts(filtered=(1, 10), sure=(1, 10), possible=(1, 10))
    other = counts(filtered=(90, 90), sure=(90, 90), possible=(90, 90))
    assert agreement([one, other], 0.5).score == pytest.approx(0.91)


def test_short_pieces_are_no_lines_and_near_is_within_200_m():
    probability = np.zeros((60, 80), np.float32)
    probability[30, 10:70] = 1
    probability[5, 5:9] = 1
    probability[50:] = np.nan
    part = ScenePart("a", np.ones((60, 80), np.complex64), 100.0)
    found = part.line_pixels(probability, 0.5, 1000.0)
    assert found.lines[30].sum() >= 58
    assert not found.lines[5].any()
    assert [bool(found.surroundings[row, 40]) for row in (27, 28, 32, 33)] == [False, True, True, False]
