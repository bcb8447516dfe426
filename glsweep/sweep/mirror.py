"""The ledger mirrored in MLflow by a thread of its own, so that nothing waits for it."""

import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from glsweep.config.labels import Labelled
from glsweep.config.space import Metric
from glsweep.errors import GlsweepError
from glsweep.study import Study
from glsweep.study.artifacts import ReportSummary, Winners, read_artifact
from glsweep.sweep.records import Event, SweepRecords, TrialRecord, read_records
from glsweep.tracking.address import errors_of_store, tracking_uri, without_password
from glsweep.tracking.runs import Condition, Epoch, RunState
from glsweep.tracking.store import SystemMetrics
from glsweep.tracking.tracker import DESCRIPTION_TAG, VERDICT, Tracker, origin_tags, track_members


@dataclass(frozen=True)
class TrackingSummary:
    """What was sent to MLflow: how many trials and members, where, and in how many calls."""

    mlflow_uri: str
    trials: int
    members: int
    calls: int


def track_study(study: Study, report: ReportSummary | None = None) -> TrackingSummary:
    """Send MLflow what it lacks of a study: from the ledger, the members and the report.

    It may be repeated at any time, but not while the study runs: trials that are not over count as
    interrupted. `report` is that of a stage that is about to be complete; None for what is on record.

    Raises
    ------
    StoreError
        When the store cannot be reached or used; the next call goes on from there.
    """
    records = read_records(study.ledger_jsonl)
    tracker = Tracker.open(study)
    is_over = study.winners_json.is_file()
    if records.trials:
        state = sweep_state(study, "completed" if is_over else "interrupted")
        tracker.sync_sweep(replace(state, tags={**state.tags, **_description(study, report)}))
    for record in records.trials.values():
        send_trial(tracker, record, study.config.space.search.rank_by, is_running=False)
    members = track_members(study)
    return TrackingSummary(without_password(tracker.uri), len(records.trials), members, tracker.calls)


def send_trial(tracker: Tracker, record: TrialRecord, metric: Metric, *, is_running: bool) -> None:
    """Bring one trial's run up to date; a trial that is not over and does not run is interrupted."""
    trial = record.trial
    condition: Condition = record.outcome or ("running" if is_running else "interrupted")
    tags: dict[str, Labelled] = {
        "stratum": trial.stratum.key,
        "configuration": trial.configuration,
        "replicate": trial.replicate,
    }
    if record.rung_epoch is not None:
        tags["outcome"] = f"{condition} at rung {record.rung_epoch}"
    if record.reason:
        tags["reason"] = record.reason
    # Libraries disagree on gamma: some raise to it, others to its inverse.
    exponent = None if trial.parameters.gamma is None else 1 / trial.parameters.gamma
    state = RunState(
        title=f"{trial.trial_id} {trial.stratum.key}",
        condition=condition,
        parameters={**trial.parameters.by_name, "focal_exponent": exponent, "seed": trial.seed},
        tags=tags,
        epochs=_epochs_after(tracker.last_epoch(trial.trial_id), record, metric),
        started_unix_s=record.started_unix_s,
        ended_unix_s=record.ended_unix_s,
    )
    tracker.sync_trial(trial.trial_id, state)


def sweep_state(study: Study, condition: Condition) -> RunState:
    """Return the state of the run of the whole sweep, with the winners' metrics once there are any."""
    space, search = study.config.space, study.config.space.search
    is_over = study.winners_json.is_file()
    won = read_artifact(study.winners_json, Winners).by_stratum if is_over else {}
    parameters: dict[str, Labelled] = {
        "seed": study.config.seed,
        "sampler": search.sampler,
        "scheduler": search.scheduler.name,
        "rank_by": search.rank_by,
        "tolerance_m": search.tolerance_m,
    }
    # MLflow never changes a parameter; names, and what an extension may increase, are tags.
    tags: dict[str, Labelled] = {
        "space": space.name,
        "data": study.config.card.name,
        "data_card": study.config.card.content_hash(),
        "epochs": search.epochs,
        "replicates": search.replicates,
    }
    return RunState(
        title=f"sweep {study.config.name}",
        condition=condition,
        parameters=parameters,
        tags={**tags, **origin_tags()},
        metrics={f"best_{search.rank_by}.{key}": winner.value for key, winner in won.items()},
    )


def _description(study: Study, report: ReportSummary | None) -> dict[str, Labelled]:
    """Return the verdict, and what to mind, as the description that MLflow shows above a run."""
    summary = report or (study.record("report").summary if study.is_done("report") else None)
    if not isinstance(summary, ReportSummary):
        return {}
    mind = [f"- {caution}" for caution in summary.cautions]
    paragraphs = [f"{VERDICT}. {' '.join(f'{headline}.' for headline in summary.headlines)}"]
    paragraphs += ["What to mind:\n\n" + "\n".join(mind)] if mind else []
    paragraphs.append(f"Tables, charts and maps: `{summary.report}` among the artifacts.")
    return {DESCRIPTION_TAG: "\n\n".join(paragraphs)}


def _epochs_after(last: int, record: TrialRecord, metric: Metric) -> list[Epoch]:
    """Return the epochs that MLflow lacks, each with the best so far: its tables show the last step alone."""
    epochs = []
    for number in sorted(record.epochs):
        if number > last:
            best = record.best(metric, until_epoch=number)
            so_far = {f"best_{metric}": best[1]} if best else {}
            metrics = {**record.epochs[number], **so_far}
            epochs.append(Epoch(number, metrics, record.reported_unix_s[number]))
    return epochs


# --- The listener that keeps MLflow in step with the journal

INTERVAL_S = 1.0
LONGEST_PAUSE_S = 30.0
# How long the end of a sweep waits for MLflow; `track` sends what is then still missing.
PATIENCE_S = 60.0
PATIENCE_WHEN_INTERRUPTED_S = 10.0


class TrialSnapshot(NamedTuple):
    """A trial's record as it was at the last event."""

    record: TrialRecord
    is_running: bool


class MlflowMirror:
    """A thread that owns the tracker and brings each trial's run up to date, about once a second.

    Only a trial's latest state is kept, so that an unreachable server costs neither time nor, beyond
    the records, memory. Whatever fails, the thread tries again after growing pauses until `close`:
    the ledger has everything, and training is not affected.
    """

    def __init__(self, study: Study, console: Console) -> None:
        self.uri = tracking_uri(study)
        self.calls = 0
        self._study = study
        self._console = console
        self._metric = study.config.space.search.rank_by
        self._lock = threading.Lock()
        self._waiting: dict[str, TrialSnapshot] = {}
        self._sent: dict[str, TrialSnapshot] = {}
        self._unfinished: dict[str, TrialRecord] = {}
        self._end: Condition | None = None
        self._is_ended = False
        self._closing = threading.Event()
        self._patience_s = PATIENCE_S
        self._closed_s = 0.0
        self._was_reached = False
        self._is_unreachable = False
        self._thread = threading.Thread(target=self._follow, name="mlflow-mirror", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def catch_up(self, records: SweepRecords) -> None:
        """Take in what happened before this process began; trials that are not over count as not running."""
        with self._lock:
            for trial_id, record in records.trials.items():
                self._waiting[trial_id] = TrialSnapshot(_copy(record), is_running=False)

    def on_event(self, _event: Event, record: TrialRecord | None) -> None:
        """Keep a trial's latest state for the thread; this neither waits nor fails."""
        if record is None:
            return
        trial_id, copied = record.trial.trial_id, _copy(record)
        with self._lock:
            self._waiting[trial_id] = TrialSnapshot(copied, is_running=True)
            if record.outcome is None:
                self._unfinished[trial_id] = copied
            else:
                self._unfinished.pop(trial_id, None)

    def close(self, condition: Condition) -> int:
        """End the sweep's run and return how many runs are missing or outdated in MLflow.

        Waits until MLflow has everything, but no longer than a minute; ten seconds when the sweep
        was interrupted, and for one more try when MLflow was never reached.
        """
        with self._lock:
            for trial_id, record in self._unfinished.items():
                self._waiting[trial_id] = TrialSnapshot(record, is_running=False)
            self._end = condition
        if condition != "completed":
            self._patience_s = PATIENCE_WHEN_INTERRUPTED_S
        self._closed_s = time.monotonic()
        self._closing.set()
        self._thread.join(self._patience_s + INTERVAL_S)
        with self._lock:
            return len(self._waiting) + (not self._is_ended)

    def _follow(self) -> None:
        tracker: Tracker | None = None
        metrics = SystemMetrics()
        pause_s = INTERVAL_S
        while True:
            is_closing = self._closing.wait(INTERVAL_S)
            try:
                with errors_of_store(self.uri):
                    tracker = tracker or self._open_tracker(metrics)
                    self._send(tracker)
            except GlsweepError as error:
                self._print_connection(error)
                # How much of the last request arrived is unknown, so everything is read again.
                tracker = None
                if is_closing and not self._may_try_again(pause_s):
                    break
                self._pause(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                self._print_connection(None)
                pause_s = INTERVAL_S
                if is_closing:
                    break
        try:
            with errors_of_store(self.uri):
                metrics.stop()
        except GlsweepError as error:
            self._print_connection(error)

    def _open_tracker(self, metrics: SystemMetrics) -> Tracker:
        """Reach MLflow, and begin or continue the sweep's run.

        The store may have lost data in the failure before, so every run is compared again.
        """
        tracker = Tracker.open(self._study)
        with self._lock:
            self._waiting, self._sent = {**self._sent, **self._waiting}, {}
        run_id = tracker.sync_sweep(sweep_state(self._study, "running"))
        metrics.start(tracker.store, run_id)
        self.calls += tracker.calls
        return tracker

    def _send(self, tracker: Tracker) -> None:
        """Send what waits, and the sweep's end once nothing else does."""
        calls_before = tracker.calls
        with self._lock:
            batch, end = dict(self._waiting), self._end
        try:
            for trial_id, snapshot in batch.items():
                if self._is_late():
                    return
                try:
                    send_trial(tracker, snapshot.record, self._metric, is_running=snapshot.is_running)
                except Exception:
                    # The others go first next time: perhaps only this trial cannot be sent.
                    self._postpone(trial_id)
                    raise
                self._mark_sent(trial_id, snapshot)
            if end is not None:
                tracker.sync_sweep(sweep_state(self._study, end))
                self._is_ended = True
        finally:
            self.calls += tracker.calls - calls_before

    def _mark_sent(self, trial_id: str, sent: TrialSnapshot) -> None:
        """Mark a trial as sent, unless its state has changed since."""
        with self._lock:
            if self._waiting.get(trial_id) is sent:
                self._sent[trial_id] = self._waiting.pop(trial_id)

    def _postpone(self, trial_id: str) -> None:
        """Let a trial wait behind all others."""
        with self._lock:
            self._waiting[trial_id] = self._waiting.pop(trial_id)

    def _is_late(self) -> bool:
        return self._closing.is_set() and time.monotonic() > self._closed_s + self._patience_s

    def _may_try_again(self, pause_s: float) -> bool:
        return self._was_reached and time.monotonic() + pause_s < self._closed_s + self._patience_s

    def _pause(self, pause_s: float) -> None:
        """Wait; the end of the sweep cuts a long pause short once."""
        if self._closing.is_set():
            time.sleep(pause_s)
        else:
            self._closing.wait(pause_s)

    def _print_connection(self, error: GlsweepError | None) -> None:
        """Print a line when MLflow stops answering, and one when it answers again."""
        if error is not None and not self._is_unreachable:
            text = f"training goes on, and what is held back is sent when MLflow answers: {error}"
            self._console.print(Text(text, style="yellow"))
        elif error is None and self._is_unreachable:
            self._console.print(Text(f"MLflow at {without_password(self.uri)} answers again", style="yellow"))
        self._is_unreachable = error is not None
        self._was_reached |= error is None


@contextmanager
def mirrored(study: Study, console: Console) -> Iterator[MlflowMirror]:
    """Mirror a sweep within this block, and print at its end what MLflow still lacks."""
    mirror = MlflowMirror(study, console)
    mirror.start()
    condition: Condition = "failed"
    try:
        yield mirror
        condition = "completed"
    except KeyboardInterrupt:
        condition = "interrupted"
        raise
    finally:
        unsent = mirror.close(condition)
        if unsent:
            command = f"python -m glsweep.run track {shlex.quote(str(study.directory))}"
            text = f"MLflow at {without_password(mirror.uri)}: {unsent} runs wait; `{command}` sends them"
            console.print(Text(text, style="yellow"), soft_wrap=True)


def _copy(record: TrialRecord) -> TrialRecord:
    """Copy a record, which the journal goes on to change."""
    return replace(record, epochs=dict(record.epochs), reported_unix_s=dict(record.reported_unix_s))
