"""Networks as they predict: several members at once, each also on turned copies of its input."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glsweep.nets.channels import derive_channels, has_data
from glsweep.nets.member import ModelCard


@dataclass(frozen=True)
class Member:
    """A trained network and what must be known of it.

    Attributes
    ----------
    name : str
        As it was asked for.
    network : nn.Module
        In evaluation mode, on the device on which it is to predict.
    card : ModelCard
        Its channels, normalisation, posting, wavelength and threshold.
    weights_hash : str
        Of the file of its weights; empty where it is from none.
    """

    name: str
    network: nn.Module
    card: ModelCard
    weights_hash: str = ""


@torch.inference_mode()
def member_probability(members: Sequence[Member], image: Tensor, *, turned: bool) -> Tensor:
    """Return each member's probability for a batch of windows.

    Parameters
    ----------
    members : sequence of Member
        All on the image's device.
    image : Tensor (B, 2, S, S)
        Real and imaginary part; both 0 where there is no data.
    turned : bool
        Whether to average over the eight flips and quarter turns (test-time augmentation): a line
        stays one however a scene is turned.

    Returns
    -------
    Tensor (members, B, S, S)
        float32 on the image's device; 0 where there is no data.
    """
    ways = [(turns, flipped) for turns in range(4) for flipped in (False, True)] if turned else [(0, False)]
    seen = has_data(image)
    found = []
    for member in members:
        total = torch.zeros(seen.shape, device=image.device)
        for turns, flipped in ways:
            way = torch.rot90(image.flip(-1) if flipped else image, turns, (-2, -1))
            given = derive_channels(way, member.card.channels, member.card.amplitude_scale)
            probability = member.network(given)[-1].squeeze(1).float().sigmoid()
            back = torch.rot90(probability, -turns, (-2, -1))
            total += back.flip(-1) if flipped else back
        found.append(total / len(ways) * seen)
    return torch.stack(found)
