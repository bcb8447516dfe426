"""What `import glsweep` offers returns what the commands print and write."""

import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from made_input import seeing_member_folder

import glsweep
from glsweep.config.data_card import Simulation
from glsweep.errors import ConfigError, StudyError
from glsweep.nets.member import load_member
from glsweep.opened_study import MemberModel
from glsweep.prediction.blend import Member, member_probability
from glsweep.run import main
from glsweep.simulation import simulate_data

EXAMPLES = Path(__file__).parents[1] / "examples"
SMOKE = Path(__file__).parent / "smoke" / "space.yaml"


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Two simulated scenes with their lines, and a network that sees a line where the phase is pi."""
    folder = tmp_path_factory.mktemp("from_python")
    simulate_data(Simulation(scenes=2, rows=192, cols=160, noise=0.2), folder / "scenes", seed=5)
    seeing_member_folder(folder / "member")
    return folder


def test_importing_glsweep_loads_nothing_heavy():
    heavy = "{'torch', 'ray', 'mlflow', 'rasterio', 'geopandas', 'pandas', 'numpy', 'matplotlib'}"
    script = f"import glsweep, sys; print({heavy} & set(sys.modules), dir(glsweep))"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.startswith("set()")
    assert all(name in told for name in glsweep.__all__)


def test_what_is_not_offered_is_no_attribute():
    with pytest.raises(AttributeError, match="has no attribute 'train_quickly'"):
        _ = glsweep.train_quickly


def test_a_simulated_scene_follows_from_its_seed_and_its_settings():
    one, again, other = (
        glsweep.simulate(seed=seed, rows=64, cols=80, posting_m=50.0, noise=0.0) for seed in (1, 1, 2)
    )
    assert one.interferogram.shape == (64, 80)
    assert one.transform.a == 50
    assert np.array_equal(one.interferogram, again.interferogram)
    assert not np.array_equal(one.interferogram, other.interferogram)
    assert np.abs(one.interferogram) == pytest.approx(1, abs=1e-6)


def test_a_setting_that_does_not_exist_is_refused_by_name():
    with pytest.raises(ConfigError, match="noize"):
        glsweep.simulate(seed=1, noize=0.5)


def test_check_finds_what_the_command_finds(given, tmp_path, capsys):
    findings = glsweep.check(given / "scenes", space=SMOKE)
    code = main(
        ["check", str(given / "scenes"), "--space", str(SMOKE), "--sheet", str(tmp_path / "sheet.png")]
    )
    printed = "".join(capsys.readouterr().out.split())
    assert (code == 0) == findings.is_usable
    assert len(findings.scenes) == 2
    assert all("".join(fault.split()) in printed for fault in findings.faults)


def test_predict_returns_what_the_command_writes(given, tmp_path):
    scene = min((given / "scenes").rglob("*.tif"))
    drawn = glsweep.predict(scene, model=given / "member", shortest_m=500.0)
    assert drawn.files == []
    options = ["--model", given / "member", "--scene", scene, "--out", tmp_path, "--shortest-m", "500"]
    assert main(["predict", *map(str, options)]) == 0
    with rasterio.open(tmp_path / f"{scene.stem}-probability.tif") as written:
        assert np.array_equal(drawn.probability, written.read(1), equal_nan=True)
        assert drawn.transform == written.transform
        assert drawn.crs.to_epsg() == written.crs.to_epsg()
    file = gpd.read_file(tmp_path / f"{scene.stem}-lines.gpkg", layer=0)
    assert len(file) > 0
    assert drawn.lines.geometry.geom_equals_exact(file.geometry, 1e-6).all()
    assert drawn.lines["mean_prob"].tolist() == pytest.approx(file["mean_prob"].tolist(), abs=1e-6)
    assert drawn.tau == load_member(given / "member")[1].tau


def test_files_are_kept_in_a_folder_that_is_named(given, tmp_path):
    scene = min((given / "scenes").rglob("*.tif"))
    drawn = glsweep.predict(scene, model=str(given / "member"), out=tmp_path / "lines")
    assert sorted(drawn.files) == sorted(path for path in (tmp_path / "lines").iterdir())


def test_score_returns_what_the_command_writes(given, tmp_path):
    scores = glsweep.score(given / "scenes", model=given / "member", out=tmp_path / "scores")
    written = pd.read_csv(tmp_path / "scores" / "scores.csv")
    assert scores["name"].tolist() == written["name"].tolist()
    numbers = written.select_dtypes("number").columns
    assert np.allclose(scores[numbers].astype(float), written[numbers], equal_nan=True)
    assert scores.attrs["left_out"] == []


def test_compare_measures_a_file_against_itself_as_nought(given):
    lines = given / "scenes" / "all_manual_segm_gl.gpkg"
    table = glsweep.compare(lines, lines, tolerances_m=[50.0])
    assert table["mean_m"].tolist() == pytest.approx([0.0], abs=1e-6)
    assert table["completeness_50"].tolist() == [1.0]
    assert table["false_km_50"].tolist() == [0.0]


def test_an_option_is_refused_as_the_command_refuses_it(given):
    with pytest.raises(ConfigError, match=r"tau 1\.5"):
        glsweep.predict(min((given / "scenes").rglob("*.tif")), tau=1.5)


def test_a_folder_that_is_no_study_is_refused(tmp_path):
    with pytest.raises(StudyError, match="is not a study"):
        glsweep.open_study(tmp_path)


def test_a_member_as_a_module_takes_interferograms_of_any_size(given):
    network, card = load_member(given / "member")
    model = MemberModel(network, card)
    generator = torch.Generator().manual_seed(0)
    wrapped = torch.rand(2, 48, 64, generator=generator) * 2 * np.pi
    interferogram = torch.polar(torch.ones(2, 48, 64), wrapped)
    interferogram[:, :5] = 0
    with torch.inference_mode():
        probability = model(interferogram)
        image = torch.stack([interferogram.real, interferogram.imag], dim=1)
        expected = member_probability([Member("it", network, card)], image, turned=False)[0]
        assert torch.equal(probability, expected)
        assert (probability[:, :5] == 0).all()
        assert model(interferogram[:, :41, :50]).shape == (2, 41, 50)


@pytest.mark.slow
def test_the_example_runs_as_it_stands(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "from_python.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "km of line" in done.stdout
    assert (tmp_path / "from_python" / "lines").is_dir()
