"""What losses share: what they do with pixels without data, means over the others, ranges of parameters."""

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from glsweep.errors import ConfigError

NO_DATA = -1.0
"""The target of a pixel without data."""
# The logit of a pixel that is no line for sure: right, it adds exactly 0 to every sum, in float32.
NO_LINE_LOGIT = -1e4


def silenced(logits: Tensor, label: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits and label in float32, such that pixels without data are rightly no line.

    They then add exactly 0 to any sum of errors, and have no gradient, whatever was said of them.

    Parameters
    ----------
    logits, label, valid : Tensor
        Of one shape; `valid` is bool.
    """
    logits = torch.where(valid, logits.float(), NO_LINE_LOGIT)
    return logits, torch.where(valid, label.float(), 0.0)


def mean_where(valid: Tensor, values: Tensor) -> Tensor:
    """Return the mean of values that are 0 without data over the pixels with data; 0 where there are none."""
    return values.sum() / valid.sum().clamp_min(1)


def cross_entropy(logits: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of what `silenced` returns."""
    return mean_where(valid, binary_cross_entropy_with_logits(logits, label, reduction="none"))


def check_range(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Make sure that a loss's own parameter lies between `low` and `high`, which belong to it.

    Raises
    ------
    ConfigError
        When it does not.
    """
    if not low <= value <= high:
        limits = f"{low:g} or more" if math.isinf(high) else f"from {low:g} to {high:g}"
        raise ConfigError(f"{name}: {value:g} is out of range; choose {limits}")
