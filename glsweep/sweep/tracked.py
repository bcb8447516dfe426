"""What MLflow is to hold of a sweep, told from its records alone."""

from typing import Any

from glsweep.config.space import Figure
from glsweep.files import read_json
from glsweep.study import Study
from glsweep.sweep.records import TrialRecord, read_records
from glsweep.tracking.address import without_password
from glsweep.tracking.members import track_members
from glsweep.tracking.origin import origin_tags
from glsweep.tracking.runs import Condition, Epoch, RunState
from glsweep.tracking.tracker import Tracker


def track_study(study: Study) -> dict[str, Any]:
    """Send MLflow what it lacks of a study: from the ledger, the members and the report.

    It may be run as often as one likes, but not while the study itself runs: trials that are not
    over count as interrupted.

    Raises
    ------
    StoreError
        When the store cannot be reached or used; the next call goes on from there.
    """
    records = read_records(study.ledger_jsonl)
    tracker = Tracker.open(study)
    is_over = study.winners_json.is_file()
    if records.trials:
        tracker.sync_sweep(sweep_state(study, "completed" if is_over else "interrupted"))
    for record in records.trials.values():
        send_trial(tracker, record, study.config.space.search.rank_by, is_running=False)
    return {
        "mlflow_uri": without_password(tracker.uri),
        "trials": len(records.trials),
        "members": track_members(study),
        "calls": tracker.calls,
    }


def send_trial(tracker: Tracker, record: TrialRecord, figure: Figure, *, is_running: bool) -> None:
    """Bring one trial's run up to date; a trial that is not over and does not run is interrupted."""
    trial = record.trial
    condition: Condition = record.outcome or ("running" if is_running else "interrupted")
    tags: dict[str, object] = {
        "stratum": trial.stratum.key,
        "configuration": trial.configuration,
        "replicate": trial.replicate,
    }
    if record.rung_epoch is not None:
        tags["outcome"] = f"{condition} at rung {record.rung_epoch}"
    if record.reason:
        tags["reason"] = record.reason
    # Libraries disagree on gamma: some raise to it, others to its inverse.
    exponent = 1 / trial.parameters.gamma
    state = RunState(
        title=f"{trial.trial_id} {trial.stratum.key}",
        condition=condition,
        parameters={**dict(trial.parameters), "focal_exponent": exponent, "seed": trial.seed},
        tags=tags,
        epochs=_epochs_after(tracker.last_epoch(trial.trial_id), record, figure),
        started_unix_s=record.started_unix_s,
        ended_unix_s=record.ended_unix_s,
    )
    tracker.sync_trial(trial.trial_id, state)


def sweep_state(study: Study, condition: Condition) -> RunState:
    """Return what the run of the whole sweep is to hold; once there are winners, their figures too."""
    space, search = study.config.space, study.config.space.search
    won = read_json(study.winners_json) if study.winners_json.is_file() else {}
    parameters = {
        "seed": study.config.seed,
        "sampler": search.sampler,
        "scheduler": search.scheduler.name,
        "rank_by": search.rank_by,
        "tolerance_m": search.tolerance_m,
    }
    # MLflow never changes a parameter; what a study may get more of, and its names, are tags.
    tags = {
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
        figures={f"best_{search.rank_by}.{key}": winner["value"] for key, winner in won.items()},
    )


def _epochs_after(last: int, record: TrialRecord, figure: Figure) -> list[Epoch]:
    """Return the epochs that MLflow lacks, each with the best so far: its tables show the last step alone."""
    epochs = []
    for number in sorted(record.epochs):
        if number > last:
            best = record.best(figure, until_epoch=number)
            so_far = {f"best_{figure}": best[1]} if best else {}
            figures = {**record.epochs[number], **so_far}
            epochs.append(Epoch(number, figures, record.reported_unix_s[number]))
    return epochs
