"""How each stratum came out: the trial that won, or why the stratum failed and what helps.

A failure is kept in the record of the stage in which it happened, and so lives as long as its results.
"""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from glsweep.config.labels import parameter_label
from glsweep.config.space import Metric, SearchSpace
from glsweep.config.trial import Stratum, TrialParameters
from glsweep.errors import GlsweepError, StudyError
from glsweep.files import replacing
from glsweep.study import Study
from glsweep.study.artifacts import Failure, Winner
from glsweep.study.configuration import STAGES, Stage
from glsweep.sweep.records import SweepRecords, TrialRecord
from glsweep.sweep.rungs import SeedScores, first_best

SAME_COMMAND = "in the search space, then give the same command"
# Errors that one member can cause, by its weights or their need of memory. A full disk or an unreadable
# scene is not the fault of a member: it stops the stage, and the same command continues.
ERRORS_OF_ONE_MEMBER = (GlsweepError, RuntimeError, ValueError, ArithmeticError, MemoryError)

_DIVERGED = re.compile(r"\b(nan|inf)\b|diverge", re.IGNORECASE)
_MEMORY = re.compile(r"memory|SIGKILL|\bOOM\b", re.IGNORECASE)

Failures = dict[str, Failure]
"""By stratum key."""


def read_failures(study: Study) -> Failures:
    """Return all strata that failed in a completed stage."""
    found: Failures = {}
    for stage in STAGES:
        if study.is_done(stage):
            found |= study.record(stage).summary.failed
    return found


def surviving_strata(study: Study, won: Iterable[str]) -> list[str]:
    """Return the strata in `won` that have not failed since, sorted."""
    failed = read_failures(study)
    return sorted(key for key in won if key not in failed)


def check_some_survive(study: Study, won: Iterable[str]) -> None:
    """Make sure that a further stage has something to do.

    Raises
    ------
    StudyError
        When every stratum failed; the message says why and what helps.
    """
    if surviving_strata(study, won):
        return
    first, *others = read_failures(study).values()
    status = f"`python -m glsweep.run status {shlex.quote(str(study.directory))}`"
    more = f" ({status} shows the other {len(others)})" if others else ""
    raise StudyError(f"{study.directory}: every stratum failed: {first}{more}")


@contextmanager
def recorded_failure(failed: Failures, study: Study, stage: Stage, key: str) -> Iterator[None]:
    """Record an error that one member causes within this block as its failure: the others go on."""
    try:
        yield
    except ERRORS_OF_ONE_MEMBER as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        # What cannot be read must be made again; memory may suffice the next time.
        again: Stage = "retrain" if isinstance(error, GlsweepError) else stage
        remedy = _remedy_of_member(study, reason, again)
        failed[key] = Failure(stratum=key, stage=stage, reason=_without_remedy(reason), remedy=remedy)


def failure_in_sweep(stratum: Stratum, records: Sequence[TrialRecord], space: SearchSpace) -> Failure:
    """Say why no trial of a stratum ran its full budget, and what helps.

    Trials that are over stay over, since others were compared with them: only new trials can help.
    """
    if not records:
        reason, remedy = "none of its trials was begun before the budget was spent", "raise `search.budget`"
    else:
        reasons = Counter(_without_remedy(record.reason) for record in records if record.outcome == "failed")
        reason = _counted(reasons, len(records))
        remedy = _remedy_in_search(next(iter(reasons.most_common(1)), ("", 0))[0])
        remedy += " and raise `search.budget`" if space.search.budget.is_limited else ""
    return Failure(stratum=stratum.key, stage="sweep", reason=reason, remedy=f"{remedy} {SAME_COMMAND}")


def failure_in_retraining(study: Study, record: TrialRecord) -> Failure:
    """Say why a member could not be trained in full, and what helps."""
    reason = _without_remedy(record.reason)
    remedy = _remedy_of_member(study, reason, "retrain")
    return Failure(stratum=record.trial.stratum.key, stage="retrain", reason=reason, remedy=remedy)


def _remedy_of_member(study: Study, reason: str, stage: Stage) -> str:
    space, folder = study.config.space, shlex.quote(str(study.directory))
    again = f"`python -m glsweep.run {stage} --study {folder}` tries it again, then give the same command"
    if _MEMORY.search(reason):
        smaller = "" if _is_searched(space, "batch_size") else "set a smaller `retraining.batch_size`, or "
        return f"{smaller}make room: {again}"
    if not _DIVERGED.search(reason):
        return f"mend that: {again}"
    if _is_searched(space, "learning_rate"):
        return f"set `annealing: cosine` or fewer `epochs` under `retraining` {SAME_COMMAND}"
    return f"set a smaller `retraining.learning_rate` {SAME_COMMAND}"


def _counted(reasons: Counter[str], trials: int) -> str:
    """Return how many trials failed, for which reason most of them, and that the others were stopped."""
    failed = sum(reasons.values())
    if not failed:
        return f"none of its {trials} trials ran its full budget"
    (most, _), *others = reasons.most_common()
    more = f", and {len(others)} other reason{'s' if len(others) > 1 else ''}" if others else ""
    whole = "its only trial" if trials == 1 else f"all {trials} trials" if failed == trials else None
    stopped = "" if whole else f", and the others of {trials} were stopped early"
    return f"{whole or f'{failed} of its trials'} failed: {most}{more}{stopped}"


def _remedy_in_search(reason: str) -> str:
    if _MEMORY.search(reason):
        return "add a smaller `batch_size` or `base_width` to the choices"
    if _DIVERGED.search(reason):
        return "add a smaller `learning_rate` to its choices or range"
    return "mend that, or add choices that avoid it"


def _without_remedy(reason: str) -> str:
    """Return what went wrong without the advice, which is not for a single stratum."""
    return reason.partition("; ")[0] or "no reason was recorded"


def _is_searched(space: SearchSpace, parameter: str) -> bool:
    return any(parameter in (dimension.keys or (name,)) for name, dimension in space.dimensions.items())


# --- The table of all trials, and the winner of each stratum

FIRST_COLUMNS = ("trial_id", "index", "configuration", "replicate", "stratum")
LAST_COLUMNS = ("outcome", "rung_epoch", "epochs", "best_epoch", "best", "reason", "wall_s")


def winners(records: SweepRecords, metric: Metric) -> dict[str, Winner]:
    """Return each stratum's best configuration, by the mean of `metric` over its seeds.

    Only seeds that ran their full budget count, each with its best epoch; `spread` is their sample
    standard deviation, None with one. Of equal configurations the first in the sweep's order wins.
    `trial_id`, `epoch` and `seed` are those of the first seed, with which the winner is retrained: the
    luckiest of several seeds would owe its lead to chance.

    A stratum in which no trial ran its full budget has no winner; see `failure_in_sweep`.
    """
    found = {}
    for key, stratum in sorted(records.strata.items()):
        leading = first_best(((one, one.value) for one in _candidates(records, stratum, metric)), metric)
        if leading is not None:
            found[key] = leading[0]
    return found


def trials_frame(records: SweepRecords, metric: Metric) -> pd.DataFrame:
    """Return one row a trial: its parameters, how it ended and its best metric, in the plan's order.

    `outcome` is None for a trial that is not over. A parameter that a trial lacks is `none`.
    """
    ordered = sorted(records.trials.values(), key=lambda record: (record.trial.index, record.trial.replicate))
    fields = [name for name in TrialParameters.model_fields if name != "own"]
    own = sorted({name for record in ordered for name in record.trial.parameters.own})
    columns = (*FIRST_COLUMNS, *fields, *own, *LAST_COLUMNS)
    return pd.DataFrame([_row(record, metric, columns) for record in ordered], columns=columns)


def write_trials(records: SweepRecords, metric: Metric, target: Path) -> None:
    """Write the table of all trials as CSV."""
    with replacing(target) as temporary:
        trials_frame(records, metric).to_csv(temporary, index=False)


def changes_in_full_training(winner: Winner, parameters: TrialParameters) -> dict[str, tuple[Any, Any]]:
    """Return the parameters that full training changes, each with the trial's value and the new one."""
    was = winner.parameters.by_name
    now = parameters.by_name
    return {name: (was.get(name), value) for name, value in now.items() if was.get(name) != value}


def describe_changes(changes: Mapping[str, Mapping[str, Sequence[Any]]]) -> list[str]:
    """Return one clause for each parameter in which members differ from their trials.

    Parameters
    ----------
    changes : mapping
        From a member's title to its card's `changed_since_trial`.
    """
    found: dict[str, list[str]] = {}
    for title, changed in changes.items():
        for name, (was, now) in changed.items():
            found.setdefault(f"{name} {now} (the trial had {was})", []).append(title)
    return [
        clause if len(titles) == len(changes) else f"{', '.join(titles)}: {clause}"
        for clause, titles in found.items()
    ]


def _candidates(records: SweepRecords, stratum: list[TrialRecord], metric: Metric) -> Iterator[Winner]:
    """Yield a candidate for each configuration whose first seed ran in full."""
    for first in stratum:
        scores = SeedScores.of(records.seeds_of(first), metric)
        if first.outcome == "completed" and scores is not None:
            yield Winner(
                trial_id=first.trial.trial_id,
                index=first.trial.index,
                figure=metric,
                value=scores.mean,
                replicates=len(scores.values),
                spread=scores.spread,
                epoch=_best(first, metric)[0],
                seed=first.trial.seed,
                parameters=first.trial.parameters,
            )


def _best(record: TrialRecord, metric: Metric) -> tuple[int, float]:
    best = record.best(metric)
    if best is None:
        raise StudyError(
            f"trial {record.trial.trial_id} has no report; delete the sweep's folder to sweep anew"
        )
    return best


def _row(record: TrialRecord, metric: Metric, columns: Sequence[str]) -> dict[str, str | float | None]:
    best = record.best(metric)
    return {
        **dict.fromkeys(columns, parameter_label(None)),
        "trial_id": record.trial.trial_id,
        "index": record.trial.index,
        "configuration": record.trial.configuration,
        "replicate": record.trial.replicate,
        "stratum": record.trial.stratum.key,
        **{name: parameter_label(value) for name, value in record.trial.parameters.by_name.items()},
        "outcome": record.outcome,
        "rung_epoch": record.rung_epoch,
        "epochs": len(record.epochs),
        "best_epoch": best[0] if best else None,
        "best": best[1] if best else None,
        "reason": record.reason,
        "wall_s": round(record.trained_s, 2),
    }
