"""Augmentations that keep the label true, drawn for each patch of a batch on its own."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from glsweep.config.trial import Scalar
from glsweep.nets.filters import WINDOW_PX, boxcar, goldstein, multilooked
from glsweep.registry import AUGMENTATIONS

Augmentation = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]

MOST_SPECKLE = 0.5
"""Largest standard deviation of the speckle that is added, of which 1 is the signal."""
MOST_GAIN = 1.5
"""Largest factor by which amplitude is scaled."""
FILTER_SHARES = {"raw": 0.45, "boxcar3": 0.15, "boxcar5": 0.05, "goldstein": 0.25, "multilooked": 0.1}
"""In which share of the patches each filter is met."""
GOLDSTEIN_STRENGTHS = (0.2, 0.9)
"""Range of exponents that processors offer and users choose."""


def augment(
    image: Tensor, label: Tensor, changes: Sequence[Augmentation], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Apply changes to a batch, one after the other.

    Parameters
    ----------
    image : Tensor (N, 2, S, S)
        Real and imaginary part, on any device.
    label : Tensor (N, S, S)
        Masks or training targets, on the same device; (N, 2, S, S) with zones, which turn likewise.
    changes : sequence of callable
        See `build_augmentations`.
    generator : torch.Generator
        Source of randomness, on any device.
    """
    for change in changes:
        image, label = change(image, label, generator)
    return image, label


def build_augmentations(
    names: Collection[str], own_parameters: Mapping[str, Mapping[str, Scalar]] | None = None
) -> tuple[Augmentation, ...]:
    """Return the changes of these names, in the order in which a radar image is formed, own ones last.

    Parameters
    ----------
    names : collection of str
        Built-in, or import paths of the user's own: called as `change(image=..., label=..., generator=...)`
        with what it takes of these; it returns the image, and the label too where it takes one.
    own_parameters : mapping, optional
        By name, the user's parameters with which a change is called.

    Raises
    ------
    ConfigError
        When one cannot be imported.
    """
    built_in = [name for name in AUGMENTATIONS.built_in if name in names]
    ordered = [*built_in, *(name for name in names if name not in built_in)]
    return tuple(
        partial(
            _changed,
            AUGMENTATIONS.bind(name, (own_parameters or {}).get(name, {})),
            moves_label=AUGMENTATIONS.takes(name, "label"),
        )
        for name in ordered
    )


def _changed(
    change: Callable[..., Any],
    image: Tensor,
    label: Tensor,
    generator: torch.Generator,
    *,
    moves_label: bool,
) -> tuple[Tensor, Tensor]:
    changed = change(image=image, label=label, generator=generator)
    return changed if moves_label else (changed, label)


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
    phase_rad = 2 * math.pi * _uniform(image, generator)
    cos, sin = phase_rad.cos(), phase_rad.sin()
    real, imag = image[:, 0], image[:, 1]
    return torch.stack([real * cos - imag * sin, real * sin + imag * cos], dim=1)


def add_speckle(image: Tensor, generator: torch.Generator) -> Tensor:
    """Multiply each pixel by complex speckle whose strength is drawn for each patch.

    The factor is 1 + n, n circular Gaussian of a standard deviation up to `MOST_SPECKLE`: phase and
    magnitude scatter as they do where coherence is lost (Bamler & Hartl 1998, section 3). Where
    there is no data there is none afterwards.

    Parameters
    ----------
    image : Tensor (N, 2, S, S)
        Real and imaginary part, on any device.
    generator : torch.Generator
        Source of randomness, on any device.
    """
    deviation = MOST_SPECKLE * _uniform(image, generator)
    noise = torch.randn(image.shape, generator=generator, device=generator.device)
    noise = noise.to(device=image.device, dtype=image.dtype) * deviation[:, None] / math.sqrt(2)
    real, imag = image[:, 0], image[:, 1]
    across, along = 1 + noise[:, 0], noise[:, 1]
    return torch.stack([real * across - imag * along, real * along + imag * across], dim=1)


def jitter_amplitude(image: Tensor, generator: torch.Generator) -> Tensor:
    """Scale each patch by a factor between 1 / `MOST_GAIN` and `MOST_GAIN`, as calibrations differ.

    Parameters
    ----------
    image : Tensor (N, 2, S, S)
        Real and imaginary part, on any device.
    generator : torch.Generator
        Source of randomness, on any device.
    """
    return image * MOST_GAIN ** (2 * _uniform(image, generator)[:, None] - 1)


def filter_patches(image: Tensor, generator: torch.Generator) -> Tensor:
    """Filter each patch as some processor would, so that the network holds on any product.

    Which filter, by `FILTER_SHARES`, and how strong is drawn for each patch. Where there is no data
    there is none afterwards.

    Parameters
    ----------
    image : Tensor (N, 2, S, S)
        Real and imaginary part, on any device.
    generator : torch.Generator
        Source of randomness, on any device.
    """
    shares = torch.tensor(list(FILTER_SHARES.values()), device=generator.device)
    drawn = torch.multinomial(shares.expand(len(image), -1), 1, generator=generator)[:, 0]
    weakest, strongest = GOLDSTEIN_STRENGTHS
    strength = weakest + (strongest - weakest) * _uniform(image, generator)[:, 0, 0]
    filtered = image.clone()
    for number, name in enumerate(FILTER_SHARES):
        (of_this,) = torch.nonzero((drawn == number).to(image.device), as_tuple=True)
        if name != "raw" and len(of_this):
            filtered[of_this] = _filtered(name, image[of_this], strength[of_this])
    return filtered


def _filtered(name: str, image: Tensor, strength: Tensor) -> Tensor:
    if name == "goldstein":
        # Windows that overlap by half take a quarter of the time, and differ little.
        return goldstein(image, strength, stride_px=WINDOW_PX // 2)
    return multilooked(image) if name == "multilooked" else boxcar(image, int(name.removeprefix("boxcar")))


def _uniform(image: Tensor, generator: torch.Generator) -> Tensor:
    """Draw from [0, 1) for each patch, (N, 1, 1)."""
    draws = torch.rand(len(image), generator=generator, device=generator.device)
    return draws.to(device=image.device, dtype=image.dtype)[:, None, None]


def augment_dihedral(image: Tensor, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Turn each patch by one of the eight symmetries of the square, image and label alike.

    Every symmetry is a transposition or not, then a flip of rows or not, then of columns or not.

    Parameters
    ----------
    image : Tensor (N, C, S, S)
        Patches, on any device.
    label : Tensor (N, S, S)
        Their masks or targets, on the same device.
    generator : torch.Generator
        Source of randomness, on any device.

    Returns
    -------
    tuple of Tensor
        The turned image (N, C, S, S) and label (N, S, S).
    """
    draws = torch.randint(2, (3, len(image)), generator=generator, device=generator.device)
    choices = draws.to(device=image.device, dtype=torch.bool)
    return _turned(image, choices), _turned(label, choices)


def _turned(patches: Tensor, choices: Tensor) -> Tensor:
    """Apply `choices` (3, N) to the last two axes of `patches` (N, ..., S, S)."""
    transposed, upside_down, mirrored = choices.reshape(3, -1, *[1] * (patches.ndim - 1))
    patches = torch.where(transposed, patches.transpose(-1, -2), patches)
    patches = torch.where(upside_down, patches.flip(-2), patches)
    return torch.where(mirrored, patches.flip(-1), patches)
