"""Concatenation, against PyTorch's."""

import pytest
import torch
from torch import Tensor

from glsweep.nets.cpu import concatenated

LAYOUTS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}


def parts(layout: torch.memory_format, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(2, channels, 4, 6, generator=generator, dtype=dtype) for channels in (3, 1, 5)]
    return [part.contiguous(memory_format=layout).requires_grad_() for part in drawn]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_result_and_gradients_are_those_of_cat(layout: torch.memory_format) -> None:
    ours, theirs = parts(layout), parts(layout)
    weights = torch.randn(2, 9, 4, 6, dtype=torch.float64).contiguous(memory_format=layout)
    results = concatenated(ours), torch.cat(theirs, dim=1)
    torch.testing.assert_close(*results, rtol=0, atol=0)
    for result in results:
        (result.square() * weights).sum().backward()
    for one, other in zip(ours, theirs, strict=True):
        assert one.grad is not None
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=0)
        assert one.grad.is_contiguous(memory_format=layout)


def test_each_gradient_has_the_type_of_its_part_and_one_that_needs_none_has_none() -> None:
    (low, _, _), (still, _, high) = parts(torch.channels_last, torch.bfloat16), parts(torch.channels_last)
    concatenated([low, still.detach(), high]).sum().backward()
    assert low.grad is not None and high.grad is not None and still.grad is None
    assert (low.grad.dtype, high.grad.dtype) == (torch.bfloat16, torch.float64)
