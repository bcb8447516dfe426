"""Trying out what a search space imports or sets for one object alone, before anything runs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from glsweep.config.space import SearchSpace
from glsweep.config.stopping import OwnStopping
from glsweep.config.trial import BUILT_IN_LOSS, TrialParameters
from glsweep.errors import ConfigError
from glsweep.losses import NO_DATA
from glsweep.nets import network_of
from glsweep.patches.augmentation import augment, build_augmentations
from glsweep.prediction.command import PATCHES_A_WINDOW
from glsweep.prediction.split_scenes import WINDOW_PX
from glsweep.registry import ARCHITECTURES, AUGMENTATIONS, LOSSES, is_imported
from glsweep.search.draws import trials_of
from glsweep.search.plan import Plan
from glsweep.sweep.rungs import own_rule, rung_epochs
from glsweep.training.fit import loss_of

PATCHES = 2


def check_imported(space: SearchSpace, plan: Plan, source: Path) -> None:
    """Call once, as a sweep would, what is imported or has parameters for itself, for a trial of each kind.

    A network sees patches of each size, a loss its heads, an augmentation a batch of patches, and a
    stopping rule a trial.

    Raises
    ------
    ConfigError
        When something cannot be imported, takes other parameters than it is given, or fails.
    """
    try:
        if isinstance(space.search.scheduler, OwnStopping):
            _try_rule(space.search.scheduler, space.search.epochs)
        tried: set[object] = set()
        # A stride that a patch size does not allow shows on the smallest, at the least cost.
        for trial in sorted(trials_of(space, plan, source), key=lambda trial: trial.patch_size_px):
            for kind, check in _checks(trial).items():
                if kind not in tried:
                    tried.add(kind)
                    check(trial)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def _checks(trial: TrialParameters) -> Mapping[object, Callable[[TrialParameters], None]]:
    """Return the checks of a trial, each by a key that is the same for trials that need it only once."""
    checks: dict[object, Callable[[TrialParameters], None]] = {}
    own = tuple(trial.own_of(trial.architecture).items())
    if is_imported(trial.architecture) or own or trial.dropout is not None:
        key = (trial.stratum, trial.base_width, trial.dropout, own, len(trial.channels))
        checks["network", *key] = _try_network
    if trial.loss != BUILT_IN_LOSS:
        checks["loss", trial.loss, *trial.own_of(trial.loss).items()] = _try_loss
    for name in _own_augmentations(trial):
        has_zones = trial.zone_weight is not None
        checks["augmentation", name, has_zones, *trial.own_of(name).items()] = _try_augmentation
    return checks


def _try_network(trial: TrialParameters) -> None:
    name, size_px = trial.architecture, trial.patch_size_px
    if trial.base_width is not None and not ARCHITECTURES.takes(name, "base_width"):
        raise ConfigError(
            f"base_width: {name} takes none; make it a dimension, with the other networks under "
            "`when: {architecture: [...]}`"
        )
    ARCHITECTURES.check_own(name, trial.own_of(name))
    network = network_of(trial, seed=0).eval()
    remedy = f"mend it, or choose another patch_size_px, see `contract {name}`"
    # Whole scenes are drawn in windows, by the study and by `predict`.
    for side_px in dict.fromkeys((size_px, PATCHES_A_WINDOW * size_px, WINDOW_PX)):
        what = "patches" if side_px == size_px else "the windows in which scenes are drawn,"
        with (
            _refusing(f"architecture: {name} fails on {what} of {side_px} px", remedy),
            torch.inference_mode(),
        ):
            heads = network(torch.zeros(PATCHES, len(trial.channels), side_px, side_px))
        for head in heads:
            if head.shape != (PATCHES, 1, side_px, side_px):
                raise ConfigError(
                    f"architecture: {name} returns {tuple(head.shape)} for {PATCHES} of {side_px} px; a "
                    "head is (N, 1, H, W)"
                )


def _try_loss(trial: TrialParameters) -> None:
    LOSSES.check_own(trial.loss, trial.own_of(trial.loss))
    _, label = _patches(trial.patch_size_px)
    logits = torch.zeros(label[:, None].shape, requires_grad=True)
    with _refusing(f"loss: {trial.loss} fails"):
        loss = loss_of(trial.model_copy(update={"zone_weight": None}))((logits,), label)
        loss.backward()
    if not bool(loss.isfinite()) or logits.grad is None or not bool(logits.grad.isfinite().all()):
        raise ConfigError(f"loss: {trial.loss} or its gradient is not finite where all logits are 0; mend it")


def _own_augmentations(trial: TrialParameters) -> list[str]:
    return [name for name in trial.augmentation if is_imported(name) or trial.own_of(name)]


def _try_augmentation(trial: TrialParameters) -> None:
    for name in _own_augmentations(trial):
        AUGMENTATIONS.check_own(name, trial.own_of(name))
        image, label = _patches(trial.patch_size_px)
        if trial.zone_weight is not None:
            label = torch.stack([label, label], dim=1)  # line and zone, as `DevicePatches.batch` has them
        changes = build_augmentations([name], {name: trial.own_of(name)})
        with _refusing(f"augmentation: {name} fails"):
            changed = augment(image, label, changes, torch.Generator().manual_seed(0))
            found = [(tuple(part.shape), part.dtype) for part in changed]
        if found != [(tuple(part.shape), part.dtype) for part in (image, label)]:
            raise ConfigError(
                f"augmentation: {name} makes image and label {found}; it must leave their shapes and dtypes"
            )


def _try_rule(stopping: OwnStopping, epochs: int) -> None:
    with _refusing(f"stopping rule: {stopping.name} fails"):
        for epoch in rung_epochs(stopping, epochs)[:1]:
            goes_on = own_rule(stopping).goes_on([0.5] * epoch, [[0.5] * epoch])
            if not isinstance(goes_on, bool):
                raise TypeError(f"goes_on returns {goes_on!r}, not True or False")


def _patches(size_px: int) -> tuple[Tensor, Tensor]:
    """Return patches (N, 2, S, S) with a line each, and their label (N, S, S), half of it without data."""
    image = torch.ones(PATCHES, 2, size_px, size_px)
    label = torch.zeros(PATCHES, size_px, size_px)
    label[:, size_px // 2] = 1
    label[:, :, : size_px // 2] = NO_DATA
    image[:, :, :, : size_px // 2] = 0
    return image, label


@contextmanager
def _refusing(what: str, remedy: str = "mend it") -> Iterator[None]:
    """Turn whatever a user's code raises within this block into a one-line `ConfigError`."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:  # a user's code may raise anything
        cause = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ConfigError(f"{what} ({cause}); {remedy}") from error
