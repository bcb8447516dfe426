"""What a trial is trained on: how its targets follow from what is stored with the patches."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glsweep.config.data_card import DataCard
from glsweep.config.trial import LABEL_OF_CARD, WIDE_LABELS, TrialLabel, TrialParameters
from glsweep.errors import ConfigError, StudyError
from glsweep.patches import FARTHEST_PX2, PatchArrays
from glsweep.registry import ARCHITECTURES
from glsweep.scenes import FULL, UNSURE, WIDTHS_REACHED

# What is added before a squared width is compared with whole numbers, which 3 x 0.1 / 0.1 must reach.
ROUNDING_PX2 = 1e-6


@dataclass(frozen=True)
class TargetRule:
    """A trial's target from stored planes.

    Attributes
    ----------
    label : str
        See `TrialParameters`.
    width_px : float
        Reach or standard deviation of a wide label, in pixels.
    full : int
        The value on the line of a plane that is a target itself.
    smoothing : float
        e, by which a target y becomes y (1 - e) + e / 2 (Szegedy et al. 2016, section 7, for two classes).
    """

    label: TrialLabel = LABEL_OF_CARD
    width_px: float = 0.0
    full: int = FULL
    smoothing: float = 0.0

    def target(self, plane: Tensor, thin: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the target, float32 from 0 to 1, and where it is known, both (B, S, S).

        Parameters
        ----------
        plane : Tensor (B, S, S)
            The target as it is stored, or squared distances for a wide label.
        thin : Tensor (B, S, S), optional
            Beside distances: `UNSURE` where nobody can tell.
        """
        if thin is None:
            share, known = plane.float() / self.full, plane != UNSURE
        else:
            share = self._share(plane.float())
            known = (thin != UNSURE) | (share > 0)
        if self.smoothing:
            share = share * (1 - self.smoothing) + self.smoothing / 2
        return share, known

    def _share(self, distance_px2: Tensor) -> Tensor:
        """Return a wide label, in steps of 1 / `FULL` as a card's own; see `training_target`."""
        if self.label == "buffered":
            return (distance_px2 <= self.width_px**2 + ROUNDING_PX2).float()
        return torch.round(FULL * torch.exp(-distance_px2 / (2 * self.width_px**2))) / FULL


Planes = tuple[npt.NDArray[np.uint8] | npt.NDArray[np.int16], ...]


def target_of(arrays: PatchArrays, trial: TrialParameters | None) -> tuple[TargetRule, Planes]:
    """Return how a trial's target is made, and from which planes, the arguments of `TargetRule.target`.

    Without a trial it is as the data card says.

    Raises
    ------
    StudyError
        When the patches were cut without what its label needs, or it reaches too far.
    """
    label = LABEL_OF_CARD if trial is None else trial.label
    smoothing = 0.0 if trial is None else trial.label_smoothing
    if label == LABEL_OF_CARD:
        plane, full = (arrays.mask, 1) if arrays.target is None else (arrays.target, FULL)
        return TargetRule(label, full=full, smoothing=smoothing), (plane,)
    if arrays.distance_px2 is None or arrays.thin is None:
        raise StudyError(
            f"label: {label}: these patches were cut for labels of the data card alone; "
            "set `label` in the search space before `prepare`"
        )
    if trial is None or trial.label_width_m is None:
        return TargetRule(label, smoothing=smoothing), (arrays.thin,)
    check_reach(trial, arrays.posting_m)
    rule = TargetRule(label, trial.label_width_m / arrays.posting_m, smoothing=smoothing)
    return rule, (arrays.distance_px2, arrays.thin)


def check_zones(trials: Iterable[TrialParameters], card: DataCard, source: Path) -> None:
    """Make sure, before any patch is cut, that whoever learns zones has zones and their share of the loss.

    Raises
    ------
    ConfigError
        When a trial or the data card does not fit; the message names `source`, the trials' search space.
    """
    for trial in trials:
        fault = _zone_fault(trial, is_known=card.has_zones)
        if fault is not None:
            raise ConfigError(f"{source}: {fault}")


def zones_of(arrays: PatchArrays, trial: TrialParameters | None) -> Planes:
    """Return the zones, in a tuple, if a trial's network learns them.

    Raises
    ------
    StudyError
        When the network has a head for zones and the patches have none, or one of the two goes without
        `zone_weight`.
    """
    if trial is None:
        return ()
    # Not every trial has passed `check_zones`: a plan proposes new ones, and studies keep older ones.
    fault = _zone_fault(trial, is_known=arrays.zone is not None)
    if fault is not None:
        raise StudyError(fault)
    return () if trial.zone_weight is None or arrays.zone is None else (arrays.zone,)


def _zone_fault(trial: TrialParameters, *, is_known: bool) -> str | None:
    """Return why a trial cannot learn zones, or not without; `is_known` tells whether the data have them."""
    has_head = bool(getattr(ARCHITECTURES.load(trial.architecture), "zone_head", False))
    if has_head != (trial.zone_weight is not None):
        return (
            f"architecture: {trial.architecture}: has {'a' if has_head else 'no'} head for zones; "
            f"{'set' if has_head else 'remove'} `zone_weight`, or keep it to such networks by `when`"
        )
    if has_head and not is_known:
        return (
            f"architecture: {trial.architecture}: learns which ice is grounded, and the data card does not "
            "say; name a file of polygons by `layout.grounded`"
        )
    return None


def check_reach(trial: TrialParameters, posting_m: float) -> None:
    """Raise `StudyError` when a trial's label reaches farther than distances are stored."""
    if trial.label not in WIDE_LABELS or trial.label_width_m is None:
        return
    widths = WIDTHS_REACHED if trial.label == "soft" else 1
    most_m = (math.isqrt(FARTHEST_PX2) - 1) * posting_m / widths
    if trial.label_width_m > most_m:
        raise StudyError(
            f"label_width_m: {trial.label_width_m:g} reaches too far for `label: {trial.label}` at a posting "
            f"of {posting_m:g} m; make it {most_m:g} or less"
        )
