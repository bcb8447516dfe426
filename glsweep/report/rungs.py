"""What happened at each rung: who was judged, who went on, and against what cut-off."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from glsweep.config.space import Asha, Median, Stopping
from glsweep.config.trial import Stratum
from glsweep.report.results import Results


@dataclass(frozen=True)
class RungRow:
    """One rung of one stratum in numbers; `cutoff` is that of its last judgement."""

    title: str
    epoch: int
    judged: int
    went_on: int
    cutoff: float

    @property
    def stopped(self) -> int:
        """Trials that were stopped here."""
        return self.judged - self.went_on


def judgements(results: Results, stratum: Stratum) -> pd.DataFrame:
    """Return the judgements of a stratum, rung by rung in the plan's order, with `went_on` for each."""
    places = results.trials_of(stratum)[["trial_id", "index"]]
    mine = results.history.judged.merge(places, on="trial_id")
    mine["went_on"] = mine["rank"] <= mine["kept"]
    return mine.sort_values(["rung_epoch", "index"], ignore_index=True)


def ran_in_full(results: Results, stratum: Stratum) -> pd.DataFrame:
    """Return the first seeds that ran their full budget in the plan's order, with `won` for each."""
    trials = results.trials_of(stratum)
    full = trials[(trials["outcome"] == "completed") & (trials["replicate"] == 0)].sort_values("index")
    return full.assign(won=full["trial_id"] == results.winners.get(stratum.key, {}).get("trial_id"))


def rung_rows(results: Results) -> list[RungRow]:
    """Return one row for each stratum and rung at which a trial was judged."""
    return [row for stratum in results.trial_strata for row in _rows_of(results, stratum)]


def rule_words(stopping: Stopping) -> str:
    """Return who goes on at a rung, as the end of a sentence; nothing where nobody is judged."""
    match stopping:
        case Asha():
            return f"the best 1 in {stopping.reduction_factor} (at least one) go on"
        case Median():
            return "the better half goes on"
        case _:
            return ""


def _rows_of(results: Results, stratum: Stratum) -> Iterator[RungRow]:
    for epoch, mine in judgements(results, stratum).groupby("rung_epoch"):
        yield RungRow(
            title=stratum.title,
            epoch=int(str(epoch)),
            judged=len(mine),
            went_on=int(mine["went_on"].sum()),
            cutoff=float(mine["cutoff"].iloc[-1]),
        )
