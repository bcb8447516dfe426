"""Networks: how they are made, and the channels and heads that all of them have."""

from collections.abc import Callable, Mapping, Sequence
from math import pi
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from glsweep.config.trial import Scalar, TrialParameters
from glsweep.errors import ConfigError
from glsweep.nets.local_phase import fringe_frequency, local_coherence
from glsweep.registry import ARCHITECTURES, is_imported


@overload
def has_data(image: Tensor) -> Tensor: ...


@overload
def has_data(image: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]: ...


def has_data(image: Any) -> Any:
    """Return which pixels hold data: all but those whose signal is 0 + 0i.

    The others are in no predicted line, no metric, no threshold and no loss, and a true line there counts
    for nothing. Signal is
    never exactly 0 where it was measured, see `glsweep.scenes.reading`; beyond the border of a scene,
    where a window is filled up with 0, there is none either.

    Parameters
    ----------
    image : Tensor or array (N, 2, ...)
        Real and imaginary part.

    Returns
    -------
    bool Tensor or array (N, ...)
        Of the kind that was given.
    """
    real, imag = image[:, 0], image[:, 1]
    return (real != 0) | (imag != 0)


def derive_channels(image: Tensor, channels: Sequence[str], amplitude_scale: float) -> Tensor:
    """Derive the input channels on the image's device.

    `phase` is the wrapped phase over pi, in [-1, 1]; `cos` and `sin` are the unit phasor. `real`,
    `imag` and `magnitude` are divided by `amplitude_scale`, so that nothing depends on the unit
    in which a processor writes amplitudes. The published study feeds phase over pi and the magnitude as
    it is, which is `phase` and `raw_magnitude`: what was trained on that, such as its weights, needs
    it. `coherence` is that of 5 x 5 pixels, `frequency` the fringes to a pixel in 7 x 7, times 2, since half
    a cycle is the most that can be seen along an axis; see `glsweep.nets.local_phase`. Both are the same
    whatever constant phase is added, and of the conjugate. All are 0 where there is no data.

    Parameters
    ----------
    image : Tensor (N, 2, H, W)
        Real and imaginary part; both 0 where there is no data.
    channels : sequence of str
        Which channels, in which order.
    amplitude_scale : float
        Root mean square magnitude of the training data, positive.

    Returns
    -------
    Tensor (N, C, H, W)
        float32, C = len(channels).

    Raises
    ------
    ConfigError
        When a channel is unknown, none is named, or the scale is not positive.
    """
    if not amplitude_scale > 0:
        raise ConfigError(f"amplitude_scale: {amplitude_scale} is not positive; prepare the patches again")
    real, imag = image.float().unbind(dim=1)
    magnitude = torch.hypot(real, imag)
    # Where there is data, see `has_data`; a magnitude is at hand.
    seen = magnitude > 0
    divisor = torch.where(seen, magnitude, 1.0)
    derive: dict[str, Callable[[], Tensor]] = {
        "real": lambda: real / amplitude_scale,
        "imag": lambda: imag / amplitude_scale,
        "magnitude": lambda: magnitude / amplitude_scale,
        "raw_magnitude": lambda: magnitude,
        # atan2(0, -0.0) is pi, hence the mask.
        "phase": lambda: torch.atan2(imag, real) * seen / pi,
        "cos": lambda: real / divisor,
        "sin": lambda: imag / divisor,
        "coherence": lambda: local_coherence(image.float()),
        "frequency": lambda: 2 * fringe_frequency(image.float()),
    }
    unknown = [name for name in channels if name not in derive]
    if unknown or not channels:
        raise ConfigError(f"channels: {list(channels)} cannot be derived; known here: {', '.join(derive)}")
    return torch.stack([derive[name]() for name in channels], dim=1)


# --- Heads, whatever a network's own `forward` returns


def give_heads(network: nn.Module) -> None:
    """Let a network, when it is called, return its heads as `heads_at` has them.

    Its own `forward`, and the names of its weights, stay as they are.
    """
    network.register_forward_hook(_heads_of)


def _heads_of(_network: nn.Module, inputs: tuple[Any, ...], outputs: Any) -> tuple[Tensor, ...]:
    return heads_at(outputs, inputs[0])


def heads_at(outputs: Any, image: Tensor) -> tuple[Tensor, ...]:
    """Return a network's outputs as a tuple of heads of the image's size, the one to predict with last.

    Parameters
    ----------
    outputs : Tensor or sequence of Tensor
        Logits (N, 1, h, w). What a network of its own output stride leaves is resized bilinearly.
    image : Tensor (N, C, H, W)
        What the network was given.

    Raises
    ------
    TypeError
        When it is something else, such as a dictionary.
    """
    heads = (outputs,) if isinstance(outputs, Tensor) else outputs
    if not isinstance(heads, tuple | list) or not heads or not all(map(torch.is_tensor, heads)):
        raise TypeError(
            f"a network returns a tensor, or a tuple or list of them, not {type(outputs).__name__}"
        )
    size = image.shape[-2:]
    return tuple(
        head
        if head.shape[-2:] == size
        else interpolate(head, size=size, mode="bilinear", align_corners=False)
        for head in heads
    )


# --- How networks are made


def network_of(parameters: TrialParameters, *, seed: int) -> nn.Module:
    """Build the network of a trial; see `build_network`."""
    return build_network(
        parameters.architecture,
        in_channels=len(parameters.channels),
        base_width=parameters.base_width,
        own=parameters.own_of(parameters.architecture),
        dropout=parameters.dropout,
        seed=seed,
    )


def build_network(
    architecture: str,
    *,
    in_channels: int,
    base_width: int | None = None,
    own: Mapping[str, Scalar] | None = None,
    dropout: float | None = None,
    seed: int,
) -> nn.Module:
    """Build a network on the CPU, its weights drawn from `seed`, and laid out channels last.

    Convolutions on CPUs are about twice as fast with this order in memory.

    Called, it maps (N, in_channels, H, W) to a tuple of logits (N, 1, H, W), the one to predict
    with LAST: one head for the U-Nets, those of x01..x04 for U-Net++, for which 16 must divide H and W.
    Heads of another resolution, as an own network may have, are brought to the input's.

    Parameters
    ----------
    architecture : str
        Built in, or the import path of the user's own.
    in_channels : int
        Channels of the input.
    base_width : int, optional
        Channels of the first stage, even; all others scale with it. None is the published
        width: 4, 4 and 32, or an own network's default. Not given to a network that takes none.
    own : mapping, optional
        Further parameters that the network takes.
    dropout : float, optional
        Share of feature maps that are dropped in training; None is the network's own default.
    seed : int
        Decides the weights; no global generator is touched.

    Raises
    ------
    ConfigError
        When the architecture is unknown, cannot be imported, does not make a network or takes no dropout
        though it is given, or the width is not a positive even number.
    """
    if base_width is not None and (base_width < 2 or base_width % 2):
        raise ConfigError(f"base_width: {base_width} is not a positive even number; choose 2, 4, 6, ...")
    if dropout is not None and not ARCHITECTURES.takes(architecture, "dropout"):
        raise ConfigError(f"dropout: {architecture} takes none; leave it out, or give it a `when`")
    dropped = {} if dropout is None else {"dropout": dropout}
    make = ARCHITECTURES.bind(architecture, {**(own or {}), **dropped})
    offered = {"in_channels": in_channels, **({} if base_width is None else {"base_width": base_width})}
    # Layers take no generator. `torch.manual_seed` would also reseed every GPU, which the fork
    # does not give back.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        built = _made(make, architecture, offered)
    give_heads(built)
    # torch's types do not know the argument.
    return built.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _made(make: Callable[..., Any], architecture: str, offered: Mapping[str, int]) -> nn.Module:
    if not is_imported(architecture):
        network: nn.Module = make(**offered)
        return network
    try:
        built = make(**offered)
    except Exception as error:  # an own network may raise anything
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"architecture: {architecture} cannot be made ({cause}); mend it") from error
    if not isinstance(built, nn.Module) or next(built.parameters(), None) is None:
        raise ConfigError(
            f"architecture: {architecture} makes a {type(built).__name__}; it must make a torch.nn.Module "
            "with parameters"
        )
    return built


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
