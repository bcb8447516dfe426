"""Several networks in one member predict with the mean of their probabilities, and are kept in one file."""

import json
import math
from pathlib import Path

import pytest
import torch
from made_input import card
from safetensors.torch import load_file
from torch import Tensor, nn

from glsweep.errors import StudyError
from glsweep.nets import build_network
from glsweep.nets.ensemble import Ensemble, logit_of_mean, networks_of
from glsweep.nets.member import (
    ModelCard,
    line_probability,
    load_card_of,
    load_member,
    save_member,
    untrained_network,
    write_card,
)

SEEDS = (3, 14, 15)


def networks(made: ModelCard) -> list[nn.Module]:
    """Networks whose running statistics have moved, as training moves them."""
    built = []
    for seed in SEEDS:
        network = build_network(made.architecture, in_channels=2, base_width=made.base_width, seed=seed)
        network(torch.randn(4, 2, 32, 32, generator=torch.Generator().manual_seed(seed)))
        built.append(network.eval())
    return built


def image() -> Tensor:
    return 3 * torch.randn(2, 2, 32, 48, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("architecture", ["unet", "unetpp"])
def test_a_member_of_several_networks_read_back_predicts_the_mean_of_their_probabilities(
    tmp_path: Path, architecture: str
) -> None:
    made = card(
        architecture=architecture, base_width=2, channels=("real", "imag"), seed=SEEDS[0], seeds=SEEDS
    )
    alone = networks(made)
    save_member(tmp_path, Ensemble(alone), made)
    loaded, read = load_member(tmp_path)
    assert read == made
    with torch.inference_mode():
        each = torch.stack([line_probability(network, made, image()) for network in alone])
        torch.testing.assert_close(line_probability(loaded, read, image()), each.mean(dim=0))
        for network, own in zip(networks_of(loaded), each, strict=True):
            torch.testing.assert_close(line_probability(network, made, image()), own)
    assert each.std(dim=0).max() > 0.01, "networks that agree test nothing"


def test_the_file_of_several_networks_names_the_weights_of_each_after_its_place(tmp_path: Path) -> None:
    made = card(base_width=2, channels=("real", "imag"), seed=SEEDS[0], seeds=SEEDS)
    alone = networks(made)
    save_member(tmp_path, Ensemble(alone), made)
    kept = load_file(tmp_path / "model.safetensors")
    of_each = {f"seed{n}.{k}": v for n, one in enumerate(alone) for k, v in one.state_dict().items()}
    assert kept.keys() == of_each.keys()
    assert all(torch.equal(kept[name], value) for name, value in of_each.items())


def test_a_card_that_names_more_networks_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    made = card(base_width=2, channels=("real", "imag"), seed=SEEDS[0], seeds=SEEDS)
    save_member(tmp_path, Ensemble(networks(made)[:2]), made)
    with pytest.raises(StudyError, match=r"does not fit its card\.json"):
        load_member(tmp_path)


def test_the_logit_of_the_mean_stays_finite_where_every_network_is_sure() -> None:
    logits = torch.tensor([[-200.0, 200.0, -3.0], [-180.0, 190.0, 2.0]])
    found = logit_of_mean(logits)
    torch.testing.assert_close(found[2].sigmoid(), logits[:, 2].sigmoid().mean())
    # Of two probabilities e^-200 and e^-180 the mean is half the greater.
    torch.testing.assert_close(found[0], torch.tensor(-180.0 - math.log(2)))
    assert torch.isfinite(found).all()


def test_networks_alike_are_as_one(tmp_path: Path) -> None:
    one, *_ = networks(card(base_width=2, channels=("real", "imag")))
    with torch.inference_mode():
        torch.testing.assert_close(Ensemble([one] * 3)(image())[-1], one(image())[-1])


def test_the_card_of_one_network_says_nothing_of_seeds(tmp_path: Path) -> None:
    one, several = card(seed=5), card(seed=5, seeds=(5, 6))
    write_card(tmp_path, one)
    assert "seeds" not in json.loads((tmp_path / "card.json").read_text())
    assert (one.every_seed, several.every_seed) == ((5,), (5, 6))
    write_card(tmp_path, several)
    assert load_card_of(tmp_path) == several


def test_before_training_each_network_has_its_own_seed() -> None:
    made = card(base_width=2, channels=("real", "imag"), seed=SEEDS[0], seeds=SEEDS)
    untrained = networks_of(untrained_network(made))
    for network, seed in zip(untrained, SEEDS, strict=True):
        fresh = build_network(made.architecture, in_channels=2, base_width=2, seed=seed).state_dict()
        assert all(torch.equal(value, fresh[name]) for name, value in network.state_dict().items())
