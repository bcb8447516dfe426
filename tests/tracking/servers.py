"""Real MLflow servers and PostgreSQL clusters on this machine, each in a process group of its own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MlflowServer:
    """`mlflow server` with a SQLite file and artifacts behind it; it can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}", "--workers", "1"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_TRACKING")}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={**environment, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _wait(self, timeout_s: float = 60) -> None:
        assert self._process is not None
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise AssertionError((self.folder / "server.log").read_text())


class PostgresServer:
    """A PostgreSQL cluster of its own, reached through a socket in a private folder."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self.uri = f"postgresql+psycopg2://glsweep@/postgres?host={folder}"
        # PostgreSQL refuses to run as root.
        self._user = None
        if os.geteuid() == 0:
            self._user = pwd.getpwnam("nobody").pw_uid
            os.chown(folder, self._user, -1)

    def __enter__(self) -> Self:
        data = str(self._folder / "data")
        self._run("initdb", "--pgdata", data, "--username", "glsweep", "--auth", "trust", "--no-sync")
        settings = f"-c listen_addresses='' -c unix_socket_directories={self._folder} -c fsync=off"
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "--pgdata", data, "--options", settings, "--log", log, "--wait")
        return self

    def __exit__(self, *_error: object) -> None:
        self._run("pg_ctl", "stop", "--pgdata", str(self._folder / "data"), "--mode", "immediate")

    def _run(self, program: str, *arguments: str) -> None:
        # Its output goes to a file: the daemon would keep a pipe open.
        with (self._folder / "output").open("ab") as output:
            subprocess.run(
                [str(self._programs / program), *arguments],
                user=self._user,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
                check=True,
            )


def postgres_programs() -> Path | None:
    """The newest PostgreSQL on this machine; Debian keeps its programs off the path."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None
