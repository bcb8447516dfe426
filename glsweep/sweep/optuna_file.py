"""The Optuna studies of a sweep in an SQLite file beside the ledger, and how it keeps up with the ledger.

The file follows from the ledger alone: it may be deleted at any time. It is brought up to date in place,
since who has it open, such as `optuna-dashboard`, would not see one that takes its place.
"""

import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import optuna
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.trial import FrozenTrial
from sqlalchemy.exc import DatabaseError

from glsweep.config.space import Metric
from glsweep.files import replacing
from glsweep.search.distributions import direction_of, quiet_optuna
from glsweep.study import Study
from glsweep.sweep.optuna_rows import add_trials, settle_trial
from glsweep.sweep.optuna_study import trials_by_study
from glsweep.sweep.records import read_records

Wanted = Mapping[str, Sequence[FrozenTrial]]
PATIENCE_S = 30.0  # with a dashboard that reads the file at this moment
TOLD = ("state", "values", "intermediate_values", "user_attrs", "datetime_start", "datetime_complete")


def sqlite_url(path: Path) -> str:
    """Return the URL by which Optuna knows a file."""
    return f"sqlite:///{path.absolute()}"


class _HastyConnection(sqlite3.Connection):
    """Does not wait for the disk: each trial is a transaction, and none need outlast a power cut."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute("PRAGMA synchronous=OFF")


def open_storage(path: Path) -> RDBStorage:
    """Open a file, or make an empty one."""
    options = {"timeout": PATIENCE_S, "factory": _HastyConnection}
    with quiet_optuna():
        return RDBStorage(sqlite_url(path), engine_kwargs={"connect_args": options})


def bring_up_to_date(study: Study) -> None:
    """Make the file say what the ledger says; it is made anew where there is none that can be read."""
    with Follower(study) as follower:
        follower.look()


def write_anew(study: Study) -> None:
    """Make the file anew beside the one that may be there, and put it in its place."""
    wanted, metric = _wanted(study)
    with _alone(study):
        _write(study.optuna_db, wanted, metric)


def _write(path: Path, wanted: Wanted, metric: Metric) -> None:
    with replacing(path) as temporary, OptunaFile.opened(temporary) as file:
        file.show(wanted, metric)


def _wanted(study: Study) -> tuple[Wanted, Metric]:
    space, records = study.config.space, read_records(study.ledger_jsonl)
    return trials_by_study(study.config.name, space, records), space.search.rank_by


@contextmanager
def _alone(study: Study) -> Iterator[None]:
    """Keep another dashboard of this study from adding the same trials."""
    study.sweep.mkdir(parents=True, exist_ok=True)
    with FileLock(study.sweep / ".optuna.lock"):
        yield


class Follower:
    """Keeps the file in step with a ledger that grows, and open: trials that are over are read but once."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._seen: tuple[int, int] | None = None
        self._opened = ExitStack()
        self._file: OptunaFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._opened.close()

    @property
    def storage(self) -> BaseStorage:
        """The file as Optuna has it open; after the first look."""
        assert self._file is not None
        return self._file.storage

    def look(self) -> bool:
        """Bring the file up to date if the ledger has changed; return whether it had."""
        path = self._study.ledger_jsonl
        found = (path.stat().st_ino, path.stat().st_size) if path.is_file() else None
        if self._file is not None and found == self._seen:
            return False
        wanted, metric = _wanted(self._study)
        with _alone(self._study):
            if not self._is_shown_in_place(wanted, metric):
                self._opened.close()
                _write(self._study.optuna_db, wanted, metric)
                self._file = self._opened.enter_context(OptunaFile.opened(self._study.optuna_db))
        self._seen = found
        return True

    def _is_shown_in_place(self, wanted: Wanted, metric: Metric) -> bool:
        """Show trials in the file that is there, unless it is of another version of Optuna, or not whole."""
        if not self._study.optuna_db.is_file():
            return False
        try:
            if self._file is None:
                self._file = self._opened.enter_context(OptunaFile.opened(self._study.optuna_db))
            self._file.show(wanted, metric)
        except (DatabaseError, StorageInternalError, RuntimeError):
            return False
        return True

    def look_and_wait(self, every_s: float) -> None:
        """Look once, then wait; longer after a long look, so that nine tenths of the time go to the sweep."""
        begun = time.monotonic()
        self.look()
        time.sleep(max(every_s, 9 * (time.monotonic() - begun)))


class OptunaFile:
    """One SQLite file of Optuna's."""

    def __init__(self, rdb: RDBStorage) -> None:
        self._rdb = rdb
        self.storage = get_storage(rdb)  # keeps trials that are over in memory

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator["OptunaFile"]:
        """Open a file, or make an empty one, for the length of this block."""
        rdb = open_storage(path)
        try:
            with quiet_optuna():
                yield cls(rdb)
        finally:
            rdb.remove_session()
            rdb.engine.dispose()

    def show(self, wanted: Wanted, metric: Metric) -> None:
        """Make the file hold just these trials.

        Parameters
        ----------
        wanted : mapping of str to sequence of FrozenTrial
            Trials by the name of their study, in order. A study that cannot become so by adding to it (a
            trial was reopened, a dimension has further choices) is removed and made anew.
        metric : str
            What their values are.
        """
        known = {study.study_name: study._study_id for study in self.storage.get_all_studies()}
        for name in known.keys() - wanted.keys():
            self.storage.delete_study(known[name])
        for name, trials in wanted.items():
            present: list[FrozenTrial] = []
            if name in known:
                present = self.storage.get_all_trials(known[name], deepcopy=False)
                if len(present) > len(trials) or not all(map(_may_become, present, trials)):
                    self.storage.delete_study(known.pop(name))
                    present = []
            study_id = known[name] if name in known else self._create(name, metric)
            for old, new in zip(present, trials, strict=False):
                self._advance(old, new)
            with self._rdb.engine.begin() as connection:
                add_trials(connection, study_id, len(present), trials[len(present) :])

    def _create(self, name: str, metric: Metric) -> int:
        study = optuna.create_study(storage=self.storage, study_name=name, direction=direction_of(metric))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names([metric])
        return study._study_id

    def _advance(self, old: FrozenTrial, new: FrozenTrial) -> None:
        """Tell of one trial what has happened since; its end last, after which Optuna lets nothing change."""
        if old.state.is_finished():
            return
        for epoch, value in new.intermediate_values.items():
            if old.intermediate_values.get(epoch) != value:
                self.storage.set_trial_intermediate_value(old._trial_id, epoch, value)
        for name, attribute in new.user_attrs.items():
            if old.user_attrs.get(name) != attribute:
                self.storage.set_trial_user_attr(old._trial_id, name, attribute)
        if new.state != old.state:
            with self._rdb.engine.begin() as connection:
                settle_trial(connection, old._trial_id, new)


def _may_become(old: FrozenTrial, new: FrozenTrial) -> bool:
    """Whether a trial in the file can become `new` by what Optuna lets be added to it."""
    if old.params != new.params or old.distributions != new.distributions:
        return False
    if old.state.is_finished():
        return all(getattr(old, name) == getattr(new, name) for name in TOLD)
    return (
        old.intermediate_values.keys() <= new.intermediate_values.keys()
        and old.user_attrs.keys() <= new.user_attrs.keys()
    )
