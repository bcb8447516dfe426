"""The command `predict`: checked before anything is written, then scene after scene."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from glsweep.config.bands import NoData, check_option
from glsweep.config.raster_files import distinct, is_raster_there, rasters_of_folder, refuse_nothing
from glsweep.errors import ConfigError, DataError
from glsweep.metrics.line_uncertainty import FEWEST_SCENES
from glsweep.nets.member import LineUncertainty
from glsweep.predict.asked import check_options, open_drawing
from glsweep.predict.in_turn import in_turn, tell_refused
from glsweep.predict.members import SAME
from glsweep.predict.network import Member
from glsweep.predict.options import DrawingOptions
from glsweep.predict.scene import Advance, Predicted, predict_scene
from glsweep.scenes.raster import read_header

UNKNOWN = (
    "uncert_m is empty: it is known of what one member draws at its card's threshold, not turned, and only "
    f"if its validation had {FEWEST_SCENES} scenes or more that agree; band_m tells how wide the bands are"
)


def predict_scenes(
    scenes: Sequence[Path],
    out: Path,
    options: DrawingOptions,
    console: Console,
    *,
    bands: str,
    nodata: NoData,
    wavelength_m: float | None,
) -> int:
    """Predict all scenes that can be, say why others cannot, and return 0, or 2 if there are such.

    Parameters
    ----------
    scenes : sequence of Path
        Rasters, or folders of them.
    out : Path
        Where the files go.
    options : DrawingOptions
        How.
    console : Console
        Where all is told.
    bands : str
        What the rasters' bands hold, see `parse_bands`.
    nodata : float, "as_tagged" or None
        What stands for no data where the files do not say so, see `NoData`.
    wavelength_m : float or None
        The radar's, where it is known.

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
    check_option(bands)
    paths = _rasters(scenes, console)
    members, drawing = open_drawing(options, console)
    _check_wavelength(wavelength_m, members)

    def predict_one(path: Path, advance: Advance) -> Predicted:
        header = read_header(path, bands, nodata=nodata)
        for remark in header.remarks:
            console.print(f"{path.name}: {remark}", highlight=False, soft_wrap=True, markup=False)
        return predict_scene(header, members, drawing, out, advance)

    done, refused = in_turn(paths, predict_one, lambda path: path.name, console)
    if done:
        console.print(_told(done, drawing.uncertainty))
        if drawing.uncertainty is None:
            console.print(_why_empty(members), highlight=False, soft_wrap=True, markup=False)
        console.print(f"written to {out}", highlight=False, soft_wrap=True)
    return tell_refused(refused, console)


def _rasters(given: Sequence[Path], console: Console) -> list[Path]:
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            choice = rasters_of_folder(path)
            refuse_nothing(path, choice)
            found += choice.taken
            for line in choice.passed_over:
                console.print(str(line), highlight=False, soft_wrap=True, markup=False)
        elif is_raster_there(path):
            found.append(path)
        else:
            raise DataError(f"{path}: there is no such file or folder; name an interferogram")
    return distinct(found, "predict them into different folders")


def _check_wavelength(wavelength_m: float | None, members: list[Member]) -> None:
    known_m = members[0].card.wavelength_m
    if wavelength_m is not None and not math.isclose(wavelength_m, known_m, rel_tol=SAME):
        raise ConfigError(
            f"--wavelength-m {wavelength_m:g}: {members[0].name} was trained for {known_m:g} m, in which a "
            "tide makes other fringes; use a model of that wavelength"
        )


def _why_empty(members: Sequence[Member]) -> str:
    learnt = members[0].card.uncertainty_unknown if len(members) == 1 else ""
    return f"uncert_m is empty: {learnt}; band_m tells how wide the bands are" if learnt else UNKNOWN


def _told(done: list[Predicted], uncertainty: LineUncertainty | None) -> Table:
    table = Table(Column("scene", overflow="fold"), "lines", "km", "mean probability", "uncertainty m")
    factor = uncertainty.factor if uncertainty else math.nan
    for one in done:
        total_m = sum(line.length_m for line in one.lines)
        probability = sum(line.probability * line.length_m for line in one.lines) / total_m if total_m else 0
        band_m = sum(line.half_width_m * line.length_m for line in one.lines) / total_m if total_m else 0
        known = f"{factor * band_m:.0f}" if uncertainty else "-"
        told = (f"{probability:.2f}", known) if total_m else ("-", "-")
        table.add_row(one.scene, f"{len(one.lines)}", f"{one.length_km:.1f}", *told)
    return table
