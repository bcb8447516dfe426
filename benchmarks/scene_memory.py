"""The most memory that `check`, `prepare`, `sweep` and `predict` hold, on data whose largest scene grows.

    python benchmarks/scene_memory.py [--sides-px 2000 6000 20000] [--commands prepare predict]

A data set of four scenes with their lines. Three are of 1,000 x 1,000 px as they were simulated; the fourth
is mirrored copies of another laid side by side until it fills the size asked for. Every command runs as it
does for a user, and `predict` draws the large scene with the network in the package.

`MB` is the most that one process of a command held, by the kernel's own mark, and `all MB` what all of its
processes held together at a time, which is more only for `sweep`: Ray has processes of its own. Its workers
read prepared patches and never a scene, so the sweep is one of two trials.

20,000 px take 3.2 GB on disk, and half an hour on one core.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import geopandas as gpd
import psutil
import rasterio
import tyro
import yaml
from large_scene import simulated_piece, write_scene
from measured import Measured, MeasuredFile, add
from rich.console import Console
from rich.table import Table

from glsweep.config.data_card import Layout
from glsweep.scenes.raster import write_interferogram

Command = Literal["check", "prepare", "sweep", "predict"]
HERE = Path(__file__).parent
SPACE = HERE.parent / "search_spaces" / "demo.yaml"
PUBLISHED_SPACE = SPACE.with_name("seed_grid.yaml")
SMALL_SCENES = 3
APART_M = -500_000.0
"""From the corner of a small scene to that of the next, west of the large one."""
POLL_S = 0.05
MOST_GROWTH = 1.2


@dataclass(frozen=True)
class Options:
    """What is run."""

    sides_px: tuple[int, ...] = (2000, 6000)
    commands: tuple[Command, ...] = get_args(Command)
    rule: Literal["balanced", "published"] = "balanced"
    """How patches are drawn."""
    split: Literal["scene", "block"] = "scene"
    """How the ground is shared out."""
    patch_px: int = 128
    threads: int = 1
    folder: Path | None = None
    """Where the scenes are written; None for a temporary folder."""
    measured: MeasuredFile = None


# --- The data set


def write_data(folder: Path, side_px: int) -> None:
    """Write a folder in the study layout, with one scene of `side_px` x `side_px`."""
    (folder / "DInSAR").mkdir(parents=True)
    scenes = {"large": write_scene(folder / "DInSAR" / "large.tif", side_px)}
    for number in range(1, SMALL_SCENES + 1):
        small = simulated_piece(number, origin_xy_m=(number * APART_M, 0.0))
        path = folder / "DInSAR" / f"small{number}.tif"
        write_interferogram(path, small.interferogram, small.transform, small.crs)
        scenes[f"small{number}"] = list(small.lines)
    layout = Layout()
    rows = [(f"{name}.shp", line) for name, lines in scenes.items() for line in lines]
    with rasterio.open(folder / "DInSAR" / "large.tif") as large:
        crs = large.crs.to_wkt()
    column, lines = ([row[part] for row in rows] for part in (0, 1))
    table = gpd.GeoDataFrame({layout.scene_column: column}, geometry=lines, crs=crs)
    table.to_file(folder / str(layout.lines), driver="GPKG")


def space(options: Options) -> dict[str, Any]:
    """Return the demo's search space with two trials of one epoch."""
    space: dict[str, Any] = yaml.safe_load(SPACE.read_text(encoding="utf-8"))
    space["dimensions"] = {"bce_weight": {"choices": [0.2, 0.35]}}
    space["fixed"] |= {
        "architecture": "unet",
        "patch_size_px": options.patch_px,
        "base_width": 4,
        "fn_weight": 0.7,
        "fp_weight": 0.3,
        "gamma": 1.33,
    }
    space["search"] |= {"epochs": 1, "scheduler": {"name": "none"}}
    if options.rule == "published":
        published = yaml.safe_load(PUBLISHED_SPACE.read_text(encoding="utf-8"))["patches"]
        space["patches"] = published | {"with_line": 200, "without_line": 40}
    return space


def card(options: Options, root: Path) -> dict[str, Any]:
    """Return the data card of the folder."""
    split = {"rule": options.split, "train": 0.5, "val": 0.25, "test": 0.25}
    return {"name": "growing", "root": str(root), "split": split}


# --- What a command takes


class Taken(NamedTuple):
    """Seconds, and the memory that one process, and all together, held at most, in bytes."""

    wall_s: float
    one_bytes: int
    all_bytes: int


def run(command: Sequence[str], options: Options) -> Taken:
    """Run a command of the package, and look at its processes until it ends."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    begun_s, one_bytes, all_bytes = time.perf_counter(), 0, 0
    with subprocess.Popen(
        [sys.executable, "-m", "glsweep.run", *command], env=environment, stdout=subprocess.DEVNULL
    ) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            held = [memory(each) for each in (root, *children(root))]
            one_bytes = max(one_bytes, *(most for _, most in held))
            all_bytes = max(all_bytes, sum(now for now, _ in held))
            time.sleep(POLL_S)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return Taken(time.perf_counter() - begun_s, one_bytes, max(one_bytes, all_bytes))


def children(root: psutil.Process) -> list[psutil.Process]:
    """Return the processes below one, none where it has just ended."""
    try:
        return root.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def memory(process: psutil.Process) -> tuple[int, int]:
    """Return what a process holds and what it held at most, in bytes; 0 of one that has ended."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0, 0
    found = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    return 1024 * int(found.get("VmRSS", 0)), 1024 * int(found.get("VmHWM", 0))


def commands(options: Options, folder: Path) -> dict[Command, list[str]]:
    """Return what is run in a folder that holds the data, by command."""
    files = {"card.yaml": card(options, folder / "data"), "space.yaml": space(options)}
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    said = ["--space", str(folder / "space.yaml")]
    study = ["--study", str(folder / "study")]
    large = str(folder / "data" / "DInSAR" / "large.tif")
    listed: dict[Command, list[str]] = {
        "check": ["check", str(folder / "card.yaml"), *said, "--sheet", str(folder / "sheet.png")],
        "prepare": ["prepare", "--data", str(folder / "card.yaml"), *said, *study],
        "sweep": ["sweep", *study],
        "predict": ["predict", "--scene", large, "--out", str(folder / "drawn"), "--device", "cpu"],
    }
    return {command: listed[command] for command in options.commands}


def main(options: Options) -> None:
    """Run the commands on data of each size, and print what they took."""
    peaks: dict[Command, list[int]] = {command: [] for command in options.commands}
    table = Table("largest scene, px", "its MB", "command", "s", "MB", "all MB")
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        for side_px in options.sides_px:
            folder = Path(temporary) / str(side_px)
            # In a process of its own, whose memory is no command's.
            write = f"from scene_memory import *; write_data(Path({str(folder / 'data')!r}), {side_px})"
            subprocess.run([sys.executable, "-c", write], check=True, cwd=Path(__file__).parent)
            large_bytes = (folder / "data" / "DInSAR" / "large.tif").stat().st_size
            for command, arguments in commands(options, folder).items():
                taken = run(arguments, options)
                peaks[command].append(taken.one_bytes)
                table.add_row(
                    f"{side_px:,}",
                    f"{large_bytes / 1e6:.0f}",
                    command,
                    f"{taken.wall_s:.0f}",
                    f"{taken.one_bytes / 1e6:.0f}",
                    f"{taken.all_bytes / 1e6:.0f}",
                )
                print(side_px, command, taken, flush=True)
            shutil.rmtree(folder)
    console = Console(width=100)
    console.print(table)
    smallest, largest = (f"{side_px:,} px squared" for side_px in (options.sides_px[0], options.sides_px[-1]))
    for command, held in peaks.items():
        growth = held[-1] / held[0]
        console.print(f"growth of {command}: {growth:.2f}")
        what = f"most memory of `{command}` with a scene of {largest}"
        add([Measured(what, smallest, growth, at_most=MOST_GROWTH)], options.measured)
    print(f"{options.threads} thread(s), {os.cpu_count()} cores; {time.strftime('%d %B %Y')}; {options}")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
