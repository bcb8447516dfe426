"""Flips and quarter turns, drawn for each patch of a batch on its own."""

import torch
from torch import Tensor


def augment_dihedral(image: Tensor, mask: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Turn each patch by one of the eight symmetries of the square, image and mask alike.

    Every symmetry is a transposition or not, then a flip of rows or not, then of columns or not.

    Parameters
    ----------
    image : Tensor (N, C, S, S)
        Patches, on any device.
    mask : Tensor (N, S, S)
        Their masks, on the same device.
    generator : torch.Generator
        Source of randomness, on any device.

    Returns
    -------
    tuple of Tensor
        The turned image (N, C, S, S) and mask (N, S, S).
    """
    draws = torch.randint(2, (3, len(image)), generator=generator, device=generator.device)
    choices = draws.to(device=image.device, dtype=torch.bool)
    return _turned(image, choices), _turned(mask, choices)


def _turned(patches: Tensor, choices: Tensor) -> Tensor:
    """Apply `choices` (3, N) to the last two axes of `patches` (N, ..., S, S)."""
    transposed, upside_down, mirrored = choices.reshape(3, -1, *[1] * (patches.ndim - 1))
    patches = torch.where(transposed, patches.transpose(-1, -2), patches)
    patches = torch.where(upside_down, patches.flip(-2), patches)
    return torch.where(mirrored, patches.flip(-1), patches)
