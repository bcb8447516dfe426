"""Every network gives nearly the same in another layout in memory, and in bfloat16."""

import pytest
import torch

from glsweep.losses import GroundingLineLoss
from glsweep.nets import build_network
from glsweep.registry import ARCHITECTURES
from glsweep.training.step import backward

LOSS = GroundingLineLoss(fn_weight=0.7, fp_weight=0.3, gamma=4 / 3, bce_weight=0.3)


every_architecture = pytest.mark.parametrize(
    "architecture", sorted(set(ARCHITECTURES.built_in) - {"pretrained_unet"})
)


def batch(patches=4, size_px=32):
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(patches, 2, size_px, size_px, generator=generator)
    target = torch.zeros(patches, size_px, size_px)
    target[:, size_px // 2] = 1
    return image, target


def loss_and_gradients(architecture, *, dtype=torch.float32, channels_last=True, double=False):
    network = build_network(architecture, in_channels=2, base_width=4, dropout=0, seed=0).train()
    image, target = batch()
    if double:
        network, image = network.double(), image.double()
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    loss = backward(network, LOSS, image, target, micro_batch=len(image), dtype=dtype)
    for parameter in network.parameters():
        assert parameter.grad.dtype == parameter.dtype
    return float(loss), torch.cat([parameter.grad.double().flatten() for parameter in network.parameters()])


@every_architecture
def test_the_layout_in_memory_changes_nothing(architecture):
    one, gradients = loss_and_gradients(architecture, channels_last=True, double=True)
    other, others = loss_and_gradients(architecture, channels_last=False, double=True)
    assert one == pytest.approx(other, rel=1e-5)
    # The loss is float32 even where the network is not.
    assert torch.linalg.vector_norm(gradients - others) < 1e-4 * torch.linalg.vector_norm(others)


@every_architecture
def test_heads_of_both_layouts_agree_in_evaluation(architecture):
    network = build_network(architecture, in_channels=2, base_width=4, seed=0).eval()
    image, _ = batch()
    with torch.inference_mode():
        contiguous = network(image)
        channels_last = network.to(memory_format=torch.channels_last)(image)
    for one, other in zip(contiguous, channels_last, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@every_architecture
def test_the_loss_and_the_gradient_in_bfloat16_are_near_those_in_float32(architecture):
    exact, gradients = loss_and_gradients(architecture)
    coarse, others = loss_and_gradients(architecture, dtype=torch.bfloat16)
    assert coarse != exact
    assert coarse == pytest.approx(exact, rel=0.02)
    agreement = torch.nn.functional.cosine_similarity(gradients, others, dim=0)
    assert agreement > (0.9 if architecture == "hed" else 0.95)  # which is thirteen layers deep
    assert float(others.norm() / gradients.norm()) == pytest.approx(1, abs=0.1)
