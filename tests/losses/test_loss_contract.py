"""The contract finds every built-in loss sound, and says of any other what is wrong."""

from pathlib import Path

import pytest

from glsweep.config.trial import BUILT_IN_LOSS
from glsweep.contract import check_loss
from glsweep.contract.losses import CHECKS
from glsweep.errors import ConfigError
from glsweep.registry import LOSSES
from glsweep.run import main

OWN_OF_BUILT_IN = {"fn_weight": 0.7, "fp_weight": 0.3, "gamma": 1.33, "bce_weight": 0.25}
BASE = """
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as entropy

def sound(logits, label, valid, power=1.0):
    logits = torch.where(valid, logits, -100.0)
    return (entropy(logits, label, reduction="none") ** power).sum() / valid.sum().clamp_min(1)

def everywhere(logits, label, valid):
    return entropy(logits, label)

def infinite(logits, label, valid):
    return entropy(logits[valid], label[valid])

def logarithm(logits, label, valid):
    p = torch.where(valid, logits, -20.0).sigmoid()
    return -(label * p.log() + (1 - label) * (1 - p).log()).mean()

def upside_down(logits, label, valid):
    return -sound(logits, label, valid)

def line_alone(logits, label, valid):
    return sound(torch.where(label > 0, logits, -100.0), label, valid)

def per_patch(logits, label, valid):
    has_line = (label.sum((1, 2, 3), keepdim=True) > 0).float()
    logits = torch.where(valid, logits, -100.0)
    return (entropy(logits, label, reduction="none") * has_line).mean()

def detached(logits, label, valid):
    return logits.detach().mean()

def each(logits, label, valid):
    return entropy(logits, label, reduction="none")

def long_numbers(logits, label, valid):
    return sound(logits, label, valid).double()

def area(logits, label, valid):
    drawn = (torch.where(valid, logits, -100.0).sigmoid()).sum()
    return (drawn - label.sum()) ** 2 / label.numel()
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("losses")
    (folder / "contract_losses.py").write_text(BASE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield "contract_losses"


def found(name, **own):
    return {verdict.check: (verdict.is_kept, verdict.finding) for verdict in check_loss(name, own)}


@pytest.mark.parametrize("name", list(LOSSES.built_in))
def test_every_built_in_loss_keeps_the_contract(name):
    verdicts = found(name, **(OWN_OF_BUILT_IN if name == BUILT_IN_LOSS else {}))
    assert list(verdicts) == list(CHECKS)
    assert [finding for is_kept, finding in verdicts.values() if not is_kept] == []
    assert "no value" in verdicts["on a GPU"][1]
    assert LOSSES.title(name) != name


@pytest.mark.parametrize("name", [BUILT_IN_LOSS, "weighted_bce", "boundary"])
def test_what_is_a_mean_over_pixels_is_exact_in_parts(name):
    own = OWN_OF_BUILT_IN if name == BUILT_IN_LOSS else {}
    assert found(name, **own)["in parts"][1] == "a batch in parts comes to the same"


def test_an_own_loss_that_is_sound_keeps_it(here):
    verdicts = found(f"{here}:sound", power=2.0)
    assert all(is_kept for is_kept, _ in verdicts.values()), verdicts
    assert "no value" in verdicts["on a GPU"][1]
    assert "leave `cuda_graphs` off" in found(f"{here}:infinite")["on a GPU"][1]


@pytest.mark.parametrize(
    ("name", "check", "told"),
    [
        ("everywhere", "only pixels with data count", "sum where `valid` alone"),
        ("infinite", "it stays finite", "for patches without data where logits are noise"),
        ("logarithm", "it stays finite", "for lines where logits are 10,000"),
        ("upside_down", "what is right costs least", "and nothing"),
        ("upside_down", "it pushes the right way", "on the line, not below 0"),
        ("line_alone", "what is right costs least", "and everything"),
        ("line_alone", "patches without a line teach", "a batch without a line pushes nothing down"),
        ("per_patch", "patches without a line teach", "a batch without a line pushes nothing down"),
        ("detached", "it stays finite", "it has no gradient"),
        ("each", "it stays finite", "a loss returns a scalar tensor"),
        ("long_numbers", "it is computed in float32", "of torch.float64"),
        ("area", "what is right costs least", "the line 5 px off"),
    ],
)
def test_what_breaks_the_contract_is_told(here, name, check, told):
    is_kept, finding = found(f"{here}:{name}")[check]
    assert not is_kept
    assert told in finding
    assert "\n" not in finding


def test_what_takes_other_parameters_is_refused(here):
    with pytest.raises(ConfigError, match=r"sound\.powr: sound takes no powr; it takes power"):
        found(f"{here}:sound", powr=2)
    with pytest.raises(
        ConfigError, match="focal_tversky_bce: was given gamma; it takes the numbers fn_weight, "
    ):
        found(BUILT_IN_LOSS, gamma=1.0)


def test_the_command_tells_every_check_and_fails_where_one_is_broken(here, capsys):
    assert main(["contract", f"{here}:sound", "--loss", "--set", "power=2"]) == 0
    printed = capsys.readouterr().out
    assert all(check in printed for check in CHECKS)
    assert "BROKEN" not in printed
    assert main(["contract", f"{here}:everywhere", "--loss"]) == 2
    assert "BROKEN" in capsys.readouterr().out
