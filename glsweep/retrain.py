"""The stages `retrain` and `calibrate`: each winner is trained in full and gets its threshold."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from rich.console import Console
from torch import nn

from glsweep import __version__
from glsweep.config.stopping import NoStopping
from glsweep.config.trial import Stratum
from glsweep.doctor.connection import connected
from glsweep.errors import GlsweepError
from glsweep.files import replacing
from glsweep.nets import network_of
from glsweep.nets.ensemble import Ensemble, networks_of
from glsweep.nets.member import CARD, ModelCard, load_card_of, load_member, save_member, write_card
from glsweep.patches.store import open_patches
from glsweep.prediction.blend import Member
from glsweep.prediction.split_scenes import SplitScene, learn_uncertainty, split_scenes
from glsweep.progress import track
from glsweep.search.plan import ListedPlan, PlannedTrial
from glsweep.study import Study
from glsweep.study.artifacts import (
    CalibrateSummary,
    ChosenThreshold,
    RetrainSummary,
    ThresholdCurve,
    ThresholdCurves,
    Winner,
    Winners,
    read_artifact,
    write_artifact,
)
from glsweep.sweep.checkpoints import CheckpointStore
from glsweep.sweep.engine import Job, run_trials, split_arrays
from glsweep.sweep.journal import Listener
from glsweep.sweep.listener import ConsoleListener
from glsweep.sweep.outcomes import (
    Failures,
    changes_in_full_training,
    describe_changes,
    failure_in_retraining,
    recorded_failure,
    surviving_strata,
)
from glsweep.sweep.overview import SweepTerms
from glsweep.sweep.records import Ledger, SweepRecords, TrialRecord, read_records
from glsweep.sweep.start import load_start
from glsweep.tracking.address import carry_on_without_store
from glsweep.tracking.tracker import track_members
from glsweep.training.fit import Schedule
from glsweep.training.memory import calibrate_on
from glsweep.training.state import best_weights


def retrain(
    study: Study,
    *,
    address: str | None,
    storage: str | None,
    console: Console,
    listeners: Sequence[Listener] = (),
) -> RetrainSummary:
    """Train every winner in full and write its folder under `members/`; return a summary.

    Members run through the engine of the sweep, on the same cluster, and continue where they were
    interrupted. One that fails is listed under `failed` in the summary, and is tried again whenever the
    stage is run again. `listeners` are told of each event, besides the console.
    """
    won = read_artifact(study.winners_json, Winners).by_stratum
    checkpoints = CheckpointStore(study.checkpoints(storage, "members"))
    members = plan_members(study, won, checkpoints)
    job = retraining_job(study, members, checkpoints)
    changes = {m.stratum.title: changes_in_full_training(won[m.stratum.key], m.parameters) for m in members}
    for text in describe_changes(changes):
        console.print(f"  trained in full with {text}", highlight=False, markup=False)
    terms = SweepTerms.of_retraining(job.plan.strata, study.config.space)
    table = ConsoleListener(console, terms, title="Retraining of the winners", stage="retrain")
    with connected(address, study.config.space.imported), table:
        records = run_trials(job, split_arrays(study, job.plan), [table, *listeners])
    failed = write_members(study, members, records, won, checkpoints)
    checkpoints.clear()
    with carry_on_without_store(study, console):
        track_members(study)
    trained = [member for member in members if member.stratum.key not in failed]
    return RetrainSummary(
        epochs_of_members={
            m.stratum.key: sum(len(one.epochs) for one in records.seeds_of(records.trials[m.trial_id]))
            for m in trained
        },
        failed=dict(sorted(failed.items())),
    )


def retraining_job(study: Study, members: Sequence[PlannedTrial], checkpoints: CheckpointStore) -> Job:
    """Return the job that trains members in full, by the study's settings of retraining."""
    settings = study.config.space.retraining
    return Job(
        plan=ListedPlan(members),
        schedule=Schedule(
            settings.epochs,
            study.config.space.search.tolerance_m,
            settings.monitor,
            patience=settings.patience,
            keep_best=True,
            annealing=settings.annealing,
        ),
        stopping=NoStopping(),
        resources=study.config.space.resources,
        ledger_jsonl=study.members_ledger_jsonl,
        storage=checkpoints.root,
        replicates=settings.seeds,
        keep_checkpoints=True,
        start=load_start(study),
    )


def plan_members(study: Study, won: Mapping[str, Winner], checkpoints: CheckpointStore) -> list[PlannedTrial]:
    """Return a trial for each winner: first those that the ledger keeps, in its order, then all others.

    It is the first seed of its member; the engine adds the others. Networks that failed, belong to other
    winners or settings, or have neither a readable folder nor a checkpoint any more, are removed from the
    ledger and trained again.
    """
    members = [plan_member(study, index, key, won[key]) for index, key in enumerate(sorted(won))]
    by_id = {member.trial_id: member for member in members}
    seeds = study.config.space.retraining.seeds
    ledger = Ledger(study.members_ledger_jsonl)
    begun = read_records(ledger.path).trials
    usable = [
        trial_id
        for trial_id, record in begun.items()
        if record.trial.configuration in by_id
        and record.trial.replicate < seeds
        and _is_usable(study, record, checkpoints)
    ]
    # Another seed trains only where the first is complete.
    usable = [trial_id for trial_id in usable if begun[trial_id].trial.configuration in usable]
    if len(usable) < len(begun):
        ledger.keep(usable)
    firsts = [trial_id for trial_id in usable if trial_id in by_id]
    order = [*firsts, *(trial_id for trial_id in by_id if trial_id not in firsts)]
    return [by_id[trial_id].model_copy(update={"index": n}) for n, trial_id in enumerate(order)]


def _is_usable(study: Study, record: TrialRecord, checkpoints: CheckpointStore) -> bool:
    """Whether an earlier run's network can go on, or is complete."""
    if record.outcome != "completed":
        return record.outcome is None
    with checkpoints.newest(record.trial.trial_id) as checkpoint:
        if checkpoint is not None:
            return True
    try:
        _, card = load_member(study.member(record.trial.stratum))
    except GlsweepError:
        return False
    return record.trial.seed in card.every_seed


def plan_member(study: Study, index: int, key: str, winner: Winner) -> PlannedTrial:
    """Return the winner's configuration and seed, with the optimiser's settings of full training.

    Its identifier changes with everything that decides its result, so that a member is kept when a study
    is extended and none of that changes.
    """
    settings = study.config.space.retraining
    parameters = winner.parameters.model_copy(update=settings.trial_overrides)
    decisive = (settings, study.config.space.search.tolerance_m, parameters, winner.seed)
    fingerprint = hashlib.sha256(repr(decisive).encode()).hexdigest()[:8]
    return PlannedTrial(
        trial_id=f"member-{key}-{fingerprint}", index=index, seed=winner.seed, parameters=parameters
    )


def write_members(
    study: Study,
    members: Sequence[PlannedTrial],
    records: SweepRecords,
    won: Mapping[str, Winner],
    checkpoints: CheckpointStore,
) -> Failures:
    """Write the folder of each member that was trained or has other seeds now; return those that failed.

    A network without a checkpoint was written by an earlier run, and stays as it is.
    """
    failed: Failures = {}
    for member in members:
        key, folder = member.stratum.key, study.member(member.stratum)
        seeds = records.seeds_of(records.trials[member.trial_id])
        seeds.sort(key=lambda record: record.trial.replicate)
        broken = [record for record in seeds if record.outcome == "failed"]
        if broken:
            # The member of an earlier winner must not be taken for this one.
            (folder / CARD).unlink(missing_ok=True)
            failed[key] = failure_in_retraining(study, broken[0])
            continue
        trained = _trained(seeds, checkpoints)
        if trained or load_card_of(folder).every_seed != tuple(record.trial.seed for record in seeds):
            _write_member(study, seeds, trained, won[key])
    return failed


class _Trained(NamedTuple):
    """A network with the weights of its best epoch."""

    network: nn.Module
    best_epoch: int


def _trained(seeds: Sequence[TrialRecord], checkpoints: CheckpointStore) -> dict[int, _Trained]:
    """Return, by seed, the networks that have a checkpoint."""
    found = {}
    for trial in (record.trial for record in seeds):
        with checkpoints.newest(trial.trial_id) as checkpoint:
            if checkpoint is not None:
                progress, weights = best_weights(checkpoint)
                network = network_of(trial.parameters, seed=trial.seed)
                network.load_state_dict(weights)
                found[trial.seed] = _Trained(network, progress.best_epoch)
    return found


def _written(folder: Path) -> dict[int, _Trained]:
    """Return, by seed, the networks of a member's folder, each with the best epoch of the first."""
    network, card = load_member(folder)
    networks = zip(card.every_seed, networks_of(network), strict=True)
    return {seed: _Trained(one, card.best_epoch) for seed, one in networks}


def _write_member(
    study: Study, seeds: Sequence[TrialRecord], trained: Mapping[int, _Trained], winner: Winner
) -> None:
    member, folder = seeds[0].trial, study.member(seeds[0].trial.stratum)
    if len(trained) < len(seeds):
        trained = _written(folder) | dict(trained)
    networks = [trained[record.trial.seed].network for record in seeds]
    best_epoch = trained[member.seed].best_epoch
    parameters = member.parameters
    train = open_patches(study, parameters.patch_size_px).arrays("train")
    values = parameters.model_dump(mode="json")
    own = values.pop("own", {})
    card = ModelCard(
        architecture=parameters.architecture,
        patch_size_px=parameters.patch_size_px,
        base_width=parameters.base_width,
        network_parameters=parameters.own_of(parameters.architecture),
        channels=parameters.channels,
        amplitude_scale=train.amplitude_scale,
        posting_m=train.posting_m,
        wavelength_m=study.config.card.wavelength_m,
        trained_on=study.config.card.trained_on,
        line=study.config.card.line_kind or "",
        data_card_hash=study.config.card.content_hash(),
        seed=member.seed,
        seeds=tuple(record.trial.seed for record in seeds) if len(seeds) > 1 else (),
        trial_id=winner.trial_id,
        parameters=values | own,
        changed_since_trial=changes_in_full_training(winner, parameters),
        best_epoch=best_epoch,
        figures=seeds[0].epochs[best_epoch],
        glsweep_version=__version__,
    )
    for other in folder.glob("history-seed*.csv"):
        other.unlink()
    for record in seeds:
        history = pd.DataFrame([{"epoch": epoch, **record.epochs[epoch]} for epoch in sorted(record.epochs)])
        number = record.trial.replicate
        with replacing(folder / (f"history-seed{number}.csv" if number else "history.csv")) as temporary:
            history.to_csv(temporary, index=False)
    save_member(folder, Ensemble(networks) if card.seeds else networks[0], card)


# --- The stage `calibrate`


def calibrate(study: Study) -> CalibrateSummary:
    """Choose every member's threshold, learn its lines' uncertainty, and write both into its card.

    Thresholds are also written into `calibration.json`. Members that fail are listed under `failed` in
    the summary.
    """
    scenes = split_scenes(study, "val")
    curves: dict[str, ThresholdCurve] = {}
    failed: Failures = {}
    strata = surviving_strata(study, read_artifact(study.winners_json, Winners).by_stratum)
    for key in track(strata, "networks", "choosing thresholds"):
        with recorded_failure(failed, study, "calibrate", key):
            curves[key] = _calibrated(study, Stratum.parse(key), scenes)
    write_artifact(study.calibration_json, ThresholdCurves(by_stratum=curves))
    chosen = {
        k: ChosenThreshold(tau=curve.tau, on_grid_edge=curve.on_grid_edge) for k, curve in curves.items()
    }
    return CalibrateSummary(chosen=chosen, failed=dict(sorted(failed.items())))


def _calibrated(study: Study, stratum: Stratum, scenes: Sequence[SplitScene]) -> ThresholdCurve:
    settings, tolerance_m = study.config.space.calibration, study.config.space.search.tolerance_m
    network, card = load_member(study.member(stratum))
    val = open_patches(study, stratum.patch_size_px).arrays("val")
    curve = calibrate_on(val, network, card.channels, settings, tolerance_m=tolerance_m)
    card = card.model_copy(update={"tau": curve.tau, "temperature": curve.temperature})
    uncertainty, why_not = learn_uncertainty(
        Member(stratum.key, network, card), scenes, study.member(stratum)
    )
    learnt = {"uncertainty": uncertainty, "uncertainty_unknown": why_not}
    write_card(study.member(stratum), card.model_copy(update=learnt))
    return curve
