"""The stages of a study, run in their order; a complete one is skipped."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from glsweep.output import tell
from glsweep.progress import shown
from glsweep.report.live import LivePage
from glsweep.search.plan import Plan, patch_sizes_px
from glsweep.study import Study
from glsweep.study.artifacts import PrepareSummary, SimulateSummary, StageSummary, Winners, read_artifact
from glsweep.study.configuration import STAGES, Stage
from glsweep.study.standing import noted_standing
from glsweep.sweep.outcomes import check_some_survive, read_failures
from glsweep.sweep.overview import SweepTerms

TRIED_AGAIN: tuple[Stage, ...] = ("retrain", "calibrate", "evaluate")
"""Stages in which another try may help. In the sweep others were compared with what failed."""


@dataclass(frozen=True)
class Context:
    """What a stage gets besides the study: the plan, a cluster and its storage, and the console."""

    plan: Plan
    address: str | None
    storage: str | None
    console: Console


def run_stages(study: Study, stages: Sequence[Stage], context: Context) -> None:
    """Run those of `stages` that are not complete, and record each as it ends.

    A stratum that fails in one of them is left out of those that follow. A single stage that is requested
    by name tries again what failed in it or after it.

    Raises
    ------
    StudyError
        When the stage before one of them has not been run, or when no stratum is left.
    """
    if len(stages) == 1:
        _reopen(study, stages[0])
    terms = SweepTerms.of_search(context.plan, study.config.space)
    with LivePage(study, terms, context.console) as live:
        for stage in stages:
            _run_stage(study, stage, context, live)


def _run_stage(study: Study, stage: Stage, context: Context, live: LivePage) -> None:
    if study.is_done(stage) and not (stage == "prepare" and _lacks_patches(study, context)):
        wall_s = study.record(stage).wall_s
        line = Text(f"{stage:<10} done before ({wall_s:.0f} s)", style="dim")
        tell(context.console, line, "stage", stage=stage, state="done before", wall_s=round(wall_s, 1))
        _check_some_survive(study, stage)
        return
    position = STAGES.index(stage)
    if position:
        study.record(STAGES[position - 1])
    tell(context.console, Text(stage, style="bold"), "stage", stage=stage, state="begins")
    live.begin(stage)
    start_s = time.perf_counter()
    with noted_standing(study) as note, shown(stage, context.console, note=note):
        summary = _RUNNERS[stage](study, context, live)
    wall_s = time.perf_counter() - start_s
    study.finish(stage, wall_s, summary)
    line = Text(f"{stage:<10} {wall_s:.0f} s", style="dim")
    tell(context.console, line, "stage", stage=stage, state="done", wall_s=round(wall_s, 1))
    _check_some_survive(study, stage)


def _reopen(study: Study, stage: Stage) -> None:
    """Delete the records of a stage and those after it, if members failed in one of them."""
    onwards = STAGES[STAGES.index(stage) :]
    if stage in TRIED_AGAIN and any(failure.stage in onwards for failure in read_failures(study).values()):
        for later in reversed(onwards):
            study.stage_record(later).unlink(missing_ok=True)


def _check_some_survive(study: Study, stage: Stage) -> None:
    if STAGES.index(stage) >= STAGES.index("sweep"):
        check_some_survive(study, read_artifact(study.winners_json, Winners).by_stratum)


def _lacks_patches(study: Study, context: Context) -> bool:
    """Whether patches of a new size must be cut, or some were deleted to save space."""
    from glsweep.patches.store import missing_sizes

    return bool(missing_sizes(study, patch_sizes_px(context.plan.strata)))


def _simulate(study: Study, _context: Context, _live: LivePage) -> StageSummary:
    data_sets = enumerate(study.config.card.data_sets)
    simulated = [(n, c, c.simulation) for n, c in data_sets if c.simulation is not None]
    if not simulated:
        return SimulateSummary(scenes=0, skipped=f"the scenes of {study.config.card.name} are there")
    from glsweep.simulation import simulate_data

    for number, card, simulation in simulated:
        simulate_data(simulation, study.scene_root(card), seed=study.config.seed, number=number)
    return SimulateSummary(scenes=sum(simulation.scenes for _, _, simulation in simulated))


def _prepare(study: Study, context: Context, _live: LivePage) -> StageSummary:
    from glsweep.patches.prepare import prepare_patches
    from glsweep.report.console import print_data

    found = prepare_patches(study, patch_sizes_px(context.plan.strata))
    print_data(found, context.console)
    return PrepareSummary(patches=found.patches)


def _sweep(study: Study, context: Context, live: LivePage) -> StageSummary:
    from glsweep.sweep.engine import sweep

    return sweep(
        study,
        context.plan,
        address=context.address,
        storage=context.storage,
        console=context.console,
        listeners=[live],
    )


def _retrain(study: Study, context: Context, live: LivePage) -> StageSummary:
    from glsweep.retrain import retrain

    return retrain(
        study,
        address=context.address,
        storage=context.storage,
        console=context.console,
        listeners=[live],
    )


def _calibrate(study: Study, context: Context, _live: LivePage) -> StageSummary:
    from glsweep.retrain import calibrate

    summary = calibrate(study)
    for key, choice in summary.chosen.items():
        context.console.print(f"  {key}: tau {choice.tau:.2f}", highlight=False)
        if choice.on_grid_edge:
            context.console.print(
                f"  [yellow]{key}: tau lies on the edge of the grid that was tried; a better one may lie "
                "outside (`calibration` in the search space)[/yellow]"
            )
    return summary


def _evaluate(study: Study, _context: Context, _live: LivePage) -> StageSummary:
    from glsweep.evaluate import evaluate

    return evaluate(study)


def _report(study: Study, context: Context, _live: LivePage) -> StageSummary:
    from glsweep.register import register_members
    from glsweep.report.page import write_report
    from glsweep.sweep.mirror import track_study
    from glsweep.sweep.optuna_file import bring_up_to_date
    from glsweep.tracking.address import carry_on_without_store

    bring_up_to_date(study)
    summary = write_report(study)
    with carry_on_without_store(study, context.console):
        # The trials too: the store may not be the one of the sweep, or may have been recreated.
        track_study(study, summary)
        for version in register_members(study).values():
            champion = "champion" if version.is_champion else "not champion"
            context.console.print(
                f"  {version.model} version {version.number}: {champion}, {version.reason}",
                highlight=False,
            )
    return summary


_RUNNERS: dict[Stage, Callable[[Study, Context, LivePage], StageSummary]] = {
    "simulate": _simulate,
    "prepare": _prepare,
    "sweep": _sweep,
    "retrain": _retrain,
    "calibrate": _calibrate,
    "evaluate": _evaluate,
    "report": _report,
}
