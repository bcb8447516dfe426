"""The command `predict`, as it is typed: what it writes, and one line for all that can be wrong."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from made_input import member_folder, scene_lines, seeing_member_folder, write_scene

from glsweep.run import main

COARSE = Affine(150, 0, 0, 0, -150, 0)


@pytest.fixture
def given(tmp_path, monkeypatch):
    """A folder with two scenes and a member, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for number, name in enumerate(("a", "b")):
        transform = Affine(100, 0, number * 1e5, 0, -100, 0)
        lines = scene_lines((80, 100), transform)
        (tmp_path / "scenes").mkdir(exist_ok=True)
        write_scene(tmp_path / "scenes" / f"{name}.tif", lines, shape=(80, 100), transform=transform)
    member_folder(tmp_path / "member")
    return tmp_path


def run(*changes, model="member", scene="scenes"):
    return main(["predict", "--model", *model.split(), "--scene", *scene.split(), "--out", "out", *changes])


def test_a_member_says_why_its_lines_have_no_metres(given, capsys):
    why = "3 validation scenes have lines near a true one, and 50 are needed"
    member_folder(given / "few", uncertainty_unknown=why)
    assert run("--formats", "gpkg", model="few", scene="scenes/a.tif") == 0
    assert f"uncert_m is empty: {why}; band_m tells" in capsys.readouterr().out
    assert run("--formats", "gpkg", model="few member", scene="scenes/a.tif") == 0
    assert "uncert_m is empty: it is known of what one member draws" in capsys.readouterr().out


def test_every_scene_of_a_folder_is_predicted(given, capsys):
    assert run("--formats", "gpkg", "geojson", "--tau", "0.5") == 0
    printed = capsys.readouterr().out
    assert "written to out" in printed
    for name in ("a", "b"):
        assert gpd.read_file(given / "out" / f"{name}-lines.gpkg", layer=0).crs.to_epsg() == 3031
        for file in (f"{name}-probability.tif", f"{name}-lines.geojson", f"{name}.png"):
            assert (given / "out" / file).stat().st_size > 0
        note = json.loads((given / "out" / f"{name}.json").read_text())
        assert (note["tau"], note["window_px"], note["posting_m"]) == (0.5, 128, 100)


def test_the_models_own_threshold_is_taken_and_several_are_averaged(given):
    member_folder(given / "other", seed=1, tau=0.3)
    assert run(model="member other") == 0
    note = json.loads((given / "out" / "a.json").read_text())
    assert note["tau"] == pytest.approx(0.4)
    assert [member["name"] for member in note["members"]] == ["member", "other"]


def test_filters_are_noted_and_change_what_is_found(given):
    seeing_member_folder(given / "seeing")
    assert run(model="seeing", scene="scenes/a.tif") == 0
    plain = (given / "out" / "a-probability.tif").read_bytes()
    assert json.loads((given / "out" / "a.json").read_text())["filters"] == ["raw"]
    assert run("--filters", "raw", "boxcar3", model="seeing", scene="scenes/a.tif") == 0
    assert json.loads((given / "out" / "a.json").read_text())["filters"] == ["raw", "boxcar3"]
    assert (given / "out" / "a-probability.tif").read_bytes() != plain


def test_as_json_scenes_are_a_table_and_what_was_left_out_is_an_error(given, capsys):
    write_scene(given / "scenes" / "coarse.tif", [], shape=(64, 64), transform=COARSE)
    assert run("--formats", "gpkg", "--log-format", "json") == 2
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (table,) = [line for line in lines if line["event"] == "table"]
    assert table["columns"][0] == "scene"
    assert [row[0] for row in table["rows"]] == ["a", "b"]
    (error,) = [line for line in lines if line.get("level") == "error"]
    assert "posting is 150 m" in error["text"]


def test_a_scene_that_does_not_fit_is_left_out_and_told(given, capsys):
    write_scene(given / "scenes" / "coarse.tif", [], shape=(64, 64), transform=COARSE)
    assert run() == 2
    printed = capsys.readouterr().out
    assert "left out" in printed
    assert "posting is 150 m" in printed
    assert (given / "out" / "b.png").exists()
    assert not (given / "out" / "coarse.png").exists()


@pytest.mark.parametrize(
    ("options", "changes", "told"),
    [
        (["--window-px", "100"], {}, "--window-px 100: is no multiple of 16"),
        (["--overlap", "0.95"], {}, "--overlap 0.95: is not between 0 and 0.9"),
        (["--tau", "1.5"], {}, "--tau 1.5"),
        (["--bridge-m=-1"], {}, "--bridge-m -1: is negative"),
        (["--device", "cuda:7"], {}, "--device cuda:7: cannot be used"),
        (["--device", "gpu"], {}, "--device gpu: cannot be used"),
        (["--wavelength-m", "0.0312"], {}, "was trained for 0.0555 m"),
        (["--filters", "raw", "raw"], {}, "--filters raw raw: names none, or one twice"),
        ([], {"scene": "gone.tif"}, "gone.tif: there is no such file"),
        ([], {"scene": "member"}, "holds no raster"),
        ([], {"scene": "scenes scenes/a.tif"}, None),
        ([], {"model": "gone"}, "gone: holds no complete member"),
        ([], {"model": "uncalibrated"}, "uncalibrated: has no threshold yet"),
        ([], {"model": "member x_band"}, "x_band: is for a wavelength of 0.0312 m"),
        ([], {"model": "member fine"}, "fine: is for a posting of 50 m"),
        ([], {"model": "models:/glsweep@champion"}, "MLFLOW_TRACKING_URI is not set"),
        ([], {"model": "models:glsweep"}, "is no registered model's address"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(given, capsys, options, changes, told):
    member_folder(given / "uncalibrated", tau=None)
    member_folder(given / "x_band", wavelength_m=0.0312)
    member_folder(given / "fine", posting_m=50.0)
    code = run(*options, **changes)
    errors = capsys.readouterr().err.strip()
    if told is None:
        assert code == 0
        return
    assert code == 2
    assert told in errors
    assert len(errors.splitlines()) == 1
    assert not (given / "out").exists()


def test_two_scenes_of_one_name_are_refused(given, capsys):
    (given / "more").mkdir()
    write_scene(given / "more" / "a.tif", [], shape=(64, 64))
    assert run(scene="scenes more") == 2
    assert "has the name of" in capsys.readouterr().err


def test_predicting_again_gives_the_same(given):
    run()
    first = {path.name: path.read_bytes() for path in (given / "out").glob("*.tif")}
    run()
    assert first == {path.name: path.read_bytes() for path in (given / "out").glob("*.tif")}
    assert len(first) == 2


def test_what_a_network_was_normalised_with_goes_with_its_weights(given):
    """The same weights on a scene half as bright draw the same, when their card says so."""
    for name, scale in (("plain", 1.0), ("dim", 0.5)):
        seeing_member_folder(given / name, channels=("real", "imag"), amplitude_scale=scale)
    with rasterio.open(given / "scenes" / "a.tif") as dataset:
        profile, values = dataset.profile, dataset.read()
    with rasterio.open(given / "half.tif", "w", **profile) as dataset:
        dataset.write(values / 2)
        dataset.descriptions = ("real", "imaginary")
    found = {}
    for model, scene in (("plain", "scenes/a.tif"), ("dim", "half.tif"), ("plain", "half.tif")):
        assert run(model=model, scene=scene) == 0
        with rasterio.open(given / "out" / f"{Path(scene).stem}-probability.tif") as dataset:
            found[model, Path(scene).stem] = dataset.read(1)
    weights = [(given / name / "model.safetensors").read_bytes() for name in ("plain", "dim")]
    assert weights[0] == weights[1]
    np.testing.assert_allclose(found["dim", "half"], found["plain", "a"], atol=1e-5)
    assert np.nanmax(np.abs(found["plain", "half"] - found["plain", "a"])) > 0.4
