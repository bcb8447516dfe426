"""Which trials and dimensions importance is asked of: all of a patch size, then each stratum."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from optuna.distributions import CategoricalDistribution, FloatDistribution

from glsweep.config.dimension import Dimension, as_list
from glsweep.config.trial import ARCHITECTURE_TITLES, canonical
from glsweep.randomness import generator_for
from glsweep.report.dimensions import labels_of, tied_columns, title_of, varying
from glsweep.report.importance import Coordinate, Share, shares
from glsweep.report.results import Results
from glsweep.report.words import counted
from glsweep.tracking.labels import parameter_label
from glsweep.training.report import HIGHER_IS_BETTER

FEWEST_TRIALS = 12
TRIALS_A_DIMENSION = 2


@dataclass(frozen=True)
class Panel:
    """Importance among the trials of one patch size, or of one stratum.

    `architecture` is None where all of them are taken together. `epoch` is that until which
    figures count. `remark` says why there are no `shares`.
    """

    patch_size_px: int
    architecture: str | None
    trials: int
    epoch: int
    shares: tuple[Share, ...]
    remark: str = ""

    @property
    def title(self) -> str:
        """Name for people."""
        name = "All networks" if self.architecture is None else ARCHITECTURE_TITLES[self.architecture]
        return f"{name} {self.patch_size_px}"


def importance_panels(results: Results) -> list[Panel]:
    """Ask for the importance within each patch size, and within each of its strata."""
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
    figures = trials["figure"].to_numpy(dtype=float)
    remark = _remark(figures, len(coordinates))
    if remark:
        return Panel(size, architecture, len(trials), epoch, (), remark)
    generator = generator_for(results.config.seed, "importance", size, architecture or "all")
    return Panel(size, architecture, len(trials), epoch, tuple(shares(coordinates, figures, generator)))


def _reached(results: Results, trials: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the trials with their best `figure` until the last epoch that all of them reached.

    Those that failed before are left out, instead of setting that epoch.
    """
    ended_well = trials[trials["outcome"].isin(("completed", "stopped"))]
    epoch = int(ended_well["epochs"].min()) if len(ended_well) else 0
    epochs = results.history.epochs
    reached = epochs.loc[epochs["epoch"] == epoch, "trial_id"]
    until = epochs[(epochs["epoch"] <= epoch) & epochs["trial_id"].isin(reached)]
    better = "max" if HIGHER_IS_BETTER[results.config.space.search.rank_by] else "min"
    best = until.groupby("trial_id")["figure"].agg(better)
    figures = trials["trial_id"].map(best)
    return trials.assign(figure=figures)[figures.notna()], epoch


def _remark(figures: npt.NDArray[np.float64], dimensions: int) -> str:
    fewest = max(FEWEST_TRIALS, TRIALS_A_DIMENSION * dimensions)
    if not dimensions:
        return "trials do not differ"
    if len(figures) < fewest:
        return f"{counted(len(figures), 'trial')}, {fewest} needed"
    return "" if np.ptp(figures) > 0 else "all trials are equal"


def _coordinates(results: Results, trials: pd.DataFrame) -> dict[str, Coordinate]:
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


def _measured(column: pd.Series, *, log: bool) -> Coordinate:
    """Measure a range as it was searched: in logarithms where it was."""
    numbers = pd.to_numeric(column).to_numpy(dtype=float)
    places = np.log10(numbers) if log else numbers
    bounds = FloatDistribution(float(places.min()), float(places.max()))
    return Coordinate(places.astype(object), bounds)


def _labelled(labels: pd.Series) -> Coordinate:
    """Give labels a place each: in a row where they have an order (numbers, or just two of them).

    Optuna codes categories by a column each, and underrates those that one column could tell apart.
    """
    names = sorted(labels.unique())
    numbers = pd.to_numeric(pd.Series(names), errors="coerce")
    if numbers.notna().all() or len(names) == 2:
        ranks = dict(zip(names, numbers.rank() - 1 if numbers.notna().all() else (0.0, 1.0), strict=True))
        places = labels.map(ranks).to_numpy(dtype=object)
        return Coordinate(places, FloatDistribution(-0.5, len(names) - 0.5))
    return Coordinate(labels.to_numpy(dtype=object), CategoricalDistribution(names))
