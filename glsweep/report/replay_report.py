"""The command `replay`: table, rows and figure of what other stopping rules would have done."""

from collections.abc import Sequence

import pandas as pd
from rich.console import Console
from rich.text import Text

from glsweep.errors import ConfigError, StudyError
from glsweep.files import replacing
from glsweep.report.replay_curves import draw_replay
from glsweep.report.replay_table import replay_table
from glsweep.report.style import house_style, png_bytes
from glsweep.study import Study
from glsweep.sweep.records import read_records
from glsweep.sweep.replay import replay
from glsweep.sweep.replay_summary import RuleSummary, summarise
from glsweep.sweep.stopping_rules import parse_rules, rule_name


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
        records, rules, figure=search.rank_by, epochs=search.epochs, orders=orders, seed=study.config.seed
    )
    summaries = summarise(plays)
    told = [summary for summary in summaries if summary.is_told]
    untold = [summary for summary in summaries if not summary.is_told]
    recorded = rule_name(search.scheduler)
    if not told:
        raise StudyError(f"{study.directory}: {_untold(untold)}; {_remedy(recorded)}")
    console.print(replay_table(told, figure=search.rank_by, recorded=recorded, orders=orders))
    if untold:
        console.print(Text(f"not shown: {_untold(untold)}; {_remedy(recorded)}", style="yellow"))
    if search.sampler == "tpe":
        text = "mind: another rule would have led tpe to other configurations; here they are as they came"
        console.print(Text(text, style="yellow"))
    with house_style():
        _write(plays[plays["rule"].isin([summary.rule for summary in told])], study, recorded, console)


def _write(plays: pd.DataFrame, study: Study, recorded: str, console: Console) -> None:
    """Write rows and figure, or say that a study that can only be read holds neither."""
    plate = draw_replay(plays, study.config.space.search.rank_by, recorded=recorded)
    try:
        with replacing(study.replay) as folder:
            folder.mkdir()
            plays.to_csv(folder / "replay.csv", index=False)
            (folder / "replay.png").write_bytes(png_bytes(plate.figure))
    except OSError as error:
        text = f"rows and figure were not written to {study.replay}: {error.strerror}"
        console.print(Text(text, style="yellow"), soft_wrap=True)
        return
    console.print(f"figure: {study.replay / 'replay.png'}", soft_wrap=True, highlight=False)
    console.print(f"rows:   {study.replay / 'replay.csv'}", soft_wrap=True, highlight=False)


def _untold(untold: Sequence[RuleSummary]) -> str:
    names = ", ".join(summary.rule for summary in untold)
    unknown, trials = max((summary.unknown, summary.trials) for summary in untold)
    return (
        f"too little is known of {names}, under which up to {unknown} of {trials} trials would have trained "
        "on where the sweep stopped them"
    )


def _remedy(recorded: str) -> str:
    return (
        f"replay rules that stop earlier than this study's {recorded}, or a study with "
        "`scheduler: {name: none}`"
    )
