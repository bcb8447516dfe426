"""The page of lines that `predict` ends with: five answers first, then maps, scenes and files."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from glsweep import __version__
from glsweep.files import replacing
from glsweep.pages import json_for_script, render
from glsweep.pages.scene_map import data_uri
from glsweep.prediction import answers
from glsweep.prediction.answers import Compared
from glsweep.prediction.blend import Member
from glsweep.prediction.citation import Producer, bibtex, producers, text_to_cite
from glsweep.prediction.drawing import Drawing
from glsweep.prediction.near import Prior, read_prior
from glsweep.prediction.old_lines import WITHIN_M, from_old, lines_within
from glsweep.prediction.overview import Overview, overview_of, span_in_words
from glsweep.prediction.overview_files import Coast, as_bytes, read_coast, write_overview
from glsweep.prediction.overview_picture import coast_below, draw_overview, view_of
from glsweep.prediction.page_maps import MOST_SCENES, maps_of
from glsweep.prediction.scene import PredictedScene
from glsweep.qgis.project import PROJECT

PAGE = "lines.html"
TEMPLATE = Path(__file__).with_name(PAGE)
MOST_LINES = 200
"""Rows of the page's table of lines; the files have all."""


@dataclass(frozen=True)
class PageOptions:
    """What the page shows besides the lines.

    Attributes
    ----------
    old : Prior or None
        Lines known before, against which all are measured and to which none is cut.
    coast : Coast or None
        Drawn below the lines of the overview.
    """

    old: Prior | None = None
    coast: Coast | None = None


def open_page_options(compare_with: Path | None, coast: Path | None) -> PageOptions:
    """Read the files that the user names for the page.

    Raises
    ------
    DataError
        When one cannot be read.
    """
    return PageOptions(
        None if compare_with is None else read_prior(compare_with, WITHIN_M, option="--compare-with"),
        None if coast is None else read_coast(coast),
    )


def write_page(
    scenes: Sequence[PredictedScene],
    members: Sequence[Member],
    drawing: Drawing,
    folder: Path,
    options: PageOptions | None = None,
) -> list[Path]:
    """Write `lines.html` and, of several scenes, the overview's files; return what was written.

    Parameters
    ----------
    scenes : sequence of PredictedScene
        One at least, with its files in `folder`.
    members : sequence of Member
        Which drew them.
    drawing : Drawing
        How; lines that all were to be near are measured against, unless others are named.
    folder : Path
    options : PageOptions, optional

    Raises
    ------
    DataError
        When a scene's pixels cannot be read again.
    """
    options = options or PageOptions()
    old = options.old or drawing.prior
    overview = overview_of(scenes)
    figure, coast = None, []
    written: list[Path] = []
    if overview is not None:
        coast = coast_below(overview, options.coast)
        known = lines_within(old, view_of(overview), overview.crs) if old else []
        figure = draw_overview(overview, coast, known)
        if len(scenes) > 1:
            written += write_overview(overview, figure, folder)
    compared = None if old is None else _compared(scenes, old, is_cut=options.old is None)
    made_by = producers(members)
    context = {
        **_answers(scenes, made_by, drawing, overview=overview, compared=compared),
        **_tables(scenes, compared),
        **_citation(scenes, made_by, drawing),
        "picture": None if figure is None else data_uri(as_bytes(figure, "webp")),
        "overview": overview,
        "maps": json_for_script(maps_of(scenes, old)),
        "maps_left_out": max(0, len(scenes) - MOST_SCENES),
        "has_coast": bool(coast),
        "project": PROJECT if (folder / PROJECT).is_file() else "",
        "overview_files": [path.name for path in written],
        "version": __version__,
    }
    with replacing(folder / PAGE) as temporary:
        temporary.write_text(render(TEMPLATE, context, filters=FILTERS), encoding="utf-8")
    return [*written, folder / PAGE]


def _compared(scenes: Sequence[PredictedScene], old: Prior, *, is_cut: bool) -> Compared:
    by_scene = {scene.scene: from_old(scene, old) for scene in scenes}
    return Compared(Path(old.source).name, by_scene, old.within_m, is_cut)


def _answers(
    scenes: Sequence[PredictedScene],
    made_by: Sequence[Producer],
    drawing: Drawing,
    *,
    overview: Overview | None,
    compared: Compared | None,
) -> dict[str, Any]:
    length_km = sum(scene.length_km for scene in scenes)
    drawn_in = f"{len(scenes)} scenes" if len(scenes) > 1 else scenes[0].scene
    why = answers.why_unknown([one.member for one in made_by])
    return {
        "title": f"{length_km:.1f} km of grounding line in {drawn_in}",
        "answers": [
            answers.where(scenes),
            answers.when(scenes),
            answers.how_sure(scenes, made_by, drawing.uncertainty, why),
            answers.how_far(compared, overview),
            answers.may_cite(made_by, drawing.tau),
        ],
    }


def _tables(scenes: Sequence[PredictedScene], compared: Compared | None) -> dict[str, Any]:
    table = answers.joined_table(scenes)
    rows = table.sort_values("length_m", ascending=False).head(MOST_LINES)
    return {
        "scenes": [_scene_row(scene, compared) for scene in scenes],
        "compared": compared,
        "lines": rows.to_dict("records"),
        "lines_left_out": max(0, len(table) - MOST_LINES),
    }


def _citation(
    scenes: Sequence[PredictedScene], made_by: Sequence[Producer], drawing: Drawing
) -> dict[str, Any]:
    return {
        "made_by": made_by,
        "drawing": drawing,
        "cite": text_to_cite(made_by, tau=drawing.tau, scenes_in_words=_scenes_in_words(scenes)),
        "bibtex": bibtex(),
    }


def _scenes_in_words(scenes: Sequence[PredictedScene]) -> str:
    sensors = sorted({scene.acquisition.sensor.name for scene in scenes if scene.acquisition.sensor})
    days = sorted({day for scene in scenes for day in scene.acquisition.dates})
    radar = f"{' and '.join(sensors)} " if sensors else ""
    count = f"{len(scenes)}" if len(scenes) > 1 else "one"
    noun = f"{count} {radar}double-difference interferogram{'s' if len(scenes) > 1 else ''}"
    return f"{noun} ({f'{days[0]} to {days[-1]}' if days else 'dates not known'})"


def _scene_row(scene: PredictedScene, compared: Compared | None) -> dict[str, Any]:
    has_lines = len(scene.table) > 0
    means = {
        column: answers.weighted_mean(scene.table, column) if has_lines else math.nan
        for column in ("mean_prob", "uncert_m", "band_m", "spread_m", "hinge_m")
    }
    sensor = scene.acquisition.sensor
    return {
        "name": scene.scene,
        "dates": span_in_words(scene.acquisition),
        "sensor": sensor.name if sensor else "",
        "count": len(scene.lines),
        "km": scene.length_km,
        **means,
        "old_m": compared.by_scene[scene.scene].quantile_m(0.5) if compared else math.nan,
        "remark": scene.far_from_prior or ("" if scene.header.is_placed else "lies nowhere on a map"),
        "files": [{"name": kind, "href": _href(path)} for path in scene.files if (kind := _kind(path))],
    }


def _kind(path: Path) -> str:
    """Return in a word what a file is; empty of those that QGIS alone opens."""
    kinds = {
        "-probability.tif": "probability",
        "-shp": "lines (shp)",
        ".gpkg": "lines",
        ".parquet": "lines (parquet)",
        ".geojson": "lines (geojson)",
        ".png": "picture",
        ".stac.json": "STAC item",
        ".json": "note",
    }
    return next((kind for ending, kind in kinds.items() if path.name.endswith(ending)), "")


def _href(path: Path) -> str:
    """Return a file's address beside the page; of a shapefile that of its folder."""
    return quote(path.name) + ("" if path.suffix else "/")


def _metres(value: float) -> str:
    """Return whole metres, or a dash where they are not known."""
    return f"{value:.0f}" if math.isfinite(value) else "-"


def _share(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "-"


FILTERS = {"metres": _metres, "share": _share}
