"""Real small studies that grow, in other folders and under other stores than they began in."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from made_configs import SPACE, changed, write_yaml

from glsweep.config.data_card import Simulation
from glsweep.doctor.connection import connected
from glsweep.run import main
from glsweep.simulation import simulate_data
from glsweep.study import Study, open_study
from glsweep.sweep.records import read_records

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SMALL: dict[str, Any] = {
    **SPACE,
    "name": "small",
    "dimensions": {
        "architecture": {"choices": ["unet"]},
        "patch_size_px": {"choices": [32]},
        "bce_weight": {"choices": [0.2, 0.8]},
    },
    "fixed": {**SPACE["fixed"], "precision": "float32"},
    "search": {**SPACE["search"], "epochs": 2, "scheduler": {"name": "none"}},
    "resources": {"cpus": 1, "gpus": 0, "cohort": 2},
}
LARGE = changed(changed(SMALL, "dimensions.bce_weight.choices", [0.5, 0.2, 0.8]), "search.epochs", 3)
CARD = {
    "name": "sim",
    "split": {"rule": "scene", "train": 0.5, "val": 0.25, "test": 0.25},
    "simulation": {"scenes": 4, "rows": 96, "cols": 96, "noise": 0.3, "tides": "resolved"},
}


def start(*arguments: object) -> "subprocess.Popen[bytes]":
    """Start a command in a process of its own, and in a group, as a terminal does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    command = [sys.executable, "-m", "glsweep.run", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment, start_new_session=True)


def printed_by(*arguments: object, store: str | None = None) -> str:
    """What a command prints that ends well. It runs in this process, which has loaded the libraries."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as printed:
        for name in [name for name in os.environ if name.startswith("MLFLOW")]:
            patch.delenv(name)
        if store:
            patch.setenv("MLFLOW_TRACKING_URI", store)
        assert main([str(argument) for argument in arguments]) == 0, printed.getvalue()
    return printed.getvalue()


def made(given: Path, space: str, directory: Path, command: str = "study") -> Study:
    """Run a command with the card and one of the spaces."""
    printed_by(
        command, "--data", given / "card.yaml", "--space", given / f"{space}.yaml", "--study", directory
    )
    return open_study(directory)


def epochs_told(study: Study) -> int:
    lines = study.ledger_jsonl.read_text().splitlines() if study.ledger_jsonl.is_file() else []
    return sum(json.loads(line)["event"] == "epoch" for line in lines)


def curves(study: Study) -> dict[str, list[float]]:
    """Each trial's loss on validation by epoch, by the fingerprint of its configuration."""
    trials = read_records(study.ledger_jsonl).trials
    return {
        name[5:]: [of.epochs[epoch]["val_loss"] for epoch in sorted(of.epochs)] for name, of in trials.items()
    }


def assert_same_curves(study: Study, other: Study) -> None:
    ours, theirs = curves(study), curves(other)
    assert ours.keys() == theirs.keys()
    for name, curve in ours.items():
        # Who trains with whom decides how numbers are rounded.
        assert curve == pytest.approx(theirs[name], rel=1e-3), name


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[None]:
    """One Ray for every command that runs in this process."""
    with connected(None):
        yield


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data card, a small and a larger search space, and a folder of scenes for test."""
    folder = tmp_path_factory.mktemp("given")
    for name, value in (("card", CARD), ("small", SMALL), ("large", LARGE)):
        write_yaml(folder / f"{name}.yaml", value)
    simulate_data(
        Simulation(scenes=1, rows=96, cols=96, noise=0.3, tides="resolved"), folder / "away", seed=7, number=1
    )
    return folder


@pytest.fixture(scope="module")
def at_once(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The larger sweep as it runs when it was asked for from the start."""
    directory = tmp_path_factory.mktemp("at_once") / "study"
    printed_by(
        "prepare", "--data", given / "card.yaml", "--space", given / "large.yaml", "--study", directory
    )
    printed_by("sweep", "--study", directory)
    return open_study(directory)


def test_a_study_that_was_killed_in_mid_sweep_is_extended(
    given: Path, at_once: Study, tmp_path: Path
) -> None:
    directory = tmp_path / "study"
    printed_by(
        "prepare", "--data", given / "card.yaml", "--space", given / "small.yaml", "--study", directory
    )
    process = start("sweep", "--study", directory)
    study = open_study(directory)
    deadline_s = time.monotonic() + 120
    while epochs_told(study) < 2 and process.poll() is None and time.monotonic() < deadline_s:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    begun = [trial.trial_id for trial in read_records(study.ledger_jsonl).configurations]
    printed = printed_by("sweep", "--study", directory, "--space", given / "large.yaml")
    assert "space.search.epochs was 2, is now 3" in printed
    trials = read_records(study.ledger_jsonl).configurations
    assert [trial.trial_id for trial in trials[: len(begun)]] == begun
    assert_same_curves(study, at_once)


def test_a_finished_study_is_extended_under_another_name_and_store(
    given: Path, at_once: Study, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    assert epochs_told(made(given, "small", old)) == 4
    new = old.rename(tmp_path / "new name")
    store = f"sqlite:///{tmp_path}/other.db"
    printed = printed_by(
        "--study", new, "--space", given / "large.yaml", "--test-data", given / "away", store=store
    )
    study = open_study(new)
    assert not old.exists()
    # Trained was what is new: an epoch of each of the two, and three of the third.
    assert epochs_told(study) == 9
    assert_same_curves(study, at_once)
    for told in ("choices was [0.2, 0.8], is now [0.2, 0.8, 0.5]", "test data was [], is now ['away']"):
        assert told in printed
    assert {row["data_set"] for row in json.loads(study.table_json.read_text())["by_data_set"]} == {
        "sim",
        "away",
    }
    client = mlflow.MlflowClient(store)
    runs = client.search_runs([client.get_experiment_by_name("new name").experiment_id])
    trials = [run for run in runs if run.data.tags["glsweep.kind"] == "trial"]
    assert {run.data.metrics["epoch"] for run in trials} == {3.0}
    assert len(trials) == 3

    # What changes no result may change at any time, and nothing is trained for it.
    weights = {path: path.stat().st_mtime_ns for path in new.glob("members/*/model.safetensors")}
    more_seats = changed(changed(LARGE, "title", "Other words"), "resources.cpus", 2)
    printed = printed_by(
        "--study", new, "--space", write_yaml(tmp_path / "seats.yaml", more_seats), store=store
    )
    assert "to be run again: report" in printed
    assert "error" not in printed
    assert epochs_told(study) == 9
    # Settings of a later stage touch no member; a smaller space takes nothing away.
    asked = write_yaml(tmp_path / "tau.yaml", changed(SMALL, "calibration.count", 5))
    printed = printed_by("calibrate", "--study", new, "--space", asked, store=store)
    assert "space.search.epochs stays 3" in printed
    assert {path: path.stat().st_mtime_ns for path in new.glob("members/*/model.safetensors")} == weights
    assert yaml.safe_load((new / "study.yaml").read_text())["space"]["search"]["epochs"] == 3
