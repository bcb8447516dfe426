"""The command `predict`: checked before anything is written, then scene after scene."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from glsweep.config.data_card import Bands
from glsweep.errors import ConfigError, DataError
from glsweep.predict.line_file import Format
from glsweep.predict.members import EMBEDDED, SAME, choose_device, common_tau, open_members
from glsweep.predict.network import Member
from glsweep.predict.scene import Drawing, Predicted, predict_scene
from glsweep.predict.windows import GRID_PX
from glsweep.scenes.raster import read_header

RASTERS = (".tif", ".tiff", ".vrt", ".img", ".nc")
PATCHES_A_WINDOW = 2


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `glsweep.commands.predict`."""

    models: tuple[str, ...]
    scenes: tuple[Path, ...]
    out: Path
    window_px: int | None
    overlap: float
    turned: bool
    tau: float | None
    shortest_m: float
    bridge_m: float
    formats: tuple[Format, ...]
    bands: Bands
    wavelength_m: float | None
    device: str | None


def predict_scenes(request: Request, console: Console) -> int:
    """Predict all scenes that can be, say why others cannot, and return 0, or 2 if there are such.

    Raises
    ------
    ConfigError
        When an option has a bad value, or the models do not go together.
    StudyError
        When a model cannot be found or read.
    DataError
        When there is no scene.
    """
    _check(request)
    paths = _rasters(request.scenes)
    device = choose_device(request.device)
    members = open_members(request.models or (str(EMBEDDED),), device)
    if not request.models:
        console.print(
            "drawing with the network in the package, which knows simulated scenes alone "
            "(docs/network.md); name your own with --model",
            highlight=False,
        )
    _check_wavelength(request.wavelength_m, members)
    drawing = Drawing(
        window_px=request.window_px or PATCHES_A_WINDOW * max(m.card.patch_size_px for m in members),
        overlap=request.overlap,
        turned=request.turned,
        tau=common_tau(members) if request.tau is None else request.tau,
        shortest_m=request.shortest_m,
        bridge_m=request.bridge_m,
        formats=request.formats,
        device=device,
    )
    done, refused = _each(paths, request, members, drawing, console)
    if done:
        console.print(_told(done))
        console.print(f"written to {request.out}", highlight=False, soft_wrap=True)
    for reason in refused:
        console.print(f"[red]left out:[/red] {reason}", highlight=False, soft_wrap=True)
    return 2 if refused else 0


def _each(
    paths: list[Path], request: Request, members: list[Member], drawing: Drawing, console: Console
) -> tuple[list[Predicted], list[str]]:
    done: list[Predicted] = []
    refused: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        for path in paths:
            task = progress.add_task(path.name, total=1.0)
            try:
                header = read_header(path, request.bands)
                advance = partial(progress.advance, task)
                done.append(predict_scene(header, members, drawing, request.out, advance))
            except DataError as error:
                if len(paths) == 1:
                    raise
                refused.append(str(error))
            progress.remove_task(task)
    return done, refused


def _check(request: Request) -> None:
    for name, value, low, high in (("overlap", request.overlap, 0, 0.9), ("tau", request.tau, 0, 1)):
        if value is not None and not low <= value <= high:
            raise ConfigError(f"--{name} {value:g}: is not between {low:g} and {high:g}; choose one that is")
    if request.window_px is not None and (request.window_px < GRID_PX or request.window_px % GRID_PX):
        raise ConfigError(f"--window-px {request.window_px}: is no multiple of {GRID_PX}; choose one that is")
    for name, value in (("shortest-m", request.shortest_m), ("bridge-m", request.bridge_m)):
        if value < 0:
            raise ConfigError(f"--{name} {value:g}: is negative; choose 0 or more")


def _rasters(given: tuple[Path, ...]) -> list[Path]:
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            found += sorted(file for file in path.iterdir() if file.suffix.lower() in RASTERS)
        elif path.is_file():
            found.append(path)
        else:
            raise DataError(f"{path}: there is no such file or folder; name an interferogram")
    if not found:
        raise DataError(
            f"{', '.join(map(str, given))}: holds no raster ({', '.join(RASTERS)}); name an interferogram"
        )
    names: dict[str, Path] = {}
    for path in found:
        if names.setdefault(path.stem, path) != path:
            raise DataError(
                f"{path}: has the name of {names[path.stem]}; predict them into different folders"
            )
    return list(dict.fromkeys(found))


def _check_wavelength(wavelength_m: float | None, members: list[Member]) -> None:
    known_m = members[0].card.wavelength_m
    if wavelength_m is not None and not math.isclose(wavelength_m, known_m, rel_tol=SAME):
        raise ConfigError(
            f"--wavelength-m {wavelength_m:g}: {members[0].name} was trained for {known_m:g} m, in which a "
            "tide makes other fringes; use a model of that wavelength"
        )


def _told(done: list[Predicted]) -> Table:
    table = Table(Column("scene", overflow="fold"), "lines", "km", "mean probability", "uncertainty m")
    for one in done:
        total_m = sum(line.length_m for line in one.lines)
        probability = sum(line.probability * line.length_m for line in one.lines) / total_m if total_m else 0
        uncertainty = (
            sum(line.uncertainty_m * line.length_m for line in one.lines) / total_m if total_m else 0
        )
        told = (f"{probability:.2f}", f"{uncertainty:.0f}") if total_m else ("-", "-")
        table.add_row(one.scene, f"{len(one.lines)}", f"{one.length_km:.1f}", *told)
    return table
