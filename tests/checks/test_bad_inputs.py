"""Every bad input of the benchmark is told in one line, or read with the right values."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "bad_inputs.py"


@pytest.mark.slow
def test_every_bad_input_is_handled(tmp_path):
    run = subprocess.run(
        [sys.executable, BENCHMARK], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    unhandled = [row for row in run.stdout.splitlines() if " NO " in row]
    assert run.returncode == 0, "\n".join([*unhandled, run.stderr])
    handled, total = map(int, run.stdout.splitlines()[-1].split(" handled")[0].split(" of "))
    assert handled == total >= 100
