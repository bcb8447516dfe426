"""What a small study is made of, and what a command prints."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from glsweep.run import main

SMOKE = Path(__file__).parents[1] / "smoke"
ARGUMENTS = ["--data", str(SMOKE / "card.yaml"), "--space", str(SMOKE / "space.yaml")]

Start = Callable[[Path], "subprocess.Popen[str]"]


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command prints that ends well."""
    assert main([str(argument) for argument in arguments]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out
