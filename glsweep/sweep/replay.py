"""What other stopping rules would have done, replayed over the learning curves of a finished sweep.

The rules are those of the sweep itself (`rungs.Rung`). What happens at a rung depends on earlier rungs
alone, so that they can be replayed one after another. The curve of a trial that was
stopped in the sweep ends there: how it would have gone on is not known.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from glsweep.config.space import HIGHER_IS_BETTER, Metric
from glsweep.config.stopping import Stopping
from glsweep.config.trial import Outcome, Stratum
from glsweep.randomness import generator_for
from glsweep.sweep.records import SweepRecords, TrialRecord
from glsweep.sweep.rungs import Rung, SeedScores, rule_name, rung_epochs
from glsweep.training import is_better


@dataclass(frozen=True)
class Configuration:
    """A configuration as the sweep ran it: its first seed, and the others that ran in full."""

    first: TrialRecord
    others: tuple[TrialRecord, ...] = ()

    def value(self, metric: Metric) -> float:
        """Return the mean of the best `metric` over the seeds; NaN where the first did not run in full."""
        if self.first.outcome != "completed":
            return math.nan
        scores = SeedScores.of((self.first, *self.others), metric)
        return scores.mean if scores else math.nan

    def full_epochs(self, epochs: int) -> int:
        """Return the epochs that it takes without early stopping; a failed trial fails again."""
        was_stopped = self.first.outcome == "stopped"
        return (epochs if was_stopped else self.first.reached) + sum(other.reached for other in self.others)


@dataclass(frozen=True)
class ReplayedStratum:
    """One stratum under one rule in one order.

    Attributes
    ----------
    rule, stratum : str
        Short name of the rule; key of the stratum.
    order : int
        0 for the plan's order, from 1 for shuffled ones.
    epochs, full_epochs : int
        Epochs spent, as far as the curves reach; epochs without early stopping.
    trials, unknown : int
        Configurations; those that would have trained on where their curve ends.
    winner : str
        Identifier of the best configuration that ran in full, empty where none is known.
    regret : float
        By how much that is worse than the best one of the sweep, NaN where there is none.
    """

    rule: str
    stratum: str
    order: int
    epochs: int
    full_epochs: int
    trials: int
    unknown: int
    winner: str
    regret: float


def configurations(records: SweepRecords) -> dict[Stratum, list[Configuration]]:
    """Return the configurations of each stratum in the plan's order."""
    strata: dict[Stratum, list[Configuration]] = {}
    for index in sorted(records.firsts):
        first = records.firsts[index]
        others = records.replicates.get(first.trial.configuration, [])
        completed = tuple(other for other in others if other.outcome == "completed")
        strata.setdefault(first.trial.stratum, []).append(Configuration(first, completed))
    return dict(sorted(strata.items()))


def replay(
    records: SweepRecords,
    rules: Sequence[Stopping],
    *,
    metric: Metric,
    epochs: int,
    orders: int,
    seed: int,
) -> pd.DataFrame:
    """Replay every rule over every stratum, in the plan's order and in `orders` shuffled ones.

    Returns
    -------
    DataFrame
        One row for each `ReplayedStratum`.
    """
    strata = configurations(records)
    plays = [
        replay_stratum(
            stratum, _shuffled(ordered, seed, stratum, order), rule, metric=metric, epochs=epochs, order=order
        )
        for rule in rules
        for order in range(orders + 1)
        for stratum, ordered in strata.items()
    ]
    return pd.DataFrame(plays)


def replay_stratum(
    stratum: Stratum,
    ordered: Sequence[Configuration],
    rule: Stopping,
    *,
    metric: Metric,
    epochs: int,
    order: int = 0,
) -> ReplayedStratum:
    """Replay one rule over one stratum in the given order."""
    values = {configuration.first.trial.trial_id: configuration.value(metric) for configuration in ordered}
    best, winner, spent, unknown = _best(values, metric), "", 0, 0
    for configuration, ending in zip(ordered, replay_trials(ordered, rule, metric, epochs), strict=True):
        spent += ending.epochs
        unknown += ending.outcome is None
        if ending.outcome == "completed":
            spent += sum(other.reached for other in configuration.others)
            if is_better(metric, values[ending.trial_id], values.get(winner)):
                winner = ending.trial_id
    sign = 1.0 if HIGHER_IS_BETTER[metric] else -1.0
    return ReplayedStratum(
        rule=rule_name(rule),
        stratum=stratum.key,
        order=order,
        epochs=spent,
        full_epochs=sum(configuration.full_epochs(epochs) for configuration in ordered),
        trials=len(ordered),
        unknown=unknown,
        winner=winner,
        regret=sign * (best - values[winner]) if winner else math.nan,
    )


class ReplayedTrial(NamedTuple):
    """How a trial would have ended; the outcome is None where its curve ends too early to say."""

    trial_id: str
    epochs: int
    outcome: Outcome | None


def replay_trials(
    ordered: Sequence[Configuration], rule: Stopping, metric: Metric, epochs: int
) -> Iterator[ReplayedTrial]:
    """Yield how each trial of a stratum would have ended, judged rung by rung."""
    recorded = [configuration.first for configuration in ordered]
    stratum = {
        one.trial.trial_id: TrialRecord(one.trial, one.started_unix_s, epochs=one.epochs) for one in recorded
    }
    for epoch in rung_epochs(rule, epochs):
        for record, one in zip(stratum.values(), recorded, strict=True):
            if record.outcome is None:
                record.reached = min(epoch, one.reached)
                # Nobody must wait for a trial whose curve ends before the rung.
                record.outcome = one.outcome if one.reached < epoch else None
        for judged in Rung(epoch, rule, metric, len(stratum)).advance([*stratum.values()]):
            if not judged.goes_on:
                record = stratum[judged.trial_id]
                record.outcome, record.rung_epoch = "stopped", epoch
    for one in recorded:
        stopped_at = stratum[one.trial.trial_id].rung_epoch
        if stopped_at is not None:
            yield ReplayedTrial(one.trial.trial_id, stopped_at, "stopped")
        else:
            outcome = None if one.outcome == "stopped" else one.outcome
            yield ReplayedTrial(one.trial.trial_id, one.reached, outcome)


def _best(values: dict[str, float], metric: Metric) -> float:
    found = [value for value in values.values() if not math.isnan(value)]
    return (max if HIGHER_IS_BETTER[metric] else min)(found, default=math.nan)


def _shuffled(
    ordered: Sequence[Configuration], seed: int, stratum: Stratum, order: int
) -> Sequence[Configuration]:
    if order == 0:
        return ordered
    places = generator_for(seed, "replay", order, stratum.key).permutation(len(ordered))
    return [ordered[place] for place in places]


# --- The summary of each rule

# A rule is not reported when more of the trials than this would have trained on beyond their curves.
LARGEST_UNKNOWN_SHARE = 0.5


@dataclass(frozen=True)
class Spread:
    """A number in the plan's order, and its 10, 50 and 90 % quantiles over all orders."""

    planned: float
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class RuleSummary:
    """What a rule costs and loses, over all strata.

    Attributes
    ----------
    epochs : int
        Spent in the plan's order; a lower limit where `unknown` is not 0.
    share : Spread
        Epochs spent, as a share of those without early stopping.
    kept : Spread
        Number of strata whose winner is the sweep's, or as good.
    worst_regret, median_regret : Spread
        Over strata, how much worse their winner is than the sweep's; NaN where one is not known.
    trials, unknown : int
        Configurations; those that, in the plan's order, would have trained on where their curve ends.
    is_efficient : bool
        Whether no other rule is cheaper and loses less, by the means over all orders.
    """

    rule: str
    epochs: int
    share: Spread
    strata: int
    kept: Spread
    worst_regret: Spread
    median_regret: Spread
    trials: int
    unknown: int
    is_efficient: bool

    @property
    def is_conclusive(self) -> bool:
        """Whether the curves reach far enough to judge this rule."""
        return self.unknown <= LARGEST_UNKNOWN_SHARE * self.trials


def summarise(plays: pd.DataFrame) -> list[RuleSummary]:
    """Return a row for each rule, the cheapest first.

    Parameters
    ----------
    plays : DataFrame
        As `replay` returns it.
    """
    grouped = plays.groupby(["rule", "order"], sort=False)
    orders = pd.DataFrame(
        {
            "epochs": grouped["epochs"].sum(),
            "share": grouped["epochs"].sum() / grouped["full_epochs"].sum(),
            "strata": grouped.size(),
            "kept": grouped["regret"].agg(lambda regret: (regret <= 0).sum()),
            "worst_regret": grouped["regret"].agg(lambda regret: regret.max(skipna=False)),
            "median_regret": grouped["regret"].agg(lambda regret: regret.median(skipna=False)),
            "trials": grouped["trials"].sum(),
            "unknown": grouped["unknown"].sum(),
        }
    )
    efficient = _efficient(orders)
    rules = [(str(rule), of_rule) for rule, of_rule in orders.groupby(level="rule")]
    found = [_summary(rule, of_rule, is_efficient=rule in efficient) for rule, of_rule in rules]
    return sorted(found, key=lambda summary: (summary.share.median, summary.rule))


def _summary(rule: str, orders: pd.DataFrame, *, is_efficient: bool) -> RuleSummary:
    planned = orders.xs(0, level="order").iloc[0]
    return RuleSummary(
        rule=rule,
        epochs=int(planned["epochs"]),
        share=_spread(orders["share"]),
        strata=int(planned["strata"]),
        kept=_spread(orders["kept"]),
        worst_regret=_spread(orders["worst_regret"]),
        median_regret=_spread(orders["median_regret"]),
        trials=int(planned["trials"]),
        unknown=int(planned["unknown"]),
        is_efficient=is_efficient,
    )


def _spread(values: pd.Series) -> Spread:
    """Return quantiles; NaN is worse than any number, and makes those above it NaN."""
    low, median, high = values.fillna(math.inf).quantile([0.1, 0.5, 0.9], interpolation="higher")
    return Spread(float(values.xs(0, level="order").iloc[0]), *map(_finite, (low, median, high)))


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def _efficient(orders: pd.DataFrame) -> set[str]:
    """Return the rules that no other one beats in cost and loss, by the means over all orders."""
    conclusive = orders[orders["unknown"] <= LARGEST_UNKNOWN_SHARE * orders["trials"]]
    means = conclusive.fillna(math.inf)[["share", "worst_regret"]].groupby(level="rule").mean().reset_index()
    rows = means.to_numpy().tolist()
    return {rule for rule, share, regret in rows if not any(_beats(r[1:], (share, regret)) for r in rows)}


def _beats(one: Iterable[float], other: Iterable[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
