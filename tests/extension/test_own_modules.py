"""A real small study of a network, loss, augmentation, sampler and stopping rule from outside the package."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import ray
import yaml
from made_configs import write_yaml

from glsweep.doctor.connection import connected
from glsweep.registry import LOSSES
from glsweep.run import main
from glsweep.study import open_study
from glsweep.sweep.records import read_records

pytestmark = [pytest.mark.ray, pytest.mark.slow]

EXAMPLES = Path(__file__).parents[2] / "examples"
CARD = {
    "name": "sim",
    "split": {"rule": "scene", "train": 0.5, "val": 0.25, "test": 0.25},
    "simulation": {"scenes": 4, "rows": 96, "cols": 96, "noise": 0.3, "tides": "resolved"},
}
OWN = "my_nets.TinyNet-32"


def small(space: dict) -> dict:
    """The example's space, with patches and budgets of a test."""
    space["dimensions"]["patch_size_px"] = {"choices": [32]}
    space["dimensions"]["near_line.reach_px"] = {"choices": [1]}
    space["patches"] |= {"with_line": 8, "without_line": 4}
    space["search"] |= {"epochs": 4}
    space["search"]["scheduler"]["epochs"] = 1
    space["resources"] = {"cpus": 1, "gpus": 0, "cohort": 2}
    space["retraining"] |= {"epochs": 2, "patience": 2}
    space["calibration"] |= {"count": 9}
    return space


def command(folder: Path, *arguments: object) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    return subprocess.Popen(
        [sys.executable, "-m", "glsweep.run", *map(str, arguments)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ran(folder: Path, *arguments: object) -> tuple[int, str, str]:
    process = command(folder, *arguments)
    printed, told = process.communicate()
    return process.returncode, printed, told


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: own modules, a card and a space, and the study that was cut off and went on."""
    folder = tmp_path_factory.mktemp("mine")
    shutil.copy(EXAMPLES / "my_nets.py", folder)
    write_yaml(folder / "card.yaml", CARD)
    write_yaml(folder / "space.yaml", small(yaml.safe_load((EXAMPLES / "own_network.yaml").read_text())))
    asked = ("--data", "card.yaml", "--space", "space.yaml", "--study", "study")
    ledger = folder / "study" / "sweep" / "ledger.jsonl"
    process, deadline_s = command(folder, "study", *asked), time.monotonic() + 200
    while process.poll() is None and time.monotonic() < deadline_s:
        if ledger.is_file() and ledger.read_text().count('"event":"epoch"') >= 2:
            break
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (folder / "study" / "stages" / "sweep.json").exists(), "it was cut off in the sweep"
    code, printed, told = ran(folder, "study", *asked)
    assert code == 0, printed + told
    return folder


def test_a_study_of_own_modules_is_cut_off_and_goes_on_to_its_report(folder: Path) -> None:
    study = open_study(folder / "study")
    trials = [record.trial.parameters for record in read_records(study.ledger_jsonl).trials.values()]
    own = {trial.own.get("TinyNet.depth") for trial in trials if trial.architecture == "my_nets:TinyNet"}
    assert own == {3, 4}
    assert {trial.own.get("TinyNet.depth") for trial in trials if trial.architecture == "unet"} == {None}
    assert {trial.loss for trial in trials} == {"focal_tversky_bce", "my_nets:near_line"}
    assert all(trial.own["flicker.strength"] == 0.2 for trial in trials)
    table = pd.read_csv(study.trials_csv, dtype=str, keep_default_na=False)
    assert set(table["TinyNet.depth"]) == {"3", "4", "none"}
    assert set(table["outcome"]) <= {"completed", "stopped"}
    page = study.report_html.read_text()
    assert "TinyNet 32" in page
    assert "my_nets:Patience" in page


def test_the_plan_is_that_of_the_own_sampler(folder: Path) -> None:
    study = open_study(folder / "study")
    begun = [trial.parameters for trial in read_records(study.ledger_jsonl).configurations]
    assert [trial.architecture for trial in begun] == ["unet"] * 2 + ["my_nets:TinyNet"] * 4
    assert [trial.own.get("TinyNet.depth") for trial in begun] == [None, None, 3, 3, 4, 4]


def test_a_member_remembers_where_its_network_comes_from_and_draws(folder: Path) -> None:
    member = folder / "study" / "members" / OWN
    card = json.loads((member / "card.json").read_text())
    assert card["architecture"] == "my_nets:TinyNet"
    assert card["network_parameters"] == {"depth": card["parameters"]["TinyNet.depth"]}
    scenes = next((folder / "study" / "scenes").rglob("*.tif")).parent
    code, printed, told = ran(folder, "predict", "--model", member, "--scene", scenes, "--out", "lines")
    assert code == 0, printed + told
    assert list((folder / "lines").glob("*probability.tif"))


def test_a_member_whose_network_is_not_there_is_refused_in_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    member = folder / "study" / "members" / OWN
    scenes = next((folder / "study" / "scenes").rglob("*.tif")).parent
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_nets", raising=False)
    # In this process, which has loaded the libraries.
    assert main(["predict", "--model", str(member), "--scene", str(scenes), "--out", "lines"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"{member / 'card.json'}: architecture: my_nets:TinyNet cannot be imported" in told
    assert "add its folder to PYTHONPATH" in told
    assert not (tmp_path / "lines").exists()


def test_workers_import_a_module_that_only_the_command_can_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sent_losses.py").write_text(
        "from sent_beside import SCALE\n\ndef mean(logits, label, valid):\n    return SCALE * logits.mean()\n"
    )
    (tmp_path / "sent_beside.py").write_text("SCALE = 3.0\n")
    monkeypatch.syspath_prepend(tmp_path)

    def scaled() -> float:
        import torch

        return float(LOSSES.load("sent_losses:mean")(torch.ones(2), None, None))

    with connected(None, ("sent_losses:mean",)):
        assert ray.get(ray.remote(scaled).remote()) == 3.0
