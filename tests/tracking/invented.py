"""Sweeps without networks, played into a study's own ledger, and a reader of what MLflow then holds."""

from collections.abc import Iterator, Sequence

from made_artifacts import winner
from mlflow import MlflowClient
from mlflow.entities import Run

from glsweep.config.trial import TrialParameters
from glsweep.search.plan import PlannedTrial
from glsweep.study import Study
from glsweep.study.artifacts import Winners, write_artifact
from glsweep.sweep.journal import Journal, Listener
from glsweep.sweep.records import Ledger
from glsweep.tracking.address import tracking_uri

EPOCHS = 9
ARCHITECTURES = ("unet", "attention_unet", "unetpp")


def planned(index: int, **changes: object) -> PlannedTrial:
    """A trial of a small grid over three architectures, two learning rates and two loss weights."""
    values = {
        "architecture": ARCHITECTURES[index % 3],
        "patch_size_px": 128,
        "fn_weight": (0.7, 0.85)[index // 3 % 2],
        "fp_weight": (0.3, 0.15)[index // 3 % 2],
        "gamma": 1.33,
        "bce_weight": (0.2, 0.35)[index // 6 % 2],
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "batch_size": 2,
        "gradient_clip": 1.0,
        "channels": ("real", "imag"),
        "augmentation": (),
    }
    parameters = TrialParameters.model_validate({**values, **changes})
    return PlannedTrial(trial_id=f"{index:04d}-abcd", index=index, seed=index, parameters=parameters)


def figures(value: float) -> dict[str, float]:
    return {"relaxed_f1": value, "dice": value / 2, "val_loss": 1 - value, "epoch_s": 1.0}


def value_of(index: int, epoch: int) -> float:
    """A learning curve that rises; some trials are so good that others are stopped."""
    return (0.3 + 0.03 * (index * 7 % 12)) * epoch / (epoch + 2)


def journal_of(study: Study, *listeners: Listener) -> Journal:
    search = study.config.space.search
    study.sweep.mkdir(exist_ok=True)
    return Journal(
        Ledger(study.ledger_jsonl),
        stopping=search.scheduler,
        epochs=search.epochs,
        metric=search.rank_by,
        listeners=listeners,
    )


def play(
    journal: Journal, trials: Sequence[PlannedTrial], *, first_epoch: int = 1, last_epoch: int = EPOCHS
) -> Iterator[None]:
    """Train `trials` side by side; yields after each epoch of each."""
    for trial in trials:
        journal.start(trial)
    for epoch in range(first_epoch, last_epoch + 1):
        for trial in trials:
            if not journal.has_ended(trial.trial_id):
                now = figures(value_of(trial.index, epoch))
                journal.report(trial.trial_id, epoch, now, last=epoch == EPOCHS)
                yield


def write_winners(study: Study, trial: PlannedTrial) -> None:
    """As the stage does at its end."""
    won = winner(trial.stratum, value=0.5)
    write_artifact(study.winners_json, Winners(by_stratum={trial.stratum.key: won}))


class Reader:
    """Reads a study's store with MLflow's own client."""

    def __init__(self, study: Study) -> None:
        self.client = MlflowClient(tracking_uri(study), registry_uri=tracking_uri(study))
        # Another process that opened the study has called it as its folder is.
        found = map(self.client.get_experiment_by_name, (study.config.name, study.directory.name))
        self.experiment_id = next(filter(None, found), None).experiment_id

    def runs(self, kind: str) -> list[Run]:
        query = f"tags.`glsweep.kind` = '{kind}'"
        return list(self.client.search_runs([self.experiment_id], query, max_results=1000))

    def run(self, kind: str) -> Run:
        (run,) = self.runs(kind)
        return run

    def trials(self) -> dict[str, Run]:
        runs = self.runs("trial")
        named = {run.data.tags["glsweep.trial_id"]: run for run in runs}
        assert len(named) == len(runs), "a run was doubled"
        return named

    def steps(self, run: Run, metric: str) -> list[tuple[int, float]]:
        return [(m.step, m.value) for m in self.client.get_metric_history(run.info.run_id, metric)]

    def artifacts(self, run: Run, path: str | None = None) -> set[str]:
        return {a.path for a in self.client.list_artifacts(run.info.run_id, path)}


def assert_mirrors(study: Study, journal: Journal) -> None:
    """MLflow holds every trial of the journal as it ended, each epoch once."""
    reader = Reader(study)
    runs = reader.trials()
    assert set(runs) == set(journal.records.trials)
    sweep = reader.run("sweep")
    statuses = {"completed": "FINISHED", "stopped": "KILLED", "failed": "FAILED", None: "KILLED"}
    for trial_id, record in journal.records.trials.items():
        run = runs[trial_id]
        assert run.info.status == statuses[record.outcome], trial_id
        assert run.data.tags["mlflow.parentRunId"] == sweep.info.run_id
        expected = [(epoch, values["relaxed_f1"]) for epoch, values in sorted(record.epochs.items())]
        assert reader.steps(run, "relaxed_f1") == expected
        assert [step for step, _ in reader.steps(run, "epoch")] == sorted(record.epochs)
        assert run.data.params["architecture"] == record.trial.parameters.architecture
        told = run.data.tags["glsweep.outcome"]
        at_rung = f"stopped at rung {record.rung_epoch}"
        assert told == (at_rung if record.outcome == "stopped" else record.outcome or "interrupted")
