"""A command that is killed, interrupted and left without room: given again, it ends as if undisturbed."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import pytest
from commands import Run, disturb, run
from disks import make_room, small_disk
from mlflow import MlflowClient
from processes import all_gone
from small_trials import train_cohorts_one_by_one

from glsweep.search import make_plan
from glsweep.study import Study, open_study
from glsweep.study.artifacts import Winners, read_artifact
from glsweep.sweep.engine import split_arrays
from glsweep.sweep.outcomes import trials_frame, winners
from glsweep.sweep.records import SweepRecords
from glsweep.training.fit import Schedule

# The disk last, since it stays full.
FAULTS = ("killed", "interrupted twice", "terminal closed", "disk full")
# The five runs are one fixture, which takes four minutes on a busy machine.
pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a study, on a small disk."""
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path_factory.mktemp("driver") / "disk", "64m"))
        yield disk / "study"


@pytest.fixture(scope="module")
def runs(directory: Path) -> dict[str, Run]:
    """How the disturbed runs of the command ended; a last one came to the sweep's end."""
    run(directory, "prepare")
    runs = {fault: disturb(directory, fault) for fault in FAULTS}
    make_room(directory.parent)
    run(directory, "sweep")
    return runs


@pytest.fixture(scope="module")
def study(runs: dict[str, Run], directory: Path) -> Study:
    return open_study(directory)


@pytest.fixture(scope="module")
def expected(study: Study, tmp_path_factory: pytest.TempPathFactory) -> SweepRecords:
    """What becomes of the study's cohorts when they are trained here, one after another, without Ray."""
    search = study.config.space.search
    plan = make_plan(study.config.space, seed=study.config.seed, source=study.config_yaml)
    return train_cohorts_one_by_one(
        plan,
        split_arrays(study, plan),
        Schedule(search.epochs, search.tolerance_m, search.rank_by),
        search.scheduler,
        tmp_path_factory.mktemp("expected") / "ledger.jsonl",
        cohorts={"unet-32": 4, "attention_unet-32": 4},
    )


def test_winners_and_trials_are_those_of_an_undisturbed_sweep(study: Study, expected: SweepRecords) -> None:
    figure = study.config.space.search.rank_by
    assert read_artifact(study.winners_json, Winners).by_stratum == winners(expected, figure)
    table = study.directory / "expected.csv"
    trials_frame(expected, figure).to_csv(table, index=False)
    found, wanted = (pd.read_csv(path).drop(columns="wall_s") for path in (study.trials_csv, table))
    pd.testing.assert_frame_equal(found, wanted)


def test_no_trial_that_was_over_ran_again(study: Study) -> None:
    events = [json.loads(line) for line in study.ledger_jsonl.read_text().splitlines()]
    assert sum(event["event"] == "began" for event in events) == len(FAULTS) + 1
    over: set[str] = set()
    for event in events:
        if event["event"] == "ended":
            over.add(event["trial_id"])
        assert event["event"] != "started" or event["trial"]["trial_id"] not in over
    reported = Counter((e["trial_id"], e["epoch"]) for e in events if e["event"] == "epoch")
    assert set(reported.values()) == {1}


def test_no_run_in_mlflow_is_doubled_and_each_has_its_end(study: Study, expected: SweepRecords) -> None:
    client = MlflowClient(f"sqlite:///{study.mlflow_db}")
    experiment = client.get_experiment_by_name(study.config.name)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], max_results=1000)
    trials = {r.data.tags["glsweep.trial_id"]: r for r in found if r.data.tags["glsweep.kind"] == "trial"}
    assert len(found) == len(trials) + 1 == len(expected.trials) + 1
    for name, record in expected.trials.items():
        assert trials[name].info.status == ("FINISHED" if record.outcome == "completed" else "KILLED")
        history = client.get_metric_history(trials[name].info.run_id, "relaxed_f1")
        assert [metric.step for metric in history] == sorted(record.epochs)


@pytest.mark.parametrize(("fault", "code"), [("interrupted twice", 130), ("terminal closed", 129)])
def test_a_command_that_is_asked_to_end_does_so_within_seconds_and_leaves_nothing_behind(
    fault: str, code: int, runs: dict[str, Run]
) -> None:
    ended = runs[fault]
    assert ended.code == code, ended.printed
    assert "Traceback" not in ended.printed
    assert "the same command continues" in ended.printed
    assert ended.ended_after_s < 20
    assert all_gone(ended.processes, within_s=10)
    assert "RUNNING" not in ended.runs_in_mlflow


def test_a_full_disk_is_told_in_one_line(runs: dict[str, Run]) -> None:
    full = runs["disk full"]
    assert full.code == 2
    *_, last = full.printed.strip().splitlines()
    assert last.startswith("error: ")
    assert "No space left on device" in last
    assert "the same command: it continues" in last
