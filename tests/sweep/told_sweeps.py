"""Sweeps told event by event, without Ray and without networks."""

from collections.abc import Iterable, Sequence

from sweeps import figures, planned

from glsweep.config.space import Budget, Resources
from glsweep.config.stopping import Asha, Median, NoStopping
from glsweep.search.plan import PlannedTrial
from glsweep.sweep.overview import SweepTerms
from glsweep.sweep.records import Began, Crashed, Ended, Judged, Placed, Reported, Started, SweepRecords

HALVING = Asha(grace_epochs=1, reduction_factor=2)


def terms(
    trials: Sequence[PlannedTrial] | None = None,
    *,
    epochs: int = 4,
    stopping: Asha | Median | NoStopping = HALVING,
    budget: Budget | None = None,
    replicates: int = 1,
    size: int | None = None,
    resources: Resources | None = None,
) -> SweepTerms:
    """The terms of a sweep over these trials, or over a plan that is drawn as it goes."""
    strata = [trial.stratum for trial in trials or [planned(0)]]
    return SweepTerms(
        planned={stratum: strata.count(stratum) if trials else None for stratum in sorted(set(strata))},
        size=len(trials) if trials else size,
        metric="relaxed_f1",
        epochs=epochs,
        resources=resources or Resources(cpus=1, gpus=0),
        stopping=stopping,
        budget=budget or Budget(),
        replicates=replicates,
    )


class Telling:
    """Folds events into records; each happens `step_s` after the one before."""

    def __init__(self, step_s: float = 1.0, *, begins_unix_s: float = 1000.0) -> None:
        self.records = SweepRecords()
        self.now_unix_s = begins_unix_s
        self._step_s = step_s
        self.began()

    def began(self) -> None:
        self.records.apply(Began(unix_s=self.now_unix_s))

    def started(self, trial: PlannedTrial) -> None:
        self.records.apply(Started(unix_s=self._tick(), trial=trial))

    def placed(self, trial: PlannedTrial, node: str = "here", device: str = "cpu") -> None:
        self.records.apply(Placed(unix_s=self._tick(), trial_id=trial.trial_id, node=node, device=device))

    def reported(self, trial: PlannedTrial, value: float, *, epoch: int = 1, last: bool = False) -> None:
        self.records.apply(
            Reported(
                unix_s=self._tick(), trial_id=trial.trial_id, epoch=epoch, figures=figures(value), last=last
            )
        )

    def judged(self, trial: PlannedTrial, *, rung_epoch: int = 1, rank: int = 1) -> None:
        self.records.apply(
            Judged(
                unix_s=self.now_unix_s,
                trial_id=trial.trial_id,
                rung_epoch=rung_epoch,
                value=0.5,
                rank=rank,
                of=2,
                kept=1,
                cutoff=0.5,
            )
        )

    def crashed(self, trial: PlannedTrial) -> None:
        self.records.apply(Crashed(unix_s=self._tick(), trial_id=trial.trial_id, reason="the worker died"))

    def ended(self, trial: PlannedTrial, outcome: str = "completed", reason: str = "") -> None:
        self.records.apply(
            Ended(unix_s=self._tick(), trial_id=trial.trial_id, outcome=outcome, reason=reason)
        )

    def ran(self, trial: PlannedTrial, values: Sequence[float], outcome: str = "completed") -> None:
        """Tell of a trial from its start to its end."""
        self.started(trial)
        self.placed(trial)
        for epoch, value in enumerate(values, start=1):
            self.reported(trial, value, epoch=epoch, last=epoch == len(values))
        self.ended(trial, outcome)

    def _tick(self) -> float:
        self.now_unix_s += self._step_s
        return self.now_unix_s


def told(curves: Iterable[tuple[PlannedTrial, Sequence[float]]]) -> SweepRecords:
    """The records of a full grid with these learning curves."""
    telling = Telling()
    for trial, values in curves:
        telling.ran(trial, values)
    return telling.records
