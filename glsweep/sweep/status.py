"""How a study stands, read from what it has written; nothing is changed, and the study may run meanwhile."""

import fcntl
from dataclasses import dataclass
from typing import Literal

from glsweep.config.trial import Stratum
from glsweep.files import read_json
from glsweep.spaces.samplers import make_plan
from glsweep.study import STAGES, Stage, Study
from glsweep.sweep.events import Began
from glsweep.sweep.records import SweepRecords, read_records
from glsweep.sweep.terms import Terms


@dataclass(frozen=True)
class Part:
    """The trials of a stage that trains."""

    stage: Literal["sweep", "retrain"]
    title: str
    records: SweepRecords
    terms: Terms


@dataclass(frozen=True)
class Status:
    """What is known of a study.

    Attributes
    ----------
    is_running : bool or None
        Whether a process works on it; None where that cannot be found out.
    done : dict
        Wall time of each completed stage in seconds.
    current : Stage or None
        The stage that is not complete; None when all are.
    parts : tuple of Part
        Those that have begun, in their order.
    """

    is_running: bool | None
    done: dict[Stage, float]
    current: Stage | None
    parts: tuple[Part, ...]

    @property
    def training(self) -> Part | None:
        """The part whose trials may be training now."""
        mine = (part for part in self.parts if part.stage == self.current)
        return next(mine, None) if self.is_running is not False else None


def read_status(study: Study) -> Status:
    """Read how a study stands."""
    # Before the files: a study that ends meanwhile is then called running, not broken off.
    is_running = is_locked(study)
    done: dict[Stage, float] = {s: study.record(s)["wall_s"] for s in STAGES if study.is_done(s)}
    current = next((stage for stage in STAGES if stage not in done), None)
    parts = [_sweep(study)] if study.ledger_jsonl.is_file() else []
    if study.members_ledger_jsonl.is_file():
        parts.append(_retraining(study))
    if is_running is False:
        for part in parts:
            # Whatever trained when the process died does not train any more.
            part.records.apply(Began(unix_s=part.records.last_unix_s))
    return Status(is_running, done, current, tuple(parts))


def is_locked(study: Study) -> bool | None:
    """Return whether a process works on the study, None where one may not look.

    Nothing is written: the study may be of somebody else, or on a disk that is full or read-only.
    """
    try:
        with study.lock.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError:
        # It may not be opened, or the file system knows no locks.
        return None
    return False


def _sweep(study: Study) -> Part:
    space = study.config.space
    records = read_records(study.ledger_jsonl)
    plan = make_plan(space, seed=study.config.seed, source=study.config_yaml, begun=records.configurations)
    return Part("sweep", "Sweep", records, Terms.of_search(plan, space))


def _retraining(study: Study) -> Part:
    strata = [Stratum.parse(key) for key in sorted(read_json(study.winners_json))]
    terms = Terms.of_retraining(strata, study.config.space)
    return Part("retrain", "Retraining of the winners", read_records(study.members_ledger_jsonl), terms)
