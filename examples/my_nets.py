"""A network, a loss, an augmentation, a sampler and a stopping rule of one's own, for `own_network.yaml`.

glsweep passes everything by name; whatever else a signature holds is a parameter that a search space may set.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d

from glsweep.config.space import SearchSpace
from glsweep.search.draws import Configurations
from glsweep.search.plan import ListedPlan, PlannedTrial, grid_points


class TinyNet(nn.Module):
    """Convolutions at half the resolution, with group normalisation, and two heads."""

    def __init__(self, in_channels: int, base_width: int = 8, depth: int = 3) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, base_width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(base_width, base_width, 3, padding=2**level, dilation=2**level),
                nn.GroupNorm(2, base_width),
                nn.ReLU(),
            )
            for level in range(depth)
        )
        self.early, self.late = nn.Conv2d(base_width, 1, 1), nn.Conv2d(base_width, 1, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, C, H, W) to the logits (N, 1, H/2, W/2) of two heads, the one to predict with last."""
        features = self.first(image)
        early = self.early(features)
        for block in self.blocks:
            features = features + block(features)
        return early, self.late(features)


def near_line(logits: Tensor, label: Tensor, valid: Tensor, reach_px: int = 2) -> Tensor:
    """Weigh the cross-entropy by how near to a line a pixel lies: all are (N, 1, H, W)."""
    near = max_pool2d(label, 2 * reach_px + 1, stride=1, padding=reach_px)
    weight = (0.2 + avg_pool2d(near, 3, stride=1, padding=1)) * valid
    cost = nn.functional.binary_cross_entropy_with_logits(logits, label, reduction="none")
    return (cost * weight).sum() / weight.sum().clamp_min(1)


def flicker(image: Tensor, generator: torch.Generator, strength: float = 0.1) -> Tensor:
    """Scale real and imaginary part (N, 2, S, S) of each patch by a factor of its own."""
    draws = torch.rand(len(image), generator=generator, device=generator.device)
    factor = 1 + strength * (2 * draws - 1)
    return image * factor.to(image)[:, None, None, None]


def in_file_order(
    space: SearchSpace, *, seed: int, source: Path, begun: Sequence[PlannedTrial] = ()
) -> ListedPlan:
    """Plan the grid in the order in which the file writes it, in place of a shuffled one."""
    configurations = Configurations(space, seed=seed, source=source)
    trials = [configurations.take(point) for point in grid_points(space.dimensions)]
    return ListedPlan([trial for trial in trials if trial is not None], begun=begun)


class Patience:
    """Stop a trial that has not improved for some epochs and is worse than the median of the others."""

    def __init__(self, epochs: int = 2) -> None:
        self._epochs = epochs

    def rung_epochs(self, epochs: int) -> Sequence[int]:
        """Judge at each epoch from which one can look so far back."""
        return range(self._epochs + 1, epochs)

    def goes_on(self, costs: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
        """Return whether a trial goes on; costs are by epoch, lower is better."""
        improves = min(costs[-self._epochs :]) < min(costs[: -self._epochs])
        bests = sorted(min(other) for other in others)
        return improves or not bests or min(costs) <= bests[len(bests) // 2]
