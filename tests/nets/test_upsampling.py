"""Upsampling by two, and its way back, against PyTorch's own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from glsweep.nets.cpu import doubled


def by_pytorch(features):
    return interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


def there_and_back(upsample, features, slope):
    features = features.clone().requires_grad_()
    result = upsample(features)
    result.backward(slope)
    return result.detach(), features.grad


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 7), st.integers(1, 7)),
    seed=st.integers(0, 99),
)
def test_results_and_gradients_are_those_of_pytorch(shape, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(shape, generator=generator, dtype=torch.float64)
    features = features.contiguous(memory_format=torch.channels_last)
    slope = torch.randn(by_pytorch(features).shape, generator=generator, dtype=torch.float64)
    ours, theirs = (there_and_back(upsample, features, slope) for upsample in (doubled, by_pytorch))
    assert torch.equal(ours[0], theirs[0])
    torch.testing.assert_close(ours[1], theirs[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_of_a_part_of_a_concatenation_comes_back_alike(dtype):
    features = torch.randn(2, 8, 16, 16, generator=torch.Generator().manual_seed(0)).to(dtype)
    features = features.contiguous(memory_format=torch.channels_last)
    slope = torch.randn(2, 24, 32, 32, generator=torch.Generator().manual_seed(1)).to(dtype)[:, 16:]
    ours, theirs = (there_and_back(upsample, features, slope)[1] for upsample in (doubled, by_pytorch))
    assert ours.dtype == dtype
    torch.testing.assert_close(ours, theirs, rtol=0.02 if dtype == torch.bfloat16 else 1e-5, atol=0.02)


def test_nothing_is_kept_where_no_gradient_is_wanted():
    features = torch.ones(1, 2, 4, 4).contiguous(memory_format=torch.channels_last)
    assert doubled(features).grad_fn is None
    assert torch.equal(doubled(features), torch.ones(1, 2, 8, 8))
