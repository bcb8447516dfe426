"""The stage `sweep`: every trial of the search space, and the winner of each stratum."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from glsweep.files import replacing, write_json
from glsweep.patches.store import open_patches
from glsweep.spaces.plan import PlannedTrial, patch_sizes_px
from glsweep.study import Study
from glsweep.sweep.checkpoints import CheckpointFolder
from glsweep.sweep.cluster import connected
from glsweep.sweep.console import ConsoleListener
from glsweep.sweep.engine import Job, run_trials
from glsweep.sweep.tracked import TrackingListener
from glsweep.sweep.winners import trials_frame, winners
from glsweep.tracking.tracker import Tracker
from glsweep.training.fit import Schedule


def sweep(
    study: Study, trials: Sequence[PlannedTrial], *, address: str | None, console: Console
) -> dict[str, Any]:
    """Run the trials, write `sweep/trials.csv` and `sweep/winners.json`, and return a summary."""
    search = study.config.space.search
    tracker = Tracker.open(study)
    tracker.start_sweep(_sweep_parameters(study), {"data": study.config.card.name})
    job = Job(
        trials=trials,
        schedule=Schedule(search.epochs, search.tolerance_m, search.rank_by),
        stopping=search.scheduler,
        resources=study.config.space.resources,
        ledger_jsonl=study.ledger_jsonl,
        checkpoints=study.sweep / "tune",
    )
    table = ConsoleListener(console, trials, figure=search.rank_by, epochs=search.epochs, title="Sweep")
    try:
        with connected(address), table:
            records = run_trials(
                job, split_arrays(study, trials), [TrackingListener(tracker, search.rank_by), table]
            )
    except BaseException:
        tracker.interrupt()
        raise
    best = winners(records, search.rank_by)
    with replacing(study.trials_csv) as beside:
        trials_frame(records, search.rank_by).to_csv(beside, index=False)
    write_json(study.winners_json, best)
    tracker.end_sweep(figures={f"best_{search.rank_by}.{key}": won["value"] for key, won in best.items()})
    CheckpointFolder(job.checkpoints).clear()
    outcomes = Counter(str(record.outcome) for record in records.trials.values())
    return {
        "trials": len(records.trials),
        "outcomes": dict(outcomes),
        "epochs": sum(len(record.epochs) for record in records.trials.values()),
        "winners": {key: won["trial_id"] for key, won in best.items()},
        "mlflow_uri": tracker.uri,
    }


def split_arrays(study: Study, trials: Sequence[PlannedTrial]) -> dict[int, Any]:
    """Return training and validation patches of every size that `trials` need."""
    sizes = patch_sizes_px(trials)
    stores = {size: open_patches(study, size) for size in sizes}
    return {size: (store.arrays("train"), store.arrays("val")) for size, store in stores.items()}


def _sweep_parameters(study: Study) -> dict[str, object]:
    """Return what the sweep as a whole is known by in MLflow."""
    space, search = study.config.space, study.config.space.search
    return {
        "space": space.name,
        "data": study.config.card.name,
        "seed": study.config.seed,
        "sampler": search.sampler,
        "scheduler": search.scheduler.name,
        "epochs": search.epochs,
        "rank_by": search.rank_by,
        "tolerance_m": search.tolerance_m,
    }
