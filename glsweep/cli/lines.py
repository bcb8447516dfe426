"""Commands that draw lines and measure them: `predict`, `score`, `adapt`, `compare`, `zone`."""

from pathlib import Path
from typing import Annotated

import tyro

from glsweep.cli import BandsOption, Debug, LogFormatOption, NoDataOption
from glsweep.files import check_output_file, check_output_folder
from glsweep.output import open_console
from glsweep.prediction import DrawingOptions
from glsweep.progress import shown

WHAT_BANDS_HOLD = (
    "What the rasters' bands hold: complex; real, imaginary; phase (also phase_pi, phase_cycles, "
    "phase_degrees, unwrapped_phase), perhaps with coherence, magnitude or intensity; each perhaps with its "
    "band's number or name, such as `phase=2, coherence=corr`."
)


def predict(
    drawing: Annotated[DrawingOptions, tyro.conf.arg(name="")],
    *,
    scene: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE|FOLDER...")],
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")],
    bands: Annotated[BandsOption, tyro.conf.arg(help=WHAT_BANDS_HOLD)] = "auto",
    nodata: NoDataOption = None,
    wavelength_m: Annotated[
        float | None, tyro.conf.arg(metavar="M", help_behavior_hint="(default: the model card's)")
    ] = None,
    compare_with: Annotated[
        Path | None, tyro.conf.arg(metavar="LINES", help_behavior_hint="(default: those of --near)")
    ] = None,
    coast: Annotated[
        Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: the newest scene's phase)")
    ] = None,
    log_format: LogFormatOption = "text",
    debug: Debug = False,
) -> int:
    """Draw the grounding lines of scenes: probability, lines and a picture of each.

    Parameters
    ----------
    scene
        Interferograms, or folders of them.
    out
        Where the files go.
    nodata
        A value that stands for no data, though no file says so; as_tagged takes areas of one value for data.
    wavelength_m
        The radar's, to be compared with the model card's; rasters do not tell it.
    compare_with
        Lines known before: the page says how far from them the new ones lie, and nothing is cut.
    coast
        A coast in lines or polygons, drawn below the lines of the overview.
    """
    check_output_folder("--out", out)
    from glsweep.prediction.command import predict_scenes

    console = open_console(log_format)
    with shown("predict", console):
        return predict_scenes(
            scene,
            out,
            drawing,
            console,
            bands=bands,
            nodata=nodata,
            wavelength_m=wavelength_m,
            compare_with=compare_with,
            coast=coast,
        )


def score(
    drawing: Annotated[DrawingOptions, tyro.conf.arg(name="")],
    *,
    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="CARD.yaml|FOLDER...")],
    root: Annotated[
        Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: the card's own)")
    ] = None,
    out: Annotated[
        Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: score-<data>)")
    ] = None,
    by: Annotated[
        str | None,
        tyro.conf.arg(
            metavar="COLUMN|region|data_set", help_behavior_hint="(default: what the data card tells apart)"
        ),
    ] = None,
    log_format: LogFormatOption = "text",
    debug: Debug = False,
) -> int:
    """Draw every scene of a data set that has lines, and measure what was drawn against them, in metres.

    Parameters
    ----------
    data
        A data card, or a folder of scenes with their lines; several are scored side by side.
    root
        Where the scenes of the data card are.
    out
        Where the files go.
    by
        Also pool by a column of the file of lines, the card's regions, or the data set.
    """
    from glsweep.comparison.score import print_scored, score_data

    console = open_console(log_format)
    with shown("score", console):
        scored = score_data(data, drawing, console, root=root, out=out, by=by)
    return print_scored(scored, console)


def adapt(
    *,
    scene: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE|FOLDER...")],
    out: Annotated[Path, tyro.conf.arg(metavar="MEMBER")],
    model: Annotated[
        str | None,
        tyro.conf.arg(
            metavar="FOLDER|models:/NAME@ALIAS", help_behavior_hint="(default: the package's network)"
        ),
    ] = None,
    bands: BandsOption = "auto",
    nodata: NoDataOption = None,
    steps: Annotated[int, tyro.conf.arg(metavar="N")] = 400,
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0,
    device: Annotated[
        str | None, tyro.conf.arg(metavar="DEVICE", help_behavior_hint="(default: a GPU if there is one)")
    ] = None,
    log_format: LogFormatOption = "text",
    debug: Debug = False,
) -> int:
    """Fit a network to scenes without labels; written only if it is better on some that are held out.

    Parameters
    ----------
    scene
        Interferograms, or folders of them: 4 at least, a dozen or more are better.
    out
        Folder of the new member.
    model
        The member that is fitted.
    bands
        What the rasters' bands hold, as for `predict`.
    nodata
        A value in the rasters that stands for no data, as for `predict`.
    steps
        Of fitting.
    seed
        Decides every random draw.
    device
        Such as cpu or cuda:1.
    """
    check_output_folder("--out", out)
    from glsweep.adaptation import adapt_member, print_adapted
    from glsweep.prediction.command import print_refused

    console = open_console(log_format)
    with shown("adapt", console):
        found = adapt_member(
            scene,
            out,
            console,
            model=model,
            bands=bands,
            nodata=nodata,
            steps=steps,
            seed=seed,
            device=device,
        )
    print_adapted(found, console)
    return print_refused(found.refused, console)


def compare(
    lines: Annotated[Path, tyro.conf.arg(metavar="LINES")],
    reference: Annotated[Path, tyro.conf.arg(metavar="REFERENCE")],
    /,
    *,
    by: Annotated[
        str | None, tyro.conf.arg(metavar="COLUMN", help_behavior_hint="(default: all rows together)")
    ] = None,
    reference_by: Annotated[
        str | None, tyro.conf.arg(metavar="COLUMN", help_behavior_hint="(default: as --by)")
    ] = None,
    layer: Annotated[
        str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: the only one)")
    ] = None,
    reference_layer: Annotated[
        str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: the only one)")
    ] = None,
    tolerance_m: Annotated[tuple[float, ...], tyro.conf.arg(metavar="M...")] = (100.0, 200.0, 500.0),
    table: Annotated[
        Path | None, tyro.conf.arg(metavar="FILE.csv", help_behavior_hint="(default: none)")
    ] = None,
    debug: Debug = False,
) -> None:
    """Measure lines against a reference: how far off, how much missed, how much invented.

    Parameters
    ----------
    lines
        The lines that are judged: .gpkg, .shp, .geojson or .fgb, in any CRS.
    reference
        What they are measured against.
    by
        A column that names scenes or regions: rows are compared with those of the same name.
    reference_by
        The same in the reference.
    layer
        The layer of the lines, where their file has several.
    reference_layer
        The same in the reference.
    tolerance_m
        Within so many metres a line counts as found.
    table
        Also write the metrics to this file.
    """
    from glsweep.api import compare as compare_lines
    from glsweep.comparison import print_distances, print_remark, write_table
    from glsweep.scenes.vector_file import split_layer

    if table is not None:
        check_output_file("--table", table, [split_layer(source)[0] for source in (lines, reference)])
    console = open_console()
    found = compare_lines(
        lines,
        reference,
        by=by,
        reference_by=reference_by,
        layer=layer,
        reference_layer=reference_layer,
        tolerances_m=tolerance_m,
        tell=lambda remark: print_remark(remark, console),
    )
    print_distances(found, tolerance_m, console)
    if table is not None:
        write_table(found, table)


def zone(
    lines: Annotated[Path, tyro.conf.arg(metavar="LINES")],
    /,
    *,
    by: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = "dates",
    layer: Annotated[
        str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: the only one)")
    ] = None,
    spacing_m: Annotated[float, tyro.conf.arg(metavar="M")] = 200.0,
    reach_m: Annotated[float, tyro.conf.arg(metavar="M")] = 5000.0,
    out: Annotated[
        Path | None, tyro.conf.arg(metavar="FILE.gpkg", help_behavior_hint="(default: none)")
    ] = None,
    debug: Debug = False,
) -> None:
    """Measure how wide the zone is in which lines of several dates lie.

    Parameters
    ----------
    lines
        Lines of several dates: .gpkg, .shp, .geojson or .fgb, in any CRS.
    by
        The column that tells dates apart.
    layer
        The layer of the lines, where their file has several.
    spacing_m
        Between transects, which are normal to the lines of the date with the longest ones.
    reach_m
        How far they reach to either side; what lies farther off is another line.
    out
        Also write the zone: its section along each transect, and the ground between the outermost lines.
    """
    from glsweep.comparison import print_zone
    from glsweep.scenes.vector_file import split_layer

    if out is not None:
        check_output_file("--out", out, [split_layer(lines)[0]])

    print_zone(
        lines, by=by, spacing_m=spacing_m, reach_m=reach_m, out=out, console=open_console(), layer=layer
    )
