"""Successive halving whose decisions do not depend on how fast each trial happens to run.

Asynchronous successive halving (Li et al. 2020, MLSys, algorithm 2) compares a trial with those
that reached the rung before it. Before it *in time* would let two runs of one study differ, and a
resumed one differ from both. Here it is before it *in the sweep's order*: a trial at a rung waits
until every earlier trial of its stratum has reached that rung or ended, and is then judged among
them. Nothing ever waits for a later trial, so the first one never waits and all come to an end.
"""

import time
from collections.abc import Sequence

from glsweep.config.space import Asha, Figure, NoStopping
from glsweep.sweep.events import Judged
from glsweep.sweep.records import TrialRecord
from glsweep.training.report import is_better


def rung_epochs(stopping: Asha | NoStopping, epochs: int) -> tuple[int, ...]:
    """Return the epochs at which trials are compared: grace x reduction^k below the full budget."""
    if isinstance(stopping, NoStopping):
        return ()
    rungs, epoch = [], stopping.grace_epochs
    while epoch < epochs:
        rungs.append(epoch)
        epoch *= stopping.reduction_factor
    return tuple(rungs)


def judge(
    record: TrialRecord,
    stratum: Sequence[TrialRecord],
    rung_epoch: int,
    *,
    figure: Figure,
    reduction_factor: int,
) -> Judged | None:
    """Compare a trial with the earlier trials of its stratum at one rung.

    The best one in `reduction_factor` go on, at least one; equals share a rank.

    Parameters
    ----------
    record : TrialRecord
        The trial that has reached the rung.
    stratum : sequence of TrialRecord
        Every started trial of the same stratum, in the order of their index.
    rung_epoch : int
        Each trial counts with its best `figure` until this epoch.

    Returns
    -------
    Judged or None
        None when an earlier trial has yet to reach the rung.
    """
    own = _value(record, figure, rung_epoch)
    others = []
    for other in stratum:
        if other.trial.index >= record.trial.index:
            break
        if other.epochs and max(other.epochs) >= rung_epoch:
            others.append(_value(other, figure, rung_epoch))
        elif other.outcome is None:
            return None
    return Judged(
        unix_s=time.time(),
        trial_id=record.trial.trial_id,
        rung_epoch=rung_epoch,
        value=own,
        rank=1 + sum(is_better(figure, value, own) for value in others),
        of=1 + len(others),
        kept=max(1, (1 + len(others)) // reduction_factor),
    )


def _value(record: TrialRecord, figure: Figure, rung_epoch: int) -> float:
    best = record.best(figure, until_epoch=rung_epoch)
    if best is None:
        raise ValueError(f"{record.trial.trial_id} has no report until epoch {rung_epoch}")
    return best[1]
