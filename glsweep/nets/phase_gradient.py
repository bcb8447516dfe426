"""A line drawn without learning: where fringes become dense, seen from the land."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glsweep.nets import has_data
from glsweep.nets.filters import boxcar
from glsweep.nets.local_phase import box_sum, fringe_frequency

REACH_PX, SIDE_PX = 12, 15
"""How far to either side of a pixel frequencies are compared, and over boxes of which side."""
LINKED_PX = 16
"""How far along the edge what is sure carries over to what is not."""
SOFTNESS_CYCLES = 0.04
"""Rise that makes a logit of 1."""
NOTHING_LOGIT, BESIDE_LOGIT = -12.0, -1.0
"""Of pixels off every edge, and how much less than its edge a pixel beside it has."""


class Numbers(NamedTuple):
    """What `PhaseGradient` goes by.

    Attributes
    ----------
    smoothing_px : int
        Side of the box over which the interferogram is averaged, odd; 1 leaves it as it is. Of noise an
        average is of use, of fringes finer than twice the box it leaves nothing.
    frequency_px : int
        Side of the box in which fringes are counted, odd.
    level_cycles : float
        Fringes to a pixel that a belt's landward edge has; lines that analysts drew in real scenes lie at .2.
    dense_cycles : float
        Denser ones count as so dense: belts and noise differ above it by chance.
    weak_cycles, strong_cycles : float
        Rise of the frequency across an edge without which it is none, and from which it is sure (a
        probability of .5).
    """

    smoothing_px: int = 1
    frequency_px: int = 9
    level_cycles: float = 0.2
    dense_cycles: float = 0.3
    weak_cycles: float = 0.1
    strong_cycles: float = 0.25


class PhaseGradient(nn.Module):
    """The landward edge of the belt of dense fringes, from the fringe frequency alone.

    A pixel is on an edge where the frequency reaches a level that a neighbour is below of. How sure it is
    follows from the rise across it, the difference of mean frequencies over boxes on both sides, less the
    mean on the side where they are few: land is still, so edges within noise do not count. The sureness of
    an edge is the greatest that is linked to it by weaker parts (hysteresis, as Canny 1986).

    Nothing depends on a constant phase, the sign of the phase or the magnitude. Its numbers are kept as a
    network's weights are, in the state dict, though there is no gradient for them.

    Parameters
    ----------
    numbers : Numbers
        Those to begin with.
    """

    def __init__(self, numbers: Numbers = Numbers()) -> None:  # noqa: B008  immutable
        super().__init__()
        for name, value in numbers._asdict().items():
            self.register_parameter(name, nn.Parameter(torch.tensor(float(value)), requires_grad=False))

    @property
    def numbers(self) -> Numbers:
        """What it goes by."""
        found = {name: float(value) for name, value in self.named_parameters()}
        sides = {name: round(value) for name, value in found.items() if name.endswith("_px")}
        return Numbers(**{**found, **sides})  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Return logits (N, 1, H, W).

        Parameters
        ----------
        image : Tensor (N, 2, H, W)
            `cos` and `sin`, or `real` and `imag`; both 0 where there is no data.
        """
        numbers, known = self.numbers, has_data(image)
        smooth = boxcar(image, numbers.smoothing_px) if numbers.smoothing_px > 1 else image
        frequency = fringe_frequency(smooth, numbers.frequency_px)
        rise = rise_across(frequency.clamp(max=numbers.dense_cycles), known)
        edge = landward_edge(_mean(frequency, known, 3), known, numbers.level_cycles)
        sure = linked(rise, edge & (rise >= numbers.weak_cycles))
        logit = (sure - numbers.strong_cycles) / SOFTNESS_CYCLES
        logit = torch.where(sure > 0, logit, NOTHING_LOGIT).clamp(min=NOTHING_LOGIT)
        # Lines are read from bands, whose middle is highest.
        beside = F.max_pool2d(logit, 3, stride=1, padding=1) + BESIDE_LOGIT
        band = torch.maximum(logit, beside).clamp(min=NOTHING_LOGIT)
        return (torch.where(known, band, NOTHING_LOGIT)[:, None],)


def landward_edge(frequency: Tensor, known: Tensor, level_cycles: float) -> Tensor:
    """Return pixels (N, H, W) at or above the level beside one with data below it: lines one pixel wide."""
    of_neighbours = F.pad(torch.where(known, frequency, torch.inf), (1, 1, 1, 1), value=torch.inf)
    lowest = -F.max_pool2d(-of_neighbours, 3, stride=1)
    return known & (frequency >= level_cycles) & (lowest < level_cycles)


def rise_across(frequency: Tensor, known: Tensor) -> Tensor:
    """Return how much denser fringes are on one side of each pixel than on the other, (N, H, W) in cycles.

    The gradient's length between means over boxes `REACH_PX` to both sides, less the mean on the sparser
    side, at least 0. Across an axis of which either side is mostly without data nothing is compared.
    """
    mean = _mean(frequency, known, SIDE_PX)
    usable = box_sum(known.to(frequency.dtype), SIDE_PX, SIDE_PX) >= SIDE_PX**2 / 2
    rises = []
    for axis in (-2, -1):
        (before, has_before), (behind, has_behind) = (
            (_moved(mean, axis, by), _moved(usable.to(mean.dtype), axis, by)) for by in (-REACH_PX, REACH_PX)
        )
        rises.append((behind - before) * has_before * has_behind)
    gradient = torch.hypot(*rises)
    sparser = (mean - gradient / 2).clamp(min=0)
    return (gradient - sparser).clamp(min=0)


def linked(sureness: Tensor, edge: Tensor) -> Tensor:
    """Return the greatest sureness along each edge within `LINKED_PX` steps, (N, H, W); 0 off edges."""
    found = sureness * edge
    for _ in range(LINKED_PX):
        found = F.max_pool2d(found, 3, stride=1, padding=1) * edge
    return found


def _mean(values: Tensor, known: Tensor, side_px: int) -> Tensor:
    """Return means over boxes of what holds data; 0 where nothing does."""
    weight = known.to(values.dtype)
    count = box_sum(weight, side_px, side_px)
    return box_sum(values * weight, side_px, side_px) / count.clamp(min=1)


def _moved(values: Tensor, axis: int, by: int) -> Tensor:
    """Return at each pixel the value so many pixels on; 0 beyond the border."""
    size = values.shape[axis]
    around = [abs(by), abs(by)] if axis == -1 else [0, 0, abs(by), abs(by)]
    return F.pad(values, around).narrow(axis, abs(by) + by, size)
