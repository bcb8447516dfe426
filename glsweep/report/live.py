"""The study's page while it runs: written now and then, beside the work, which it never stops or slows."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.text import Text

from glsweep import __version__
from glsweep.files import write_text
from glsweep.pages import json_for_script, render
from glsweep.report import METRIC_WORDS, duration, sentence
from glsweep.report.study_facts import data_facts, setup_facts
from glsweep.study import Study
from glsweep.study.artifacts import DataSummary, Winners, read_artifact
from glsweep.study.configuration import STAGES, Stage
from glsweep.sweep.cost import Cost, cost_hours
from glsweep.sweep.overview import SweepTerms, overview, seconds_left
from glsweep.sweep.records import SweepRecords, TrialEvent, TrialRecord, read_records
from glsweep.sweep.status import LARGEST_SHARE_OF_TIME

HERE = Path(__file__).parent
LIVE_STAGES: tuple[Stage, ...] = ("sweep", "retrain", "calibrate", "evaluate", "report")
TRAINING: tuple[Stage, ...] = ("sweep", "retrain")
INTERVAL_S = 20.0
QUIET_INTERVAL_S = 120.0
"""Without news, so that a reader still sees that the study runs."""


class LivePage:
    """Keeps `report.html` up to date from the sweep on, until the report replaces it.

    It is a listener of the sweep and of the retraining. The page is written by a thread of its own: at most
    each `interval_s` seconds, and in a small share of the time. What fails there is printed, each fault
    once, and everything else goes on.

    Parameters
    ----------
    study : Study
        The page goes into its folder.
    terms : SweepTerms
        What is planned in the sweep.
    console : Console
        Where faults are told.
    interval_s : float
        Least time between two pages.
    """

    def __init__(
        self, study: Study, terms: SweepTerms, console: Console, *, interval_s: float = INTERVAL_S
    ) -> None:
        self._study = study
        self._console = console
        self._interval_s = interval_s
        self._terms = terms
        self._stage: Stage | None = None
        self._has_news = False
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="live page", daemon=True)
        self._told: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say on the page that the run is over, unless it is the report's by now."""
        self._stop()
        if self._stage is not None and (error is not None or self._stage != "report"):
            self._write(runs=False)

    def begin(self, stage: Stage) -> None:
        """Show that a stage has begun. Before the report, whose page takes its place, the thread ends."""
        if stage not in LIVE_STAGES:
            return
        self._stage, self._has_news = stage, True
        if stage == "report":
            self._stop()
            self._write(runs=True)
        elif not self._thread.is_alive():
            told = f"{self._study.report_html} shows how the study stands"
            self._console.print(Text(told, style="dim"), soft_wrap=True)
            self._thread.start()

    def catch_up(self, _records: SweepRecords) -> None:
        """Nothing to keep: pages are made from the ledger, as the journal changes its records."""

    def on_event(self, _event: TrialEvent, _record: TrialRecord) -> None:
        """Note that there is something new to show."""
        self._has_news = True

    def _stop(self) -> None:
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _keep(self) -> None:
        written_s = -QUIET_INTERVAL_S
        pause_s = 0.0
        while not self._is_over.wait(pause_s):
            start_s = time.monotonic()
            if self._has_news or start_s - written_s >= QUIET_INTERVAL_S:
                self._has_news = False
                self._write(runs=True)
                written_s = start_s
            pause_s = max(self._interval_s, (time.monotonic() - start_s) / LARGEST_SHARE_OF_TIME)

    def _write(self, *, runs: bool) -> None:
        try:
            assert self._stage is not None, "nothing is written before a stage begins"
            write_live_page(self._study, self._stage, self._terms, runs=runs)
        except Exception as error:  # noqa: BLE001 (whatever it is, the study goes on)
            told = f"{self._study.report_html}: the page of the running study cannot be written ({error})"
            if told not in self._told:
                self._told.add(told)
                self._console.print(Text(told, style="yellow"), soft_wrap=True)


def write_live_page(
    study: Study,
    stage: Stage,
    terms: SweepTerms,
    *,
    runs: bool = True,
    now_unix_s: float | None = None,
) -> None:
    """Write the page of a study that is not complete.

    Parameters
    ----------
    study : Study
        Its data have been prepared.
    stage : Stage
        The one that runs, or that ran last.
    terms : SweepTerms
        Of the sweep.
    runs : bool
        Whether the study runs; the page then reloads itself.
    now_unix_s : float, optional
        The time.
    """
    from glsweep.report.trials import trial_data  # noqa: PLC0415 (loads matplotlib in the page's own thread)

    now_unix_s = time.time() if now_unix_s is None else now_unix_s
    known = {one: read_records(_ledger(study, one)) for one in TRAINING}
    search, data = study.config.space.search, data_facts(read_artifact(study.data_json, DataSummary))
    won = {} if stage == "sweep" else read_artifact(study.winners_json, Winners).by_stratum
    winners = {key: winner.trial_id for key, winner in won.items()}
    trials = trial_data(known["sweep"], search, winners) if known["sweep"].trials else None
    context = {
        "config": study.config,
        "runs": runs,
        "stage": stage,
        "heading": _heading(study, stage, runs=runs),
        "stages": [(one, study.record(one).wall_s if study.is_done(one) else None) for one in STAGES],
        "state": _state_facts(study, stage, terms, known, now_unix_s if runs else None),
        "overview": overview(known["sweep"], terms, now_unix_s=now_unix_s if runs else None),
        "written_unix_s": round(now_unix_s),
        "written": datetime.fromtimestamp(now_unix_s, tz=UTC).strftime("%-d %B %Y, %H:%M:%S UTC"),
        "metric_word": METRIC_WORDS[search.rank_by],
        "trials": None if trials is None else json_for_script(trials),
        "setup": setup_facts(study.config),
        "facts": data,
        "version": __version__,
    }
    filters: dict[str, Callable[..., str]] = {"duration": duration, "sentence": sentence}
    write_text(study.report_html, render(HERE / "live.html", context, filters=filters))


def _heading(study: Study, stage: Stage, *, runs: bool) -> str:
    if runs:
        return f"Running: {stage}"
    return f"Complete until {stage}" if study.is_done(stage) else f"Interrupted in {stage}"


def _ledger(study: Study, stage: Stage) -> Path:
    return study.ledger_jsonl if stage == "sweep" else study.members_ledger_jsonl


def _state_facts(
    study: Study,
    stage: Stage,
    terms: SweepTerms,
    known: dict[Stage, SweepRecords],
    now_unix_s: float | None,
) -> dict[str, str]:
    """Return what the head of the page says: trials, time left and cost so far."""
    facts: dict[str, Any] = {}
    if stage in TRAINING:
        facts |= _progress(known[stage], _terms_of(study, stage, terms, known), now_unix_s)
    resources = study.config.space.resources
    trained = [record for one in known.values() for record in list(one.trials.values())]
    cost = cost_hours(trained, resources) if trained else Cost()
    return {**facts, "cost so far": str(cost)}


def _progress(records: SweepRecords, terms: SweepTerms, now_unix_s: float | None) -> dict[str, str]:
    state = overview(records, terms, now_unix_s=now_unix_s)
    is_certain = terms.size is not None and terms.replicates == 1 and not terms.may_end_early
    size = f" of {terms.size}" if is_certain else ""
    counts = {
        "running": sum(row.running for row in state.rows),
        "waiting": sum(row.waiting for row in state.rows),
    }
    told = [f"{state.over}{size} over", *(f"{number} {word}" for word, number in counts.items() if number)]
    left_s = None if now_unix_s is None else seconds_left(records, terms, now_unix_s=now_unix_s)
    return {
        "trials": ", ".join(told),
        **({"time left": f"about {duration(left_s)}"} if left_s else {}),
        "ran for": duration(state.ran_s),
    }


def _terms_of(study: Study, stage: Stage, terms: SweepTerms, known: dict[Stage, SweepRecords]) -> SweepTerms:
    """Return the terms of a stage that trains."""
    if stage == "sweep":
        return terms
    strata = sorted({record.trial.stratum for record in list(known[stage].trials.values())})
    return SweepTerms.of_retraining(strata, study.config.space)
