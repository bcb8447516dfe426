"""Trials that begin from a member, or from the network in the package, and see few scenes or many."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from made_configs import SPACE, changed, space, study_config, write_yaml
from made_input import card

from glsweep.config.space import SearchSpace, load_space
from glsweep.config.start import starts_of, with_starts
from glsweep.config.trial import TrialParameters
from glsweep.doctor.connection import connected
from glsweep.errors import ConfigError, StudyError
from glsweep.metrics.thresholds import count_at_thresholds
from glsweep.nets import build_network
from glsweep.nets.ensemble import Ensemble
from glsweep.nets.member import line_probability, load_card_of, load_member, save_member, weights_hash
from glsweep.patches.store import open_patches
from glsweep.prediction.blend import EMBEDDED
from glsweep.run import main
from glsweep.search import make_plan
from glsweep.study import Study, create_study, open_study
from glsweep.study.artifacts import Winners, read_artifact
from glsweep.study.configuration import changes_between, extended_configuration
from glsweep.sweep.checkpoints import CheckpointStore
from glsweep.sweep.records import read_records
from glsweep.sweep.start import check_same_start, check_start, load_start, read_start
from glsweep.training.fit import RANKING_THRESHOLDS
from glsweep.training.memory import truth_of
from glsweep.training.state import begin_from_weights, fresh_state, read_tensors

SMALL: dict[str, Any] = {
    **SPACE,
    "dimensions": {
        "architecture": {"choices": ["unet"]},
        "patch_size_px": {"choices": [32]},
        "start": {"choices": ["none", "member"]},
        "train_scenes": {"choices": [1, 2]},
    },
    # Steps too small to move a weight, so that a network shows where it began.
    "fixed": {
        **SPACE["fixed"],
        "channels": ["cos", "sin"],
        "bce_weight": 0.3,
        "learning_rate": 1e-20,
        "weight_decay": 0,
        "precision": "float32",
    },
    "search": {**SPACE["search"], "epochs": 1, "scheduler": {"name": "none"}},
    "retraining": {"epochs": 1, "patience": 1, "monitor": "val_loss"},
}
FINETUNE = Path(__file__).parents[2] / "search_spaces" / "finetune.yaml"
WITHOUT_START = {key: of for key, of in SMALL["dimensions"].items() if key != "start"}
CARD = {
    "name": "sim",
    "split": {"rule": "scene", "train": 0.5, "val": 0.25, "test": 0.25},
    "simulation": {"scenes": 4, "rows": 96, "cols": 96, "noise": 0.3, "tides": "resolved"},
}


def write_member(folder: Path, seed: int = 3, **changes: Any) -> Path:
    """A member of random weights, whose running statistics are not those of a fresh network."""
    made = card(**{"base_width": 2, "patch_size_px": 32, "channels": ("cos", "sin"), **changes})
    network = build_network(
        made.architecture, in_channels=len(made.channels), base_width=made.base_width, seed=seed
    )
    network.train()(torch.randn(4, len(made.channels), 32, 32, generator=torch.Generator().manual_seed(seed)))
    save_member(folder, network, made)
    return folder


def read(folder: Path, value: dict[str, Any] = SMALL, **changes: Any) -> SearchSpace:
    """The space as a study has it, checked; a double underscore stands for a dot."""
    for key, to in changes.items():
        value = changed(value, key.replace("__", "."), to)
    source = write_yaml(folder / "space.yaml", value)
    found, weights = read_start(load_space(source), source)
    check_start(found, make_plan(found, seed=0, source=source), source, weights)
    return found


def trials(found: SearchSpace) -> dict[tuple[str, int | None], TrialParameters]:
    planned = make_plan(found, seed=0, source=Path("space.yaml")).trials  # type: ignore[attr-defined]
    return {(one.parameters.start, one.parameters.train_scenes): one.parameters for one in planned}


def test_a_start_is_a_dimension_like_any_other_and_carries_the_hash_of_its_weights(tmp_path: Path) -> None:
    member = write_member(tmp_path / "member")
    token = f"unet@{weights_hash(member)}"
    assert set(trials(read(tmp_path))) == {(start, n) for start in ("none", token) for n in (1, 2)}
    fixed = read(tmp_path, dimensions=WITHOUT_START, fixed__start="./member")
    at_the_top = read(tmp_path, dimensions=WITHOUT_START, start="member")
    assert {start for start, _ in trials(fixed)} == {start for start, _ in trials(at_the_top)} == {token}


def test_of_a_member_of_several_networks_trials_begin_from_the_first(tmp_path: Path) -> None:
    networks = [load_member(write_member(tmp_path / f"{seed}", seed))[0] for seed in (3, 4)]
    made = card(base_width=2, patch_size_px=32, channels=("cos", "sin"), seed=3, seeds=(3, 4))
    save_member(tmp_path / "member", Ensemble(networks), made)
    source = write_yaml(tmp_path / "space.yaml", SMALL)
    _, (found,) = read_start(load_space(source), source)
    begun = safetensors.torch.load(found.content)
    first = networks[0].state_dict()
    assert begun.keys() == first.keys()
    assert all(torch.equal(begun[name], value) for name, value in first.items())


def test_every_place_that_names_a_start_is_given_its_hash(tmp_path: Path) -> None:
    token = f"unet@{weights_hash(write_member(tmp_path / 'member'))}"
    found = read(
        tmp_path,
        dimensions__start={"choices": ["none", "member"], "labels": ["none", "mine"]},
        dimensions__batch_size={"choices": [2, 4], "when": {"start": ["member"]}},
        dimensions__train_scenes={
            "keys": ["train_scenes", "gamma"],
            "choices": [[1, 1.0]],
            "when": {"start": "none"},
        },
        fixed={**SMALL["fixed"], "gamma": 1.33, "batch_size": 4},
        search__first=[{"start": "member"}, {"start": "none"}],
    )
    assert found.dimensions["start"].choices == ("none", token)
    assert found.dimensions["batch_size"].when == {"start": [token]}
    assert found.dimensions["train_scenes"].when == {"start": "none"}
    assert [one["start"] for one in found.search.first] == [token, "none"]
    assert starts_of(found) == [token]
    assert with_starts(found, lambda start: start) == found


def test_a_member_may_be_moved_and_must_not_be_changed(tmp_path: Path) -> None:
    write_member(tmp_path / "member")
    found = read(tmp_path)
    shutil.move(tmp_path / "member", tmp_path / "elsewhere" / "member")
    assert read(tmp_path, dimensions__start={"choices": ["none", "elsewhere/member"]}) == found
    study = create_study(tmp_path / "study", study_config().model_copy(update={"space": found}))
    study.sweep.mkdir()
    study.ledger_jsonl.write_text('{"event":"began","unix_s":1.0,"cohorts":{}}\n')
    check_same_start(study, found)
    more = {"choices": ["none", "elsewhere/member", "another"]}
    write_member(tmp_path / "another", seed=5)
    check_same_start(study, read(tmp_path, dimensions__start=more))
    write_member(tmp_path / "elsewhere" / "member", seed=4)
    other = read(tmp_path, dimensions__start={"choices": ["none", "elsewhere/member"]})
    with pytest.raises(StudyError, match=r"^[^\n]*a member or file holds other weights than then[^\n]*$"):
        check_same_start(study, other)


def test_a_study_without_either_is_written_and_named_as_before(tmp_path: Path) -> None:
    plain = space()
    assert "start" not in plain.model_dump_json()
    (trial, *_) = make_plan(plain, seed=0, source=Path("space.yaml")).trials  # type: ignore[attr-defined]
    written = trial.parameters.model_dump_json()
    assert "start" not in written
    assert "train_scenes" not in written
    assert (
        trial.parameters.model_copy(update={"start": "none", "train_scenes": None}).model_dump_json()
        == written
    )


def test_a_study_grows_from_scratch_to_a_start_and_from_all_scenes_to_few(tmp_path: Path) -> None:
    write_member(tmp_path / "member")
    plain = {key: of for key, of in SMALL["dimensions"].items() if key not in ("start", "train_scenes")}
    old = study_config().model_copy(update={"space": read(tmp_path, dimensions=plain)})
    both = {"dimensions__train_scenes__choices": [None, 1]}
    new = old.model_copy(update={"space": read(tmp_path, **both)})
    assert [change.is_possible for change in changes_between(old, new)] == [True, True]
    # And back again: a study keeps what it has tried.
    assert extended_configuration(new, old).space == new.space
    without = old.model_copy(update={"space": read(tmp_path)})
    assert not all(change.is_possible for change in changes_between(old, without)), "none ran on all scenes"


def test_who_stops_trials_on_few_scenes_early_is_told_so(tmp_path: Path) -> None:
    write_member(tmp_path / "member")
    asha = {"name": "asha", "grace_epochs": 1, "reduction_factor": 2}
    (remark,) = (
        one for one in read(tmp_path, search__epochs=4, search__scheduler=asha).remarks if "search" in one
    )
    assert "`asha` compares trials on few scenes with those on many" in remark


@pytest.mark.parametrize(
    ("member", "changes", "told"),
    [
        (
            {"base_width": 4},
            {},
            r"dimensions\.start: weights are for base_width 4, a trial has 2; set base_width to 4",
        ),
        (
            {"channels": ("sin", "cos")},
            {},
            r"weights are for the channels sin, cos, a trial has cos, sin; set channels to \[sin, cos\]",
        ),
        (
            {"architecture": "attention_unet"},
            {},
            r"weights are for attention_unet, a trial has unet; keep to the former, or name them in a "
            r"dimension with `when: \{architecture: attention_unet\}`",
        ),
        ({}, {"dimensions__start__choices": ["none", "nowhere"]}, "nowhere: there is no such file"),
        ({}, {"dimensions__start__choices": ["none", "spaces"]}, "spaces: holds no complete member"),
        ({}, {"dimensions__start__choices": ["embedded"]}, "weights are for base_width"),
        ({}, {"dimensions__start__choices": [None]}, "start"),
        (
            {"architecture": "attention_unet"},
            {"dimensions": WITHOUT_START, "start": {"unet": "member"}},
            r"line \d+: start.unet: member is a member of attention_unet; name it for that",
        ),
        ({}, {"fixed__start": "member"}, "fixed.start: is set by the dimension start in every trial"),
        ({}, {"dimensions__train_scenes__choices": [0]}, "train_scenes"),
    ],
)
def test_a_contradiction_is_refused_in_one_line_before_anything_runs(
    tmp_path: Path, member: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    write_member(tmp_path / "member", **member)
    (tmp_path / "spaces").mkdir()
    with pytest.raises((ConfigError, StudyError), match=rf"^[^\n]*{told}[^\n]*$"):
        read(tmp_path, **changes)


def test_what_the_package_brings_to_fine_tune_fits_its_own_network() -> None:
    source = FINETUNE
    found, weights = read_start(load_space(source), source)
    plan = make_plan(found, seed=0, source=source)
    check_start(found, plan, source, weights)
    embedded = f"embedded@{weights_hash(EMBEDDED)}"
    assert {(start, n) for start, n in trials(found)} == {
        (start, n) for start in ("none", embedded) for n in (5, 10, 20)
    }
    assert found.search.replicates > 1
    card = load_card_of(EMBEDDED)
    told = (
        f"fixed: {{start: embedded, channels: [{', '.join(card.channels)}], base_width: {card.base_width}}}"
    )
    assert told in (source.parents[1] / "docs" / "finetune.md").read_text()
    assert not found.remarks, "what it asks for is what it does"


def test_a_network_begins_as_exactly_what_the_member_predicts(tmp_path: Path) -> None:
    source = FINETUNE
    found, weights = read_start(load_space(source), source)
    start = {one.start: safetensors.torch.load(one.content) for one in weights}
    trial = next(one for (named, _), one in trials(found).items() if named != "none")
    state = fresh_state(trial, seed=5, device=torch.device("cpu"))
    member, its_card = load_member(EMBEDDED)
    image = torch.randn(2, 2, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = line_probability(state.network.eval(), its_card, image)
        begin_from_weights(state, trial, start)
        after = line_probability(state.network.eval(), its_card, image)
        wanted = line_probability(member, its_card, image)
    assert not torch.allclose(before, wanted, atol=0.01)
    assert torch.equal(after, wanted)


# --- A real study


@pytest.fixture
def ray() -> Iterator[None]:
    """One Ray for every command that runs in this process."""
    with connected(None):
        yield


STUDY = changed(SMALL, "dimensions.start.choices", ["member"])


def learnt(study: Study) -> dict[int | None, dict[str, torch.Tensor]]:
    """By number of scenes, the weights and running statistics of each trial's last epoch."""
    store = CheckpointStore(study.checkpoints(None, "sweep"))
    found = {}
    for trial_id, record in read_records(study.ledger_jsonl).trials.items():
        with store.newest(trial_id) as checkpoint:
            _, tensors = read_tensors(checkpoint)
        network = {
            name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")
        }
        found[record.trial.parameters.train_scenes] = network
    return found


def steps(state: dict[str, torch.Tensor]) -> int:
    """How many batches a network has been trained on, in its whole life."""
    return int(next(tensor for name, tensor in state.items() if name.endswith("num_batches_tracked")))


def weights_of(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What a step would move: all but running statistics."""
    return {name: t for name, t in state.items() if "running" not in name and "tracked" not in name}


@pytest.mark.ray
@pytest.mark.slow
def test_a_study_begins_resumes_and_retrains_from_its_own_copy_of_a_member(
    ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    member = write_member(tmp_path / "member")
    token, begun = f"unet@{weights_hash(member)}", safetensors.torch.load_file(member / "model.safetensors")
    directory = tmp_path / "study"
    space_yaml = write_yaml(tmp_path / "space.yaml", STUDY)
    asked = ["--space", str(space_yaml), "--study", str(directory)]
    assert main(["prepare", "--data", str(write_yaml(tmp_path / "card.yaml", CARD)), *asked]) == 0
    shutil.rmtree(member)
    assert main(["sweep", "--study", str(directory)]) == 0
    study = open_study(directory)
    once = learnt(study)
    assert set(once) == {1, 2}
    for state in once.values():
        torch.testing.assert_close(weights_of(state), weights_of(begun), rtol=0, atol=1e-12)
    assert not torch.equal(once[1]["encoder.0.1.running_mean"], once[2]["encoder.0.1.running_mean"])
    a_epoch = steps(once[1]) - steps(begun)
    assert a_epoch == steps(once[2]) - steps(begun) > 0, "as many steps on one scene as on two"

    # One epoch more: it goes on from where it was, and begins from nothing again.
    write_member(tmp_path / "member")
    write_yaml(space_yaml, changed(STUDY, "search.epochs", 2))
    assert main(["sweep", *asked]) == 0
    assert {steps(state) for state in learnt(study).values()} == {steps(begun) + 2 * a_epoch}

    shutil.rmtree(member)
    assert main(["retrain", "--study", str(directory)]) == 0
    folder = next((directory / "members").glob("unet-*"))
    told = load_card_of(folder).parameters
    assert told["start"] == token
    retrained = safetensors.torch.load_file(folder / "model.safetensors")
    torch.testing.assert_close(weights_of(retrained), weights_of(begun), rtol=0, atol=1e-12)
    assert steps(retrained) == steps(begun) + a_epoch
    won = read_artifact(study.winners_json, Winners)
    winner = won.by_stratum["unet-32"].parameters
    # Weights that no step moves and no statistics follow would score as they did: on the same validation.
    (judged,) = won.at_start["unet-32"].values()
    network, its_card = load_member(write_member(tmp_path / "member"))
    val = open_patches(study, 32).arrays("val")
    truth = truth_of(val, SPACE["search"]["tolerance_m"])
    with torch.inference_mode():
        probability = line_probability(network, its_card, torch.from_numpy(np.array(val.image)))
    counts = count_at_thresholds(probability, truth, RANKING_THRESHOLDS)
    assert judged == pytest.approx(float(counts.relaxed_f1().max()), abs=1e-6)
    assert (winner.start, winner.train_scenes) == (token, told["train_scenes"])
    assert set(load_start(study)) == {token}

    # More scenes than there are: said in one line before a trial begins.
    write_member(tmp_path / "member")
    write_yaml(space_yaml, changed(STUDY, "dimensions.train_scenes.choices", [1, 2, 9]))
    capsys.readouterr()
    assert main(["sweep", *asked]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "train_scenes: 9 are more than the 2 scenes that have patches of 32 px for training" in message
