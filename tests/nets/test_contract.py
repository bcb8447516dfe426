"""The contract finds every network sound that is, and says of any other what is wrong."""

from pathlib import Path

import pytest

from glsweep.contract import check_network, parameters_given
from glsweep.contract.networks import CHECKS
from glsweep.errors import ConfigError
from glsweep.registry import ARCHITECTURES
from glsweep.run import main

BASE = """
import random
import numpy as np
import torch
from torch import nn

class Sound(nn.Module):
    def __init__(self, in_channels, base_width=4, depth=1):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, base_width, 3, padding=1),
            nn.GroupNorm(2, base_width),
            nn.Tanh(),
            *[nn.Conv2d(base_width, base_width, 1) for _ in range(depth)],
            nn.Conv2d(base_width, 1, 1),
        )

    def forward(self, image):
        return self.net(image)

class Grouped(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.a, self.b = nn.Conv2d(in_channels, 4, 3, padding=1, stride=2), nn.Conv2d(4, 1, 1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, image):
        return [self.b(self.norm(self.a(image)).relu())]

class Reflected(Grouped):
    def __init__(self, in_channels):
        super().__init__(in_channels)
        self.a = nn.Conv2d(in_channels, 4, 3, padding=1, padding_mode="reflect")

class Unseeded(Sound):
    def __init__(self, in_channels):
        super().__init__(in_channels)
        self.net[0].bias.data = torch.from_numpy(np.random.default_rng().random(4, np.float32))

class Moving(Sound):
    def __init__(self, in_channels):
        super().__init__(in_channels)
        random.random()

class Wide(Sound):
    def forward(self, image):
        return torch.cat([self.net(image)] * 2, dim=1)

class Named(Sound):
    def forward(self, image):
        return {"out": self.net(image)}

class Idle(Sound):
    def __init__(self, in_channels):
        super().__init__(in_channels)
        self.idle = nn.Linear(2, 2)

class Mixing(Sound):
    def forward(self, image):
        logits = self.net(image)
        return logits - logits.mean()

class Forgetful(Sound):
    seen = 0.0

    def forward(self, image):
        if self.training:
            self.seen = self.seen + float(image.detach().mean().abs() + 1)
        return self.net(image) * (1 + self.seen)

class Infinite(Sound):
    def forward(self, image):
        return self.net(image) / image.abs().mean()

class Dropping(Sound):
    def forward(self, image):
        return nn.functional.dropout(self.net(image), 0.5, self.training)

class Strided(Sound):
    def forward(self, image):
        return self.net(image.unflatten(-1, (-1, 48)).flatten(-2))

def number(in_channels):
    return 3
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("networks")
    (folder / "contract_nets.py").write_text(BASE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield "contract_nets"


def found(name: str, **settings: object) -> dict[str, tuple[bool, str]]:
    settings.setdefault("sizes_px", (32, 48))
    return {verdict.check: (verdict.is_kept, verdict.finding) for verdict in check_network(name, **settings)}


@pytest.mark.parametrize(
    "architecture", [name for name in ARCHITECTURES.built_in if name != "pretrained_unet"]
)
def test_every_built_in_network_keeps_the_contract(architecture: str) -> None:
    verdicts = found(architecture, base_width=4, in_channels=3)
    assert list(verdicts) == list(CHECKS)
    assert all(is_kept for is_kept, _ in verdicts.values()), verdicts
    joins = architecture in ("unet", "attention_unet", "unetpp", "two_head")
    assert ("together" in verdicts["in cohorts"][1]) == joins
    assert ("draws nothing" in verdicts["in training"][1]) == (architecture != "atrous_unet")


@pytest.mark.parametrize(
    ("name", "told"),
    [("Sound", "alone"), ("Grouped", "together"), ("Reflected", "alone"), ("Dropping", "alone")],
)
def test_an_own_network_trains_together_only_where_that_comes_to_the_same(here, name, told) -> None:
    verdicts = found(f"{here}:{name}")
    assert all(is_kept for is_kept, _ in verdicts.values()), verdicts
    assert told in verdicts["in cohorts"][1]
    assert ("draws, as dropout" in verdicts["in training"][1]) == (name == "Dropping")


@pytest.mark.parametrize(
    ("name", "check", "told"),
    [
        ("Unseeded", "weights follow from the seed", "net.0.bias differs between two networks of one seed"),
        ("Moving", "weights follow from the seed", "moves a global generator"),
        (
            "Wide",
            "heads are as large as the patch",
            "(3, 2, 32, 32) for 3 patches of 32 px, not (N",
        ),
        ("Named", "heads are as large as the patch", "a tensor, or a tuple or list of them, not dict"),
        ("Strided", "heads are as large as the patch", "RuntimeError: "),
        ("Idle", "gradients reach every parameter", "idle.weight has none: no head depends on it"),
        ("Mixing", "a patch does not see the others", "a patch alone differs by up to"),
        ("Forgetful", "a member holds all of it", "keep all that it learns in its state_dict"),
        ("Infinite", "logits stay finite", "logits of patches without data are not finite"),
    ],
)
def test_what_breaks_the_contract_is_told(here, name, check, told) -> None:
    is_kept, finding = found(f"{here}:{name}")[check]
    assert not is_kept
    assert told in finding
    assert "\n" not in finding


def test_what_is_no_network_or_takes_other_parameters_is_refused(here) -> None:
    with pytest.raises(
        ConfigError, match=r"contract_nets:number makes a int; it must make a torch\.nn\.Module"
    ):
        found(f"{here}:number")
    with pytest.raises(ConfigError, match=r"Sound\.dpeth: Sound takes no dpeth; it takes depth"):
        found(f"{here}:Sound", own={"dpeth": 2})
    with pytest.raises(ConfigError, match=r"Sound cannot be made \(TypeError: .*; mend it"):
        found(f"{here}:Sound", own={"depth": "deep"})
    assert found(f"{here}:Sound", own={"depth": 3})["parameters"] > found(f"{here}:Sound")["parameters"]


def test_parameters_are_given_as_numbers_and_words() -> None:
    given = parameters_given(["depth=3", "rate=1e-3", "kind=wide", "gated=true", "rest=null"])
    assert given["depth"] == 3
    assert given["kind"] == "wide"
    assert given["gated"] is True
    assert given["rest"] is None
    for bad in ("depth", "=3", "a b=3", "sizes=[1, 2]"):
        with pytest.raises(ConfigError, match="is not NAME=VALUE"):
            parameters_given([bad])


def test_the_command_tells_every_check_and_fails_where_one_is_broken(here, capsys) -> None:
    sizes = ("--sizes-px", "32")
    assert main(["contract", f"{here}:Sound", "--set", "depth=2", "base_width=6", *sizes]) == 0
    printed = capsys.readouterr().out
    assert all(check in printed for check in CHECKS)
    assert "BROKEN" not in printed
    assert main(["contract", f"{here}:Wide", *sizes]) == 2
    assert "BROKEN" in capsys.readouterr().out
    assert main(["contract", f"{here}:Sound", "--set", "dpeth=2"]) == 2
    assert capsys.readouterr().err == "error: Sound.dpeth: Sound takes no dpeth; it takes depth\n"
    assert main(["contract", f"{here}:Sound", "--set", "base_width=wide"]) == 2
    assert capsys.readouterr().err.startswith("error: --set base_width=wide: is no whole number")
