"""The report: figures as PNG and SVG, and one HTML page that holds all of them."""

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from glsweep.files import replacing, write_text
from glsweep.pages import json_for_script, render
from glsweep.report import METRIC_WORDS, duration, sentence
from glsweep.report import table as tables
from glsweep.report.definitions import (
    CITATIONS,
    IMPORTANCE,
    PROPOSING,
    SIMULATION,
    STOPPING,
    Citation,
    Definition,
    definitions,
)
from glsweep.report.essence import essence
from glsweep.report.figures import CaptionedFigure, house_style
from glsweep.report.figures.labelled_scenes import draw_labelled_scenes
from glsweep.report.figures.learning_curves import draw_losses, draw_progress, draw_scores, draw_seeds
from glsweep.report.figures.maps import draw_samples
from glsweep.report.figures.parameters import draw_importance, draw_parallel_coordinates, missing_importance
from glsweep.report.figures.scene_maps import draw_line_maps
from glsweep.report.figures.scores import draw_data_sets, draw_distance_bars, draw_metric_bars
from glsweep.report.figures.stopping import draw_rungs
from glsweep.report.figures.thresholds import (
    draw_calibration,
    draw_line_curves,
    draw_precision_recall,
    draw_reliability,
)
from glsweep.report.importance import Panel, importance_panels
from glsweep.report.pictures import Picture, write_figures
from glsweep.report.results import Results, read_results
from glsweep.report.retrained import retrained_rows
from glsweep.report.scene_map import scene_maps
from glsweep.report.scene_tables import data_set_tables, line_rows, scenes_rows
from glsweep.report.second_look import second_look_section
from glsweep.report.study_facts import data_facts, setup_facts
from glsweep.report.sweep_facts import common_parameters, outcome_rows, rung_rows, saving_words, winner_rows
from glsweep.report.table import GROUPS, best_value
from glsweep.report.trials import trial_data
from glsweep.report.verdict import cautions, verdicts
from glsweep.study import Study
from glsweep.study.artifacts import ReportSummary
from glsweep.study.evaluation_artifacts import BaselineRow, FailedRow, NetworkRow
from glsweep.sweep.outcomes import describe_changes

HERE = Path(__file__).parent
FILTERS: dict[str, Callable[..., str]] = {
    "duration": duration,
    "sentence": sentence,
    "interval": tables.interval_text,
}
ROOM_BYTES = 2_700_000
"""For maps, trials and figures: with Plotly's script and its own words the page stays within 8 MB."""
FEW_CAUTIONS = 3
"""As many as the first screen has room for, the gravest first; the others unfold."""
PACKAGES = ("glsweep", "torch", "ray", "mlflow", "numpy")


@dataclass(frozen=True)
class TableSection:
    """The table's rows of one patch size; `best` is by column, `intervals` by the network's title."""

    size: int
    networks: list[NetworkRow]
    failed: list[FailedRow]
    baselines: list[BaselineRow]
    best: dict[str, float | None]
    intervals: dict[str, str]


def write_report(study: Study, out: Path | None = None) -> ReportSummary:
    """Write page and figures from the files of an evaluated study, into its folder or into `out`.

    Raises
    ------
    StudyError
        When the study has not been evaluated, or one of its files is missing.
    """
    written = study if out is None else replace(study, directory=out)
    results = read_results(study)
    panels = importance_panels(results)
    defined = _definitions(results)
    second_look = second_look_section(study)
    embedded = {"maps": _maps(results), "trials": _trials(results)}
    room_bytes = ROOM_BYTES - sum(len(part) for part in embedded.values() if part)
    room_bytes -= sum(len(row.picture or "") for row in second_look.rows) if second_look else 0
    with house_style(), replacing(written.figures) as folder:
        folder.mkdir()
        pictures = write_figures(draw_all(results, panels), folder, defined, room_bytes=room_bytes)
    context = {**_context(results, panels, pictures), **embedded}
    context |= {"definitions": defined, "second_look": second_look}
    write_text(written.report_html, render(HERE / "page.html", context, filters=FILTERS))
    return ReportSummary(
        report=study.report_html.name,
        figures=len(pictures),
        headlines=tuple(str(verdict) for verdict in context["verdicts"]),
        cautions=tuple(context["cautions"]),
    )


def draw_all(results: Results, panels: list[Panel]) -> Iterator[CaptionedFigure]:
    """Draw every figure of the report for which there is something to draw, one at a time."""
    yield draw_metric_bars(results)
    yield draw_distance_bars(results)
    yield draw_losses(results)
    yield draw_scores(results)
    yield draw_calibration(results)
    yield draw_precision_recall(results)
    yield draw_reliability(results)
    figures = (draw_line_curves(results), draw_line_maps(results))
    yield from (figure for figure in figures if figure is not None)
    for stratum in results.members:
        yield draw_samples(results, stratum)
    yield from _draw_sweep(results, panels)


def _draw_sweep(results: Results, panels: list[Panel]) -> Iterator[CaptionedFigure]:
    figures = (
        draw_data_sets(results),
        draw_labelled_scenes(results),
        draw_rungs(results),
        draw_progress(results),
        draw_importance(results, panels),
        draw_parallel_coordinates(results),
        draw_seeds(results),
    )
    yield from (figure for figure in figures if figure is not None)


def _definitions(results: Results) -> list[Definition]:
    table = results.table
    return definitions(table.tolerance_m, table.posting_m, tables.interval_over(table))


def _context(results: Results, panels: list[Panel], pictures: dict[str, Picture]) -> dict[str, Any]:
    config, facts, outcomes = results.config, data_facts(results.data), outcome_rows(results)
    return {
        "config": config,
        "when": _when(results),
        "stages": {stage: record.wall_s for stage, record in results.stages.items()},
        "versions": {name: version(name) for name in PACKAGES} | {"Python": platform.python_version()},
        "verdicts": verdicts(results),
        "cautions": cautions(results, facts),
        "few_cautions": FEW_CAUTIONS,
        "essence": essence(results),
        "sections": _table_sections(results),
        "data_sets": data_set_tables(results),
        "lines": results.lines,
        "line_rows": line_rows(results.lines),
        "scenes_rows": scenes_rows(results.lines),
        "columns": (*tables.METRICS, tables.TAU, *tables.COUNTS),
        "apart": GROUPS,
        "interval_over": tables.interval_over(results.table),
        "tolerance_m": results.table.tolerance_m,
        "posting_m": results.table.posting_m,
        "pictures": pictures,
        "samples": [pictures[f"samples-{stratum.key}"] for stratum in results.members],
        "outcomes": outcomes,
        "saving": saving_words(outcomes),
        "rungs": rung_rows(results),
        "missing_importance": missing_importance(panels),
        "winners": winner_rows(results),
        "retrained": retrained_rows(results),
        "common": common_parameters(results),
        "metric_word": METRIC_WORDS[config.space.search.rank_by],
        "setup": setup_facts(config, _changes(results)),
        "facts": facts,
        "citations": _citations(results, pictures),
    }


def _maps(results: Results) -> Markup | None:
    """Return the maps of whole scenes as JSON, or None where there are none."""
    maps = scene_maps(results)
    return None if maps is None else json_for_script(maps)


def _trials(results: Results) -> Markup | None:
    """Return every trial as JSON, or None where none was begun."""
    if not results.records.trials:
        return None
    won = {key: winner.trial_id for key, winner in results.winners.items()}
    return json_for_script(trial_data(results.records, results.config.space.search, won))


def _changes(results: Results) -> list[str]:
    """Return how the training of members differed from that of their trials."""
    return describe_changes(
        {stratum.title: member.card.changed_since_trial for stratum, member in results.members.items()}
    )


def _when(results: Results) -> str:
    """Return when the last stage in the report was finished."""
    last = max(record.finished_unix_s for record in results.stages.values())
    return datetime.fromtimestamp(last, tz=UTC).strftime("%-d %B %Y, %H:%M UTC")


def _table_sections(results: Results) -> list[TableSection]:
    sections = []
    for size in tables.all_patch_sizes(results.table):
        networks = tables.networks_of(results.table, size)
        section = TableSection(
            size=size,
            networks=networks,
            failed=tables.failed_of(results.table, size),
            baselines=tables.baselines_of(results.table, size),
            best={column.key: best_value(results.table, size, column) for column in tables.COLUMNS},
            intervals={row.title: tables.interval_text(row) for row in networks},
        )
        sections.append(section)
    return sections


def _citations(results: Results, pictures: dict[str, Picture]) -> list[Citation]:
    config, search = results.config, results.config.space.search
    return [
        *(Citation(card.citation) for card in config.card.data_sets if card.citation),
        *CITATIONS,
        *([PROPOSING] if search.sampler == "tpe" else []),
        *([STOPPING[search.scheduler.name]] if search.scheduler.name in STOPPING else []),
        *([IMPORTANCE] if "importance" in pictures else []),
        *(SIMULATION if any(card.simulation for card in config.card.data_sets) else []),
    ]
