"""The command line on a small study, and what may happen to it."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from disks import fill
from processes import descendants

HERE = Path(__file__).parent
ARGUMENTS = ["--data", str(HERE.parent / "smoke" / "card.yaml"), "--space", str(HERE / "study_space.yaml")]
# Further epochs that are reported before something happens.
EPOCHS_BEFORE = 2


@dataclass
class Run:
    """How a run of the command ended: how long after it was disturbed, and which processes it had by then."""

    code: int
    printed: str
    ended_after_s: float = 0.0
    processes: list[int] = field(default_factory=list)


def run(directory: Path, stage: str) -> Run:
    """Run a stage to its end."""
    process = start(directory, stage)
    printed, _ = process.communicate(timeout=250)
    return Run(process.returncode, printed)


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
    return Run(process.returncode, printed, time.monotonic() - begun_s, processes)


def happen(fault: str, process: "subprocess.Popen[str]", directory: Path) -> None:
    match fault:
        case "killed":
            process.kill()
        case "interrupted twice":
            for _ in range(2):
                os.killpg(process.pid, signal.SIGINT)
                time.sleep(0.5)
        case "disk full":
            fill(directory.parent)


def start(directory: Path, stage: str) -> "subprocess.Popen[str]":
    """Start the command in a process group of its own, as a terminal does."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_TRACKING")}
    return subprocess.Popen(
        [sys.executable, "-m", "glsweep.run", stage, *ARGUMENTS, "--study", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def epochs_in(ledger: Path) -> int:
    return ledger.read_text().count('"event":"epoch"') if ledger.is_file() else 0
