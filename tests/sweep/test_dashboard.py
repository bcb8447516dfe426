"""Optuna's dashboard over a sweep, served while the sweep runs."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, opened_browser, shows_all
from made_configs import CARD, space
from playwright.sync_api import Page
from small_study import told
from sweeps import figures

from glsweep.config.data_card import DataCard
from glsweep.run import main
from glsweep.search import make_plan
from glsweep.study import Study, create_study
from glsweep.study.configuration import StudyConfig
from glsweep.sweep.dashboard import serving
from glsweep.sweep.optuna_file import Follower
from glsweep.sweep.records import Began, Ended, Event, Placed, Reported, Started

STARTS_S = 60.0


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study whose first trial ran in full, and whose second one runs."""
    config = StudyConfig(name="sweep", seed=0, card=DataCard.model_validate(CARD), space=space())
    made = create_study(tmp_path / "glacier", config)
    made.sweep.mkdir()
    one, two = ids(made)[:2]
    tell(
        made,
        Began(unix_s=1e9),
        *(Started(unix_s=1e9 + 1, trial=trial) for trial in planned(made)[:2]),
        Placed(unix_s=1e9 + 2, trial_id=one, node="here"),
        epoch(one, 0.625),
        Ended(unix_s=1e9 + 5, trial_id=one, outcome="completed"),
        Placed(unix_s=1e9 + 6, trial_id=two, node="here"),
    )
    return made


def planned(study: Study) -> list[Any]:
    plan: Any = make_plan(study.config.space, seed=0, source=study.config_yaml)
    return list(plan.trials)


def ids(study: Study) -> list[str]:
    return [trial.trial_id for trial in planned(study)]


def epoch(trial_id: str, value: float) -> Reported:
    return Reported(unix_s=1e9 + 3, trial_id=trial_id, epoch=1, figures=figures(value), last=True)


def tell(study: Study, *events: Event) -> None:
    with study.ledger_jsonl.open("a") as file:
        file.writelines(f"{event.model_dump_json()}\n" for event in events)


def asked(address: str) -> dict[str, Any]:
    """What the dashboard's own page is told of the whole sweep."""
    api = address.removesuffix("/dashboard") + "/api/studies"
    with urllib.request.urlopen(api, timeout=10) as answer:
        summaries = json.load(answer)["study_summaries"]
    number = next(one["study_id"] for one in summaries if one["study_name"] == "glacier")
    with urllib.request.urlopen(f"{api}/{number}?after=0", timeout=10) as answer:
        return {"study_id": number, **json.load(answer)}


def wait_until(holds: Callable[[], bool], what: str) -> None:
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < STARTS_S, what
        time.sleep(0.2)


def test_the_command_prints_one_line_that_opens_the_dashboard(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = told(capsys, "dashboard", study.directory)
    assert printed == f"optuna-dashboard sqlite:///{study.optuna_db.resolve()}\n"
    assert study.optuna_db.is_file()


def test_a_port_in_use_is_one_line_with_the_remedy(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["dashboard", str(study.directory), "--open", "--port", str(port)]) == 2
    assert f"--port {port}: is in use; name another" in capsys.readouterr().err


@pytest.mark.slow
def test_it_follows_a_sweep_that_runs_and_ends_on_ctrl_c(study: Study) -> None:
    command = [
        sys.executable,
        "-m",
        "glsweep.run",
        "dashboard",
        str(study.directory),
        "--open",
        "--port",
        "0",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[0]
            states = lambda: [trial["state"] for trial in asked(address)["trials"]]  # noqa: E731
            wait_until(lambda: states() == ["Complete", "Running"], "the trials are not listed")
            second = ids(study)[1]
            tell(study, epoch(second, 0.5), Ended(unix_s=2e9, trial_id=second, outcome="completed"))
            wait_until(lambda: states() == ["Complete", "Complete"], "the end is not seen")
            process.send_signal(signal.SIGINT)
            rest = process.communicate(timeout=STARTS_S)[0]
            assert process.returncode == 130
            assert "Traceback" not in rest
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_lists_the_trials_with_what_the_ledger_says(study: Study) -> None:
    with Follower(study) as follower:
        follower.look()
        with serving(follower.storage, 0) as address, opened_browser() as page:
            lists_trials(study, address, page)


def lists_trials(study: Study, address: str, page: Page) -> None:
    number = asked(address)["study_id"]
    page.goto(f"{address}/studies/{number}/trials")
    page.wait_for_function(shows_all(["Trial 0", "Trial 1", "Complete", "Running", ids(study)[0], "0.625"]))
