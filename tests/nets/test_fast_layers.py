"""Fast layers take their own way only where it pays, and PyTorch's own within `plain_layers`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.utils._python_dispatch import TorchDispatchMode

from glsweep.losses import GroundingLineLoss
from glsweep.nets import build_network
from glsweep.nets.cpu import LEAST_PX, BatchNorm2d, Conv2d, concatenated, doubled, fast_way_pays, plain_layers

LOSS = GroundingLineLoss(fn_weight=0.7, fp_weight=0.3, gamma=4 / 3, bce_weight=0.3)
Layer = Callable[[Tensor], Tensor]


def conv(kind: type[nn.Conv2d]) -> Layer:
    torch.manual_seed(0)
    return kind(4, 4, 3, padding=1)


# Ours, and what it stands for.
LAYERS: dict[str, tuple[Callable[[], Layer], Callable[[], Layer]]] = {
    "convolution": (lambda: conv(Conv2d), lambda: conv(nn.Conv2d)),
    "normalisation": (lambda: BatchNorm2d(4), lambda: nn.BatchNorm2d(4)),
    "concatenation": (
        lambda: lambda x: concatenated([x, 2 * x]),
        lambda: lambda x: torch.cat([x, 2 * x], dim=1),
    ),
    "upsampling": (
        lambda: doubled,
        lambda: lambda x: interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
    ),
}
every_layer = pytest.mark.parametrize(("ours", "theirs"), LAYERS.values(), ids=LAYERS)


class Watched(TorchDispatchMode):
    """Looks at operations and changes nothing."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        return func(*args, **(kwargs or {}))


def features(layout: torch.memory_format = torch.channels_last) -> Tensor:
    drawn = torch.randn(2, 4, 128, 256, generator=torch.Generator().manual_seed(1))
    return drawn.contiguous(memory_format=layout).requires_grad_()


def there_and_back(layer: Layer, given: Tensor) -> list[Tensor]:
    result = layer(given)
    # A gradient that differs from pixel to pixel.
    result.square().mean().backward()
    parameters = layer.parameters() if isinstance(layer, nn.Module) else []
    buffers = layer.buffers() if isinstance(layer, nn.Module) else []
    slopes = [tensor.grad for tensor in (given, *parameters) if tensor.grad is not None]
    return [result.detach(), *slopes, *buffers]


@every_layer
def test_within_plain_layers_each_is_pytorchs_to_the_last_bit(
    ours: Callable[[], Layer], theirs: Callable[[], Layer]
) -> None:
    with plain_layers():
        plain = there_and_back(ours(), features())
    for one, other in zip(plain, there_and_back(theirs(), features()), strict=True):
        assert torch.equal(one, other)


@contextmanager
def plain_and_over() -> Iterator[None]:
    """A block of plain layers that has ended, by an exception at that."""
    with pytest.raises(ZeroDivisionError), plain_layers():
        raise ZeroDivisionError
    yield


@every_layer
@pytest.mark.parametrize(
    ("context", "layout", "own_way"),
    [
        (nullcontext, torch.channels_last, True),
        (plain_and_over, torch.channels_last, True),
        (plain_layers, torch.channels_last, False),
        (Watched, torch.channels_last, False),
        (nullcontext, torch.contiguous_format, False),
    ],
    ids=["as ever", "plain layers are over", "plain layers", "watched", "channels first"],
)
def test_each_takes_its_own_way_only_where_it_pays(ours, theirs, context, layout, own_way) -> None:  # type: ignore[no-untyped-def]
    given = features(layout)
    with context():
        result = ours()(given)
        assert fast_way_pays(given) == own_way
    assert (type(result.grad_fn).__module__ == "torch.autograd.function") == own_way


def test_small_batches_and_other_devices_do_not_pay() -> None:
    given = features()
    assert fast_way_pays(given, least_px=LEAST_PX)
    assert not fast_way_pays(given[:1], least_px=LEAST_PX)
    assert not fast_way_pays(given.to("meta"))


@pytest.mark.parametrize("architecture", ["attention_unet", "hed", "two_head", "unet", "unetpp"])
def test_a_network_in_its_own_way_and_in_pytorchs_agree(architecture: str) -> None:
    image = torch.randn(2, 2, 64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    target = (image[:, 0] > 1).double()
    gradients = []
    for context in (nullcontext, plain_layers):
        network = build_network(architecture, in_channels=2, base_width=4, seed=0).double()
        with context():
            LOSS(network(image), target).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]))
    assert not torch.equal(*gradients)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)
