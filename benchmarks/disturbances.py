"""Things that can be taken away from a running sweep, and given back: a disk, MLflow, a node, a worker."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from ray.cluster_utils import Cluster

# A node that is silent for a second is taken for dead; by default that takes a quarter of a minute.
WATCHFUL = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 2,
}


def descendants(pid: int) -> dict[int, str]:
    """Process id and command line of every process below `pid`."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], check=True, stdout=subprocess.PIPE, text=True)
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    parents = {int(row[0]): int(row[1]) for row in rows}
    commands = {int(row[0]): row[2] if len(row) > 2 else "" for row in rows}
    below = {pid}
    while more := {child for child, parent in parents.items() if parent in below and child not in below}:
        below |= more
    return {child: commands[child] for child in below - {pid}}


class Disk:
    """A small disk in memory, where that can be had; else a folder, which is never full."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        self.can_be_filled = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def fill(self) -> None:
        with (self.folder / "filler").open("ab", buffering=0) as filler:
            for chunk in (2**20, 2**12, 1):
                with suppress(OSError):
                    while True:
                        filler.write(b"0" * chunk)

    def make_room(self) -> None:
        (self.folder / "filler").unlink()

    def close(self) -> None:
        if self.can_be_filled:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


class Server:
    """An MLflow server on the loopback address, with a SQLite file behind it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
        self._command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder}/server.db"]
        self._command += ["--artifacts-destination", str(folder / "artifacts")]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while self._process.poll() is None:
            with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"{self.uri}/health"):
                return
            time.sleep(0.2)
        raise RuntimeError("the MLflow server does not start")

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Nodes:
    """A Ray cluster of two nodes with room for one trial each; the second can be lost and replaced."""

    def __init__(self) -> None:
        self._cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": WATCHFUL}
        )
        self.address = self._cluster.address
        self.add()

    def add(self) -> None:
        self._node = self._cluster.add_node(num_cpus=1)

    def lose(self) -> None:
        """Kill the second node's raylet and its workers, as when its machine is gone."""
        (raylet,) = self._node.all_processes["raylet"]
        for pid in [raylet.process.pid, *descendants(raylet.process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._cluster.remove_node(self._node, allow_graceful=False)

    def workers(self) -> list[int]:
        """The processes that train a trial."""
        below = descendants(os.getpid())
        return sorted(pid for pid, command in below.items() if command.startswith("ray::ImplicitFunc"))

    def close(self) -> None:
        self._cluster.shutdown()
