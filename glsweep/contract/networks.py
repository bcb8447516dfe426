"""The contract of a network, built in or a user's own: what training and prediction rely on."""

import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from glsweep import __version__
from glsweep.config.trial import Channel, Scalar
from glsweep.contract.verdicts import Broken, Verdict, verdicts
from glsweep.errors import ConfigError
from glsweep.losses import GroundingLineLoss
from glsweep.nets import build_network, count_parameters
from glsweep.nets.grouped import can_group
from glsweep.nets.member import ModelCard, load_member, save_member
from glsweep.registry import ARCHITECTURES

PATCHES = 3
STEP = 1e-4
CHANNELS: tuple[Channel, ...] = ("real", "imag", "cos", "sin", "phase", "magnitude")


@dataclass(frozen=True)
class Subject:
    """The network that is checked.

    Attributes
    ----------
    architecture : str
        Built in, or an import path.
    in_channels : int
        Channels of its input.
    sizes_px : tuple of int
        Sides of the patches that it must take, in pixels; most checks use the smallest.
    base_width : int or None
        See `build_network`.
    own : mapping
        Its own parameters.
    """

    architecture: str
    in_channels: int = 2
    sizes_px: tuple[int, ...] = (128, 256)
    base_width: int | None = None
    own: Mapping[str, Scalar] = field(default_factory=dict)

    def built(self, seed: int = 0) -> nn.Module:
        """Return a network whose weights follow from `seed`."""
        return build_network(
            self.architecture,
            in_channels=self.in_channels,
            base_width=self.base_width,
            own=self.own,
            seed=seed,
        )

    def patches(self, size_px: int | None = None) -> Tensor:
        """Return noise (N, C, S, S)."""
        size = size_px or min(self.sizes_px)
        generator = torch.Generator().manual_seed(1)
        return torch.randn(PATCHES, self.in_channels, size, size, generator=generator)


def check_network(
    architecture: str,
    *,
    in_channels: int = 2,
    sizes_px: Sequence[int] = (128, 256),
    base_width: int | None = None,
    own: Mapping[str, Scalar] | None = None,
) -> list[Verdict]:
    """Check a network against the contract, on the CPU.

    Parameters
    ----------
    architecture : str
        Built in, or the import path of the user's own, such as `my_nets:TinyNet`.
    in_channels : int
        Channels of its input, at most 6.
    sizes_px : sequence of int
        Sides of the patches that it must take.
    base_width : int, optional
        Its width; None for its default.
    own : mapping, optional
        Further parameters that it takes.

    Returns
    -------
    list of Verdict
        One for each check, whatever the others found.

    Raises
    ------
    ConfigError
        When it cannot be imported or made, or takes other parameters.
    """
    if not 1 <= in_channels <= len(CHANNELS):
        raise ConfigError(f"channels: {in_channels} is not between 1 and {len(CHANNELS)}; choose one that is")
    ARCHITECTURES.check_own(architecture, dict(own or {}))
    subject = Subject(architecture, in_channels, tuple(sizes_px), base_width, dict(own or {}))
    subject.built()
    return list(verdicts(CHECKS, subject))


def _follows_its_seed(subject: Subject) -> str:
    torch_state, state = torch.get_rng_state(), random.getstate()
    first, same, other = (subject.built(seed).state_dict() for seed in (5, 5, 6))
    if not torch.equal(torch.get_rng_state(), torch_state) or random.getstate() != state:
        raise Broken("building it moves a global generator; draw from torch's alone")
    differing = [name for name in first if not torch.equal(first[name], same[name])]
    if differing:
        raise Broken(
            f"{differing[0]} differs between two networks of one seed; draw from torch's generator alone"
        )
    if all(torch.equal(first[name], other[name]) for name in first):
        raise Broken("two seeds give the same weights")
    return "the same twice, others from another seed"


def _heads_have_the_patches_size(subject: Subject) -> str:
    network, found = subject.built().eval(), []
    with torch.inference_mode():
        for size in subject.sizes_px:
            patches = subject.patches(size)
            raw = network.forward(patches)
            for head in network(patches):
                if head.shape != (PATCHES, 1, size, size):
                    raise Broken(f"{tuple(head.shape)} for {PATCHES} patches of {size} px, not (N, 1, H, W)")
            last = raw if isinstance(raw, Tensor) else raw[-1]
            found.append(f"{len(network(patches))} of {last.shape[-1]} px from {size} px")
    return "; ".join(found)


def _gradients_reach_every_parameter(subject: Subject) -> str:
    network = subject.built().train()
    weights = subject.patches()[:, :1]
    torch.stack([(head * weights).sum() for head in network(subject.patches())]).sum().backward()
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            raise Broken(f"{name} has none: no head depends on it")
        if not bool(parameter.grad.isfinite().all()):
            raise Broken(f"that of {name} is not finite")
        # A bias before batch normalisation has none by construction.
        if parameter.ndim > 1 and not bool(parameter.grad.any()):
            raise Broken(f"that of {name} is 0")
    return f"{sum(1 for _ in network.parameters())} tensors"


def _a_step_lowers_the_loss(subject: Subject) -> str:
    network, patches = subject.built().train(), subject.patches()
    label = (torch.arange(patches.shape[-1]) % 16 == 8).expand(PATCHES, patches.shape[-1], -1).float()
    loss = GroundingLineLoss(fn_weight=0.7, fp_weight=0.3, gamma=1.33, bce_weight=0.5)
    optimizer = torch.optim.Adam(network.parameters(), lr=STEP)
    values = []
    with torch.random.fork_rng(devices=[]):
        for _ in range(2):
            torch.default_generator.manual_seed(0)  # for layers that draw
            value = loss(network(patches), label)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            values.append(float(value.detach()))
    if not values[1] < values[0]:
        raise Broken(f"it was {values[0]:.6f} and is {values[1]:.6f} after a small step of Adam")
    return f"from {values[0]:.4f} to {values[1]:.4f}"


@torch.inference_mode()
def _does_not_mix_patches(subject: Subject) -> str:
    network, patches = subject.built().eval(), subject.patches()
    together = network(patches)[-1]
    if not torch.equal(together, network(patches)[-1]):
        raise Broken("two passes in evaluation mode differ")
    alone = torch.cat([network(patch[None])[-1] for patch in patches])
    if not torch.allclose(together, alone, rtol=1e-3, atol=1e-4):
        raise Broken(
            f"a patch alone differs by up to {float((together - alone).abs().max()):.2g} in the logits"
        )
    return "the same alone as in a batch"


@torch.inference_mode()
def _stays_finite(subject: Subject) -> str:
    network = subject.built().train()
    with torch.autocast("cpu", torch.bfloat16):
        heads = network(subject.patches())
    if not all(bool(head.isfinite().all()) for head in heads):
        raise Broken("logits of bfloat16 are not finite")
    if not all(bool(head.isfinite().all()) for head in network(torch.zeros_like(subject.patches()))):
        raise Broken("logits of patches without data are not finite")
    return "in bfloat16, and on patches without data"


@torch.inference_mode()
def _is_kept_by_a_member(subject: Subject) -> str:
    network = subject.built(seed=7)
    network.train()(subject.patches())  # updates running statistics of the features, if there are any
    with tempfile.TemporaryDirectory() as folder:
        save_member(Path(folder), network, _card(subject))
        loaded, _ = load_member(Path(folder))
    patches = subject.patches()
    if not torch.equal(network.eval()(patches)[-1], loaded(patches)[-1]):
        raise Broken(
            "what was saved and loaded predicts otherwise; keep all that it learns in its state_dict"
        )
    return "predicts the same after it was saved and loaded"


def _card(subject: Subject) -> ModelCard:
    return ModelCard(
        architecture=subject.architecture,
        patch_size_px=16 * -(-min(subject.sizes_px) // 16),
        base_width=subject.base_width,
        network_parameters=dict(subject.own),
        channels=CHANNELS[: subject.in_channels],
        amplitude_scale=1.0,
        posting_m=100.0,
        wavelength_m=0.056,
        data_card_hash="",
        seed=0,
        trial_id="",
        parameters={},
        best_epoch=0,
        figures={},
        glsweep_version=__version__,
    )


@torch.inference_mode()
def _repeats_itself_in_training(subject: Subject) -> str:
    first, second = subject.built().train(), subject.built().train()
    with torch.random.fork_rng(devices=[]):
        same = torch.equal(first(subject.patches())[-1], second(subject.patches())[-1])
    return "draws nothing" if same else "draws, as dropout does: batches that pass in parts are then inexact"


def _joins_cohorts(subject: Subject) -> str:
    shape = subject.in_channels, min(subject.sizes_px)
    joins = can_group([subject.built(seed) for seed in range(2)], shape)
    return "trials may train together as one network" if joins else "each of its trials trains alone"


def _is_counted(subject: Subject) -> str:
    return f"{count_parameters(subject.built()):,}"


CHECKS: dict[str, Callable[[Subject], str]] = {
    "weights follow from the seed": _follows_its_seed,
    "heads are as large as the patch": _heads_have_the_patches_size,
    "gradients reach every parameter": _gradients_reach_every_parameter,
    "a step lowers the loss": _a_step_lowers_the_loss,
    "a patch does not see the others": _does_not_mix_patches,
    "logits stay finite": _stays_finite,
    "a member holds all of it": _is_kept_by_a_member,
    # These only inform; whatever they find is right.
    "in training": _repeats_itself_in_training,
    "in cohorts": _joins_cohorts,
    "parameters": _is_counted,
}
"""The checks, in their order."""
