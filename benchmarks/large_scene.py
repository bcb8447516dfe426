"""How much memory and time `predict` takes on scenes of growing size, and what bounds it.

Each scene is one simulated scene of 1,000 x 1,000 laid side by side, mirrored, until it fills the size
asked for. The command runs in a process of its own, whose largest resident memory is told. `without a
network` is what reading, laying out and blending windows and writing the probability take with a network
that does next to nothing: as long as that is small, the network is what bounds.

Run: `python benchmarks/large_scene.py` (10,000 x 10,000 takes some minutes on one core).
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import rasterio
import torch
import tyro
from affine import Affine
from measured import Measured, MeasuredFile, add
from rasterio.windows import Window
from rich.console import Console
from rich.table import Table
from shapely import LineString
from shapely.affinity import affine_transform
from torch import Tensor, nn

from glsweep.config.data_card import Simulation
from glsweep.prediction.blend import EMBEDDED, fit_to, open_members, predict_strips
from glsweep.scenes.probability import temporary_probability
from glsweep.scenes.raster import read_header
from glsweep.scenes.scene import Scene
from glsweep.simulation import simulate_scene

PIECE_PX = 1000


@dataclass(frozen=True)
class Options:
    """What is predicted."""

    model: Annotated[str, tyro.conf.arg(metavar="FOLDER")] = str(EMBEDDED)
    """The one in the package, where none is given."""
    sides_px: tuple[int, ...] = (2000, 5000, 10000)
    window_px: int = 256
    threads: int = 1
    device: Literal["cpu", "cuda"] = "cuda" if torch.cuda.is_available() else "cpu"
    measured: MeasuredFile = None


def simulated_piece(seed: int, origin_xy_m: tuple[float, float] = (0.0, 0.0)) -> Scene:
    """Simulate a scene of `PIECE_PX` x `PIECE_PX`."""
    simulation = Simulation(rows=PIECE_PX, cols=PIECE_PX, noise=0.5, tides="resolved")
    return simulate_scene(simulation, seed=seed, name="piece", origin_xy_m=origin_xy_m)


def write_scene(path: Path, side_px: int) -> list[LineString]:
    """Lay mirrored copies of one scene side by side, a row of them at a time, and return their lines."""
    piece = simulated_piece(0)
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
    lines: list[LineString] = []
    with rasterio.open(path, "w", **profile) as dataset:
        for down, across in product(range(side_px // PIECE_PX), repeat=2):
            turn = (-1) ** down, (-1) ** across
            window = Window(across * PIECE_PX, down * PIECE_PX, PIECE_PX, PIECE_PX)
            dataset.write(values[:, :: turn[0], :: turn[1]], window=window)
            to_place = piece.transform @ _mirrored(turn, (down, across)) @ ~piece.transform
            lines += [affine_transform(line, to_place.to_shapely()) for line in piece.lines]
        dataset.descriptions = ("real", "imaginary")
    return lines


def _mirrored(turn: tuple[int, int], place: tuple[int, int]) -> Affine:
    """Return how pixels of a piece move to its place, in pieces, turned where `turn` is -1."""
    (down, across), (rows, cols) = place, turn
    corner = Affine.translation((across + (cols < 0)) * PIECE_PX, (down + (rows < 0)) * PIECE_PX)
    return corner @ Affine.scale(cols, rows)


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
    command += ["--out", str(out), "--window-px", str(options.window_px)]
    command += ["--device", options.device]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "COLUMNS": "100"}
    begun = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"predict failed: {printed}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1000, printed


class NextToNothing(nn.Module):
    """A network that gives back what it sees."""

    def forward(self, image: Tensor) -> tuple[Tensor]:
        return (image[:, :1],)


def without_network_s(scene: Path, options: Options) -> float:
    """Return the seconds of all but the network, until the probability is written."""
    device = torch.device(options.device)
    (member,) = open_members([options.model], device)
    member = replace(member, network=NextToNothing())
    header = read_header(scene)
    given = fit_to(header, [member])
    begun_s = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        temporary_probability(Path(folder), given.shape, given.transform, header.crs, members=1) as raster,
    ):
        for strip in predict_strips(
            given.read_rows,
            given.shape,
            [member],
            window_px=options.window_px,
            overlap=0.5,
            turned=False,
            device=device,
        ):
            raster.write(strip.row, strip.probability, strip.interferogram != 0)
        raster.write_cog(Path(folder) / "probability.tif", {})
        return time.perf_counter() - begun_s


def main(options: Options) -> None:
    """Predict scenes of growing size, and print what each took."""
    torch.set_num_threads(options.threads)
    heads = ("side px", "scene MB", "s", "million px/s", "without a network, s", "largest memory MB")
    table = Table(*heads, "lines", "km")
    with tempfile.TemporaryDirectory() as folder:
        for side_px in options.sides_px:
            scene = Path(folder) / f"side{side_px}.tif"
            write_scene(scene, side_px)
            taken_s, memory_mb, printed = measure(options, scene, Path(folder) / "out")
            bare_s = without_network_s(scene, options)
            told = next(line for line in printed.splitlines() if scene.stem in line).split("│")
            table.add_row(
                f"{side_px}",
                f"{scene.stat().st_size / 1e6:.0f}",
                f"{taken_s:.0f}",
                f"{side_px**2 / taken_s / 1e6:.2f}",
                f"{bare_s:.1f}",
                f"{memory_mb:.0f}",
                told[2].strip(),
                told[3].strip(),
            )
            scene.unlink()
    what, rate = f"{options.sides_px[-1]:,} px squared", options.sides_px[-1] ** 2 / taken_s
    add(
        [
            Measured(
                f"reading, blending and writing of {what}", "the whole command", bare_s / taken_s, at_most=0.5
            ),
            Measured(f"`predict` of {what}, from its start to its lines", "million px/s", rate / 1e6),
        ],
        options.measured,
    )
    Console(width=100).print(table)
    device = torch.cuda.get_device_name() if options.device == "cuda" else "CPU"
    print(f"{device}, torch {version('torch')}, {options.threads} thread(s), {os.cpu_count()} cores")


if __name__ == "__main__":
    main(tyro.cli(Options))
