"""What a command and every process that it starts use: wall time, and seconds of the processors by kind."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

# What is read cannot count what a process does between the last look and its end.
LOOK_EACH_S = 0.1
# Words in a process's command, the first that is found.
KINDS = {
    "gcs_server": "Ray's servers",
    "raylet/raylet": "Ray's servers",
    "DashboardAgent": "Ray's servers",
    "RuntimeEnvAgent": "Ray's servers",
    "dashboard/": "Ray's servers",
    "monitor.py": "Ray's servers",
    "runtime_env/agent": "Ray's servers",
    "ray::": "workers",
    "default_worker": "workers",
    "spawn_main": "workers",
}


@dataclass(frozen=True)
class Usage:
    """Wall time of a command, processor seconds of its processes by kind, and what it printed."""

    wall_s: float
    by_kind_s: Mapping[str, float]
    printed: str

    @property
    def cpu_s(self) -> float:
        """Seconds of the processors, all processes together."""
        return sum(self.by_kind_s.values())


def usage_of(*arguments: object) -> Usage:
    """Run Python with these arguments, one thread a process, and watch everything that it starts.

    A process is of the family if its parent was when it was first seen: Ray's workers outlive theirs.
    """
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, arguments)]
    begun_s = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as started:
        used_s: dict[int, float] = {started.pid: 0.0}
        kinds = {started.pid: "the command"}
        while started.poll() is None:
            _look(used_s, kinds)
            time.sleep(LOOK_EACH_S)
        wall_s = time.perf_counter() - begun_s
        assert started.stdout is not None
        printed = started.stdout.read()
    if started.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {started.returncode}")
    by_kind_s: Counter[str] = Counter()
    for pid, spent_s in used_s.items():
        by_kind_s[kinds[pid]] += spent_s
    return Usage(wall_s, by_kind_s, printed)


def _look(used_s: dict[int, float], kinds: dict[int, str]) -> None:
    for process in psutil.process_iter(["ppid", "cpu_times"]):
        is_new = process.pid not in used_s
        if (is_new and process.info["ppid"] not in used_s) or process.info["cpu_times"] is None:
            continue
        times = process.info["cpu_times"]
        used_s[process.pid] = times.user + times.system
        if kinds.get(process.pid, "others") == "others":
            kinds[process.pid] = _kind_of(process)


def _kind_of(process: psutil.Process) -> str:
    try:
        command = " ".join(process.cmdline())
    except psutil.Error:
        return "others"
    return next((kind for words, kind in KINDS.items() if words in command), "others")


def tree_cpu_s() -> float:
    """Return processor seconds of this process and of all that it has started and that still run."""
    this = psutil.Process()
    return sum(sum(one.cpu_times()[:2]) for one in (this, *this.children(recursive=True)))


def resident_mib() -> float:
    """Return the memory that this process holds, in MiB."""
    return float(psutil.Process().memory_info().rss) / 2**20
