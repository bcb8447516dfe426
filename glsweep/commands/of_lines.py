"""Commands that draw lines, and measure them."""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from glsweep.commands.common import Debug
from glsweep.config.data_card import Bands


def predict(
    *,
    scene: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE|FOLDER...")],
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")],
    model: Annotated[
        tuple[str, ...],
        tyro.conf.arg(
            metavar="FOLDER|models:/NAME@ALIAS...", help_behavior_hint="(default: the package's network)"
        ),
    ] = (),
    window_px: Annotated[
        int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: twice the patch size)")
    ] = None,
    overlap: Annotated[float, tyro.conf.arg(metavar="SHARE")] = 0.5,
    turned: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")] = False,
    tau: Annotated[
        float | None, tyro.conf.arg(metavar="P", help_behavior_hint="(default: the model card's)")
    ] = None,
    shortest_m: Annotated[float, tyro.conf.arg(metavar="M")] = 1000.0,
    bridge_m: Annotated[float, tyro.conf.arg(metavar="M")] = 500.0,
    formats: Annotated[tuple[Literal["gpkg", "geojson", "shp"], ...], tyro.conf.arg()] = ("gpkg",),
    bands: Bands = "auto",
    wavelength_m: Annotated[
        float | None, tyro.conf.arg(metavar="M", help_behavior_hint="(default: the model card's)")
    ] = None,
    device: Annotated[
        str | None, tyro.conf.arg(metavar="DEVICE", help_behavior_hint="(default: a GPU if there is one)")
    ] = None,
    debug: Debug = False,
) -> int:
    """Draw the grounding lines of scenes: probability, lines and a picture of each.

    Parameters
    ----------
    scene
        Interferograms, or folders of them.
    out
        Where the files go.
    model
        A member's folder, or a registered model; several are averaged.
    window_px
        Side of the windows that a network sees at a time, a multiple of 16.
    overlap
        Share of its side that a window has in common with the next.
    turned
        Average over the eight flips and quarter turns; takes eight times as long.
    tau
        Probability from which a pixel is line.
    shortest_m
        Shorter lines are left out.
    bridge_m
        Gaps up to this length are bridged where a line goes straight on.
    formats
        Files of lines to be written.
    bands
        What the rasters' bands hold.
    wavelength_m
        The radar's, to be compared with the model card's; rasters do not tell it.
    device
        Such as cpu or cuda:1.
    """
    from glsweep.predict.command import Request, predict_scenes

    request = Request(
        models=model,
        scenes=scene,
        out=out,
        window_px=window_px,
        overlap=overlap,
        turned=turned,
        tau=tau,
        shortest_m=shortest_m,
        bridge_m=bridge_m,
        formats=formats,
        bands=bands,
        wavelength_m=wavelength_m,
        device=device,
    )
    return predict_scenes(request, Console())


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
        The lines that are judged: .gpkg, .shp or .geojson, in any CRS.
    reference
        What they are measured against.
    by
        A column that names scenes or regions: rows are compared with those of the same name.
    reference_by
        The same in the reference.
    tolerance_m
        Within so many metres a line counts as found.
    table
        Also write the figures to this file.
    """
    from glsweep.compare.pairs import read_pairs
    from glsweep.compare.told import measure, tell, write_table

    found = measure(read_pairs(lines, reference, by=by, reference_by=reference_by), tolerance_m)
    tell(found, tolerance_m, Console())
    if table is not None:
        write_table(found, table)


def zone(
    lines: Annotated[Path, tyro.conf.arg(metavar="LINES")],
    /,
    *,
    by: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = "dates",
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
        Lines of several dates: .gpkg, .shp or .geojson, in any CRS.
    by
        The column that tells dates apart.
    spacing_m
        Between transects, which are normal to the lines of the date with the longest ones.
    reach_m
        How far they reach to either side; what lies farther off is another line.
    out
        Also write the zone's section along each transect, with its width, to this file.
    """
    from glsweep.compare.zone_file import tell_zone

    tell_zone(lines, by=by, spacing_m=spacing_m, reach_m=reach_m, out=out, console=Console())
