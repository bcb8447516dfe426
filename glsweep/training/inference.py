"""Probabilities of a trained network on patches, and the threshold that suits them."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from glsweep.config.space import Calibration
from glsweep.config.trial import Channel
from glsweep.metrics.calibration import choose_threshold
from glsweep.nets.channels import has_data
from glsweep.patches.arrays import PatchArrays
from glsweep.training.patches_on_device import place, truth_of

BATCH_PATCHES = 16


@torch.inference_mode()
def predict_patches(
    network: nn.Module, patches: PatchArrays, channels: tuple[Channel, ...]
) -> npt.NDArray[np.float32]:
    """Return the final head's probability for each pixel, (N, S, S), from the network in eval mode.

    0 where there is no data, as in what `glsweep.predict` draws.
    """
    device = next(network.parameters()).device
    placed = place(patches, device)
    network.eval()
    probability = np.empty(patches.mask.shape, np.float32)
    for index in torch.arange(len(patches)).split(BATCH_PATCHES):
        image, _ = placed.batch(index)
        logits = network(placed.channels(image, channels))[-1]
        found = logits.squeeze(1).float().sigmoid() * has_data(image)
        probability[index.numpy()] = found.cpu().numpy()
    return probability


def calibrate_on(
    patches: PatchArrays,
    network: nn.Module,
    channels: tuple[Channel, ...],
    settings: Calibration,
    *,
    tolerance_m: float,
) -> dict[str, Any]:
    """Choose the network's threshold on `patches`, those of validation; see `choose_threshold`."""
    probability = torch.from_numpy(predict_patches(network, patches, channels))
    return choose_threshold(probability, truth_of(patches, tolerance_m), settings)
