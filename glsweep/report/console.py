"""What is printed of a study: results after a stage, its status, and other stopping rules replayed."""

import math
from collections.abc import Callable, Iterable, Sequence

import pandas as pd
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from glsweep.errors import ConfigError, StudyError
from glsweep.files import replacing
from glsweep.report import DASH, METRIC_WORDS, counted, joined
from glsweep.report.figures import house_style, png_bytes
from glsweep.report.figures.stopping import draw_replay
from glsweep.report.scene_tables import console_line_table, data_set_lines, scenes_rows
from glsweep.report.study_facts import data_facts
from glsweep.report.table import console_table
from glsweep.study import Study
from glsweep.study.artifacts import DataSummary, Failure, ReportSummary, read_artifact
from glsweep.study.evaluation_artifacts import StudyLines, StudyTable
from glsweep.sweep.records import read_records
from glsweep.sweep.replay import RuleSummary, Spread, replay, summarise
from glsweep.sweep.rungs import parse_rules, rule_name
from glsweep.tracking.address import browse_command, tracking_uri, trials_page


def print_data(found: DataSummary, console: Console) -> None:
    """Print what was found in scenes and lines, and how patches were drawn."""
    facts = data_facts(found)
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
    lines.append(facts.proof or "patches of different splits share ground: test metrics are too good")
    for line in lines:
        console.print(f"  {line}", highlight=False, markup=False)


def print_results(study: Study, console: Console) -> None:
    """Print the table, its cautions, and where to look further."""
    table = read_artifact(study.table_json, StudyTable)
    console.print(console_table(table))
    for line in data_set_lines(table):
        console.print(line, highlight=False)
    if study.lines_json.is_file():
        console.print(console_line_table(scenes_rows(read_artifact(study.lines_json, StudyLines))))
    summary = study.record("report").summary
    assert isinstance(summary, ReportSummary), "what the stage `report` leaves"
    for headline in summary.headlines:
        console.print(Text(headline, style="bold"))
    for caution in summary.cautions:
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
    from glsweep.tracking.address import carry_on_without_store  # noqa: PLC0415
    from glsweep.tracking.store import connect  # noqa: PLC0415

    uri = tracking_uri(study)
    command = browse_command(uri)
    if command is not None:
        console.print(f"compare: {command}", soft_wrap=True, highlight=False, markup=False)
    with carry_on_without_store(study, console):
        store = connect(study)
        page = trials_page(uri, store.experiment_id, study.id, study.config.space.search.rank_by)
        shown = "compare:" if command is None else "   then:"
        console.print(f"{shown} {page}", soft_wrap=True, highlight=False, markup=False)


# --- Replayed stopping rules, as a table

LEAST = "\N{GREATER-THAN OR EQUAL TO}"


def replay_table(summaries: Sequence[RuleSummary], *, metric: str, recorded: str, orders: int) -> Group:
    """Return one row a rule, the cheapest first; those that nothing beats are bold.

    Parameters
    ----------
    summaries : sequence of RuleSummary
        Rules about which the learning curves say enough.
    metric : str
        The one that ranks.
    recorded : str
        Name of the sweep's own rule, which is marked.
    orders : int
        Shuffled orders that were played besides the plan's.
    """
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.title_justify = "left"
    table.title = f"Stopping rules replayed, by {METRIC_WORDS[metric]}"
    table.add_column("rule", no_wrap=True)
    for heading in ("epochs", "of full", "winners kept", "worst regret", "median regret"):
        table.add_column(Text(heading.replace(" ", "\n", 1), justify="right"), justify="right", no_wrap=True)
        if orders and heading in ("of full", "winners kept", "worst regret"):
            table.add_column(Text("10-90 %", style="dim"), justify="right", style="dim", no_wrap=True)
    is_cut = any(summary.unknown for summary in summaries)
    if is_cut:
        table.add_column(Text("not\nknown", justify="right"), justify="right")
    for summary in summaries:
        cells = _cells(summary, with_spread=orders > 0) + [str(summary.unknown or DASH)] * is_cut
        name = f"{summary.rule} *" if summary.rule == recorded else summary.rule
        table.add_row(name, *cells, style="bold" if summary.is_efficient else "")
    return Group(table, *(Text(remark, style="dim") for remark in _remarks(summaries, orders)))


def _cells(summary: RuleSummary, *, with_spread: bool) -> list[str]:
    least = LEAST if summary.unknown else ""
    share, kept, worst = summary.share, summary.kept, summary.worst_regret
    texts = [
        f"{least}{summary.epochs:,}",
        f"{least}{share.planned:.0%}",
        _range(share, lambda value: f"{100 * value:.0f}"),
        f"{kept.planned:.0f} of {summary.strata}",
        _range(kept, lambda value: f"{value:.0f}"),
        _number(worst.planned),
        _range(worst, _number),
        _number(summary.median_regret.planned),
    ]
    return texts if with_spread else [texts[place] for place in (0, 1, 3, 5, 7)]


def _range(spread: Spread, text: Callable[[float], str]) -> str:
    return f"{text(spread.low)}{DASH}{text(spread.high)}"


def _number(value: float) -> str:
    return "?" if math.isnan(value) else f"{value:.3f}"


def _remarks(summaries: Sequence[RuleSummary], orders: int) -> list[str]:
    remarks = ["*: this study's rule. Bold: no other one is both cheaper and loses less."]
    remarks.append("Regret: how much worse than the sweep's a stratum's winner is.")
    if orders:
        remarks.append(f"First columns: the plan's order; 10-90 %: over it and {orders} shuffled ones.")
    if any(summary.unknown for summary in summaries):
        remarks.append(
            f"Not known: how many trials would have gone on where the sweep stopped them; {LEAST}: at least."
        )
    return remarks


# --- The command `replay`


def replay_study(study: Study, names: Sequence[str], *, orders: int, console: Console) -> None:
    """Replay rules, print a table, and write `replay/replay.csv` and `replay/replay.png`.

    Parameters
    ----------
    study : Study
        Its sweep must be over.
    names : sequence of str
        Short names of rules; empty for all that are sensible.
    orders : int
        Shuffled orders that are played besides the plan's.
    console : Console
        Where to.

    Raises
    ------
    ConfigError
        When a rule cannot be read.
    StudyError
        When the sweep is not over, or says too little about every rule.
    """
    if orders < 0:
        raise ConfigError(f"--orders {orders}: must not be negative")
    study.record("sweep")
    search = study.config.space.search
    rules = parse_rules(names, epochs=search.epochs)
    if not names and search.scheduler not in rules:
        rules.append(search.scheduler)
    records = read_records(study.ledger_jsonl)
    plays = replay(
        records, rules, metric=search.rank_by, epochs=search.epochs, orders=orders, seed=study.config.seed
    )
    summaries = summarise(plays)
    shown = [summary for summary in summaries if summary.is_conclusive]
    omitted = [summary for summary in summaries if not summary.is_conclusive]
    recorded = rule_name(search.scheduler)
    if not shown:
        raise StudyError(f"{study.directory}: {_too_little_known(omitted)}; {_remedy(recorded)}")
    console.print(replay_table(shown, metric=search.rank_by, recorded=recorded, orders=orders))
    if omitted:
        console.print(Text(f"not shown: {_too_little_known(omitted)}; {_remedy(recorded)}", style="yellow"))
    if search.sampler == "tpe":
        text = "mind: another rule would have led tpe to other configurations; here they are as they came"
        console.print(Text(text, style="yellow"))
    with house_style():
        _write(plays[plays["rule"].isin([summary.rule for summary in shown])], study, recorded, console)


def _write(plays: pd.DataFrame, study: Study, recorded: str, console: Console) -> None:
    """Write rows and figure, or say that they were not written because the study is read-only."""
    drawn = draw_replay(plays, study.config.space.search.rank_by, recorded=recorded)
    try:
        with replacing(study.replay) as folder:
            folder.mkdir()
            plays.to_csv(folder / "replay.csv", index=False)
            (folder / "replay.png").write_bytes(png_bytes(drawn.figure))
    except OSError as error:
        text = f"rows and figure were not written to {study.replay}: {error.strerror}"
        console.print(Text(text, style="yellow"), soft_wrap=True)
        return
    console.print(f"figure: {study.replay / 'replay.png'}", soft_wrap=True, highlight=False)
    console.print(f"rows:   {study.replay / 'replay.csv'}", soft_wrap=True, highlight=False)


def _too_little_known(omitted: Sequence[RuleSummary]) -> str:
    names = ", ".join(summary.rule for summary in omitted)
    unknown, trials = max((summary.unknown, summary.trials) for summary in omitted)
    return (
        f"too little is known of {names}, under which up to {unknown} of {trials} trials would have trained "
        "on where the sweep stopped them"
    )


def _remedy(recorded: str) -> str:
    return (
        f"replay rules that stop earlier than this study's {recorded}, or a study with "
        "`scheduler: {name: none}`"
    )
