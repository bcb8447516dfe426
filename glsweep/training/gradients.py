"""The gradients of one batch, taken at once or by micro-batches that need less memory."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn
from torch.func import functional_call

from glsweep.losses import GroundingLineLoss
from glsweep.training.precision import computing_in


def count_parts(patches: int, micro_batch: int) -> int:
    """Return into how many micro-batches, of at most `micro_batch` patches, so many patches are cut."""
    return -(-patches // micro_batch)


def backward(
    network: nn.Module,
    loss: GroundingLineLoss,
    inputs: Tensor,
    target: Tensor,
    *,
    micro_batch: int,
    dtype: torch.dtype,
) -> Tensor:
    """Add the gradients of the batch's loss to those of the parameters, and return the loss.

    A batch larger than `micro_batch` is cut into parts that differ by one patch at most. They give
    the loss and the gradients of the whole batch, except through batch normalisation, which sees
    each micro-batch on its own, in training and in what it remembers of the features for validation.

    Parameters
    ----------
    network : nn.Module
        In training mode; without dropout, since micro-batches pass through it twice.
    loss : GroundingLineLoss
    inputs : Tensor (N, C, S, S)
        The network's input.
    target : Tensor (N, S, S)
        1 on the line, 0 elsewhere, negative where there is no data.
    micro_batch : int
        Patches that are in memory at once with all that the network makes of them.
    dtype : torch.dtype
        What the network's layers compute in, see `computing_in`.

    Returns
    -------
    Tensor
        A scalar without gradient.
    """
    parts = count_parts(len(inputs), micro_batch)
    if parts > 1:
        cut = inputs.tensor_split(parts), target.tensor_split(parts)
        return _backward_in_parts(network, loss, *cut, dtype)
    with computing_in(dtype, inputs.device):
        heads = network(inputs)
    batch_loss: Tensor = loss(heads, target)
    batch_loss.backward()
    return batch_loss.detach()


def _backward_in_parts(
    network: nn.Module,
    loss: GroundingLineLoss,
    inputs: Sequence[Tensor],
    targets: Sequence[Tensor],
    dtype: torch.dtype,
) -> Tensor:
    """Find the sums that the loss follows from and its slopes in them, then go back from the parts.

    By the chain rule the loss's gradient is that of sum_k slope_k * sums_k, which is linear in the
    parts; so the parts' gradients may be added up one after the other.
    """

    def heads(image: Tensor, buffers: dict[str, Tensor]) -> tuple[Tensor, ...]:
        with computing_in(dtype, image.device):
            logits: tuple[Tensor, ...] = functional_call(network, buffers, (image,))
        return logits

    with torch.no_grad():
        # In copies of the buffers: the second pass is the one to be remembered.
        parts = [
            loss.sums(heads(image, _buffers(network)), target)
            for image, target in zip(inputs, targets, strict=True)
        ]
    sums = torch.stack(parts).sum(dim=0).requires_grad_()
    batch_loss = loss.from_sums(sums)
    (slopes,) = torch.autograd.grad(batch_loss, sums)
    remembered = []
    for image, target in zip(inputs, targets, strict=True):
        buffers = _buffers(network)
        part = loss.sums(heads(image, buffers), target)
        (slopes * part).sum().backward()
        remembered.append(buffers)
    _remember(network, remembered, [len(image) for image in inputs])
    return batch_loss.detach()


def _buffers(network: nn.Module) -> dict[str, Tensor]:
    return {name: buffer.clone() for name, buffer in network.named_buffers()}


def _remember(network: nn.Module, parts: Sequence[dict[str, Tensor]], patches: Sequence[int]) -> None:
    """Set the buffers to the mean over the parts, each of which began where the batch began.

    So the running statistics move once a batch, as fast as with whole batches.
    """
    for name, buffer in network.named_buffers():
        weighed = [part[name] * count for part, count in zip(parts, patches, strict=True)]
        buffer.copy_(reduce(torch.add, weighed) / sum(patches))
