"""The command line on a small study, and what may happen to it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from disks import fill
from processes import descendants

from glsweep.run import main

HERE = Path(__file__).parent
# Further epochs that are reported before something happens.
EPOCHS_BEFORE = 2


@dataclass
class Run:
    """How a disturbed run of the command ended.

    Also how long after it was disturbed, which processes it had by then, and how its runs in MLflow stood
    afterwards.
    """

    code: int
    printed: str
    ended_after_s: float
    processes: list[int]
    runs_in_mlflow: set[str]


def arguments(directory: Path) -> list[str]:
    card, space = HERE.parent / "smoke" / "card.yaml", HERE / "study_space.yaml"
    return ["--data", str(card), "--space", str(space), "--study", str(directory)]


def run(directory: Path, stage: str) -> None:
    """Run a stage to its end, in this process, which has loaded the libraries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert main([stage, *arguments(directory)]) == 0


def disturb(directory: Path, fault: str) -> Run:
    """Begin or continue the sweep, let something happen to it in the middle, and wait for its end."""
    ledger = directory / "sweep" / "ledger.jsonl"
    until = epochs_in(ledger) + EPOCHS_BEFORE
    process = start(directory, "sweep")
    while epochs_in(ledger) < until:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    processes = list(descendants(process.pid))
    begun_s = time.monotonic()
    happen(fault, process, directory)
    printed, _ = process.communicate(timeout=150)
    ended_after_s = time.monotonic() - begun_s
    return Run(process.returncode, printed, ended_after_s, processes, statuses(directory / "mlflow.db"))


def happen(fault: str, process: "subprocess.Popen[str]", directory: Path) -> None:
    match fault:
        case "killed":
            process.kill()
        case "interrupted twice":
            for _ in range(2):
                os.killpg(process.pid, signal.SIGINT)
                time.sleep(0.5)
        case "terminal closed":
            os.killpg(process.pid, signal.SIGHUP)
        case "disk full":
            # Again and again: checkpoints that the sweep deletes make room for its last epochs.
            while process.poll() is None:
                fill(directory.parent)
                time.sleep(0.05)


def start(directory: Path, stage: str) -> "subprocess.Popen[str]":
    """Start the command in a process group of its own, as a terminal does."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_TRACKING")}
    return subprocess.Popen(
        [sys.executable, "-m", "glsweep.run", stage, *arguments(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def epochs_in(ledger: Path) -> int:
    return ledger.read_text().count('"event":"epoch"') if ledger.is_file() else 0


def statuses(mlflow_db: Path) -> set[str]:
    with closing(sqlite3.connect(mlflow_db)) as store:
        return {status for (status,) in store.execute("SELECT status FROM runs")}
