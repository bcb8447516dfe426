"""The Optuna studies of a finished sweep, one a stratum; a configuration is the mean of its seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from glsweep.config.trial import Stratum
from glsweep.report import METRIC_WORDS
from glsweep.report.importance import Panel
from glsweep.report.results import Results
from glsweep.sweep.optuna_study import TrialsAsOptuna, in_memory

FEWEST = 3
"""Configurations that ran in full, below which a stratum has nothing to compare."""


@dataclass(frozen=True)
class Tuning:
    """The Optuna studies that are drawn.

    Attributes
    ----------
    results : Results
        Of the glsweep study.
    strata : dict
        From a stratum to the study of its configurations.
    everything : optuna.Study
        Every trial, other seeds included.
    ranked : dict
        From a stratum to the parameters in which its configurations differ, the most important first.
    """

    results: Results
    strata: dict[Stratum, optuna.Study]
    everything: optuna.Study
    ranked: dict[Stratum, list[str]]

    @classmethod
    def of(cls, results: Results, panels: Sequence[Panel]) -> "Tuning":
        """Return the Optuna studies of a study's results, with parameters in the order of `panels`."""
        space = results.config.space
        as_optuna, metric = TrialsAsOptuna.of(space), space.search.rank_by
        means = {first.trial.trial_id: scores.mean for first, scores in results.seed_scores()}
        strata = {}
        for stratum in results.trial_strata:
            firsts = results.records.strata.get(stratum.key, [])
            trials = [as_optuna(one, across=False, value=means.get(one.trial.trial_id)) for one in firsts]
            strata[stratum] = in_memory(trials, metric, stratum.title)
        everything = [as_optuna(one) for one in results.records.trials.values()]
        ranked = {stratum: _ranked(study, stratum, panels) for stratum, study in strata.items()}
        return cls(results, strata, in_memory(everything, metric), ranked)

    @property
    def metric(self) -> str:
        """What is drawn, in words."""
        return METRIC_WORDS[self.results.config.space.search.rank_by]

    @property
    def compared(self) -> list[Stratum]:
        """Strata of which enough configurations ran in full, and differ in something."""
        return [s for s, study in self.strata.items() if self.ranked[s] and len(completed(study)) >= FEWEST]

    @property
    def of_seeds(self) -> str:
        """What stands for a configuration."""
        several = self.results.config.space.search.replicates > 1
        return f"best {self.metric} on validation" + (", the mean over its seeds" if several else "")


def completed(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that ran in full."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _ranked(study: optuna.Study, stratum: Stratum, panels: Sequence[Panel]) -> list[str]:
    trials = completed(study)
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    varying = [name for name in names if len({str(trial.params.get(name)) for trial in trials}) > 1]
    shares = {
        share.name: share.median
        for panel in panels
        if (panel.architecture, panel.patch_size_px) == stratum
        for share in panel.shares
    }
    return sorted(varying, key=lambda name: -shares.get(name, 0.0))


def names_of(study: optuna.Study) -> list[str]:
    """Return the identifiers of a study's trials, in their order."""
    return [str(trial.user_attrs["trial_id"]) for trial in study.get_trials(deepcopy=False)]
