"""A sweep's trials as Optuna keeps them, made from the ledger's records: one Optuna study for all of them.

Where there are several strata each is an Optuna study besides, since metrics of different strata do not
compare: slices, contours and importances are then of like with like.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalChoiceType
from optuna.trial import FrozenTrial, TrialState, create_trial

from glsweep.config.space import Metric, SearchSpace
from glsweep.config.trial import Stratum
from glsweep.search.distributions import (
    SearchedParameter,
    direction_of,
    quiet_optuna,
    searched_parameters,
    stratum_distributions,
)
from glsweep.search.plan import strata_of
from glsweep.sweep.records import SweepRecords, TrialRecord

NOT_METRICS = {"epoch_s", "micro_batch"}


@dataclass(frozen=True)
class TrialsAsOptuna:
    """Turns trials of one search space into Optuna's.

    Attributes
    ----------
    metric : str
        The one that ranks: the value of a trial is its best, its intermediate values those of epochs.
    within_stratum : dict
        From parameters that can differ within a stratum.
    across_strata : dict
        Distributions of the parameters that make a stratum.
    """

    metric: Metric
    within_stratum: Mapping[str, SearchedParameter]
    across_strata: Mapping[str, BaseDistribution]

    @classmethod
    def of(cls, space: SearchSpace) -> "TrialsAsOptuna":
        """Return what turns trials of `space` into Optuna's."""
        return cls(space.search.rank_by, searched_parameters(space), stratum_distributions(space))

    def __call__(
        self, record: TrialRecord, *, across: bool = True, value: float | None = None
    ) -> FrozenTrial:
        """Return one trial.

        Parameters
        ----------
        record : TrialRecord
            What is known of it.
        across : bool
            Whether its parameters include those that make its stratum.
        value : float, optional
            What stands for it instead of its best metric, such as the mean over its seeds.
        """
        best = record.best(self.metric)
        value = value if value is not None else best[1] if best else None
        state = state_of(record, value)
        params = dict(self._params(record, across=across))
        trial = create_trial(
            state=state,
            value=value if state in (TrialState.COMPLETE, TrialState.PRUNED) else None,
            params=params,
            distributions={name: self._distribution(name) for name in params},
            user_attrs=self._attributes(record, best[0] if best else None),
            intermediate_values={epoch: each[self.metric] for epoch, each in sorted(record.epochs.items())},
        )
        handed_out_unix_s = None if state is TrialState.WAITING else record.started_unix_s
        trial.datetime_start = _local_time(record.placed_unix_s or handed_out_unix_s)
        trial.datetime_complete = _local_time(record.ended_unix_s) if state.is_finished() else None
        return trial

    def _params(self, record: TrialRecord, *, across: bool) -> Iterable[tuple[str, CategoricalChoiceType]]:
        trial = record.trial
        for name, distribution in self.across_strata.items() if across else ():
            value = trial.parameters.by_name[name]
            if value in distribution.choices:  # type: ignore[attr-defined]
                yield name, value  # type: ignore[misc]
        for name, parameter in self.within_stratum.items():
            if (value := parameter.value_in(trial)) is not None:
                yield name, value

    def _distribution(self, name: str) -> BaseDistribution:
        within = self.within_stratum.get(name)
        return within.distribution if within else self.across_strata[name]

    def _attributes(self, record: TrialRecord, best_epoch: int | None) -> dict[str, Any]:
        """Return what Optuna has no place for, as far as it is known."""
        trial = record.trial
        known = {
            "trial_id": trial.trial_id,
            "stratum": trial.stratum.key,
            "configuration": trial.configuration,
            "replicate": trial.replicate,
            "index": trial.index,
            "device": record.device,
            "trained_s": round(record.trained_s, 3),
            "crashes": record.crashes_in_all,
            "reason": record.reason or None,
            "stopped_at_epoch": record.rung_epoch,
            "best_epoch": best_epoch,
        }
        if best_epoch is not None:
            at_best = record.epochs[best_epoch].items()
            known |= {f"best_{name}": value for name, value in at_best if name not in NOT_METRICS}
        return {name: value for name, value in known.items() if value is not None}


def state_of(record: TrialRecord, value: float | None) -> TrialState:
    """Return a trial's state; one that is over without any metric has failed."""
    if record.outcome is None:
        return TrialState.WAITING if record.node is None else TrialState.RUNNING
    if record.outcome == "failed" or value is None:
        return TrialState.FAIL
    return TrialState.COMPLETE if record.outcome == "completed" else TrialState.PRUNED


def _local_time(unix_s: float | None) -> datetime | None:
    """Return a time as Optuna writes it: of this machine, without a zone."""
    return None if unix_s is None else datetime.fromtimestamp(unix_s)


# --- The Optuna studies of a sweep, by name


def stratum_study_name(name: str, stratum: Stratum) -> str:
    """Return the name of a stratum's Optuna study, beside that of the whole sweep."""
    return f"{name}-{stratum.key}"


def trials_by_study(name: str, space: SearchSpace, records: SweepRecords) -> dict[str, list[FrozenTrial]]:
    """Return all trials, in the order in which they began, by the name of their Optuna study.

    Parameters
    ----------
    name : str
        Of the sweep's study.
    space : SearchSpace
        What its trials were taken from.
    records : SweepRecords
        What has become of them.
    """
    as_optuna = TrialsAsOptuna.of(space)
    started = list(records.trials.values())
    found = {name: [as_optuna(record) for record in started]}
    strata = strata_of(space)
    for stratum in strata if len(strata) > 1 else ():
        found[stratum_study_name(name, stratum)] = [
            as_optuna(record, across=False) for record in started if record.trial.stratum == stratum
        ]
    return found


def in_memory(trials: Sequence[FrozenTrial], metric: Metric, name: str | None = None) -> optuna.Study:
    """Return an Optuna study of these trials that is kept nowhere."""
    with quiet_optuna():
        study = optuna.create_study(study_name=name, direction=direction_of(metric))
        study.add_trials(trials)
    return study
