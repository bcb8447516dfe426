"""MLflow's own pages of a sweep, opened in a real browser: the table, the charts, and the comparison.

With GLSWEEP_SCREENSHOTS=docs/mlflow the pictures of the documentation are made anew.
"""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from browser import CHROMIUM, opened_browser, shows_all
from invented import ARCHITECTURES, Reader, figures, journal_of, planned
from playwright.sync_api import Page
from servers import MlflowServer

from glsweep.search.plan import PlannedTrial
from glsweep.study import Study
from glsweep.study.artifacts import ReportSummary
from glsweep.sweep.mirror import mirrored, track_study
from glsweep.tracking.address import trials_page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")]

COLUMNS = [
    "params.`architecture`",
    "params.`bce_weight`",
    "params.`ds_weights`",
    "params.`learning_rate`",
    "metrics.`best_relaxed_f1`",
    "metrics.`epoch`",
    "tags.`glsweep.outcome`",
]
# The assistant's panel is closed, and the pages are those of training.
AS_AFTER_A_FIRST_VISIT = """
localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
localStorage.setItem('mlflow.workflowType_v1', '"machine_learning"');
"""
REACHED = {"unet": 0.62, "attention_unet": 0.66, "unetpp": 0.74}


def trials() -> list[PlannedTrial]:
    """Twelve trials of three architectures, in the order of a shuffled plan."""
    generator = np.random.default_rng(3)
    made = []
    for index in range(12):
        changes = {
            "bce_weight": (0.2, 0.35)[index // 3 % 2],
            "learning_rate": float(f"{10 ** generator.uniform(-3.3, -2):.1e}"),
            "base_width": 8,
            "augmentation": ("dihedral", "conjugation"),
        }
        if ARCHITECTURES[index % 3] == "unetpp":
            changes["ds_weights"] = (None, (0.05, 0.1, 0.2, 0.65))[index // 6]
        trial = planned(index, **changes)
        trial_id = f"{index:04d}-{trial.parameters.content_hash()[:8]}"
        made.append(trial.model_copy(update={"trial_id": trial_id}))
    return made


def curve(trial: PlannedTrial, epochs: int) -> list[float]:
    """A noisy learning curve that depends on the trial's parameters."""
    generator = np.random.default_rng(trial.seed)
    parameters = trial.parameters
    off_optimum = abs(math.log10(parameters.learning_rate) + 2.4)
    limit = REACHED[parameters.architecture] + 0.05 * (parameters.bce_weight < 0.3) - 0.12 * off_optimum
    rising = limit * (1 - np.exp(-np.arange(1, epochs + 1) / 2.5))
    return (rising + generator.normal(0, 0.012, epochs)).clip(0.02, 0.95).tolist()


@pytest.fixture
def swept(server: MlflowServer, make_study, console) -> Study:
    study = make_study(name="demo")
    epochs, planned_trials = study.config.space.search.epochs, trials()
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        for trial in planned_trials:
            journal.start(trial)
        for epoch in range(1, epochs + 1):
            for trial in planned_trials:
                if not journal.has_ended(trial.trial_id):
                    value = curve(trial, epochs)[epoch - 1]
                    journal.report(trial.trial_id, epoch, figures(value), last=epoch == epochs)
    return study


@pytest.fixture
def page() -> Iterator[Page]:
    with opened_browser(width_px=1440) as opened:
        opened.add_init_script(f"if (location.protocol === 'http:') {{ {AS_AFTER_A_FIRST_VISIT} }}")
        yield opened


def test_table_charts_and_comparison_show_a_sweep(swept, server, page, tmp_path):
    pictures = Path(os.environ.get("GLSWEEP_SCREENSHOTS", tmp_path))
    reader = Reader(swept)
    runs = reader.trials()
    names = [run.info.run_name for run in runs.values()]
    trials = trials_page(server.uri, reader.experiment_id, swept.id, "relaxed_f1")

    choose_columns(page, reader.experiment_id)
    page.goto(trials)
    page.wait_for_function(shows_all(names))
    page.wait_for_function(
        shows_all(["architecture", "best_relaxed_f1", "stopped at rung 3", "unetpp", "none"])
    )
    text = page.inner_text("body")
    best_first = sorted(runs.values(), key=lambda run: -run.data.metrics["best_relaxed_f1"])
    places = [text.index(run.info.run_name) for run in best_first]
    assert places == sorted(places), "the best trial is not at the top"
    assert f"{len(names)} matching runs" in text
    page.screenshot(path=pictures / "table.png")

    page.goto(f"{trials}&compareRunsMode=CHART")
    page.wait_for_function("document.querySelectorAll('.js-line').length > 20")
    assert {"best_relaxed_f1", "relaxed_f1", "val_loss", "dice"} <= set(page.inner_text("body").splitlines())
    page.screenshot(path=pictures / "charts.png")

    ids = json.dumps([run.info.run_id for run in runs.values()])
    experiments = json.dumps([reader.experiment_id])
    compared = f"{server.uri}/#/compare-runs?runs={quote(ids)}&experiments={quote(experiments)}"
    page.goto(compared)
    page.wait_for_function("document.querySelectorAll('.parcoords .y-axis').length > 3")
    page.wait_for_function(shows_all([*names, "Parallel Coordinates Plot", "Comparing 12 Runs"]))
    axes = "[...document.querySelectorAll('.axis-title')].map(title => title.textContent).join()"
    assert set(page.evaluate(axes).split(",")) >= {"architecture", "bce_weight", "relaxed_f1"}
    assert set(ARCHITECTURES) <= set(page.inner_text("body").split())
    page.screenshot(path=pictures / "comparison.png")


def test_the_page_of_the_sweep_opens_with_the_verdict_and_folds_the_trials_below_it(swept, server, page):
    headline = "128 px: U-Net++ 128 (relaxed F1 0.742) is not told apart from U-Net 128"
    report = ReportSummary(report="report.html", figures=1, headlines=(headline,), cautions=("Few scenes.",))
    track_study(swept, report)
    reader = Reader(swept)
    (sweep,) = (run for run in reader.runs("sweep") if run.data.tags["glsweep.study_id"] == swept.id)
    experiment = f"{server.uri}/#/experiments/{reader.experiment_id}"

    page.goto(f"{experiment}/runs/{sweep.info.run_id}")
    page.wait_for_function(shows_all([f"Verdict. {headline}.", "Few scenes.", "report.html"]))

    page.goto(f"{experiment}/runs")
    page.wait_for_function(shows_all([sweep.info.run_name]))
    assert not any(run.info.run_name in page.inner_text("body") for run in reader.runs("trial"))


def choose_columns(page: Page, experiment_id: str) -> None:
    """As a user does with the button Columns: MLflow keeps the choice in the browser."""
    key = json.dumps(f'MLflowLocalStorage-1.1-ExperimentPage-["{experiment_id}"]-ReactComponentState')
    chosen = json.dumps(json.dumps({"selectedColumns": COLUMNS}))
    # Before the first page and within each: a page that was left may still write its own choice for a while.
    page.add_init_script(f"if (location.protocol === 'http:') {{ localStorage.setItem({key}, {chosen}) }}")
