"""What is printed between and after the stages."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from glsweep.files import read_json
from glsweep.report.data_facts import data_facts
from glsweep.report.data_sets import data_set_lines
from glsweep.report.line_tables import console_line_table, line_rows
from glsweep.report.table import console_table
from glsweep.report.words import counted, joined
from glsweep.study import Study
from glsweep.sweep.failures import Failure
from glsweep.tracking.address import browse_command, tracking_uri, trials_page


def print_data(findings: Mapping[str, Any], console: Console) -> None:
    """Print what was found in scenes and lines, and how patches were drawn."""
    facts = data_facts(findings)
    lines = [f"{counted(len(facts.scenes), 'scene')}, {counted(facts.line_rows, 'row')} of lines"]
    if facts.rows_without_geometry:
        names = joined([f"{name} ({count})" for name, count in facts.null_rows_by_scene.items()])
        lines.append(f"{counted(facts.rows_without_geometry, 'row')} without a geometry: {names}")
    if facts.rows_without_scene:
        lines.append(f"rows that name no scene here: {joined(sorted(facts.rows_without_scene))}")
    lines += facts.remarks
    lines += [f"left out: {name}, {reason}" for name, reason in facts.left_out.items()]
    lines.append(f"split by rule `{facts.rule}`: {facts.reason}")
    for row in facts.patches:
        counts = f"{row.with_line} with a line, {row.without_line} without"
        if row.overlap is not None:
            counts += f"; two of them share at most {row.overlap_text} of their pixels"
        lines.append(f"{row.patch_size_px} px {row.split}: {counts}")
    lines.append(facts.proof or "patches of different splits share ground: test figures are too good")
    for line in lines:
        console.print(f"  {line}", highlight=False, markup=False)


def print_results(study: Study, console: Console) -> None:
    """Print the table, what to mind about it, and where to look further."""
    table = read_json(study.table_json)
    console.print(console_table(table))
    for line in data_set_lines(table):
        console.print(line, highlight=False)
    if study.lines_json.is_file():
        console.print(console_line_table(line_rows(read_json(study.lines_json))))
    summary = study.record("report")["summary"]
    for headline in summary.get("headlines", []):
        console.print(Text(headline, style="bold"))
    for caution in summary["cautions"]:
        console.print(Text.assemble(("mind: ", "yellow"), caution))
    console.print(f"report:  {study.report_html}", soft_wrap=True, highlight=False, markup=False)
    _print_where_to_compare(study, console)


def print_failures(failed: Iterable[Failure], console: Console) -> None:
    """Print why strata failed, and what helps."""
    for failure in failed:
        console.print(Text.assemble(("failed: ", "red"), str(failure)), soft_wrap=True)


def _print_where_to_compare(study: Study, console: Console) -> None:
    """Print the command and the page with which the trials are compared in a browser."""
    # Importing MLflow takes seconds, which what is printed before the end need not wait for.
    from glsweep.tracking.away import without_stopping  # noqa: PLC0415
    from glsweep.tracking.store import connect  # noqa: PLC0415

    uri = tracking_uri(study)
    command = browse_command(uri)
    if command is not None:
        console.print(f"compare: {command}", soft_wrap=True, highlight=False, markup=False)
    with without_stopping(study, console):
        store = connect(study)
        page = trials_page(uri, store.experiment_id, study.id, study.config.space.search.rank_by)
        shown = "compare:" if command is None else "   then:"
        console.print(f"{shown} {page}", soft_wrap=True, highlight=False, markup=False)
