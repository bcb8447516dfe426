"""Cross-entropies in which the pixels of the line weigh more than the others, which are so many more.

Each is a mean over the pixels that hold data, in float32.
"""

from torch import Tensor
from torch.nn.functional import logsigmoid

from glsweep.losses.pixels import check_range, mean_where, silenced


def weighted_bce(logits: Tensor, label: Tensor, valid: Tensor, *, positive_weight: float = 727.0) -> Tensor:
    """Return the mean of -(positive_weight y log p + (1 - y) log(1 - p)).

    The weight is fixed, unlike that of `balanced_bce`. Mohajerani et al. 2021 (Sci. Rep. 11:4992) trained
    with 727, the default. Probabilities then come out far too high: a pixel that is line with probability
    1 / 728 is given .5.

    Parameters
    ----------
    logits, label, valid : Tensor (N, 1, H, W)
        See `FunctionLoss`.
    positive_weight : float
        How many pixels without the line one with it weighs; 0 or more.
    """
    check_range("weighted_bce.positive_weight", positive_weight, 0)
    logits, label = silenced(logits, label, valid)
    return mean_where(valid, positive_weight * _missed(logits, label) + _invented(logits, label))


def balanced_bce(logits: Tensor, label: Tensor, valid: Tensor, *, least_line_share: float = 0.01) -> Tensor:
    """Return the class-balanced cross-entropy of Xie & Tu 2015 (HED, arXiv:1504.06375, eq. 2), as a mean.

    A pixel of the line weighs beta, any other 1 - beta, where 1 - beta is the line's share of the batch's
    pixels with data. A batch without a line would have 1 - beta = 0, hence learn nothing: what is invented
    on such ground would cost nothing, as in the published code. Here 1 - beta is `least_line_share` or
    more.

    Parameters
    ----------
    logits, label, valid : Tensor (N, 1, H, W)
        See `FunctionLoss`.
    least_line_share : float
        A batch with less line counts as one with this much; from 0, as published, to 1.
    """
    check_range("balanced_bce.least_line_share", least_line_share, 0, 1)
    logits, label = silenced(logits, label, valid)
    line_share = mean_where(valid, label).clamp_min(least_line_share)
    entropy = (1 - line_share) * _missed(logits, label) + line_share * _invented(logits, label)
    return mean_where(valid, entropy)


def _missed(logits: Tensor, label: Tensor) -> Tensor:
    return -label * logsigmoid(logits)


def _invented(logits: Tensor, label: Tensor) -> Tensor:
    return -(1 - label) * logsigmoid(-logits)
