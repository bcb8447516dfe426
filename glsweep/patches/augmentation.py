"""Changes that keep the label true, drawn for each patch of a batch on its own."""

import math
from collections.abc import Collection

import torch
from torch import Tensor

from glsweep.config.trial import Augmentation


def augment(
    image: Tensor, mask: Tensor, changes: Collection[Augmentation], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Apply the named changes to a batch; see the functions below.

    Parameters
    ----------
    image : Tensor (N, 2, S, S)
        Real and imaginary part, on any device.
    mask : Tensor (N, S, S)
        Masks, on the same device.
    changes : collection of str
        Any of `dihedral`, `conjugation`, `phase_rotation`.
    generator : torch.Generator
        Source of randomness, on any device.
    """
    if "dihedral" in changes:
        image, mask = augment_dihedral(image, mask, generator)
    if "conjugation" in changes:
        image = conjugate(image, generator)
    if "phase_rotation" in changes:
        image = rotate_phase(image, generator)
    return image, mask


def conjugate(image: Tensor, generator: torch.Generator) -> Tensor:
    """Change the sign of the phase of about every other patch, as a tide of the other sign would.

    Parameters
    ----------
    image : Tensor (N, 2, S, S)
        Real and imaginary part, on any device.
    generator : torch.Generator
        Source of randomness, on any device.
    """
    draws = torch.randint(2, (len(image),), generator=generator, device=generator.device)
    sign = (1 - 2 * draws).to(device=image.device, dtype=image.dtype)
    return torch.stack([image[:, 0], image[:, 1] * sign[:, None, None]], dim=1)


def rotate_phase(image: Tensor, generator: torch.Generator) -> Tensor:
    """Add a constant phase to each patch: an interferogram's zero is arbitrary.

    Parameters
    ----------
    image : Tensor (N, 2, S, S)
        Real and imaginary part, on any device.
    generator : torch.Generator
        Source of randomness, on any device.
    """
    draws = torch.rand(len(image), generator=generator, device=generator.device)
    phase_rad = (2 * math.pi * draws).to(device=image.device, dtype=image.dtype)[:, None, None]
    cos, sin = phase_rad.cos(), phase_rad.sin()
    real, imag = image[:, 0], image[:, 1]
    return torch.stack([real * cos - imag * sin, real * sin + imag * cos], dim=1)


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
