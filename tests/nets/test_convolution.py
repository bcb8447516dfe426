"""Convolution of several pixels at once, against PyTorch's."""

import pytest
import torch
from torch import Tensor, nn

from glsweep.nets import cpu
from glsweep.nets.cpu import Conv2d

# Any batch is large enough.
SMALL = pytest.mark.usefixtures("_any_size")


@pytest.fixture
def _any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "LEAST_PX", 1)


def features(channels: int, dtype: torch.dtype = torch.float64, *, rows: int = 6, cols: int = 16) -> Tensor:
    drawn = torch.randn(2, channels, rows, cols, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return drawn.contiguous(memory_format=torch.channels_last)


def layers(channels: int, outputs: int, dtype: torch.dtype = torch.float64) -> tuple[Conv2d, nn.Conv2d]:
    torch.manual_seed(0)
    ours, theirs = (kind(channels, outputs, 3, padding=1).to(dtype) for kind in (Conv2d, nn.Conv2d))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def there_and_back(layer: nn.Conv2d, given: Tensor) -> list[Tensor]:
    given = given.clone().requires_grad_()
    result = layer(given)
    slope = torch.randn(result.shape, generator=torch.Generator().manual_seed(2))
    (result * slope).sum().backward()
    assert given.grad is not None and layer.weight.grad is not None and layer.bias is not None
    assert layer.bias.grad is not None
    return [result.detach(), given.grad, layer.weight.grad, layer.bias.grad]


@SMALL
@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("outputs", [1, 2, 4, 8, 16])
def test_result_and_gradients_are_those_of_pytorch(channels: int, outputs: int) -> None:
    ours, theirs = layers(channels, outputs)
    assert cpu._pixels_at_once(ours, features(channels)) == 16 // outputs
    for one, other in zip(
        there_and_back(ours, features(channels)), there_and_back(theirs, features(channels)), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@SMALL
def test_an_activation_may_change_the_result_in_place() -> None:
    ours, theirs = layers(2, 4)
    for layer in (ours, theirs):
        layer(features(2)).relu_().square().sum().backward()
    assert ours.weight.grad is not None
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


@SMALL
def test_in_bfloat16_they_differ_by_rounding() -> None:
    ours, theirs = layers(4, 8, torch.float32)
    found = []
    for layer in (ours, theirs):
        with torch.autocast("cpu", torch.bfloat16):
            found.append(there_and_back(layer, features(4, torch.float32)))
    assert [one.dtype for one in found[0]] == [other.dtype for other in found[1]]
    assert found[0][0].dtype == torch.bfloat16
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one.float(), other.float(), rtol=2e-2, atol=5e-2)


@SMALL
def test_the_input_of_a_network_needs_no_gradient() -> None:
    ours, theirs = layers(2, 4)
    for layer in (ours, theirs):
        layer(features(2)).square().sum().backward()
    assert ours.weight.grad is not None
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


@SMALL
@pytest.mark.parametrize(
    "changes", [{"cols": 15}, {"stride": 2}, {"dilation": 2}, {"groups": 2}, {"bias": False}, {"outputs": 12}]
)
def test_what_it_is_not_made_for_goes_pytorchs_way(changes: dict[str, int]) -> None:
    changes = dict(changes)
    cols, outputs = changes.pop("cols", 16), changes.pop("outputs", 4)
    layer = Conv2d(2, outputs, 3, padding=1, **changes).double()
    given = features(2, cols=cols)
    assert cpu._pixels_at_once(layer, given) == 1
    wanted = torch.nn.functional.conv2d(
        given, layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups
    )
    torch.testing.assert_close(layer(given), wanted)


def test_small_batches_go_pytorchs_way() -> None:
    layer = Conv2d(2, 4, 3, padding=1).double()
    assert cpu._pixels_at_once(layer, features(2)) == 1
    assert cpu._pixels_at_once(layer, features(2, rows=2**9, cols=2**6)) == 4
