"""How a small study is started as a user starts it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_study import ARGUMENTS, Start


@pytest.fixture(scope="session")
def start_study() -> Start:
    """Starts `python -m glsweep.run` on a study's folder, in a process group of its own."""

    def start(directory: Path) -> "subprocess.Popen[str]":
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_TRACKING")}
        directory.parent.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-m", "glsweep.run", *ARGUMENTS, "--study", str(directory)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=directory.parent,
            start_new_session=True,
        )

    return start
