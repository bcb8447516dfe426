"""How much memory and time `predict` takes on scenes of growing size.

Each scene is one simulated scene of 1,000 x 1,000 laid side by side, mirrored, until it fills the size
asked for. The command runs in a process of its own, whose largest resident memory is told.

Run: `python benchmarks/large_scene.py --model MEMBER` (10,000 x 10,000 takes some half an hour on one core).
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import numpy as np
import rasterio
import tyro
from rasterio.windows import Window
from rich.console import Console
from rich.table import Table

from glsweep.config.simulation import Simulation
from glsweep.scenes.simulator import simulate_scene

PIECE_PX = 1000


@dataclass(frozen=True)
class Options:
    """What is predicted."""

    model: Annotated[str, tyro.conf.arg(metavar="FOLDER")]
    sides_px: tuple[int, ...] = (2000, 5000, 10000)
    window_px: int = 512
    threads: int = 1


def write_scene(path: Path, side_px: int) -> None:
    """Lay mirrored copies of one scene side by side, a row of them at a time."""
    simulation = Simulation(rows=PIECE_PX, cols=PIECE_PX, noise=0.5, tides="resolved")
    piece = simulate_scene(simulation, seed=0, name="piece", origin_xy_m=(0.0, 0.0))
    values = np.stack([piece.interferogram.real, piece.interferogram.imag]).astype(np.float32)
    profile = {
        "driver": "GTiff",
        "width": side_px,
        "height": side_px,
        "count": 2,
        "dtype": "float32",
        "crs": piece.crs,
        "transform": piece.transform,
    }
    with rasterio.open(path, "w", **profile) as dataset:
        for row in range(0, side_px, PIECE_PX):
            for col in range(0, side_px, PIECE_PX):
                turned = values[:, :: (-1) ** (row // PIECE_PX), :: (-1) ** (col // PIECE_PX)]
                dataset.write(turned, window=Window(col, row, PIECE_PX, PIECE_PX))
        dataset.descriptions = ("real", "imaginary")


def measure(options: Options, scene: Path, out: Path) -> tuple[float, float, str]:
    """Return seconds, the largest resident memory in MB, and what was printed."""
    command = [
        sys.executable,
        "-m",
        "glsweep.run",
        "predict",
        "--model",
        options.model,
        "--scene",
        str(scene),
    ]
    command += ["--out", str(out), "--window-px", str(options.window_px), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "COLUMNS": "100"}
    begun = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"predict failed: {printed}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1000, printed


def main(options: Options) -> None:
    """Predict scenes of growing size, and print what each took."""
    table = Table("side px", "scene MB", "s", "largest memory MB", "lines", "km")
    with tempfile.TemporaryDirectory() as folder:
        for side_px in options.sides_px:
            scene = Path(folder) / f"side{side_px}.tif"
            write_scene(scene, side_px)
            taken_s, memory_mb, printed = measure(options, scene, Path(folder) / "out")
            told = next(line for line in printed.splitlines() if scene.stem in line).split("│")
            table.add_row(
                f"{side_px}",
                f"{scene.stat().st_size / 1e6:.0f}",
                f"{taken_s:.0f}",
                f"{memory_mb:.0f}",
                told[2].strip(),
                told[3].strip(),
            )
            scene.unlink()
    Console(width=100).print(table)
    print(f"torch {version('torch')}, {options.threads} thread(s), {os.cpu_count()} cores")


if __name__ == "__main__":
    main(tyro.cli(Options))
