"""A study at a glance: its verdict, its table, and what is still to come."""

from typing import Any

from glsweep.errors import GlsweepError
from glsweep.notebook import shown
from glsweep.report.table import METRICS, all_patch_sizes, baselines_of, failed_of, interval_text, networks_of
from glsweep.study import Study
from glsweep.study.artifacts import ReportSummary, read_artifact
from glsweep.study.configuration import STAGES
from glsweep.study.evaluation_artifacts import StudyTable


def study_html(study: Study) -> str:
    """Return a study as HTML; whatever of it is missing or cannot be read is said there, not raised."""
    context: dict[str, Any] = {
        "name": study.directory.name,
        "folder": str(study.directory),
        "state": state_in_words(study),
        "headlines": [],
        "sections": [],
        "columns": [column.heading for column in METRICS[1:]],
        "fault": "",
    }
    try:
        if study.table_json.is_file():
            context["sections"] = _sections(read_artifact(study.table_json, StudyTable))
        if study.is_done("report"):
            summary = study.record("report").summary
            context["headlines"] = summary.headlines if isinstance(summary, ReportSummary) else []
    except (GlsweepError, OSError) as error:
        context["fault"] = str(error)
    return shown("study.html", context)


def state_in_words(study: Study) -> str:
    """Return how far a study is, by the stages that are complete."""
    to_come = [stage for stage in STAGES if not study.is_done(stage)]
    if study.config.card.simulation is None and "simulate" in to_come and len(to_come) < len(STAGES):
        to_come.remove("simulate")
    if not to_come:
        return "complete"
    if not study.has_begun:
        return f"its sweep has not begun; next comes {to_come[0]}"
    return f"not finished; next comes {to_come[0]}"


def _sections(table: StudyTable) -> list[dict[str, Any]]:
    """Return the rows of each patch size, the best network first; sizes are different test sets."""
    sections = []
    for size in all_patch_sizes(table):
        networks = sorted(networks_of(table, size), key=lambda row: -row.relaxed_f1)
        baselines = [row for row in baselines_of(table, size) if row.kind != "untrained"]
        rows = [
            {
                "title": row.title,
                "f1": METRICS[0].text_of(row),
                "interval": interval_text(row),
                "cells": [column.text_of(row) for column in METRICS[1:]],
                "is_network": row in networks,
            }
            for row in (*networks, *baselines)
        ]
        failed = [{"title": row.title, "reason": row.reason} for row in failed_of(table, size)]
        sections.append({"patch_size_px": size, "rows": rows, "failed": failed})
    return sections
