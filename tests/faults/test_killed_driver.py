"""A command that is killed, interrupted and left without room: given again, it ends as if undisturbed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch
from disks import fill, make_room, small_disk
from mlflow import MlflowClient
from processes import all_gone, descendants

from glsweep.files import read_json
from glsweep.spaces.plan import PlannedTrial
from glsweep.spaces.samplers import make_plan
from glsweep.study import Study, open_study
from glsweep.sweep.journal import Decision, Journal
from glsweep.sweep.ledger import Ledger
from glsweep.sweep.stage import split_arrays
from glsweep.sweep.winners import trials_frame, winners
from glsweep.training.fit import Schedule, fit
from glsweep.training.state import fresh_state

pytestmark = [pytest.mark.ray, pytest.mark.slow]
HERE = Path(__file__).parent
CARD, SPACE = HERE.parent / "smoke" / "card.yaml", HERE / "study_space.yaml"


@dataclass
class Run:
    """How one run of the command ended."""

    code: int
    printed: str
    ended_within_s: float
    processes: list[int]


def start(directory: Path, stage: str) -> "subprocess.Popen[str]":
    arguments = [stage, "--data", str(CARD), "--space", str(SPACE), "--study", str(directory)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_TRACKING")}
    return subprocess.Popen(
        [sys.executable, "-m", "glsweep.run", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def epochs_in(ledger: Path) -> int:
    return ledger.read_text().count('"event":"epoch"') if ledger.is_file() else 0


def disturb(directory: Path, fault: str) -> Run:
    """Begin or continue the sweep, disturb it after two further epochs, and wait for its end."""
    ledger = directory / "sweep" / "ledger.jsonl"
    before = epochs_in(ledger)
    process = start(directory, "sweep")
    while epochs_in(ledger) < before + 2:
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        time.sleep(0.02)
    processes = list(descendants(process.pid))
    begun_s = time.monotonic()
    if fault == "killed":
        process.kill()
    elif fault == "interrupted twice":
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
    else:
        fill(directory.parent)
    printed, _ = process.communicate(timeout=120)
    ended_within_s = time.monotonic() - begun_s
    return Run(process.returncode, printed, ended_within_s, processes)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    with ExitStack() as stack:
        directory = tmp_path_factory.mktemp("driver") / "disk"
        faults = ["killed", "interrupted twice"]
        if os.geteuid() == 0:
            stack.enter_context(small_disk(directory, "64m"))
            faults.append("full")
        study = directory / "study"
        prepared, _ = start(study, "prepare").communicate(timeout=120)
        assert (study / "stages" / "prepare.json").is_file(), prepared
        runs = {fault: disturb(study, fault) for fault in faults}
        if "full" in faults:
            make_room(directory)
        process = start(study, "sweep")
        printed, _ = process.communicate(timeout=200)
        runs["last"] = Run(process.returncode, printed, 0, [])
        for name, run in runs.items():
            print(name, run.code, run.ended_within_s, run.printed)
        runs["study"] = open_study(study)
        yield runs


def undisturbed(study: Study, ledger: Path) -> Journal:
    """Train every trial here, one after another, without Ray."""
    search, source = study.config.space.search, study.config_yaml
    plan = make_plan(study.config.space, seed=study.config.seed, source=source)
    schedule = Schedule(search.epochs, search.tolerance_m, search.rank_by)
    journal = Journal(Ledger(ledger), stopping=search.scheduler, epochs=search.epochs, figure=search.rank_by)
    arrays = split_arrays(study, plan)
    for index in range(plan.size):
        trial = plan.propose(index, lambda index: None)
        assert isinstance(trial, PlannedTrial)
        journal.start(trial)
        state = fresh_state(trial.parameters, seed=trial.seed, device=torch.device("cpu"))
        for report in fit(
            state, trial.parameters, *arrays[trial.parameters.patch_size_px], schedule, seed=trial.seed
        ):
            decision = journal.report(trial.trial_id, report.epoch, report.figures(), last=report.last)
            if decision is not Decision.CONTINUE:
                break
    return journal


def test_all(runs, tmp_path):
    study = runs["study"]
    journal = undisturbed(study, tmp_path / "ledger.jsonl")
    figure = study.config.space.search.rank_by
    assert read_json(study.winners_json) == winners(journal.records, figure)
    told = pd.read_csv(study.trials_csv, dtype={"trial_id": str})
    expected = trials_frame(journal.records, figure)
    print(told.to_string()); print(expected.to_string())
    for run in runs.values():
        if isinstance(run, Run):
            print(run.code, run.ended_within_s, all_gone(run.processes, 10))
