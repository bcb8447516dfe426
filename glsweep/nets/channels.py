"""From the stored interferogram to a network's input channels."""

from collections.abc import Callable, Sequence
from math import pi
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glsweep.errors import ConfigError


@overload
def has_data(image: Tensor) -> Tensor: ...


@overload
def has_data(image: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]: ...


def has_data(image: Any) -> Any:
    """Return which pixels hold data: all but those whose signal is 0 + 0i.

    The others are neither drawn, nor judged, nor trained on: they are in no line that is predicted,
    in no figure, in no threshold and in no loss, and what is true there counts for nothing. Signal is
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
    }
    unknown = [name for name in channels if name not in derive]
    if unknown or not channels:
        raise ConfigError(f"channels: {list(channels)} cannot be derived; known here: {', '.join(derive)}")
    return torch.stack([derive[name]() for name in channels], dim=1)
