"""Losses that look at the shape of a line: its skeleton, or how far from it something is drawn.

All are sums over the pixels of a batch that hold data, in float32; pixels without data are no line. A patch
without a line has its share in every sum, so what is invented on it costs.
"""

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from glsweep.losses.distance import distance_px
from glsweep.losses.pixels import check_range, cross_entropy, mean_where, silenced
from glsweep.losses.tversky import SMOOTH, tversky_index, tversky_sums


def soft_skeleton(image: Tensor, iterations: int) -> Tensor:
    """Return the soft skeleton of Shit et al. 2021 (arXiv:2003.07311, algorithm 1).

    What an opening would remove is kept, from ever more eroded images; erosion is the least of a plus of
    5 pixels, dilation the largest of 3 x 3.

    Parameters
    ----------
    image : Tensor (N, 1, H, W)
        From 0 to 1.
    iterations : int
        Erosions. A line up to 2 `iterations` + 2 pixels wide has a skeleton; what is wider has none.

    Returns
    -------
    Tensor (N, 1, H, W)
        From 0 to `image`.
    """
    skeleton = _what_opening_removes(image)
    for _ in range(iterations):
        image = _eroded(image)
        removed = _what_opening_removes(image)
        skeleton = skeleton + (removed - skeleton * removed).relu()
    return skeleton


def cl_dice(
    logits: Tensor, label: Tensor, valid: Tensor, *, iterations: int = 3, dice_share: float = 0.9
) -> Tensor:
    """Return dice_share (1 - Dice) + (1 - dice_share) (1 - clDice) (Shit et al. 2021).

    clDice is the harmonic mean of the share of the drawn skeleton that lies in the label and of the label's
    skeleton that is drawn: a gap costs as much in a thin line as in a broad one. Skeletons of a noisy
    probability are long, so it learns slowly without Dice. Where all is drawn as line there is no skeleton at
    all, which clDice takes for a perfect one: on patches of which the line is a hundredth, that costs no more
    than an honest line at the .5 of the authors' code, and networks end there.

    Parameters
    ----------
    logits, label, valid : Tensor (N, 1, H, W)
        See `FunctionLoss`.
    iterations : int
        See `soft_skeleton`.
    dice_share : float
        Share of Dice, from 0 to 1: 1 - alpha of the paper, whose alpha is .5 at most.
    """
    check_range("cl_dice.iterations", iterations, 0)
    check_range("cl_dice.dice_share", dice_share, 0, 1)
    logits, label = silenced(logits, label, valid)
    probability = logits.sigmoid()
    precision = _share(soft_skeleton(probability, iterations), label)
    recall = _share(soft_skeleton(label, iterations), probability)
    centre_dice = 2 * precision * recall / (precision + recall)
    return dice_share * (1 - _dice(probability, label)) + (1 - dice_share) * (1 - centre_dice)


def skeleton_recall(
    logits: Tensor,
    label: Tensor,
    valid: Tensor,
    *,
    iterations: int = 3,
    tube_px: int = 2,
    recall_weight: float = 1.0,
    dice_weight: float = 1.0,
) -> Tensor:
    """Return BCE + dice_weight (1 - Dice) + recall_weight (1 - recall of the label's tube).

    The tube is the label's skeleton, made `tube_px` wider on each side within the label (Kirchhoff et al.
    2024, arXiv:2404.03010). A label that is no wider than its tube is the tube. The authors'
    code thins by scikit-image, on the CPU; `soft_skeleton` finds the same middle on the device. Defaults
    are the authors'.

    Parameters
    ----------
    logits, label, valid : Tensor (N, 1, H, W)
        See `FunctionLoss`.
    iterations : int
        See `soft_skeleton`.
    tube_px : int
        How many pixels the skeleton grows, step by step to its four neighbours.
    recall_weight, dice_weight : float
        Weights beside the cross-entropy's 1.
    """
    own = {
        "iterations": iterations,
        "tube_px": tube_px,
        "recall_weight": recall_weight,
        "dice_weight": dice_weight,
    }
    for name, value in own.items():
        check_range(f"skeleton_recall.{name}", value, 0)
    logits, label = silenced(logits, label, valid)
    probability = logits.sigmoid()
    recall = _share(label_tube(label, iterations, tube_px), probability)
    dice = _dice(probability, label)
    return cross_entropy(logits, label, valid) + dice_weight * (1 - dice) + recall_weight * (1 - recall)


def label_tube(label: Tensor, iterations: int, tube_px: int) -> Tensor:
    """Return the tubed skeleton of a label (N, 1, H, W), see `skeleton_recall`."""
    tube = soft_skeleton(label, iterations)
    for _ in range(tube_px):
        tube = -_eroded(-tube)
    return torch.minimum(tube, label)


def boundary(
    logits: Tensor, label: Tensor, valid: Tensor, *, reach_px: float = 20.0, boundary_share: float = 0.5
) -> Tensor:
    """Return boundary_share times the mean of p d / reach_px, plus (1 - boundary_share) BCE.

    After Kervadec et al. 2019 (arXiv:1812.07032, eq. 5), in which d is the distance to the boundary of a
    region, negative within. A line has next to no inside, so here d is the distance to the line, 0 on it
    and at most `reach_px`, which it is all over a patch without a line. What is invented near the line
    costs less than what is far from it; since d says nothing of what is missed, the cross-entropy is needed
    beside it.

    Parameters
    ----------
    logits, label, valid : Tensor (N, 1, H, W)
        See `FunctionLoss`. Of a soft label the line is where it is .5 or more.
    reach_px : float
        Distance beyond which nothing costs more, in pixels; 1 or more.
    boundary_share : float
        From 0 to 1.
    """
    check_range("boundary.reach_px", reach_px, 1)
    check_range("boundary.boundary_share", boundary_share, 0, 1)
    logits, label = silenced(logits, label, valid)
    distance = distance_px(label >= 0.5, reach_px)
    strayed = mean_where(valid, logits.sigmoid() * distance) / reach_px
    return boundary_share * strayed + (1 - boundary_share) * cross_entropy(logits, label, valid)


def _eroded(image: Tensor) -> Tensor:
    """Return the least of each pixel and its four neighbours; there is nothing beyond the image's edge."""
    along_rows = max_pool2d(-image, (3, 1), stride=1, padding=(1, 0))
    along_columns = max_pool2d(-image, (1, 3), stride=1, padding=(0, 1))
    return -torch.maximum(along_rows, along_columns)


def _what_opening_removes(image: Tensor) -> Tensor:
    return (image - max_pool2d(_eroded(image), 3, stride=1, padding=1)).relu()


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """Return how much of `part` lies in `whole`, over the batch; 1 where there is nothing of it."""
    return ((part * whole).sum() + SMOOTH) / (part.sum() + SMOOTH)


def _dice(probability: Tensor, label: Tensor) -> Tensor:
    return tversky_index(tversky_sums(probability, label), fn_weight=0.5, fp_weight=0.5)
