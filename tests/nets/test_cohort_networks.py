"""Several networks grouped into one must do what each does alone."""

import copy

import pytest
import torch
from torch import nn

from glsweep.errors import DataError
from glsweep.nets import build_network, count_parameters
from glsweep.nets.grouped import group, ungroup

# The others have layers that are not known to work in groups; see the contract's "in cohorts".
every_architecture = pytest.mark.parametrize("architecture", ["attention_unet", "two_head", "unet", "unetpp"])
COUNT = 3


def networks(architecture, *, count=COUNT, first_seed=0, width=2):
    """In double precision, where what differs differs for a reason."""
    return [
        build_network(architecture, in_channels=2, base_width=width, seed=first_seed + n).double().train()
        for n in range(count)
    ]


def images(count=COUNT, patches=3, rows=32, cols=48):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, patches, 2, rows, cols, generator=generator, dtype=torch.float64)


def side_by_side(images):
    return torch.cat(list(images), dim=1)


def value(heads):
    """A number that depends on every head in its own way."""
    return sum((head.sigmoid() * (n + 1)).square().sum() for n, head in enumerate(heads))


@every_architecture
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_heads_and_gradients_are_those_of_each_network(architecture, training, layout):
    alone = [network.train(training).to(memory_format=layout) for network in networks(architecture)]
    grouped = group(alone)
    heads = grouped(side_by_side(images()))
    value(heads).backward()
    for place, (network, image) in enumerate(zip(alone, images(), strict=True)):
        own = network(image)
        value(own).backward()
        for ours, theirs in zip(heads, own, strict=True):
            torch.testing.assert_close(ours[:, place, None], theirs)
        for name, parameter in network.named_parameters():
            gradient = grouped.get_parameter(name).grad.chunk(COUNT)[place]
            torch.testing.assert_close(gradient, parameter.grad, rtol=1e-8, atol=1e-10)


@every_architecture
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_weights_and_statistics_go_in_and_come_out_exactly(architecture, layout):
    alone = [network.to(memory_format=layout) for network in networks(architecture)]
    for network, image in zip(alone, images(), strict=True):
        network(image)
    others = networks(architecture, first_seed=10)
    ungroup(group(alone), others)
    for network, other in zip(alone, others, strict=True):
        for name, tensor in network.state_dict().items():
            assert torch.equal(other.state_dict()[name], tensor), name


@every_architecture
def test_running_statistics_move_as_they_do_alone(architecture):
    alone = networks(architecture)
    alone[1](images()[1])
    together = copy.deepcopy(alone)
    grouped = group(together)
    grouped(side_by_side(images()))
    ungroup(grouped, together)
    for network, image, other in zip(alone, images(), together, strict=True):
        network(image)
        for name, buffer in network.named_buffers():
            torch.testing.assert_close(other.get_buffer(name), buffer)


@every_architecture
def test_the_networks_are_left_alone_until_they_are_ungrouped(architecture):
    alone = networks(architecture)
    before = copy.deepcopy(alone[0].state_dict())
    grouped = group(alone)
    grouped(side_by_side(images()))
    for parameter in grouped.parameters():
        parameter.data.add_(1)
    for name, tensor in alone[0].state_dict().items():
        assert torch.equal(tensor, before[name]), name


@every_architecture
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_group_has_the_parameters_of_all_its_networks(architecture, count):
    alone = networks(architecture, count=count)
    grouped = group(alone)
    assert count_parameters(grouped) == count * count_parameters(alone[0])
    assert {name for name, _ in grouped.named_parameters()} == {
        name for name, _ in alone[0].named_parameters()
    }


@every_architecture
def test_grouping_leaves_the_global_generator_as_it_was(architecture):
    alone = networks(architecture)
    before = torch.get_rng_state()
    group(alone)
    assert torch.equal(torch.get_rng_state(), before)


@every_architecture
def test_a_side_that_16_does_not_divide_is_refused(architecture):
    with pytest.raises(DataError, match="30 x 32 px"):
        group(networks(architecture))(torch.zeros(1, 2 * COUNT, 30, 32, dtype=torch.float64))


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (nn.Sequential(nn.Conv2d(2, 4, 1), nn.GroupNorm(1, 4)), "GroupNorm is not known"),
        (nn.Sequential(nn.Conv2d(2, 4, 1), nn.Softmax(dim=1)), "Softmax is not known"),
    ],
)
def test_a_layer_that_may_mix_networks_is_refused(network, told):
    with pytest.raises(TypeError, match=told):
        group([network, network])


def test_a_function_that_may_mix_networks_is_refused():
    class Ranked(nn.Module):
        def forward(self, image):
            return torch.softmax(image, dim=1)

    with pytest.raises(TypeError, match=r"softmax.* is not known"):
        group([Ranked(), Ranked()])
