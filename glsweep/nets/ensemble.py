"""Networks that differ in their seed alone, as one network whose probability is the mean of theirs."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid


class Ensemble(nn.Module):
    """Several networks that predict with the mean of their probabilities.

    Lakshminarayanan et al. (2017), Simple and scalable predictive uncertainty estimation using deep
    ensembles, section 2.4. Called, it maps (N, C, H, W) to a tuple of logits (N, 1, H, W): the last head of
    each network, and at the end the logit of their mean probability.

    Parameters
    ----------
    networks : sequence of nn.Module
        Their weights are named `seed0.`, `seed1.` and so on.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        for number, network in enumerate(networks):
            self.add_module(f"seed{number}", network)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of each network and that of their mean probability, float32."""
        logits = [network(image)[-1].float() for network in self.children()]
        return *logits, logit_of_mean(torch.stack(logits))


def logit_of_mean(logits: Tensor) -> Tensor:
    """Return the logit of the mean of the probabilities along the first axis.

    Of the log of the mean probability and of its complement, so that networks which are all sure do not
    make it infinite.
    """
    return torch.logsumexp(logsigmoid(logits), 0) - torch.logsumexp(logsigmoid(-logits), 0)


def networks_of(network: nn.Module) -> tuple[nn.Module, ...]:
    """Return the networks of an ensemble; of any other network, itself."""
    return tuple(network.children()) if isinstance(network, Ensemble) else (network,)
