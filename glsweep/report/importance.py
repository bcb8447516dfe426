"""How much each dimension decides a trial's metric, and how sure that is.

Functional analysis of variance (Hutter, Hoos & Leyton-Brown 2014, ICML) fits a random forest to the
metrics and splits its variance over the dimensions; Optuna's implementation does the work. Optuna's own
figure shows one forest of the trials that ran in full: of a few dozen trials most of that is chance, and
early stopping has chosen them. Here all trials are compared, at an epoch that all of them reached. Bootstrap
draws, each with another forest, show how far the answer is chance. A shuffled copy of each dimension, which
cannot matter, shows what a dimension without effect is given. PED-ANOVA (Watanabe, Bansal & Hutter 2023,
IJCAI) says besides what tells the best trials from the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator

from glsweep.config.dimension import Dimension, as_list
from glsweep.config.labels import parameter_label
from glsweep.config.space import HIGHER_IS_BETTER, SearchSpace
from glsweep.config.trial import canonical
from glsweep.randomness import generator_for
from glsweep.registry import ARCHITECTURES
from glsweep.report import counted, short
from glsweep.report.results import Results
from glsweep.search.distributions import parameters_set, quiet_optuna, title_of


def tied_columns(space: SearchSpace, columns: Sequence[str]) -> dict[str, list[str]]:
    """Group parameter columns into dimensions: tied parameters make one, named by their dimension."""
    groups: dict[str, list[str]] = {}
    for name, dimension in space.dimensions.items():
        present = [key for key in parameters_set(name, dimension) if key in columns]
        if present:
            groups[title_of(name, dimension)] = present
    grouped = {column for group in groups.values() for column in group}
    return {**groups, **{column: [column] for column in columns if column not in grouped}}


def varying(trials: pd.DataFrame, groups: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the groups in which `trials` differ."""
    return {name: group for name, group in groups.items() if len(trials[group].drop_duplicates()) > 1}


def labels_of(trials: pd.DataFrame, group: Sequence[str]) -> pd.Series:
    """Return one label a trial, such as `0.7 / 0.3 / 1.33` for tied parameters."""
    return trials[list(group)].astype(str).map(short).agg(" / ".join, axis=1)


# --- The share of each dimension: fANOVA on bootstrap draws

DRAWS = 30
TREES = 8
DEPTH = 6  # the time a tree takes grows with the square of its leaves
MOST_DRAWN = 300  # a draw of fewer trials than there are only widens the interval
SHUFFLED, BEST = "shuffled ", "best "


@dataclass(frozen=True)
class TrialDimension:
    """One dimension: each trial's place in it (a label or a number), and what there is to choose from."""

    places: npt.NDArray[np.object_]
    distribution: BaseDistribution


@dataclass(frozen=True)
class ImportanceShare:
    """The share of the variance between trials that one dimension explains by itself.

    `low`, `median` and `high` are the 10th, 50th and 90th percentile over the draws; `chance` is
    the 90th percentile of what its shuffled copy is given. `among_best` is the median of its share of what
    tells the best tenth from all (PED-ANOVA); all dimensions together have 1.
    """

    name: str
    low: float
    median: float
    high: float
    chance: float
    among_best: float = 0.0


def importance_shares(
    coordinates: Mapping[str, TrialDimension],
    values: npt.NDArray[np.float64],
    generator: np.random.Generator,
    *,
    higher_is_better: bool = True,
) -> list[ImportanceShare]:
    """Return the share of variance of each dimension, in the order of `coordinates`.

    Parameters
    ----------
    coordinates : mapping of str to TrialDimension
        Dimensions in which the N trials differ.
    values : float array (N,)
        What the trials reached; not all equal.
    generator : numpy.random.Generator
        Draws trials, shuffles and forests.
    higher_is_better : bool
        Which way the metric is good.
    """
    losses = -values if higher_is_better else values  # the variance is the same
    draws: list[dict[str, float]] = []
    with quiet_optuna():
        while len(draws) < DRAWS:
            drawn = generator.integers(len(values), size=min(len(values), MOST_DRAWN))
            if np.ptp(values[drawn]) > 0:
                draws.append(_draw(coordinates, losses, drawn, generator))
    return [_summary(name, draws) for name in coordinates]


def _draw(
    coordinates: Mapping[str, TrialDimension],
    values: npt.NDArray[np.float64],
    drawn: npt.NDArray[np.int64],
    generator: np.random.Generator,
) -> dict[str, float]:
    places = {name: coordinate.places[drawn] for name, coordinate in coordinates.items()}
    places |= {
        SHUFFLED + name: generator.permutation(coordinate.places)[drawn]
        for name, coordinate in coordinates.items()
    }
    distributions = {name: coordinate.distribution for name, coordinate in coordinates.items()}
    distributions |= {SHUFFLED + name: distribution for name, distribution in distributions.items()}
    study = optuna.create_study()
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: column[row] for name, column in places.items()},
                distributions=distributions,
                value=float(value),
            )
            for row, value in enumerate(values[drawn])
        ]
    )
    forest_seed = int(generator.integers(2**31))
    shares = FanovaImportanceEvaluator(n_trees=TREES, max_depth=DEPTH, seed=forest_seed).evaluate(study)
    return {**shares, **_among_best(study, list(coordinates))}


def _among_best(study: optuna.Study, names: list[str]) -> dict[str, float]:
    """Return what PED-ANOVA gives each dimension, together 1; a study of losses, so that low is good."""
    found = PedAnovaImportanceEvaluator().evaluate(study, params=names)
    total = sum(found.values())
    return {BEST + name: found[name] / total if total > 0 else 0.0 for name in names}


def _summary(name: str, draws: list[dict[str, float]]) -> ImportanceShare:
    low, median, high = np.percentile([draw[name] for draw in draws], [10, 50, 90])
    chance = np.percentile([draw[SHUFFLED + name] for draw in draws], 90)
    best = np.median([draw[BEST + name] for draw in draws])
    return ImportanceShare(name, float(low), float(median), float(high), float(chance), float(best))


# --- Panels: all trials of a patch size, then each of its strata

FEWEST_TRIALS = 12
TRIALS_A_DIMENSION = 2


@dataclass(frozen=True)
class Panel:
    """Importance among the trials of one patch size, or of one stratum.

    `architecture` is None where all of them are taken together. Metrics count until `epoch`. `remark` says
    why there are no `shares`.
    """

    patch_size_px: int
    architecture: str | None
    trials: int
    epoch: int
    shares: tuple[ImportanceShare, ...]
    remark: str = ""

    @property
    def title(self) -> str:
        """Name for people."""
        name = "All networks" if self.architecture is None else ARCHITECTURES.title(self.architecture)
        return f"{name} {self.patch_size_px}"


def importance_panels(results: Results) -> list[Panel]:
    """Return the importance within each patch size, and within each of its strata."""
    panels = []
    for size in sorted({stratum.patch_size_px for stratum in results.trial_strata}):
        strata = [stratum for stratum in results.trial_strata if stratum.patch_size_px == size]
        names = [stratum.architecture for stratum in strata]
        for architecture in [None, *names] if len(names) > 1 else names:
            panels.append(_panel(results, size, architecture))
    return panels


def _panel(results: Results, size: int, architecture: str | None) -> Panel:
    first = results.first_seeds
    here = (first["patch_size_px"] == size) & (architecture is None or first["architecture"] == architecture)
    trials, epoch = _reached(results, first[here])
    coordinates = _coordinates(results, trials)
    values = trials["metric"].to_numpy(dtype=float)
    remark = _remark(values, len(coordinates))
    if remark:
        return Panel(size, architecture, len(trials), epoch, (), remark)
    generator = generator_for(results.config.seed, "importance", size, architecture or "all")
    higher = HIGHER_IS_BETTER[results.config.space.search.rank_by]
    shares = importance_shares(coordinates, values, generator, higher_is_better=higher)
    return Panel(size, architecture, len(trials), epoch, tuple(shares))


def _reached(results: Results, trials: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the trials with their best `metric` until the last epoch that all of them reached.

    Those that failed before are left out, instead of setting that epoch.
    """
    ended_well = trials[trials["outcome"].isin(("completed", "stopped"))]
    epoch = int(ended_well["epochs"].min()) if len(ended_well) else 0
    epochs = results.history.epochs
    reached = epochs.loc[epochs["epoch"] == epoch, "trial_id"]
    until = epochs[(epochs["epoch"] <= epoch) & epochs["trial_id"].isin(reached)]
    better = "max" if HIGHER_IS_BETTER[results.config.space.search.rank_by] else "min"
    best = until.groupby("trial_id")["metric"].agg(better)
    values = trials["trial_id"].map(best)
    return trials.assign(metric=values)[values.notna()], epoch


def _remark(values: npt.NDArray[np.float64], dimensions: int) -> str:
    fewest = max(FEWEST_TRIALS, TRIALS_A_DIMENSION * dimensions)
    if not dimensions:
        return "trials do not differ"
    if len(values) < fewest:
        return f"{counted(len(values), 'trial')}, {fewest} needed"
    return "" if np.ptp(values) > 0 else "all trials are equal"


def _coordinates(results: Results, trials: pd.DataFrame) -> dict[str, TrialDimension]:
    """Return the dimensions that exist for each of these trials and in which they differ."""
    space = results.config.space
    groups = varying(trials, tied_columns(space, ["architecture", *results.parameter_columns]))
    coordinates = {}
    for name, dimension in space.dimensions.items():
        title = title_of(name, dimension)
        if title in groups and _exists_for_all(dimension, trials):
            searched = dimension.choices is None and space.search.sampler != "grid"
            coordinates[title] = (
                _measured(trials[groups[title][0]], log=dimension.log)
                if searched
                else _labelled(labels_of(trials, groups[title]))
            )
    return coordinates


def _exists_for_all(dimension: Dimension, trials: pd.DataFrame) -> bool:
    return all(
        trials[canonical(key)].map(parameter_label).isin(list(map(parameter_label, as_list(wanted)))).all()
        for key, wanted in dimension.when.items()
    )


def _measured(column: pd.Series, *, log: bool) -> TrialDimension:
    """Measure a range as it was searched: in logarithms where it was."""
    numbers = pd.to_numeric(column).to_numpy(dtype=float)
    places = np.log10(numbers) if log else numbers
    bounds = FloatDistribution(float(places.min()), float(places.max()))
    return TrialDimension(places.astype(object), bounds)


def _labelled(labels: pd.Series) -> TrialDimension:
    """Give labels a place each: in a row where they have an order (numbers, or just two of them).

    Optuna codes categories by a column each, and underrates those that one column could tell apart.
    """
    names = sorted(labels.unique())
    numbers = pd.to_numeric(pd.Series(names), errors="coerce")
    if numbers.notna().all() or len(names) == 2:
        ranks = dict(zip(names, numbers.rank() - 1 if numbers.notna().all() else (0.0, 1.0), strict=True))
        places = labels.map(ranks).to_numpy(dtype=object)
        return TrialDimension(places, FloatDistribution(-0.5, len(names) - 0.5))
    return TrialDimension(labels.to_numpy(dtype=object), CategoricalDistribution(names))
