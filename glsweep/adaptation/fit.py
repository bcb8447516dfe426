"""Fitting a network to what its teacher is sure of, on patches turned and filtered in any way."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glsweep.adaptation.scenes import TaughtScene
from glsweep.losses import NO_DATA, pixel_sums
from glsweep.nets import derive_channels
from glsweep.patches.augmentation import augment, build_augmentations
from glsweep.prediction.blend import Member
from glsweep.randomness import generator_for, seed_for

STEPS = 400
BATCH = 8
LEARNING_RATE = 3e-4
GRADIENT_CLIP = 1.0
CHANGES = ("dihedral", "conjugation", "phase_rotation", "filters")


def fit(
    teacher: Member,
    scenes: Sequence[TaughtScene],
    *,
    seed: int,
    steps: int = STEPS,
    on_step: Callable[[], object] = lambda: None,
) -> Member:
    """Return a copy of the teacher that was taught its sure pixels on turned and filtered patches.

    Half of the patches hold a line that the teacher is sure of. Batch normalisation keeps its statistics:
    estimated anew on few scenes they did harm.

    Parameters
    ----------
    teacher : Member
        It stays as it is.
    scenes : sequence of TaughtScene
        At least one with a line.
    seed : int
        Decides every draw.
    steps : int
        Of Adam.
    on_step : callable
        Called after each.
    """
    student = replace(teacher, network=copy.deepcopy(teacher.network).eval())
    weights = [weight.requires_grad_() for weight in student.network.parameters()]
    device = weights[0].device
    optimizer = torch.optim.Adam(weights, lr=LEARNING_RATE)
    annealed = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2
    )
    changes = build_augmentations(CHANGES)
    draws = generator_for(seed, "adapt", "patches")
    generator = torch.Generator().manual_seed(seed_for(seed, "adapt", "augmentation"))
    patches = _Patches(scenes, teacher.card.patch_size_px)
    for _ in range(steps):
        image, target = augment(*patches.draw(draws), changes, generator)
        loss = _loss(student, image.to(device), target.to(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, GRADIENT_CLIP)
        optimizer.step()
        annealed.step()
        on_step()
    return student


def _loss(student: Member, image: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy of the last head over the sure pixels."""
    card = student.card
    inputs = derive_channels(image, card.channels, card.amplitude_scale)
    logits = student.network(inputs)[-1].squeeze(1)
    cross_entropy, *_, seen = pixel_sums(logits, target)
    loss: Tensor = cross_entropy / seen.clamp_min(1)
    return loss


class _Patches:
    """Patches of taught scenes: around pixels of lines and around any with data, half of each.

    Parameters
    ----------
    scenes : sequence of TaughtScene
        At least one with a line.
    size_px : int
        Side of a patch.
    """

    def __init__(self, scenes: Sequence[TaughtScene], size_px: int) -> None:
        self._scenes, self._size_px = scenes, size_px
        on_line = [np.flatnonzero(scene.target == 1) for scene in scenes]
        self._centres = on_line, [np.flatnonzero(scene.part.signal) for scene in scenes]

    def draw(self, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return images (B, 2, S, S) and targets (B, S, S), negative where the teacher is not sure."""
        cut = [self._cut(self._centres[number % 2], generator) for number in range(BATCH)]
        signal, target = (np.stack(kind) for kind in zip(*cut, strict=True))
        image = np.stack([signal.real, signal.imag], axis=1)
        return torch.from_numpy(image), torch.from_numpy(target)

    def _cut(
        self, centres: Sequence[npt.NDArray[np.int64]], generator: np.random.Generator
    ) -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.float32]]:
        """Cut a patch that holds a random one of these pixels, anywhere in it; 0 beyond the scene."""
        counts = np.array([len(of_scene) for of_scene in centres])
        number = int(generator.choice(len(centres), p=counts / counts.sum()))
        scene, size = self._scenes[number], self._size_px
        pixel = np.unravel_index(int(generator.choice(centres[number])), scene.target.shape)
        signal, target = np.zeros((size, size), np.complex64), np.full((size, size), NO_DATA, np.float32)
        corner = [
            min(max(int(at) - int(generator.integers(size)), 0), max(0, side - size))
            for at, side in zip(pixel, scene.target.shape, strict=True)
        ]
        window = np.s_[corner[0] : corner[0] + size, corner[1] : corner[1] + size]
        part = scene.part.signal[window]
        signal[: part.shape[0], : part.shape[1]] = part
        target[: part.shape[0], : part.shape[1]] = scene.target[window]
        return signal, target
