"""From the stored interferogram to a network's input channels."""

from collections.abc import Callable, Sequence
from math import pi

import torch
from torch import Tensor

from glsweep.errors import ConfigError


def derive_channels(image: Tensor, channels: Sequence[str], amplitude_scale: float) -> Tensor:
    """Derive the input channels on the image's device.

    `phase` is the wrapped phase over pi, in [-1, 1]; `cos` and `sin` are the unit phasor. `real`,
    `imag` and `magnitude` are divided by `amplitude_scale`, so that no figure depends on the unit in
    which a processor writes amplitudes. The published study feeds phase over pi and the magnitude as
    it is, which is `phase` and `raw_magnitude`: what was trained on that, such as its weights, needs
    it. All are 0 where there is no data.

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
    has_data = magnitude > 0
    divisor = torch.where(has_data, magnitude, 1.0)
    derive: dict[str, Callable[[], Tensor]] = {
        "real": lambda: real / amplitude_scale,
        "imag": lambda: imag / amplitude_scale,
        "magnitude": lambda: magnitude / amplitude_scale,
        "raw_magnitude": lambda: magnitude,
        # atan2(0, -0.0) is pi, hence the mask.
        "phase": lambda: torch.atan2(imag, real) * has_data / pi,
        "cos": lambda: real / divisor,
        "sin": lambda: imag / divisor,
    }
    unknown = [name for name in channels if name not in derive]
    if unknown or not channels:
        raise ConfigError(f"channels: {list(channels)} cannot be derived; known here: {', '.join(derive)}")
    return torch.stack([derive[name]() for name in channels], dim=1)
