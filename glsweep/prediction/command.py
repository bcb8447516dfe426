"""The command `predict`: its options are checked before anything is written; then scene after scene."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from glsweep.config.bands import NoData, check_bands
from glsweep.errors import ConfigError, DataError
from glsweep.nets.member import LineUncertainty
from glsweep.prediction import DrawingOptions
from glsweep.prediction.answers import why_unknown
from glsweep.prediction.blend import EMBEDDED, GRID_PX, SAME, Member, choose_device, common_tau, open_members
from glsweep.prediction.drawing import Drawing
from glsweep.prediction.near import check_near, read_prior
from glsweep.prediction.page import PAGE, open_page_options, write_page
from glsweep.prediction.qgis_project import write_scenes_project
from glsweep.prediction.scene import Advance, PredictedScene, predict_scene
from glsweep.prediction.split_scenes import uncertainty_of
from glsweep.progress import advance, track
from glsweep.registry import is_imported
from glsweep.scenes.raster import read_header
from glsweep.scenes.raster_files import (
    check_scenes_found,
    distinct_scenes,
    is_raster_there,
    rasters_of_folder,
)
from glsweep.training.memory import keep_freed_memory

PATCHES_A_WINDOW = 2


def check_options(options: DrawingOptions) -> None:
    """Make sure that every number is sensible.

    Raises
    ------
    ConfigError
        When an option has a bad value.
    """
    for name, value, low, high in (("overlap", options.overlap, 0, 0.9), ("tau", options.tau, 0, 1)):
        if value is not None and not low <= value <= high:
            raise ConfigError(f"--{name} {value:g}: is not between {low:g} and {high:g}; choose one that is")
    if options.window_px is not None and (options.window_px < GRID_PX or options.window_px % GRID_PX):
        raise ConfigError(f"--window-px {options.window_px}: is no multiple of {GRID_PX}; choose one that is")
    if not options.filters or len(set(options.filters)) < len(options.filters):
        raise ConfigError(f"--filters {' '.join(options.filters)}: names none, or one twice; name each once")
    for name, value in (("shortest-m", options.shortest_m), ("bridge-m", options.bridge_m)):
        if value < 0:
            raise ConfigError(f"--{name} {value:g}: is negative; choose 0 or more")
    check_near(options.near, options.within_m)


def open_drawing(options: DrawingOptions, console: Console) -> tuple[list[Member], Drawing]:
    """Open the networks, and settle what the options leave to them.

    Raises
    ------
    ConfigError
        When the device cannot be used, or the models do not go together.
    StudyError
        When a model cannot be found or read.
    DataError
        When the lines known before cannot be read.
    """
    prior = None if options.near is None else read_prior(options.near, options.within_m)
    keep_freed_memory()
    device = choose_device(options.device)
    members = open_members(options.model or (str(EMBEDDED),), device)
    if not options.model:
        console.print(
            "drawing with the network in the package, which knows simulated scenes alone "
            "(docs/network.md); name your own with --model",
            highlight=False,
        )
    tau = common_tau(members) if options.tau is None else options.tau
    window_px = options.window_px or PATCHES_A_WINDOW * max(m.card.patch_size_px for m in members)
    _check_windows(members, window_px)
    drawing = Drawing(
        window_px=window_px,
        overlap=options.overlap,
        turned=options.turned,
        filters=options.filters,
        tau=tau,
        shortest_m=options.shortest_m,
        bridge_m=options.bridge_m,
        formats=options.formats,
        scheme=options.scheme,
        device=device,
        uncertainty=uncertainty_of(members, tau=tau, turned=options.turned, filters=options.filters),
        prior=prior,
    )
    return members, drawing


def _check_windows(members: Sequence[Member], window_px: int) -> None:
    """Make sure that users' own networks, which may have any stride, take windows of this size."""
    for member in members:
        if not is_imported(member.card.architecture):
            continue
        weights = next(member.network.parameters())
        window = weights.new_zeros(1, len(member.card.channels), window_px, window_px)
        try:
            with torch.inference_mode():
                member.network(window)
        except Exception as error:  # a user's network may raise anything
            cause = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise ConfigError(
                f"{member.name}: {member.card.architecture} fails on windows of {window_px} px ({cause}); "
                f"choose --window-px, such as its patches' {member.card.patch_size_px}"
            ) from error


# --- Scene after scene; one that does not fit is left out

Scene = TypeVar("Scene")
Result = TypeVar("Result")


def each_scene(
    scenes: Sequence[Scene],
    work: Callable[[Scene, Advance], Result],
    name_of: Callable[[Scene], str],
    doing: str = "",
) -> tuple[list[Result], list[str]]:
    """Do the same to every scene, and show how far it has come.

    Parameters
    ----------
    scenes : sequence
        In the order in which they are worked on.
    work : callable
        Given a scene, and a function to call with each share that is done.
    name_of : callable
        Name of a scene, beside the bar.
    doing : str
        What is done to them, where a command does several things.

    Returns
    -------
    tuple
        What came of the scenes, and for each other one why it was left out.

    Raises
    ------
    DataError
        When the only scene cannot be worked on.
    """
    done: list[Result] = []
    refused: list[str] = []
    for scene in track(scenes, "scenes", doing, name_of):
        try:
            done.append(work(scene, advance))
        except DataError as error:
            if len(scenes) == 1:
                raise
            refused.append(str(error))
    return done, refused


def print_refused(refused: Sequence[str], console: Console) -> int:
    """Print why scenes were left out, and return the exit code: 2 if there are any, 0 if not."""
    for reason in refused:
        console.print(f"[red]left out:[/red] {reason}", highlight=False, soft_wrap=True)
    return 2 if refused else 0


# --- The command `predict`


def predict_scenes(
    scenes: Sequence[Path],
    out: Path,
    options: DrawingOptions,
    console: Console,
    *,
    bands: str,
    nodata: NoData,
    wavelength_m: float | None,
    compare_with: Path | None = None,
    coast: Path | None = None,
) -> int:
    """Predict all scenes that can be predicted, print why others cannot, and return 0, or 2 if there are any.

    Parameters
    ----------
    scenes : sequence of Path
        Rasters, or folders of them.
    out : Path
        Where the files go.
    options : DrawingOptions
        How.
    console : Console
        For the results.
    bands : str
        What the rasters' bands hold, see `parse_bands`.
    nodata : float, "as_tagged" or None
        What stands for no data where the files do not say so, see `NoData`.
    wavelength_m : float or None
        The radar's, where it is known.
    compare_with, coast : Path or None
        Lines known before and a coast, for the page of lines.

    Raises
    ------
    ConfigError
        When an option has a bad value, or the models do not go together.
    StudyError
        When a model cannot be found or read.
    DataError
        When there is no scene, or the only one cannot be predicted.
    """
    check_options(options)
    check_bands(bands)
    paths = named_rasters(scenes, console)
    page = open_page_options(compare_with, coast)
    members, drawing = open_drawing(options, console)
    _check_wavelength(wavelength_m, members)

    def predict_one(path: Path, advance: Advance) -> PredictedScene:
        header = read_header(path, bands, nodata=nodata)
        for remark in header.remarks:
            console.print(f"{path.name}: {remark}", highlight=False, soft_wrap=True, markup=False)
        predicted = predict_scene(header, members, drawing, out, advance)
        print_if_far(predicted.far_from_prior, console)
        return predicted

    done, refused = each_scene(paths, predict_one, lambda path: path.name)
    if done:
        console.print(_summary(done, drawing.uncertainty))
        if drawing.uncertainty is None:
            why = f"uncert_m is empty: {why_unknown(members)}; band_m tells how wide the bands are"
            console.print(why, highlight=False, soft_wrap=True, markup=False)
        project = write_scenes_project(out, [(one.header, one.files) for one in done], drawing.tau)
        write_page(done, members, drawing, out, page)
        console.print(
            f"written to {out}; look at {PAGE} first, {project.name} opens all of it in QGIS",
            highlight=False,
            soft_wrap=True,
        )
    return print_refused(refused, console)


def print_if_far(remark: str, console: Console) -> None:
    """Warn of a scene in which nothing could be kept, since no line was known before anywhere near."""
    if remark:
        console.print(f"[yellow]mind:[/yellow] {escape(remark)}", highlight=False, soft_wrap=True)


def named_rasters(given: Sequence[Path], console: Console) -> list[Path]:
    """Return the rasters that are named, and those of the folders; print which are passed over.

    Raises
    ------
    DataError
        When something is not there, a folder holds no raster, or two scenes have one name.
    """
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            choice = rasters_of_folder(path)
            check_scenes_found(path, choice)
            found += choice.taken
            for line in choice.passed_over:
                console.print(str(line), highlight=False, soft_wrap=True, markup=False)
        elif is_raster_there(path):
            found.append(path)
        else:
            raise DataError(f"{path}: there is no such file or folder; name an interferogram")
    return distinct_scenes(found, "predict them into different folders")


def _check_wavelength(wavelength_m: float | None, members: list[Member]) -> None:
    known_m = members[0].card.wavelength_m
    if wavelength_m is not None and not math.isclose(wavelength_m, known_m, rel_tol=SAME):
        raise ConfigError(
            f"--wavelength-m {wavelength_m:g}: {members[0].name} was trained for {known_m:g} m, in which a "
            "tide makes other fringes; use a model of that wavelength"
        )


def _summary(done: list[PredictedScene], uncertainty: LineUncertainty | None) -> Table:
    is_cut = any(one.before_km is not None for one in done)
    columns = ("lines", "km near", "km drawn") if is_cut else ("lines", "km")
    table = Table(Column("scene", overflow="fold"), *columns, "mean probability", "uncertainty m")
    factor = uncertainty.factor if uncertainty else math.nan
    for one in done:
        total_m = sum(line.length_m for line in one.lines)
        probability = sum(line.probability * line.length_m for line in one.lines) / total_m if total_m else 0
        band_m = sum(line.half_width_m * line.length_m for line in one.lines) / total_m if total_m else 0
        known = f"{factor * band_m:.0f}" if uncertainty else "-"
        cells = (f"{probability:.2f}", known) if total_m else ("-", "-")
        before = () if one.before_km is None else (f"{one.before_km:.1f}",)
        table.add_row(one.scene, f"{len(one.lines)}", f"{one.length_km:.1f}", *before, *cells)
    return table
