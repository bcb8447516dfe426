"""How a small study is started as a user starts it, and what a command prints."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from glsweep.run import main

SMOKE = Path(__file__).parents[1] / "smoke"
ARGUMENTS = ["--data", str(SMOKE / "card.yaml"), "--space", str(SMOKE / "space.yaml")]

Start = Callable[[Path], "subprocess.Popen[str]"]


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


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command prints that ends well."""
    assert main([str(argument) for argument in arguments]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out
