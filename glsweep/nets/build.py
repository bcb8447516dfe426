"""The one way in which networks are made."""

import torch
from torch import nn

from glsweep.errors import ConfigError
from glsweep.nets.attention_unet import AttentionUNet
from glsweep.nets.unet import UNet
from glsweep.nets.unetpp import UNetPlusPlus

NETWORKS: dict[str, type[UNet | UNetPlusPlus]] = {
    "unet": UNet,
    "attention_unet": AttentionUNet,
    "unetpp": UNetPlusPlus,
}


def build_network(
    architecture: str, *, in_channels: int, base_width: int | None = None, seed: int
) -> nn.Module:
    """Build a network on the CPU, its weights drawn from `seed`, and laid out channels last.

    Convolutions on CPUs are about twice as fast with this order in memory.

    Its `forward` maps (N, in_channels, H, W) to a tuple of logits (N, 1, H, W), the one to predict
    with LAST: one head for the U-Nets, those of x01..x04 for U-Net++. 16 must divide H and W.

    Parameters
    ----------
    architecture : str
        A key of `NETWORKS`.
    in_channels : int
        Channels of the input.
    base_width : int, optional
        Channels of the first stage, even; all others scale with it. None is the published
        width: 4, 4 and 32.
    seed : int
        Decides the weights; no global generator is touched.

    Raises
    ------
    ConfigError
        When the architecture is unknown or the width is not a positive even number.
    """
    if architecture not in NETWORKS:
        raise ConfigError(f"architecture: {architecture!r} is unknown; known here: {', '.join(NETWORKS)}")
    network = NETWORKS[architecture]
    width = network.published_width if base_width is None else base_width
    if width < 2 or width % 2:
        raise ConfigError(f"base_width: {width} is not a positive even number; choose 2, 4, 6, ...")
    # Layers take no generator. `torch.manual_seed` would also reseed every GPU, which the fork
    # does not give back.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        built: nn.Module = network(in_channels, width)
    # torch's types do not know the argument.
    return built.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
