"""Folded batch normalisation against PyTorch's own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from glsweep.nets.cpu import BatchNorm2d


def layers(channels, dtype):
    ours, theirs = BatchNorm2d(channels), nn.BatchNorm2d(channels)
    generator = torch.Generator().manual_seed(channels)
    with torch.no_grad():
        for name in ("weight", "bias"):
            values = torch.randn(channels, generator=generator)
            for layer in (ours, theirs):
                getattr(layer, name).copy_(values)
    # Parameters stay float32 beside bfloat16 features.
    return [layer.double() if dtype == torch.float64 else layer for layer in (ours, theirs)]


def features(shape, dtype, seed=0):
    made = 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 3
    return made.to(dtype).contiguous(memory_format=torch.channels_last)


def trained(layer, given_features, slope):
    given_features = given_features.clone(memory_format=torch.preserve_format).requires_grad_()
    # In place, as activations are in the networks.
    result = layer(given_features).relu_()
    result.backward(slope)
    return result.detach(), given_features.grad, *(p.grad for p in layer.parameters())


SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 70), st.sampled_from([2, 4, 6, 16]), st.integers(1, 9))


@settings(max_examples=60, deadline=None)
@given(shape=SHAPES)
def test_results_and_gradients_and_what_is_remembered_are_those_of_pytorch(shape):
    ours, theirs = layers(shape[1], torch.float64)
    batch, slope = features(shape, torch.float64), features(shape, torch.float64, seed=1)
    for one, other in zip(trained(ours, batch, slope), trained(theirs, batch, slope), strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    torch.testing.assert_close(ours.eval()(batch), theirs.eval()(batch))


def test_in_bfloat16_it_is_off_by_three_roundings_where_pytorch_is_off_by_one():
    exact, _ = layers(4, torch.float64)
    ours, theirs = layers(4, torch.bfloat16)
    batch, slope = features((8, 4, 32, 32), torch.bfloat16), features((8, 4, 32, 32), torch.bfloat16, seed=1)
    wanted = trained(exact, batch.double(), slope.double())
    for best, one, other in zip(
        wanted, trained(ours, batch, slope), trained(theirs, batch, slope), strict=True
    ):
        errors = [torch.linalg.vector_norm(found.double() - best) for found in (one, other)]
        assert errors[0] < 3 * errors[1] + 1e-6 * torch.linalg.vector_norm(best)
    assert ours.weight.grad.dtype == ours.running_mean.dtype == torch.float32


def test_the_layout_in_memory_is_kept():
    batch = features((2, 4, 8, 8), torch.float32)
    for result in (BatchNorm2d(4)(batch), BatchNorm2d(4).eval()(batch)):
        assert result.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels_last", [True, False])
def test_one_value_a_channel_is_refused_as_ever(channels_last):
    batch = torch.ones(1, 4, 1, 1)
    batch = batch.contiguous(memory_format=torch.channels_last) if channels_last else batch
    with pytest.raises(ValueError, match="Expected more than 1 value"):
        BatchNorm2d(4)(batch)
