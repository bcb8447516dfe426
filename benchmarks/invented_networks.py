"""Invented networks: what a trial would report, from its configuration and its seed, without training.

The shape is that of real sweeps of these networks on simulated and on Getz scenes. A curve lies at a
floor of about .08 until it takes off, then rises and levels out; the seed shifts the take-off and the
final figure, and each epoch has noise of its own. What a configuration reaches in the long run, its
`quality`, and when it takes off are related only in part, so that there are slow starters among the
best. Strata differ by more than what is searched within one.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from glsweep.config.trial import Stratum, TrialParameters
from glsweep.randomness import generator_for
from glsweep.search.plan import PlannedTrial

FLOOR = 0.08
SEED_SD, EPOCH_SD = 0.015, 0.01
BASE = {"unet": 0.58, "attention_unet": 0.60, "unetpp": 0.66}


@dataclass(frozen=True)
class Learner:
    """How a configuration learns: what it reaches, and the epoch at which it is half way there."""

    quality: float
    half_epoch: float


World = Callable[[TrialParameters], Learner]


def curve(learner: Learner, seed: int, epochs: int) -> list[float]:
    """The figure of merit of each epoch of one run."""
    generator = generator_for(seed, "curve")
    reached = learner.quality + SEED_SD * generator.normal()
    half = learner.half_epoch * math.exp(0.2 * generator.normal())
    epoch = np.arange(1, epochs + 1)
    share = epoch**2 / (epoch**2 + half**2)
    figures = FLOOR + (reached - FLOOR) * share + EPOCH_SD * generator.normal(size=epochs)
    return [float(figure) for figure in figures]


def base(stratum: Stratum) -> float:
    """What the stratum reaches on average."""
    return BASE[stratum.architecture] + 0.03 * (stratum.patch_size_px == 256)


def grid_world(number: int, *, slow: float) -> World:
    """A world in which each choice of the published grid has an effect, partly of its own in a stratum.

    `slow` is the share of configurations that take off late whatever they reach.
    """

    def learner(parameters: TrialParameters) -> Learner:
        stratum = parameters.stratum.key
        choices = {
            "loss": str((parameters.fn_weight, parameters.fp_weight)),
            "cross-entropy": str(parameters.bce_weight),
            "supervision": str(parameters.ds_weights),
        }
        effect = sum(_effect(number, 0.02, *named) for named in choices.items())
        effect += sum(_effect(number, 0.01, stratum, *named) for named in choices.items())
        effect += _effect(number, 0.01, stratum, *choices.values())
        own = generator_for(number, "take-off", stratum, *choices.values())
        # Better ones tend to take off earlier.
        half = 0.9 * math.exp(-8 * effect + 0.2 * own.normal())
        late = 2.5 if own.random() < slow else 1.0
        return Learner(base(parameters.stratum) + effect, half * late)

    return learner


def _effect(world: int, sd: float, *names: str) -> float:
    return float(sd * generator_for(world, "effect", *names).normal())


def wide_world(number: int) -> World:
    """A smooth response over the dimensions of `wide`; the optimum moves from world to world.

    The learning rate matters most, and its optimum falls with the width; weight decay and the two
    halves of the loss matter less and interact; channels, augmentation and deep supervision have
    effects of their own, and wider networks gain more from augmentation.
    """
    drawn = generator_for(number, "wide world")
    rate, decay, balance, gamma, share = (
        drawn.normal(centre, sd)
        for centre, sd in [(-2.7, 0.25), (-4.5, 0.6), (0.72, 0.05), (1.3, 0.2), (0.25, 0.08)]
    )

    def learner(p: TrialParameters) -> Learner:
        doublings = math.log2((p.base_width or 8) / 8)
        off_rate = math.log10(p.learning_rate) - (rate - 0.15 * doublings)
        ratio = p.fn_weight / (p.fn_weight + p.fp_weight)
        quality = base(p.stratum) + 0.05
        quality -= 0.09 * off_rate**2 + (0.15 * off_rate**2 if off_rate > 0.6 else 0.0)
        quality -= 0.012 * (math.log10(p.weight_decay) - decay) ** 2
        quality -= 1.2 * (ratio - balance) ** 2 + 0.05 * (p.gamma - gamma - (ratio - balance)) ** 2
        quality -= 0.5 * (p.bce_weight - share) ** 2
        quality += 0.02 * doublings - 0.008 * doublings**2
        quality += _effect(number, 0.015, "channels", *p.channels)
        quality += 0.006 * len(p.augmentation) * (1 + 0.5 * doublings)
        quality += _effect(number, 0.015, "supervision", str(p.ds_weights))
        # A low learning rate takes off late.
        return Learner(max(quality, FLOOR), 1.5 * math.exp(-1.2 * min(off_rate, 0.5)))

    return learner


def figures(value: float) -> Mapping[str, float]:
    """An epoch's figures, of which the one that ranks matters."""
    return {"relaxed_f1": value, "dice": value, "val_loss": 1 - value, "epoch_s": 1.0}


def curve_of(trial: PlannedTrial, world: World, epochs: int) -> list[float]:
    """What a planned trial would report."""
    return curve(world(trial.parameters), trial.seed, epochs)
