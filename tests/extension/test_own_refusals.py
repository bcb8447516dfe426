"""What a search space says of the user's own modules: read, refused in one line, and tried beforehand."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from made_configs import CARD, SPACE, changed, write_yaml
from rich.console import Console

from glsweep.config.space import SearchSpace, load_space
from glsweep.config.trial import Stratum, TrialParameters
from glsweep.doctor.memory import requirements_of, step_bytes
from glsweep.errors import ConfigError
from glsweep.nets import network_of
from glsweep.nets.member import ModelCard, save_member, untrained_network
from glsweep.patches.augmentation import build_augmentations
from glsweep.prediction import DrawingOptions
from glsweep.prediction.command import open_drawing
from glsweep.registry import ARCHITECTURES, AUGMENTATIONS, LOSSES, SAMPLERS, STOPPING_RULES, BuiltIn
from glsweep.run import main
from glsweep.search import make_plan
from glsweep.search.plan import ListedPlan, PlannedTrial
from glsweep.study import create_study, is_study
from glsweep.sweep.imported import check_imported
from glsweep.sweep.rungs import rung_epochs
from glsweep.training.fit import loss_of

MODULE = """
import torch
from torch import nn
from glsweep.search.draws import RandomPlan

class Net(nn.Module):
    def __init__(self, in_channels, depth=1):
        super().__init__()
        self.layers = nn.Sequential(*[nn.Conv2d(in_channels, in_channels, 1) for _ in range(depth)])
        self.head = nn.Conv2d(in_channels, 1, 4, stride=4)

    def forward(self, image):
        return self.head(self.layers(image))

class By48(Net):
    def forward(self, image):
        return super().forward(image.unflatten(-1, (-1, 48)).flatten(-2))

class Fixed(Net):
    def __init__(self, in_channels, size_px=64):
        super().__init__(in_channels)
        self.place = nn.Parameter(torch.zeros(size_px, size_px))

    def forward(self, image):
        return super().forward(image + self.place)

class Two(Net):
    def forward(self, image):
        return super().forward(image).repeat(1, 2, 1, 1)

def loss(logits, label, valid, scale=1.0):
    return scale * (logits.sigmoid() - label).square()[valid].mean()

def map_of_loss(logits, label, valid):
    return (logits - label).square()

def deaf(logits, target):
    return logits.mean()

def change(image, generator, strength=1.0):
    return image * strength

def roll(image, label, generator):
    count, side_px, _ = label.shape
    return image.roll(1, 2), label.roll(1, 1)

def halve(image, generator):
    return image[..., ::2]

class Drawn(RandomPlan):
    pass

class Late:
    def __init__(self, first=1):
        self.first = first

    def rung_epochs(self, epochs):
        return [3, self.first, 0, epochs, self.first]

    def goes_on(self, costs, others):
        return True

class Unsure(Late):
    def goes_on(self, costs, others):
        return None

class Mute:
    def rung_epochs(self, epochs):
        return []
"""
GRID = changed(
    SPACE, "dimensions", {"architecture": {"choices": ["unet"]}, "patch_size_px": {"choices": [32]}}
)
GRID["fixed"] |= {"bce_weight": 0.3}


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("mine")
    (folder / "own_things.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


def space_of(
    dimensions: dict | None = None, fixed: dict | None = None, search: dict | None = None
) -> SearchSpace:
    value = copy.deepcopy(GRID)
    value["dimensions"] |= dimensions or {}
    value["fixed"] = {key: of for key, of in (value["fixed"] | (fixed or {})).items() if of is not None}
    value["search"] |= search or {}
    return SearchSpace.model_validate(value)


def tried(*parts: dict | None) -> list[TrialParameters]:
    space = space_of(*parts)
    plan = make_plan(space, seed=0, source=Path("s.yaml"))
    check_imported(space, plan, Path("s.yaml"))
    assert isinstance(plan, ListedPlan)
    return [trial.parameters for trial in plan.trials]


def net(name: str = "Net", **more: object) -> tuple[dict, dict]:
    """A space of the U-Net and an own network that takes no base_width."""
    dimensions = {
        "architecture": {"choices": ["unet", f"own_things:{name}"]},
        "base_width": {"choices": [2], "when": {"architecture": "unet"}},
    }
    return {**dimensions, **more}, {"base_width": None}


def test_an_own_parameter_exists_beside_its_network_alone() -> None:
    trials = tried(*net(**{"Net.depth": {"choices": [1, 2]}}))
    assert sorted((t.architecture, t.base_width, *t.own.items()) for t in trials) == [
        ("own_things:Net", None, ("Net.depth", 1)),
        ("own_things:Net", None, ("Net.depth", 2)),
        ("unet", 2),
    ]
    depths = {t.own_of("own_things:Net").get("depth") for t in trials}
    assert depths == {None, 1, 2}


def test_a_fixed_own_parameter_is_that_of_the_trials_that_have_the_network() -> None:
    dimensions, fixed = net()
    own = {t.architecture: t.own for t in tried(dimensions, {**fixed, "Net.depth": 3})}
    assert own == {"unet": {}, "own_things:Net": {"Net.depth": 3}}


def test_a_range_of_whole_steps_holds_whole_numbers() -> None:
    trials = tried(*net(**{"Net.depth": {"low": 1, "high": 3, "step": 1}}))
    depths = [t.own["Net.depth"] for t in trials if t.own]
    assert sorted(depths) == [1, 2, 3]
    assert all(isinstance(depth, int) for depth in depths)


def test_trials_of_built_in_things_are_named_and_seeded_as_before_there_were_others() -> None:
    (trial,) = tried(None, {"base_width": 2})
    assert not {"own", "loss"} & trial.model_dump().keys()
    assert not {"own", "loss"} & trial.model_dump(mode="json").keys()


def test_an_own_loss_does_without_the_weights_of_the_built_in_one() -> None:
    losses = ["focal_tversky_bce", "own_things:loss"]
    dimensions = {"loss": {"choices": losses}, "gamma": {"choices": [1.0, 1.33]}}
    trials = tried(dimensions, {"gamma": None, "loss.scale": 2.0})
    assert sorted((t.loss, t.gamma is None) for t in trials) == [
        ("focal_tversky_bce", False),
        ("focal_tversky_bce", False),
        ("own_things:loss", True),
    ], "each configuration once, though two points of the grid come to the same"
    assert [t.own for t in trials if t.gamma is None] == [{"loss.scale": 2.0}]


def test_an_own_change_with_a_parameter_exists_in_the_trials_that_have_it() -> None:
    changes = [[], ["dihedral", "own_things:change"]]
    dimensions = {"augmentation": {"choices": changes}, "change.strength": {"choices": [0.5, 2.0]}}
    trials = tried(dimensions, {"augmentation": None})
    assert sorted((len(t.augmentation), *t.own.values()) for t in trials) == [(0,), (2, 0.5), (2, 2.0)]


def test_an_own_change_and_a_loss_are_tried_with_zones_where_the_network_learns_them() -> None:
    network = {"architecture": {"choices": ["two_head"]}}
    losses = {"loss": {"choices": ["own_things:loss", "boundary"]}}
    fixed = {"zone_weight": 0.2, "augmentation": ["dihedral", "own_things:change"]}
    assert [trial.zone_weight for trial in tried({**network, **losses}, fixed)] == [0.2, 0.2]
    assert len(tried({}, {"augmentation": ["own_things:roll"]})) == 1


def test_the_doctor_reckons_with_the_deepest_own_network() -> None:
    need = requirements_of(space_of(*net(**{"Net.depth": {"choices": [1, 8, 2]}})), Path("s.yaml"))
    assert [trial.own for trial in need.trials] == [{"Net.depth": 8}, {}]
    shallow = need.trials[0].model_copy(update={"own": {"Net.depth": 1}})
    assert step_bytes(need.trials[0]) > step_bytes(shallow)


def test_an_own_sampler_plans_the_sweep() -> None:
    space = space_of({"bce_weight": {"choices": [0.1, 0.2, 0.3]}}, {"bce_weight": None})
    search = {"sampler": "own_things:Drawn", "budget": {"trials": 2}}
    drawn = space.model_copy(
        update={"search": space.search.model_copy(update={"sampler": search["sampler"]})}
    )
    with pytest.raises(ConfigError, match="own_things:Drawn comes to no end of itself; add a `budget`"):
        make_plan(drawn, seed=0, source=Path("s.yaml"))
    limited = space_of({"bce_weight": {"choices": [0.1, 0.2, 0.3]}}, {"bce_weight": None}, search)
    plan = make_plan(limited, seed=0, source=Path("s.yaml"))
    assert type(plan).__name__ == "Drawn"
    assert plan.size == 2


def test_an_own_rule_judges_where_it_says_below_the_full_budget() -> None:
    space = space_of(None, None, {"scheduler": {"name": "own_things:Late", "first": 2}})
    assert rung_epochs(space.search.scheduler, 4) == (2, 3)
    assert SearchSpace.model_validate(space.model_dump(mode="json")) == space
    assert "own_things:Late" in space.imported


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (net(**{"Net.dpth": {"choices": [1]}}), "Net.dpth: Net takes no dpth; it takes depth"),
        (net("Nett"), "has no Nett; it has Net, By48, Fixed, Two, loss"),
        (net("By48"), "own_things:By48 fails on patches of 32 px (RuntimeError: "),
        (
            net("Fixed", **{"Fixed.size_px": {"choices": [32]}}),
            "own_things:Fixed fails on the windows in which scenes are drawn, of 64 px (RuntimeError: ",
        ),
        (net("Two"), "own_things:Two returns (2, 2, 32, 32) for 2 of 32 px; a head is (N, 1, H, W)"),
        (
            ({"architecture": {"choices": ["own_things:Net"]}}, {"base_width": 4}),
            "base_width: own_things:Net takes none; make it a dimension",
        ),
        (({"loss": {"choices": ["own_things:deaf"]}}, {}), "deaf takes no parameter called label"),
        (
            ({"loss": {"choices": ["own_things:map_of_loss"]}}, {}),
            "own_things:map_of_loss fails (TypeError: a loss returns a scalar",
        ),
        (({"loss": {"choices": ["own_things:loss"]}}, {"loss.scle": 2}), "loss.scle: loss takes no scle; it"),
        (({}, {"augmentation": ["own_things:halve"]}), "it must leave their shapes and dtypes"),
        (
            (
                {"architecture": {"choices": ["two_head"]}},
                {"zone_weight": 0.2, "augmentation": ["own_things:roll"]},
            ),
            "augmentation: own_things:roll fails (ValueError: too many values to unpack",
        ),
        (({}, {"augmentation": ["own_thing:halve"]}), "there is no module own_thing in "),
        (({}, {}, {"scheduler": {"name": "own_things:Mute"}}), "own_things:Mute has no method goes_on; add"),
        (({}, {}, {"scheduler": {"name": "os:system", "command": "false"}}), "os:system has no method rung_"),
        (({}, {}, {"scheduler": {"name": "own_things:Unsure"}}), "goes_on returns None, not True or False"),
        (
            ({}, {}, {"scheduler": {"name": "own_things:Late", "frist": 1}}),
            "Late.frist: Late takes no frist; it takes first",
        ),
        (({}, {}, {"sampler": "own_things:Dawn"}), "has no Dawn; it has "),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(parts: tuple, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        tried(*parts)
    message = str(refused.value)
    assert told in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "to", "told"),
    [
        ("fixed.Nett.depth", 1, "no network, loss or augmentation here is called Nett (those here are unet"),
        ("dimensions.loss", {"choices": ["a:Net", "b:Net"]}, "a:Net and b:Net are both called Net"),
        (
            "dimensions.loss",
            {"choices": ["a-b:Net"]},
            "'skeleton_recall' or 'boundary' or, for your own, package.",
        ),
        ("search.sampler", "gird", "search.sampler: input should be 'grid', 'random' or 'tpe' or, for your"),
        (
            "search.scheduler",
            {"name": "halve"},
            "'halve' is no rule; known are 'asha', 'halving', 'median', 'none', and",
        ),
        (
            "dimensions.Net.depth",
            {"choices": [1], "when": {"architecture": "unet"}},
            "no network, loss or augmentation here is called Net",
        ),
    ],
)
def test_a_name_that_means_nothing_is_refused_with_its_place(tmp_path, key, to, told) -> None:
    section, _, name = key.partition(".")
    space = copy.deepcopy(GRID)
    space[section][name] = to
    path = write_yaml(tmp_path / "space.yaml", space)
    with pytest.raises(ConfigError) as refused:
        load_space(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert told in str(refused.value)


def test_a_condition_against_the_own_network_is_refused() -> None:
    depth = {"choices": [1], "when": {"architecture": "unet"}}
    with pytest.raises(ValueError, match="exists beside own_things:Net alone"):
        space_of(*net(**{"Net.depth": depth}))


def test_a_command_refuses_what_cannot_be_imported_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    value = copy.deepcopy(GRID)
    value["dimensions"]["architecture"]["choices"] = ["unet", "not_there:Net"]
    write_yaml(tmp_path / "card.yaml", CARD)
    write_yaml(tmp_path / "space.yaml", value)
    assert main(["--data", "card.yaml", "--space", "space.yaml", "--study", "study"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: space.yaml: architecture: not_there:Net cannot be imported: there is no")
    assert told.count("\n") == 1
    assert not is_study(tmp_path / "study")


@pytest.mark.parametrize(
    ("fixed", "told"),
    [
        ({"unetpp.depth": 9}, "unetpp.depth: 9 is not between 1 and 4"),
        ({"unetpp.width": 9}, "unetpp.width: unetpp takes no width"),
        ({"loss": "boundary", "boundary.reach_px": 0}, "boundary.reach_px"),
        ({"architecture": "pretrained_unet", "dropout": 0.1, "pretrained_unet.pretrained": False}, "dropout"),
    ],
)
def test_what_a_built_in_object_does_not_take_is_refused_before_anything_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fixed: dict,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    value = copy.deepcopy(GRID)
    value["dimensions"] = {"patch_size_px": {"choices": [32]}}
    value["fixed"] |= {"architecture": "unetpp", **fixed}
    write_yaml(tmp_path / "card.yaml", CARD)
    write_yaml(tmp_path / "space.yaml", value)
    assert main(["--data", "card.yaml", "--space", "space.yaml", "--study", "study"]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not is_study(tmp_path / "study")


def test_windows_that_an_own_network_does_not_take_are_refused_before_drawing(tmp_path: Path) -> None:
    card = ModelCard(
        architecture="own_things:Fixed",
        network_parameters={"size_px": 32},
        patch_size_px=32,
        channels=("real", "imag"),
        amplitude_scale=1.0,
        posting_m=100.0,
        wavelength_m=0.056,
        tau=0.5,
        data_card_hash="",
        seed=0,
        trial_id="",
        parameters={},
        best_epoch=1,
        figures={},
        glsweep_version="0",
    )
    save_member(tmp_path / "fixed", untrained_network(card), card)
    options = DrawingOptions(model=(str(tmp_path / "fixed"),), window_px=32, device="cpu")
    _, drawing = open_drawing(options, Console())
    assert drawing.window_px == 32
    with pytest.raises(ConfigError, match=r"fixed: own_things:Fixed fails on windows of 64 px \(.*choose"):
        open_drawing(replace(options, window_px=None), Console())


def test_a_stratum_of_an_own_network_has_a_key_for_files_and_comes_back_from_it() -> None:
    for architecture in ("unet", "my_nets:TinyNet", "a.b_c.d:Net-"[:-1]):
        stratum = Stratum(architecture, 128)
        assert ":" not in stratum.key
        assert Stratum.parse(stratum.key) == stratum
    assert Stratum("my_nets:TinyNet", 128).key == "my_nets.TinyNet-128"
    assert Stratum("my_nets:TinyNet", 128).title == "TinyNet 128"


def test_a_study_of_own_things_is_kept_and_opened_without_importing_them(tmp_path: Path) -> None:
    from made_configs import study_config

    from glsweep.study import open_study

    config = study_config()
    space = space_of({"architecture": {"choices": ["gone:Net"]}, "Net.depth": {"choices": [1, 2]}})
    create_study(tmp_path / "study", config.model_copy(update={"space": space}))
    opened = open_study(tmp_path / "study").config.space
    assert opened == space
    assert opened.dimensions["Net.depth"].when == {"architecture": "gone:Net"}
    kept = yaml.safe_load((tmp_path / "study" / "study.yaml").read_text())
    assert kept["space"]["dimensions"]["Net.depth"]["when"] == {"architecture": "gone:Net"}


def test_one_line_in_a_registry_makes_a_thing_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry, name, path in (
        (ARCHITECTURES, "tiny", "own_things:Net"),
        (LOSSES, "squares", "own_things:loss"),
        (AUGMENTATIONS, "stronger", "own_things:change"),
        (SAMPLERS, "drawn", "own_things:Drawn"),
        (STOPPING_RULES, "late", "own_things:Late"),
    ):
        monkeypatch.setitem(registry.built_in, name, BuiltIn(path, name.title()))
    space = space_of(
        {"architecture": {"choices": ["tiny"]}, "loss": {"choices": ["squares"]}},
        {"base_width": None, "augmentation": ["stronger"]},
        {"sampler": "drawn", "budget": {"trials": 1}, "scheduler": {"name": "late", "first": 2}},
    )
    assert space.imported == ()
    plan = make_plan(space, seed=0, source=Path("s.yaml"))
    check_imported(space, plan, Path("s.yaml"))
    assert [stratum.title for stratum in plan.strata] == ["Tiny 32"]
    trial = plan.propose(0, lambda index: pytest.fail(f"{index} is asked for"))
    assert isinstance(trial, PlannedTrial)
    assert network_of(trial.parameters, seed=0)(torch.zeros(1, 2, 32, 32))[-1].shape == (1, 1, 32, 32)
    loss = loss_of(trial.parameters)((torch.zeros(1, 1, 4, 4),), torch.ones(1, 4, 4))
    assert float(loss) == 0.25
    assert len(build_augmentations(trial.parameters.augmentation)) == 1
    assert rung_epochs(space.search.scheduler, 4) == (2, 3)
