"""The contract that every network keeps."""

from importlib.util import find_spec

import pytest
import torch
from torch import Tensor, nn

from glsweep.errors import ConfigError, DataError
from glsweep.nets import build_network, count_parameters, pretrained_unet
from glsweep.nets.segformer import StochasticDepth
from glsweep.nets.unet import ASPP, UNet
from glsweep.nets.unetpp import pruned
from glsweep.registry import ARCHITECTURES

PUBLISHED = {
    "unet": 68_901,
    "attention_unet": 69_528,
    "unetpp": 9_163_140,
    "atrous_unet": 966_119,
    "hed": 14_724_042,  # the convolutions of VGG-16, with biases, normalisation, sides and their fusion
    "segformer": 3_712_833,  # the published MiT-B0, 3,319,392 with three channels, and the decoder
    "pretrained_unet": 1_188_369,
    "two_head": 68_904,  # a zone from the two channels before the head
}
HEADS = {
    "unet": 1,
    "attention_unet": 1,
    "unetpp": 4,
    "atrous_unet": 1,
    "hed": 6,
    "pretrained_unet": 1,
    "segformer": 1,
    "two_head": 2,
}


# The pre-trained one needs a package that only the extra of that name installs.
AT_HAND = [
    name for name in ARCHITECTURES.built_in if name != "pretrained_unet" or find_spec(pretrained_unet.PACKAGE)
]
every_architecture = pytest.mark.parametrize("architecture", sorted(AT_HAND))


def narrow(architecture: str, *, in_channels: int = 2, seed: int = 0) -> nn.Module:
    return build_network(architecture, in_channels=in_channels, base_width=4, seed=seed)


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@every_architecture
def test_the_published_width_has_the_published_parameter_count(architecture):
    assert count_parameters(build_network(architecture, in_channels=2, seed=0)) == PUBLISHED[architecture]


def test_unetpp_of_base_width_four_has_144452_parameters():
    assert count_parameters(narrow("unetpp")) == 144_452


@every_architecture
@pytest.mark.parametrize("base_width", [2, 6, 8])
def test_a_wider_network_has_more_parameters_and_still_predicts(architecture, base_width):
    network = build_network(architecture, in_channels=2, base_width=base_width, seed=0)
    narrower = build_network(architecture, in_channels=2, base_width=base_width + 2, seed=0)
    assert count_parameters(network) < count_parameters(narrower)
    assert network(noise(1, 2, 32, 32))[-1].shape == (1, 1, 32, 32)


@every_architecture
@pytest.mark.parametrize("in_channels", [1, 3])
def test_every_head_has_the_shape_of_a_non_square_input(architecture, in_channels):
    heads = narrow(architecture, in_channels=in_channels)(noise(2, in_channels, 32, 80))
    assert isinstance(heads, tuple)
    assert [head.shape for head in heads] == [(2, 1, 32, 80)] * HEADS[architecture]


@every_architecture
@pytest.mark.parametrize("shape", [(30, 32), (32, 40)])
def test_a_side_that_16_does_not_divide_is_refused_by_name(architecture, shape):
    with pytest.raises(DataError, match=f"{shape[0]} x {shape[1]} px.*multiples of 16"):
        narrow(architecture)(noise(1, 2, *shape))


@every_architecture
def test_gradients_reach_every_parameter(architecture):
    network = narrow(architecture)
    sum((head * noise(2, 1, 48, 48, seed=2)).sum() for head in network(noise(2, 2, 48, 48))).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # A bias before batch normalisation has none by construction.
        if parameter.ndim > 1:
            assert parameter.grad.abs().max() > 0, name


@every_architecture
def test_a_bfloat16_forward_pass_stays_finite(architecture):
    with torch.autocast("cpu", torch.bfloat16):
        heads = narrow(architecture)(noise(2, 2, 32, 32))
    assert all(head.isfinite().all() for head in heads)


@every_architecture
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(architecture):
    first, same, other = (narrow(architecture, seed=seed).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@every_architecture
def test_building_leaves_the_global_generator_as_it_was(architecture):
    before = torch.get_rng_state()
    narrow(architecture, seed=7)
    assert torch.equal(torch.get_rng_state(), before)


@every_architecture
def test_evaluation_does_not_mix_the_patches_of_a_batch(architecture):
    network, batch = narrow(architecture).eval(), noise(3, 2, 32, 32)
    with torch.no_grad():
        together = network(batch)[-1]
        alone = torch.cat([network(patch[None])[-1] for patch in batch])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_unetpp_heads_are_ordered_from_x01_to_x04():
    network = narrow("unetpp").eval()
    before = network(noise(1, 2, 32, 32))
    with torch.no_grad():
        network.nodes["x13"][0].weight.add_(1.0)  # feeds x04 alone
    after = network(noise(1, 2, 32, 32))
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True, True, True, False]


@pytest.mark.parametrize("upsampling", ["bilinear", "transposed"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_pruned_unetpp_answers_as_that_head_of_the_whole(upsampling, depth):
    def built(depth: int) -> nn.Module:
        own = {"upsampling": upsampling, "depth": depth}
        return build_network("unetpp", in_channels=2, base_width=4, own=own, seed=depth).eval()

    whole, part = built(4), built(depth)
    whole.train()(noise(4, 2, 32, 32, seed=5))  # running statistics of its own
    part.load_state_dict(pruned(whole.state_dict(), depth))
    image = noise(2, 2, 64, 32)
    torch.testing.assert_close(part(image), whole.eval()(image)[:depth])
    assert count_parameters(part) < count_parameters(whole)


@pytest.mark.parametrize("own", [{"depth": 5}, {"depth": 0}, {"upsampling": "nearest"}])
def test_a_unetpp_that_does_not_exist_is_refused_by_the_name_of_its_parameter(own):
    with pytest.raises(ConfigError, match=rf"unetpp\.{next(iter(own))}: {next(iter(own.values()))} is "):
        build_network("unetpp", in_channels=2, own=own, seed=0)


@pytest.mark.parametrize("architecture", sorted(set(AT_HAND) - {"pretrained_unet"}))
def test_dropout_changes_training_alone_and_no_name_of_a_weight(architecture):
    plain = narrow(architecture)
    dropping = build_network(architecture, in_channels=2, base_width=4, dropout=0.4, seed=0)
    assert list(dropping.state_dict()) == list(plain.state_dict())
    image = noise(1, 2, 32, 32)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        assert torch.equal(dropping.eval()(image)[-1], plain.eval()(image)[-1])
        assert not torch.equal(dropping.train()(image)[-1], dropping(image)[-1])


def test_stochastic_depth_drops_whole_branches_of_patches_in_training_alone():
    layer = StochasticDepth(0.25)
    branch = torch.ones(4000, 2, 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        dropped = layer.train()(branch)
    assert set(dropped.amax(dim=(1, 2)).tolist()) == set(dropped.amin(dim=(1, 2)).tolist())
    assert (dropped == 0).float().mean() == pytest.approx(0.25, abs=0.03)
    assert dropped.mean() == pytest.approx(1, abs=0.05)
    assert layer.eval()(branch) is branch


@pytest.mark.parametrize("architecture", ["atrous_unet", "hed", "segformer"])
def test_a_network_from_random_weights_learns_an_edge(architecture):
    width = 16 if architecture == "segformer" else 8
    network = build_network(architecture, in_channels=1, base_width=width, dropout=0, seed=0).train()
    generator = torch.Generator().manual_seed(1)
    columns = torch.arange(32).expand(8, 32, 32)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(60):
        edge = torch.randint(6, 26, (8, 1, 1), generator=generator)
        image = (columns >= edge)[:, None] + 0.3 * torch.randn(8, 1, 32, 32, generator=generator)
        label = (columns == edge)[:, None].float()
        logits = network(image)[-1]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    nowhere_known = -(1 / 32) * torch.tensor(1 / 32).log() - (31 / 32) * torch.tensor(31 / 32).log()
    assert loss < 0.6 * nowhere_known


def test_without_its_package_the_pretrained_network_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(pretrained_unet, "PACKAGE", "there_is_none_such")
    with pytest.raises(ConfigError, match=r'pip install "glsweep\[pretrained\]"'):
        narrow("pretrained_unet")
    network = build_network("pretrained_unet", in_channels=2, own={"pretrained": False}, seed=0)
    assert network(noise(1, 2, 32, 32))[-1].shape == (1, 1, 32, 32)


@pytest.mark.skipif("pretrained_unet" not in AT_HAND, reason="needs the extra `pretrained`")
def test_the_decoder_of_the_pretrained_network_is_drawn_as_without_weights_and_its_encoder_is_not():
    own = {"pretrained": False}
    given = build_network("pretrained_unet", in_channels=2, seed=0)
    drawn = build_network("pretrained_unet", in_channels=2, own=own, seed=0)
    same = {
        name.split(".")[0]: torch.equal(ours, theirs)
        for (name, ours), theirs in zip(given.named_parameters(), drawn.parameters(), strict=True)
        if ours.ndim > 1
    }
    assert same == {"encoder": False, "decoder": True, "head": True}


def test_an_attention_gate_only_weakens_its_skip():
    gate = narrow("attention_unet").decoder[0].gate.eval()
    skip = noise(1, 32, 4, 4)
    gated = gate(noise(1, 16, 4, 4, seed=3), skip)
    assert (gated.abs() <= skip.abs()).all()
    assert torch.equal(gated.sign(), skip.sign())


def test_the_aspp_rates_can_be_given_and_cost_no_parameters():
    assert count_parameters(ASPP(8, (1, 2, 3))) == count_parameters(ASPP(8))
    scaled = UNet(2, aspp_rates=(1, 2, 3))
    assert [branch.dilation for branch in scaled.bottleneck.branches] == [(1, 1), (1, 1), (2, 2), (3, 3)]


def test_on_an_8_px_map_a_rate_of_12_sees_its_centre_tap_alone():
    aspp = ASPP(4)
    features = noise(1, 4, 8, 8)
    before = aspp(features)
    with torch.no_grad():
        for branch in aspp.branches[2:]:  # rates 12 and 18
            kept = branch.weight[:, :, 1, 1].clone()
            if branch.dilation[0] >= 8:
                branch.weight.zero_()[:, :, 1, 1] = kept
    torch.testing.assert_close(aspp(features), before)


def test_an_unknown_architecture_or_an_odd_width_is_refused():
    with pytest.raises(ConfigError, match="'resnet' is unknown; known here: unet"):
        build_network("resnet", in_channels=2, seed=0)
    with pytest.raises(ConfigError, match="base_width: 5"):
        build_network("unet", in_channels=2, base_width=5, seed=0)
