"""What a sweep was begun with, as far as it says how much there is to do."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from glsweep.config.space import Budget, Figure, NoStopping, Resources, SearchSpace, Stopping
from glsweep.config.trial import Stratum
from glsweep.spaces.plan import ListedPlan, Plan


@dataclass(frozen=True)
class Terms:
    """What is planned, and by which rules.

    Attributes
    ----------
    planned : dict
        Configurations of each stratum; None where they are drawn as the sweep goes.
    size : int or None
        Configurations in all; None where only a budget of epochs or hours ends the sweep.
    figure : Figure
        What ranks.
    epochs : int
        A trial's full budget.
    resources : Resources
        What one trial takes.
    stopping, budget, replicates
        As in the search settings.
    """

    planned: Mapping[Stratum, int | None]
    size: int | None
    figure: Figure
    epochs: int
    resources: Resources
    stopping: Stopping
    budget: Budget
    replicates: int

    @classmethod
    def of_search(cls, plan: Plan, space: SearchSpace) -> Self:
        """Return the terms of the sweep over `space`."""
        search = space.search
        return cls(
            planned=_planned(plan),
            size=plan.size,
            figure=search.rank_by,
            epochs=search.epochs,
            resources=space.resources,
            stopping=search.scheduler,
            budget=search.budget,
            replicates=search.replicates,
        )

    @classmethod
    def of_retraining(cls, strata: Sequence[Stratum], space: SearchSpace) -> Self:
        """Return the terms of retraining one winner of each of `strata`."""
        return cls(
            planned=dict.fromkeys(strata, 1),
            size=len(strata),
            figure=space.retraining.monitor,
            epochs=space.retraining.epochs,
            resources=space.resources,
            stopping=NoStopping(),
            budget=Budget(),
            replicates=1,
        )

    @property
    def may_end_early(self) -> bool:
        """Whether a budget may end the sweep before its plan does."""
        return self.budget.epochs is not None or self.budget.hours is not None


def _planned(plan: Plan) -> dict[Stratum, int | None]:
    if isinstance(plan, ListedPlan):
        return dict(sorted(Counter(trial.stratum for trial in plan.trials).items()))
    return dict.fromkeys(plan.strata, None)
