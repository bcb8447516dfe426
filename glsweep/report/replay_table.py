"""What other stopping rules would have done, as a table for a terminal."""

import math
from collections.abc import Callable, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from glsweep.report.words import DASH, FIGURE_WORDS
from glsweep.sweep.replay_summary import RuleSummary, Spread

LEAST = "\N{GREATER-THAN OR EQUAL TO}"


def replay_table(summaries: Sequence[RuleSummary], *, figure: str, recorded: str, orders: int) -> Group:
    """Return one row a rule, the cheapest first; those that nothing beats are bold.

    Parameters
    ----------
    summaries : sequence of RuleSummary
        Rules of which the curves say enough.
    figure : str
        What ranks.
    recorded : str
        Name of the sweep's own rule, which is marked.
    orders : int
        Shuffled orders that were played besides the plan's.
    """
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.title_justify = "left"
    table.title = f"Stopping rules replayed, by {FIGURE_WORDS[figure]}"
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
