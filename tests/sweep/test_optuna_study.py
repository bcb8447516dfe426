"""The Optuna study of a sweep: every trial as the ledger has it, made anew or brought up to date."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_configs import CARD, space
from optuna.trial import FrozenTrial, TrialState
from sweeps import SCRATCH, figures, journal_at, run

from glsweep.config.data_card import DataCard
from glsweep.config.space import SearchSpace
from glsweep.search import make_plan
from glsweep.search.distributions import searched_parameters
from glsweep.search.plan import EarlierTrial, PlannedTrial
from glsweep.study import Study
from glsweep.study.configuration import StudyConfig
from glsweep.sweep.optuna_file import Follower, bring_up_to_date, sqlite_url, write_anew
from glsweep.sweep.optuna_study import in_memory, trials_by_study
from glsweep.sweep.records import (
    Began,
    Crashed,
    Ended,
    Event,
    Placed,
    Reopened,
    Reported,
    Started,
    TrialRecord,
    read_records,
)

EPOCHS = 4
OPTUNA_STATES = {
    "completed": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def study_in(folder: Path, of: SearchSpace | None = None) -> Study:
    (folder / "sweep").mkdir(exist_ok=True)
    card = DataCard.model_validate(CARD)
    return Study(folder, StudyConfig(name="sweep", seed=0, card=card, space=of or space()))


def planned_in(of: SearchSpace) -> Sequence[PlannedTrial]:
    plan = make_plan(of, seed=0, source=Path("space.yaml"))
    proposed = (plan.propose(index, no_past) for index in range(of.search.budget.trials or 100))
    return [trial for trial in proposed if isinstance(trial, PlannedTrial)]


def no_past(index: int) -> EarlierTrial:
    raise AssertionError(index)


def play(study: Study, seed: int, steps: int | None = None) -> None:
    """Run a sweep of invented curves, or a part of one."""
    trials = planned_in(study.config.space)
    generator = np.random.default_rng(seed)
    curves = {one.trial_id: list(np.round(generator.uniform(0.1, 0.9, EPOCHS), 3)) for one in trials}
    run(journal_at(study.ledger_jsonl, epochs=EPOCHS), trials, curves, generator, steps=steps)


def reported(unix_s: float, trial_id: str, epoch: int, value: float, *, last: bool = False) -> Reported:
    return Reported(unix_s=unix_s, trial_id=trial_id, epoch=epoch, figures=figures(value), last=last)


def tell(study: Study, *events: Event) -> None:
    with study.ledger_jsonl.open("a") as file:
        file.writelines(f"{event.model_dump_json()}\n" for event in events)


def stored(study: Study) -> dict[str, list[FrozenTrial]]:
    """Every trial as Optuna reads it from the file."""
    storage = optuna.storages.RDBStorage(sqlite_url(study.optuna_db))
    try:
        names = optuna.get_all_study_names(storage)
        return {name: optuna.load_study(study_name=name, storage=storage).trials for name in names}
    finally:
        storage.engine.dispose()


def told(trial: FrozenTrial) -> tuple[object, ...]:
    """All that a trial says; its number in the file is no part of it."""
    return (
        trial.number,
        trial.state,
        trial.value,
        trial.params,
        trial.distributions,
        trial.user_attrs,
        trial.intermediate_values,
        trial.datetime_start,
        trial.datetime_complete,
    )


def all_told(study: Study) -> dict[str, list[tuple[object, ...]]]:
    return {name: list(map(told, trials)) for name, trials in stored(study).items()}


def anew(study: Study) -> dict[str, list[tuple[object, ...]]]:
    """What Optuna is told when it is told all at once."""
    of = study.config.space
    trials = trials_by_study(study.config.name, of, read_records(study.ledger_jsonl))
    return {name: list(map(told, in_memory(some, of.search.rank_by).trials)) for name, some in trials.items()}


def agrees(trial: FrozenTrial, record: TrialRecord) -> bool:
    """Whether Optuna says of a trial what the ledger does."""
    best = record.best("relaxed_f1")
    over = record.outcome is not None
    waits_or_runs = TrialState.WAITING if record.node is None else TrialState.RUNNING
    return (
        trial.state == (OPTUNA_STATES[record.outcome] if record.outcome else waits_or_runs)
        and trial.value == (best[1] if over and best and record.outcome != "failed" else None)
        and trial.intermediate_values == {e: each["relaxed_f1"] for e, each in record.epochs.items()}
        and trial.user_attrs["trial_id"] == record.trial.trial_id
        and trial.user_attrs["stratum"] == record.trial.stratum.key
        and trial.user_attrs.get("stopped_at_epoch") == record.rung_epoch
        and trial.user_attrs.get("best_epoch") == (best[0] if best else None)
        and (trial.datetime_complete is not None) == over
    )


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 99), st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_a_file_that_follows_a_sweep_becomes_the_one_that_is_made_anew(seed: int, cuts: list[int]) -> None:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        study = study_in(Path(folder))
        for number, steps in enumerate(cuts):
            play(study, seed + number, steps)
            bring_up_to_date(study)
            records = list(read_records(study.ledger_jsonl).trials.values())
            assert all(map(agrees, stored(study)["sweep"], records))
        play(study, seed)
        bring_up_to_date(study)
        assert all_told(study) == anew(study)
        records = list(read_records(study.ledger_jsonl).trials.values())
        assert len(stored(study)["sweep"]) == len(records) == len(planned_in(study.config.space))
        assert all(map(agrees, stored(study)["sweep"], records))


def test_each_stratum_is_an_optuna_study_of_its_own_trials(tmp_path: Path) -> None:
    study = study_in(tmp_path)
    play(study, seed=1)
    write_anew(study)
    assert all_told(study) == anew(study)
    found = stored(study)
    assert sorted(found) == ["sweep", "sweep-unet-32", "sweep-unetpp-32"]
    whole = [trial.user_attrs["trial_id"] for trial in found["sweep"]]
    parts = [{t.user_attrs["trial_id"] for t in found[f"sweep-{key}"]} for key in ("unet-32", "unetpp-32")]
    assert parts[0] | parts[1] == set(whole)
    assert parts[0] & parts[1] == set()
    assert {trial.params["architecture"] for trial in found["sweep"]} == {"unet", "unetpp"}
    assert all(trial.params.keys() == {"bce_weight"} for trial in found["sweep-unet-32"])
    labels = {"none", "0.1,0.2,0.3,0.4"}
    assert {trial.params["ds_weights"] for trial in found["sweep-unetpp-32"]} == labels


def test_a_sweep_of_one_stratum_is_one_optuna_study(tmp_path: Path) -> None:
    study = study_in(tmp_path, space(dimensions__architecture={"choices": ["unet"]}))
    play(study, seed=1)
    write_anew(study)
    assert list(stored(study)) == ["sweep"]


@pytest.mark.parametrize("rank_by", ["relaxed_f1", "val_loss"])
def test_the_best_trial_is_the_ledgers_and_optuna_knows_which_way_is_better(
    tmp_path: Path, rank_by: str
) -> None:
    study = study_in(tmp_path, space(search__rank_by=rank_by))
    play(study, seed=2)
    write_anew(study)
    loaded = optuna.load_study(study_name="sweep", storage=sqlite_url(study.optuna_db))
    completed = [r for r in read_records(study.ledger_jsonl).trials.values() if r.outcome == "completed"]
    best = (max if rank_by == "relaxed_f1" else min)(r.bests[rank_by][1] for r in completed)
    assert loaded.best_value == best
    assert loaded.metric_names == [rank_by]


def test_a_trial_is_followed_from_the_queue_to_its_end_and_beyond(tmp_path: Path) -> None:
    study = study_in(tmp_path)
    trial = planned_in(study.config.space)[0]
    name = trial.trial_id
    steps: list[tuple[list[Event], TrialState]] = [
        ([Began(unix_s=100), Started(unix_s=101, trial=trial)], TrialState.WAITING),
        ([Placed(unix_s=110, trial_id=name, node="a", device="cuda")], TrialState.RUNNING),
        (
            [Reported(unix_s=120, trial_id=name, epoch=1, figures=figures(0.5), last=False)],
            TrialState.RUNNING,
        ),
        ([Crashed(unix_s=121, trial_id=name, reason="lost")], TrialState.WAITING),
        ([Placed(unix_s=130, trial_id=name, node="b")], TrialState.RUNNING),
        ([reported(140, name, 2, 0.4, last=True)], TrialState.RUNNING),
        ([Ended(unix_s=141, trial_id=name, outcome="completed")], TrialState.COMPLETE),
        ([Reopened(unix_s=200, trial_id=name)], TrialState.WAITING),
        ([Ended(unix_s=210, trial_id=name, outcome="failed", reason="NaN")], TrialState.FAIL),
    ]
    with Follower(study) as follower:
        for events, state in steps:
            tell(study, *events)
            assert follower.look()
            (found,) = stored(study)["sweep"]
            assert found.state == state
            assert all_told(study) == anew(study)
            assert not follower.look(), "nothing has happened since"
    assert found.user_attrs["reason"] == "NaN"
    assert found.user_attrs["crashes"] == 1
    assert found.datetime_start is not None
    assert found.datetime_start.timestamp() == 110


def test_an_extended_sweep_has_further_choices_and_keeps_its_trials(tmp_path: Path) -> None:
    study = study_in(tmp_path)
    play(study, seed=3)
    write_anew(study)
    before = [trial.user_attrs["trial_id"] for trial in stored(study)["sweep"]]
    wider = study_in(tmp_path, space(dimensions__bce_weight={"choices": [0.2, 0.35, 0.5]}))
    bring_up_to_date(wider)
    found = stored(wider)["sweep"]
    assert [trial.user_attrs["trial_id"] for trial in found] == before
    assert found[0].distributions["bce_weight"].choices == (0.2, 0.35, 0.5)


def test_a_file_that_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    study = study_in(tmp_path)
    play(study, seed=3)
    study.optuna_db.write_text("no database")
    bring_up_to_date(study)
    assert len(stored(study)["sweep"]) == len(planned_in(study.config.space))


def test_dimensions_are_named_bounded_and_valued_as_the_space_says() -> None:
    of = space(
        dimensions={
            "architecture": {"choices": ["unet", "unetpp"]},
            "patch_size_px": {"choices": [32]},
            "tversky": {"keys": ["alpha", "beta"], "choices": [[0.7, 0.3], [0.8, 0.2]], "labels": ["a", "b"]},
            "narrow": {"keys": ["base_width"], "choices": [[2], [4]], "when": {"architecture": "unet"}},
            "wide": {"keys": ["base_width"], "choices": [[8], [16]], "when": {"architecture": "unetpp"}},
            "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "batch_size": {"low": 2, "high": 8, "step": 2},
            "gradient_clip": {"low": 0.5, "high": 2.1, "step": 0.5},
            "weight_decay": {"choices": [1e-5]},
        },
        fixed={"channels": ["real"], "gamma": 1.33, "bce_weight": 0.2, "augmentation": []},
        search__sampler="random",
        search__budget={"trials": 20},
    )
    parameters = searched_parameters(of)
    distributions = {name: parameter.distribution for name, parameter in parameters.items()}
    assert distributions == {
        "tversky": optuna.distributions.CategoricalDistribution(["a", "b"]),
        "base_width": optuna.distributions.CategoricalDistribution([2, 4, 8, 16]),
        "learning_rate": optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True),
        "batch_size": optuna.distributions.IntDistribution(2, 8, step=2),
        "gradient_clip": optuna.distributions.FloatDistribution(0.5, 2.0, step=0.5),
    }
    for trial in planned_in(of):
        own = trial.parameters
        values = {name: parameter.value_in(trial) for name, parameter in parameters.items()}
        assert values == {
            "tversky": {0.7: "a", 0.8: "b"}[own.fn_weight],
            "base_width": own.base_width,
            "learning_rate": own.learning_rate,
            "batch_size": own.batch_size,
            "gradient_clip": own.gradient_clip,
        }
        without_picks = trial.model_copy(update={"choices": {}})
        assert {name: p.value_in(without_picks) for name, p in parameters.items()} == values
