"""A checkpoint is written whole or not at all, whenever the writer dies."""

import subprocess
import sys
from pathlib import Path

KILLS = 40


def test_a_writer_killed_again_and_again_never_leaves_half_a_checkpoint(tmp_path: Path) -> None:
    program = Path(__file__).with_name("endless_writer.py")
    arguments = [sys.executable, str(program), str(tmp_path / "checkpoints"), str(KILLS), "0"]
    subprocess.run(arguments, check=True, timeout=120)
    assert list((tmp_path / "checkpoints" / "0000").glob("*.part")), "no writer was killed while it wrote"
