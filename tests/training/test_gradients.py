"""Micro-batches must give the gradients of the whole batch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_patches import without_batch_norm
from torch import nn

from glsweep.losses import NO_DATA, GroundingLineLoss
from glsweep.nets import build_network
from glsweep.training.step import backward, count_parts

SIZE_PX = 32


def batch(patches, dtype=torch.float64):
    generator = torch.Generator().manual_seed(patches)
    inputs = torch.randn(patches, 2, SIZE_PX, SIZE_PX, generator=generator, dtype=dtype)
    target = (torch.rand(patches, SIZE_PX, SIZE_PX, generator=generator) < 0.1).float()
    target[0] = 0
    # Shares of data that differ from patch to patch.
    for place, patch in enumerate(target):
        patch[: 3 * place] = NO_DATA
    return inputs, target


def gradients(network, loss, patches, micro_batch):
    network.zero_grad()
    value = backward(network, loss, *batch(patches), micro_batch=micro_batch, dtype=torch.float64)
    assert not value.requires_grad
    return value, [p.grad for p in network.parameters()]


LOSSES = st.fixed_dictionaries(
    {
        "fn_weight": st.floats(0.1, 0.9),
        "fp_weight": st.floats(0.1, 0.9),
        "gamma": st.floats(0.5, 3),
        "bce_weight": st.floats(0, 1),
        "ds_weights": st.sampled_from([None, (0.1, 0.2, 0.3, 0.4), (1.0, 0.0, 0.0, 2.0)]),
    }
)


@pytest.mark.parametrize("architecture", ["unet", "attention_unet", "unetpp"])
@settings(max_examples=12, deadline=None)
@given(of=LOSSES, patches=st.integers(2, 7), micro_batch=st.integers(1, 6))
def test_gradients_and_loss_are_those_of_the_whole_batch(architecture, of, patches, micro_batch):
    network = without_batch_norm(build_network(architecture, in_channels=2, base_width=2, seed=patches))
    network, loss = network.double().train(), GroundingLineLoss(**of)
    whole, wanted = gradients(network, loss, patches, patches)
    parted, got = gradients(network, loss, patches, micro_batch)
    torch.testing.assert_close(parted, whole)
    size = max(float(gradient.abs().max()) for gradient in wanted)
    for ours, theirs in zip(got, wanted, strict=True):
        # The loss is float32 even where the network is not.
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6 * size)


@given(patches=st.integers(1, 50), micro_batch=st.integers(1, 60))
def test_parts_are_no_larger_than_a_micro_batch_and_of_even_size(patches, micro_batch):
    sizes = [len(part) for part in torch.arange(patches).tensor_split(count_parts(patches, micro_batch))]
    assert sum(sizes) == patches
    assert 0 < max(sizes) <= micro_batch
    assert max(sizes) - min(sizes) <= 1


def test_gradients_are_added_to_those_that_are_there():
    network = without_batch_norm(build_network("unet", in_channels=2, base_width=2, seed=0)).double()
    loss = GroundingLineLoss(fn_weight=0.7, fp_weight=0.3, gamma=1.33, bce_weight=0.3)
    _, once = gradients(network, loss, 5, 2)
    once = [gradient.clone() for gradient in once]
    backward(network, loss, *batch(5), micro_batch=2, dtype=torch.float64)
    for parameter, gradient in zip(network.parameters(), once, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 5])
def test_running_statistics_move_once_a_batch_whatever_the_micro_batch(micro_batch):
    network = build_network("unet", in_channels=2, base_width=2, seed=0).double().train()
    loss = GroundingLineLoss(fn_weight=0.7, fp_weight=0.3, gamma=1.33, bce_weight=0.3)
    first = next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    inputs, _ = batch(5)
    seen = network.encoder[0][0](inputs).detach()
    means = seen.mean(dim=(2, 3))
    backward(network, loss, *batch(5), micro_batch=micro_batch, dtype=torch.float64)
    torch.testing.assert_close(first.running_mean, 0.1 * means.mean(dim=0))
    parts = seen.tensor_split(count_parts(5, micro_batch))
    spread = sum(part.var(dim=(0, 2, 3)) * len(part) for part in parts) / 5
    torch.testing.assert_close(first.running_var, 0.9 + 0.1 * spread)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert int(module.num_batches_tracked) == 1
