"""Does TPE beat chance? `wide` searched on invented networks, by both with the same budget.

    python benchmarks/search.py [--worlds 10] [--figure curves.png]

The plans, the queue, the journal and its rungs are the real ones, and so is the search space; invented are
the learning curves (invented_networks.py). First with early stopping as in the file and a budget of epochs,
then without and with a budget of trials. Reported is what the best configuration found so far reaches in the
long run, free of the noise that chose it, as the mean over strata: median and quartiles over worlds, and the
mean lead with its standard error.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import search_wide
import tyro
from rich.console import Console
from rich.table import Table


@dataclass
class Options:
    """What is tried."""

    worlds: Annotated[int, tyro.conf.arg(help="how many")] = 10
    figure: Annotated[Path | None, tyro.conf.arg(help="where to draw the curves")] = None


def main(options: Options) -> None:
    """Print a table for each contest."""
    console = Console(width=120)
    with ProcessPoolExecutor() as pool:
        found = [search_wide.curves(options.worlds, contest, pool) for contest in search_wide.CONTESTS]
    for contest, one in zip(search_wide.CONTESTS, found, strict=True):
        rows = search_wide.table_rows(one, contest.epochs)
        columns = ["epochs", *one, "mean lead of tpe", "tpe ahead"]
        console.print(_table(f"`wide`, {contest.title}", columns, rows))
    if options.figure is not None:
        search_wide.draw(found, options.figure)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*columns, title=title, title_justify="left", box=None)
    for row in rows:
        table.add_row(*row)
    return table


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
