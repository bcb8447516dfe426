"""Trials that begin from published weights, and members made of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from made_configs import SPACE, changed, write_yaml
from published_style import trained_a_little

from glsweep.config.space import load_space
from glsweep.errors import ConfigError, StudyError
from glsweep.nets import derive_channels
from glsweep.nets.member import load_member
from glsweep.nets.published import read_published
from glsweep.run import main
from glsweep.search import make_plan
from glsweep.study import open_study
from glsweep.sweep.start import check_start, keep_start, load_start, read_start
from glsweep.training.state import begin_from_weights, fresh_state

CHANNELS = ["phase", "raw_magnitude"]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def weights(path="unet.pth", seed=0, **style):
    """A file of weights, and the network that they are of."""
    network = trained_a_little(seed, **{"gated": False, **style})
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), path)
    return network


def space_file(**changes):
    """A search space in a folder of its own; a double underscore stands for a dot."""
    value = changed(changed(SPACE, "fixed.channels", CHANNELS), "fixed.base_width", None)
    value = changed(value, "dimensions.architecture.choices", ["unet", "attention_unet", "unetpp"])
    for key, to in changes.items():
        value = changed(value, key.replace("__", "."), to)
    Path("spaces").mkdir(exist_ok=True)
    return write_yaml(Path("spaces/space.yaml"), value)


def started(**changes):
    path = space_file(**changes)
    space, found = read_start(load_space(path), path)
    check_start(space, make_plan(space, seed=0, source=path), path, found)
    return space, {one.architecture: one for one in found}


def starts(space):
    """By architecture, what its trials begin from."""
    trials = make_plan(space, seed=0, source=Path("spaces/space.yaml")).trials
    return {trial.parameters.architecture: trial.parameters.start for trial in trials}


@pytest.mark.parametrize(
    "start",
    [
        {"start": "unet.pth"},
        {"start": {"unet": "unet.pth"}},
        {"dimensions__start": {"choices": ["unet.pth"], "when": {"architecture": "unet"}}},
        {
            "dimensions__weights": {
                "keys": ["start"],
                "choices": [["unet.pth"]],
                "when": {"architecture": "unet"},
            }
        },
    ],
)
def test_a_file_of_weights_is_named_beside_the_space_in_ways_that_are_one(start):
    weights("spaces/unet.pth")
    space, found = started(**start)
    digits = read_published(Path("spaces/unet.pth")).sha256[:12]
    assert found["unet"].start == f"unet@{digits}"
    assert starts(space) == {"unet": f"unet@{digits}", "attention_unet": "none", "unetpp": "none"}
    assert not space.start


def test_what_is_fixed_holds_for_every_trial():
    weights("spaces/unet.pth")
    dimensions = {"architecture": {"choices": ["unet"]}, "patch_size_px": {"choices": [32]}}
    space, found = started(fixed__start="unet.pth", fixed__bce_weight=0.2, dimensions=dimensions)
    assert starts(space) == {"unet": found["unet"].start}
    with pytest.raises(ConfigError, match=r"line \d+: fixed.start: weights are for unet, a trial has"):
        started(fixed__start="unet.pth")


def test_a_trial_of_the_architecture_begins_from_its_weights_and_another_does_not():
    theirs = weights("spaces/unet.pth")
    space, found = started(start="unet.pth")
    start = {one.start: safetensors.torch.load(one.content) for one in found.values()}
    for trial in make_plan(space, seed=0, source=Path("spaces/space.yaml")).trials:
        state = fresh_state(trial.parameters, seed=1, device=torch.device("cpu"))
        before = {name: tensor.clone() for name, tensor in state.network.state_dict().items()}
        begin_from_weights(state, trial.parameters, start)
        after = state.network.state_dict()
        if trial.parameters.architecture == "unet":
            torch.testing.assert_close(after["head.weight"], theirs.state_dict()["final.weight"])
        else:
            assert all(torch.equal(before[name], after[name]) for name in before)


def test_other_weights_make_another_study_and_another_name_of_the_file_does_not():
    weights("spaces/one.pth", seed=1)
    weights("spaces/two.pth", seed=2)
    weights("spaces/deep/copy.pth", seed=1)
    one, two, copy, none = (
        started(**start)[0].content_hash()
        for start in ({"start": "one.pth"}, {"start": "two.pth"}, {"start": "deep/copy.pth"}, {})
    )
    assert one == copy
    assert len({one, two, none}) == 3
    assert "start" not in load_space(space_file()).model_dump_json()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"start": "nowhere.pth"}, r"spaces/nowhere\.pth: there is no such file of weights"),
        ({"start": {"attention_unet": "unet.pth"}}, r"unet\.pth: has 68,901 trainable parameters"),
        ({"start": {"unet": "unet.pth", "whichever": "unet.pth"}}, "two files hold the unet"),
        (
            {"start": "unet.pth", "fixed__base_width": 8},
            r"line \d+: start.whichever: weights are for base_width 4, a trial has 8; set base_width to 4",
        ),
        (
            {"start": "unet.pth", "fixed__channels": ["phase"]},
            "weights are for 2 channels, a trial has 1; name as many",
        ),
        (
            {"start": "unet.pth", "dimensions__architecture__choices": ["unetpp"]},
            "no trial has this architecture",
        ),
        ({"start": "unet.pth", "fixed__start": "unet.pth"}, "`start` stands at the top and under `fixed`"),
        (
            {"start": "unet.pth", "dimensions__start": {"choices": ["none", "unet.pth"]}},
            "`start` stands at the top and is set by the dimension start",
        ),
        ({"start": {"unetpp": "unet.pth"}}, "start.unetpp"),
    ],
)
def test_a_start_that_cannot_be_is_refused_before_anything_is_written(changes, told):
    weights("spaces/unet.pth")
    with pytest.raises(ConfigError, match=rf"^[^\n]*{told}[^\n]*$"):
        started(**changes)


def test_a_search_that_is_drawn_is_checked_too():
    weights("spaces/unet.pth")
    drawn = {**SPACE["search"], "sampler": "random", "budget": {"trials": 3}}
    width = {"choices": [4, 8], "when": {"architecture": "unet"}}
    with pytest.raises(ConfigError, match="weights are for base_width 4, a trial has 8"):
        started(start="unet.pth", search=drawn, dimensions__base_width=width)


CARD = {"name": "sim", "simulation": {"scenes": 3, "rows": 96, "cols": 96}}


def test_a_study_keeps_its_weights_and_refuses_others_in_their_place():
    weights("spaces/unet.pth")
    data = write_yaml(Path("card.yaml"), CARD)
    command = [
        "prepare",
        "--data",
        str(data),
        "--space",
        str(space_file(start="unet.pth")),
        "--study",
        "mine",
    ]
    assert main(command) == 0
    Path("spaces/unet.pth").unlink()
    assert main(["prepare", "--study", "mine"]) == 0
    study = open_study(Path("mine"))
    (kept,) = load_start(study)
    assert kept.startswith("unet@")
    weights("spaces/unet.pth", seed=9)
    assert main(command) == 0  # no trial has begun with the others
    (taken,) = load_start(open_study(Path("mine")))
    assert taken.startswith("unet@")
    assert taken != kept
    study.sweep.mkdir()
    study.ledger_jsonl.write_text('{"event":"began","unix_s":1.0,"cohorts":{}}\n')
    weights("spaces/unet.pth", seed=8)
    assert main(command) == 2
    study = open_study(Path("mine"))
    path = study.start(taken.partition("@")[2])
    path.write_bytes(b"")
    with pytest.raises(StudyError, match="give the command with which the study was begun"):
        load_start(study)
    _, other = read_start(load_space(Path("spaces/space.yaml")), Path("spaces/space.yaml"))
    keep_start(study, other)
    study.start(other[0].start.partition("@")[2]).replace(path)
    with pytest.raises(StudyError, match="is not what the study began with"):
        load_start(study)


def test_imported_weights_are_a_member_that_predicts_as_their_network_does(capsys):
    theirs = weights("best_attention.pth", gated=True)
    options = ["--patch-size-px", "128", "--tau", "0.9", "--posting-m", "100", "--out", "member"]
    assert main(["import-weights", "best_attention.pth", *options]) == 0
    assert "attention_unet 128, sees phase, magnitude, tau 0.9; written to member" in capsys.readouterr().out
    network, card = load_member(Path("member"))
    assert (card.tau, card.posting_m, card.amplitude_scale, card.patch_size_px) == (0.9, 100, 1.0, 128)
    values = np.random.default_rng(0).normal(size=(2, 1, 64, 64)) * 3
    signal = values[0] + 1j * values[1]
    seen = derive_channels(
        torch.tensor(np.stack([signal.real, signal.imag], 1)), card.channels, card.amplitude_scale
    )
    plain = torch.tensor(np.stack([np.angle(signal) / np.pi, np.abs(signal)], 1), dtype=torch.float32)
    with torch.inference_mode():
        torch.testing.assert_close(network(seen)[-1], theirs(plain), rtol=0, atol=1e-5)


def test_an_imported_member_draws_scenes():
    weights("best.pth")
    options = ["--patch-size-px", "32", "--tau", "0.5", "--posting-m", "100", "--out", "member"]
    assert main(["import-weights", "best.pth", "--architecture", "unet", *options]) == 0
    assert (
        main(
            [
                "simulate",
                "--data",
                str(write_yaml(Path("card.yaml"), CARD)),
                "--space",
                str(space_file()),
                "--study",
                "s",
            ]
        )
        == 0
    )
    scene = sorted(Path("s/scenes/DInSAR").glob("*.tif"))[0]
    assert main(["predict", "--model", "member", "--scene", str(scene), "--out", "lines"]) == 0
    note = json.loads(next(Path("lines").glob("*.json")).read_text())
    assert "published weights of best.pth" in json.dumps(note)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"--tau": "7"}, "tau: "),
        ({"--patch-size-px": "100"}, "patch_size_px: "),
        ({"--architecture": "attention_unet"}, "has 68,901 trainable parameters"),
        ({"--channels": "phase"}, "--channels phase: the published networks see 2"),
        ({"--out": "best.pth"}, "--out best.pth: is there already"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_one_line_and_nothing_is_written(capsys, changes, told):
    weights("best.pth")
    options = {"--patch-size-px": "128", "--tau": "0.9", "--posting-m": "100", "--out": "member", **changes}
    assert main(["import-weights", "best.pth", *(word for pair in options.items() for word in pair)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert told in message
    assert [path.name for path in Path.cwd().iterdir()] == ["best.pth"]
