"""Conformal quantile regression in Syne Tune (Salinas et al., ICML 2023), as a sampler of one's own.

Needs `pip install syne-tune==0.16.0 huggingface_hub`, and downloads nothing. It learns what every trial has
reached, also of those that still run or were stopped, so that under early stopping it is the searcher of Syne
Tune's `ASHACQR`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sampler_rivals import RivalPlan, Searcher, varied
from syne_tune.config_space import choice, loguniform, uniform
from syne_tune.optimizer.schedulers.searchers.last_value_multi_fidelity_searcher import (
    LastValueMultiFidelitySearcher,
)

from glsweep.config.dimension import Dimension, span_of
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum
from glsweep.search.plan import EarlierTrial, Picked


class Cqr(RivalPlan):
    """Conformal quantile regression in Syne Tune."""

    def searcher(self, stratum: Stratum, seed: int) -> Searcher:
        """Return Syne Tune's searcher."""
        return _Cqr(stratum, self._space, seed % 2**31)


# Results after which the regression is made anew: as many as a stratum has places.
REFITTED_AFTER = 4


class _Cqr:
    def __init__(self, stratum: Stratum, space: SearchSpace, seed: int) -> None:
        self._picked, dimensions = varied(stratum, space)
        self._varied = {name: _domain(name, dimension) for name, dimension in dimensions.items()}
        self._searcher = LastValueMultiFidelitySearcher(
            self._varied, random_seed=seed, searcher="cqr", update_frequency=REFITTED_AFTER
        )

    def ask(self, seed: int) -> Mapping[str, Picked]:
        np.random.seed(seed % 2**32)  # noqa: NPY002  Syne Tune draws from it
        return {**self._picked, **self._searcher.suggest()}

    def tell(self, earlier: EarlierTrial) -> None:
        picked = {name: earlier.trial.choices[name] for name in self._varied}
        best = max(earlier.metrics.values())
        self._searcher.on_trial_result(earlier.trial.index, picked, -best, max(earlier.metrics))


def _domain(name: str, dimension: Dimension) -> Any:
    """Return a dimension as Syne Tune has it."""
    if dimension.choices is None:
        span = span_of(name, dimension)
        return (loguniform if span.log else uniform)(span.low, span.high)
    return choice(list(range(len(dimension.choices))))
