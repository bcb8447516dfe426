"""Patches where the network can reach them: on the device when they fit, else batch by batch."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glsweep.config.trial import Channel
from glsweep.losses import NO_DATA
from glsweep.metrics.thresholds import Truth, truth_within
from glsweep.nets.channels import derive_channels, has_data
from glsweep.patches.arrays import PatchArrays
from glsweep.scenes.labels import FULL

# Activations need room beside the patches; beyond this share of the free memory they stay on the host.
STORE_SHARE_OF_DEVICE = 0.25


@dataclass(frozen=True)
class DevicePatches:
    """One split's patches as tensors.

    Attributes
    ----------
    image : float32 tensor (N, 2, S, S)
    label : uint8 tensor (N, S, S)
        What is trained on: the mask (1 on a line), or a target wider or softer (255 on a line).
    full : int
        The label's value on a line.
    device : torch.device
        Where batches are wanted; the tensors may lie on the host.
    amplitude_scale : float
        See `PatchArrays`.
    """

    image: Tensor
    label: Tensor
    full: int
    device: torch.device
    amplitude_scale: float

    def __len__(self) -> int:
        return len(self.image)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Gather patches onto the device.

        Returns
        -------
        tuple of Tensor
            Image (B, 2, S, S), and float32 label (B, S, S): 0 to 1, `NO_DATA` where there is none.
        """
        index = index.to(self.image.device)
        image, label = self.image[index].to(self.device), self.label[index].to(self.device)
        return image, torch.where(has_data(image), label.float() / self.full, NO_DATA)

    def channels(self, image: Tensor, channels: Sequence[Channel]) -> Tensor:
        """Derive the network's input (B, C, S, S) from real and imaginary parts."""
        return derive_channels(image, channels, self.amplitude_scale)


def place(arrays: PatchArrays, device: torch.device) -> DevicePatches:
    """Put a split's patches on `device` if they take a small part of its free memory."""
    image = _shared(arrays.image)
    label, full = (_shared(arrays.mask), 1) if arrays.target is None else (_shared(arrays.target), FULL)
    if device.type == "cuda":
        free_bytes, _ = torch.cuda.mem_get_info(device)
        if image.nbytes + label.nbytes <= STORE_SHARE_OF_DEVICE * free_bytes:
            image, label = image.to(device), label.to(device)
    return DevicePatches(image, label, full, device, arrays.amplitude_scale)


def truth_of(arrays: PatchArrays, tolerance_m: float, device: torch.device | str = "cpu") -> Truth:
    """Return what networks are judged against on a split's patches, on `device`; see `truth_within`."""
    seen = has_data(arrays.image)
    return truth_within(arrays.mask, tolerance_m, arrays.posting_m, has_data=seen, device=device)


def _shared(array: npt.NDArray[np.float32] | npt.NDArray[np.uint8]) -> Tensor:
    """Wrap an array without copying it."""
    with warnings.catch_warnings():
        # Arrays shared between trials are read-only; batches are gathered copies, so nothing writes.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
