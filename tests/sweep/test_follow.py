"""`status --follow`: how a study stands while another process runs it, until it ends."""

import io
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock
from made_configs import study_config
from rich.console import Console
from small_study import told
from sweeps import figures

from glsweep.output import JsonConsole
from glsweep.progress import Standing
from glsweep.report.status import follow_status, print_status
from glsweep.run import main
from glsweep.search import make_plan
from glsweep.study import Study, create_study
from glsweep.study.artifacts import StageSummary
from glsweep.study.standing import noted_standing
from glsweep.sweep.records import Began, Event, Ledger, Placed, Reported, Started
from glsweep.sweep.status import read_status


class Running:
    """A study that another process runs; something happens whenever the follower waits.

    Its clock goes on by `step_s` each time.
    """

    def __init__(
        self, folder: Path, happens: "list[Callable[[Running], None]]", step_s: float = 10.0
    ) -> None:
        self.study = create_study(folder / "mine", study_config())
        self.lock = FileLock(self.study.lock)
        self.lock.acquire()
        self.waits_s: list[float] = []
        self.notes = ExitStack()
        self.now_s = 0.0
        self._happens, self._step_s = happens, step_s

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.waits_s.append(seconds)
        self.now_s += self._step_s
        self._happens.pop(0)(self)

    def follow(self, console: Console) -> None:
        follow_status(self.study.directory, console, clock=self.clock, sleep=self.sleep)


Happening = Callable[[Running], None]


def prepares(running: Running) -> None:
    for stage in ("simulate", "prepare"):
        running.study.finish(stage, 10, StageSummary())


def trains(running: Running) -> None:
    """The first trial has an epoch of ten minutes behind it."""
    study = running.study
    plan = make_plan(study.config.space, seed=0, source=study.config_yaml)
    trial = next(iter(plan.trials))
    now_unix_s = time.time()
    values = figures(0.5) | {"epoch_s": 600.0}
    events: list[Event] = [
        Began(unix_s=now_unix_s - 610),
        Started(unix_s=now_unix_s - 605, trial=trial),
        Placed(unix_s=now_unix_s - 600, trial_id=trial.trial_id, node="here"),
        Reported(unix_s=now_unix_s, trial_id=trial.trial_id, epoch=1, figures=values, last=False),
    ]
    study.ledger_jsonl.parent.mkdir(parents=True, exist_ok=True)
    Ledger(study.ledger_jsonl).write_through(events)


def waits(_running: Running) -> None:
    """Nothing happens."""


def ends(running: Running) -> None:
    running.lock.release()


def is_interrupted(_running: Running) -> None:
    raise KeyboardInterrupt


def test_in_a_log_a_line_comes_each_half_minute_and_all_of_it_once_the_study_ends(tmp_path: Path) -> None:
    running = Running(tmp_path, [prepares, waits, trains, waits, ends])
    log = Console(file=io.StringIO(), width=120, soft_wrap=True)
    running.follow(log)
    first, second, *rest = log.file.getvalue().splitlines()
    assert first == "simulate: running, 0 of 7 stages done"
    assert second.startswith("sweep: 0 of ")
    assert second.endswith(" left, 0.17 CPU hours so far")
    assert rest[0].startswith(f"study {running.study.directory}: not running")
    assert rest[-1] == "cost so far: 0.17 CPU hours"
    assert running.waits_s == [2.0] * 5


def test_on_a_terminal_it_is_drawn_anew_in_place(tmp_path: Path) -> None:
    running = Running(tmp_path, [prepares, trains, waits, ends])
    console = Console(file=io.StringIO(), width=100, height=50, force_terminal=True, color_system=None)
    running.follow(console)
    drawn = console.file.getvalue()
    assert drawn.count(": running") >= 4
    assert "\x1b[" in drawn
    assert drawn.rstrip().endswith("cost so far: 0.17 CPU hours")


def counts(running: Running) -> None:
    """The stage `prepare` runs and has cut half of the scenes."""
    running.study.finish("simulate", 10, StageSummary())
    standing = Standing("prepare", "cutting patches", 13.5, 27, "scenes", 45.0, 46.0)
    running.notes.enter_context(noted_standing(running.study))(standing)


def ends_what_it_counts(running: Running) -> None:
    running.notes.close()


def test_a_stage_that_trains_nothing_is_followed_by_what_it_counts(tmp_path: Path) -> None:
    running = Running(tmp_path, [counts, ends_what_it_counts, ends], step_s=30.0)
    log = Console(file=io.StringIO(), width=120, soft_wrap=True)
    running.follow(log)
    assert log.file.getvalue().splitlines()[:3] == [
        "simulate: running, 0 of 7 stages done",
        "prepare, cutting patches: 13.5 of 27 scenes, 0:45, about 0:46 left",
        "prepare: running, 1 of 7 stages done",
    ]


def test_its_row_says_what_it_counts_and_the_time_left_is_data(tmp_path: Path) -> None:
    running = Running(tmp_path, [])
    counts(running)
    log = Console(file=io.StringIO(), width=120, soft_wrap=True)
    print_status(running.study.directory, log)
    assert "running, cutting patches, 13.5 of 27 scenes, 0:45, about 0:46 left" in log.file.getvalue()
    assert read_status(running.study).seconds_left(time.time()) == 46.0
    running.lock.release()
    assert read_status(running.study).seconds_left(time.time()) is None


def test_ctrl_c_ends_the_look_not_the_study(tmp_path: Path) -> None:
    running = Running(tmp_path, [prepares, trains, is_interrupted])
    log = Console(file=io.StringIO(), width=120, soft_wrap=True)
    running.follow(log)
    assert ": running since " in log.file.getvalue()
    assert running.lock.is_locked


def test_as_json_lines_hold_time_left_and_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = Running(tmp_path, [prepares, trains, waits, ends], step_s=15.0)
    running.follow(JsonConsole())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told_of = [line for line in lines if line["event"] == "progress"]
    assert [line["stage"] for line in told_of] == ["simulate", "sweep"]
    assert told_of[1]["cpu_hours"] == pytest.approx(1 / 6, abs=1e-4)
    assert told_of[1]["left_s"] > 600


def test_a_study_that_does_not_run_is_shown_once_with_what_it_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running = Running(tmp_path, [])
    running.lock.release()
    prepares(running)
    trains(running)
    printed = told(capsys, "status", running.study.directory, "--follow", "--price-per-gpu-hour", "2.5")
    assert "continues it" in printed
    assert "cost so far: 0.17 CPU hours, which is 0.00 at 2.5 a GPU hour" in printed


def test_a_ledger_that_takes_long_to_read_is_read_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glsweep.report import status as module

    running = Running(tmp_path, [waits, ends])
    read = module.read_status

    def read_slowly(study: Study) -> module.Status:
        running.now_s += 1.5
        return read(study)

    monkeypatch.setattr(module, "read_status", read_slowly)
    running.follow(Console(file=io.StringIO(), width=120))
    assert running.waits_s == pytest.approx([30.0, 30.0])


def test_a_price_below_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = create_study(tmp_path / "mine", study_config())
    assert main(["status", str(study.directory), "--price-per-gpu-hour=-1"]) == 2
    assert "--price-per-gpu-hour -1: is no price" in capsys.readouterr().err
    print_status(study.directory, Console(quiet=True))
