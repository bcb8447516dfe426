"""A study whose commands are cut off, and looks at it in between."""

import io
import os
import signal
import subprocess
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from glsweep.run import main
from glsweep.study import Study
from glsweep.sweep.status import read_status


def wait_for_epochs(study: Study, ledger: Path, count: int, process: "subprocess.Popen[str]") -> None:
    """Wait until that many epochs were reported, looking all the while at how the study stands."""
    deadline = time.monotonic() + 120
    while not ledger.is_file() or ledger.read_text().count('"event":"epoch"') < count:
        assert process.poll() is None, "ended too soon"
        assert time.monotonic() < deadline
        read_status(study)
        time.sleep(0.05)


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill the command, and wait for its workers: they learn of it later, and may be writing a checkpoint."""
    workers = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert psutil.wait_procs(workers, timeout=60)[1] == []


def everything(study: Study) -> dict[Path, bytes]:
    """Every file of a study; what lies in the lock is of no interest."""
    files = (path for path in study.directory.rglob("*") if path.is_file() and path != study.lock)
    return {path: path.read_bytes() for path in files}


@dataclass
class Look:
    """A look at a study that was cut off: what was printed, which nodes had trials, what it changed."""

    printed: str
    nodes: set[str | None]
    changed: bool


@dataclass
class Life:
    """A study that is asked to end in its sweep, killed in its retraining, and then comes to its end."""

    study: Study
    running: str
    code: int
    farewell: str
    events: list[dict[str, Any]]
    terminated: Look
    begun: bool
    killed: Look
    printed: str


def printed_by(*arguments: object) -> str:
    """What a command prints that ends well, in this process, which has loaded the libraries."""
    with redirect_stdout(io.StringIO()) as printed:
        assert main([str(argument) for argument in arguments]) == 0
    return printed.getvalue()


def look(study: Study, ledger: Path) -> Look:
    """Look at a study that was cut off, even in the midst of a line of its ledger."""
    with ledger.open("ab") as file:
        file.write(b'{"event":"epo')
    before = everything(study)
    printed = printed_by("status", study.directory)
    trials = read_status(study).parts[-1].records.trials.values()
    return Look(printed, {record.node for record in trials}, everything(study) != before)
