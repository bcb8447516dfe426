"""Worlds made of recorded sweeps: what a trial would report, from real learning curves, without training.

A configuration of the recorded grid reports the curve of one of its seeds, and is judged by the others.
Of the wide space some configurations are trained. Others learn as a forest of regression trees says, and
the noise is what that was off by where it had not seen a configuration. `WideWorld.check` says how far it can
be trusted. Its table has not been recorded yet; recorded_wide.yaml says how.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from recorded_sweeps import labels, read_recorded
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import KFold, cross_val_predict

from glsweep.config.dimension import Dimension, parameters_of
from glsweep.config.space import SearchSpace, load_space
from glsweep.config.trial import Stratum, TrialParameters
from glsweep.randomness import generator_for
from glsweep.search import plan_trials
from glsweep.search.draws import Configurations
from glsweep.search.plan import (
    SET_BY_STRATUM,
    Picked,
    PlannedTrial,
    Point,
    picks_within,
    random_pick,
    strata_of,
    traverse,
)

HERE = Path(__file__).parent


class World(Protocol):
    """What trials of a space report, and how good their configurations are."""

    file: Path
    space: SearchSpace

    def curve(self, trial: PlannedTrial) -> Sequence[float]:
        """Return the figure of merit of each epoch."""

    def quality(self, trial: PlannedTrial) -> float:
        """Return the figure of the trial's configuration without the noise that is in its curve."""

    def best(self, stratum: str) -> float:
        """Return the highest such figure of a stratum."""


def drawn_within(stratum: Stratum, space: SearchSpace, generator: np.random.Generator) -> Point:
    """Draw a configuration of a stratum."""
    draw = random_pick(generator)

    def pick(name: str, dimension: Dimension) -> Picked:
        if parameters_of(name, dimension) & SET_BY_STRATUM:
            return picks_within(stratum, name, dimension)[0]
        return draw(name, dimension)

    return traverse(space.dimensions, pick)


# --- The grid


class GridWorld:
    """The recorded grid; which seed a trial reports is drawn with the repetition's number."""

    file = HERE / "recorded_grid.yaml"

    def __init__(self, number: int, table: Path = HERE / "recorded_grid.csv.gz") -> None:
        self.space = load_space(self.file)
        self._number = number
        self._recorded = read_recorded(table)
        self._best: dict[str, float] = {}
        for trial in plan_trials(self.space, seed=0, source=self.file):
            reached = float(self._recorded.of(trial).max(axis=1).mean())
            self._best[trial.stratum.key] = max(reached, self._best.get(trial.stratum.key, reached))

    def curve(self, trial: PlannedTrial) -> Sequence[float]:
        """Return the curve of one seed."""
        return list(self._recorded.drawn(trial, self._number)[0])

    def quality(self, trial: PlannedTrial) -> float:
        """Return the mean over the other seeds of what each reached in its best epoch."""
        return self._recorded.drawn(trial, self._number)[1]

    def best(self, stratum: str) -> float:
        """Return the highest mean over all seeds; it owes part of that to chance."""
        return self._best[stratum]


# --- The wide space

TREES, FOLDS = 300, 10
# Recorded configurations that are predicted most alike; one of them lends its noise.
ALIKE = 10
DRAWN_FOR_BEST = 4000
LOGARITHMIC = ("learning_rate", "weight_decay", "base_width")


class WideWorld:
    """The wide space between its recorded configurations, by one forest for all strata."""

    file = HERE / "recorded_wide.yaml"

    def __init__(self, table: Path = HERE / "recorded_wide.csv.gz") -> None:
        if not table.is_file():
            raise SystemExit(
                f"{table}: is not there; record it as {self.file.name} says, or leave `wide` out"
            )
        self.space = load_space(self.file)
        recorded = read_recorded(table)
        rows = pd.DataFrame(recorded.curves.keys(), columns=list(recorded.columns))
        self._curves = np.array([of_seeds[0] for of_seeds in recorded.curves.values()])
        (size_px,) = (stratum.patch_size_px for stratum in strata_of(self.space)[:1])
        self._strata = np.array([Stratum(name, size_px).key for name in rows["architecture"]])
        inputs = _inputs(rows)
        self._columns = list(inputs)
        self._forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, max_features=None, random_state=0)
        folds = KFold(FOLDS, shuffle=True, random_state=0)
        # Of each configuration what is predicted without it.
        self._predicted = cross_val_predict(self._forest, inputs.to_numpy(), self._curves, cv=folds)
        self._forest.fit(inputs.to_numpy(), self._curves)
        self._best: dict[str, float] = {}
        self._known: dict[TrialParameters, np.ndarray] = {}

    def check(self) -> list[list[str]]:
        """Return a row a stratum: how well the forest predicts configurations that it has not seen."""
        rows = []
        for stratum in sorted(set(self._strata)):
            here = self._strata == stratum
            true, said = self._curves[here].max(axis=1), self._predicted[here].max(axis=1)
            off = true - said
            figures = (true.std(), off.std(), 1 - off.var() / true.var(), spearmanr(true, said).statistic)
            rows.append([stratum, f"{here.sum()}", *(f"{figure:.3f}" for figure in figures)])
        return rows

    def curve(self, trial: PlannedTrial) -> Sequence[float]:
        """Return the predicted curve with what the forest was off by for one that is predicted alike."""
        expected = self._expected(trial)
        unlike = abs(self._predicted.max(axis=1) - expected.max())
        unlike[self._strata != trial.stratum.key] = np.inf
        alike = np.argsort(unlike, kind="stable")[:ALIKE]
        lender = alike[generator_for(trial.seed, "noise").integers(ALIKE)]
        return list(np.clip(expected + self._curves[lender] - self._predicted[lender], 0.0, 1.0))

    def quality(self, trial: PlannedTrial) -> float:
        """Return what the predicted curve reaches."""
        return float(self._expected(trial).max())

    def best(self, stratum: str) -> float:
        """Return the highest figure among configurations that are drawn at random."""
        if stratum not in self._best:
            (wanted,) = (one for one in strata_of(self.space) if one.key == stratum)
            generator = generator_for(0, "best", stratum)
            made = Configurations(self.space, seed=0, source=self.file)
            points = [drawn_within(wanted, self.space, generator) for _ in range(DRAWN_FOR_BEST)]
            rows = [labels(made.parameters(point)) for point in points]
            self._best[stratum] = float(self._predict(rows).max(axis=1).max())
        return self._best[stratum]

    def _expected(self, trial: PlannedTrial) -> np.ndarray:
        if trial.parameters not in self._known:
            self._known[trial.parameters] = self._predict([labels(trial.parameters)])[0]
        return self._known[trial.parameters]

    def _predict(self, rows: Sequence[dict[str, str]]) -> np.ndarray:
        inputs = _inputs(pd.DataFrame(rows)).reindex(columns=self._columns, fill_value=0.0)
        return np.asarray(self._forest.predict(inputs.to_numpy()))


NUMBERS = (*LOGARITHMIC, "fn_weight", "fp_weight", "gamma", "bce_weight")
LABELS = ("architecture", "channels", "augmentation", "ds_weights")


def _inputs(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what the trees split on: numbers, some as logarithms, and one column a label."""
    numbers = rows.reindex(columns=list(NUMBERS)).astype(float)
    numbers[list(LOGARITHMIC)] = np.log(numbers[list(LOGARITHMIC)])
    return numbers.join(pd.get_dummies(rows[list(LABELS)], dtype=float))
