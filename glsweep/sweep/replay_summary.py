"""Replayed rules in numbers, one row a rule."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

# A rule is not told of when more of the trials than this would have trained on beyond their curves.
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
        Spent in the plan's order; at least so many where `unknown` is not 0.
    share : Spread
        Epochs spent, of those without early stopping.
    kept : Spread
        Strata whose winner is the sweep's, or as good.
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
    def is_told(self) -> bool:
        """Whether the curves say enough about this rule."""
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
    rules = [(str(rule), mine) for rule, mine in orders.groupby(level="rule")]
    found = [_summary(rule, mine, is_efficient=rule in efficient) for rule, mine in rules]
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
    told = orders[orders["unknown"] <= LARGEST_UNKNOWN_SHARE * orders["trials"]]
    means = told.fillna(math.inf)[["share", "worst_regret"]].groupby(level="rule").mean().reset_index()
    rows = means.to_numpy().tolist()
    return {rule for rule, share, regret in rows if not any(_beats(r[1:], (share, regret)) for r in rows)}


def _beats(one: Iterable[float], other: Iterable[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
