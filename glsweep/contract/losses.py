"""The contract of a loss: what it does with three drawn patches."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from glsweep.config.trial import BUILT_IN_LOSS, PARAMETERS_OF_BUILT_IN_LOSS, Scalar
from glsweep.contract.verdicts import Broken, Verdict, verdicts
from glsweep.errors import ConfigError
from glsweep.losses import NO_DATA, FunctionLoss, GroundingLineLoss, HeadsLoss
from glsweep.registry import LOSSES

SIZE_PX = 64
SHIFT_PX = 5
SURE = 20.0
"""A logit whose probability is 1 in float32."""


def check_loss(name: str, own: Mapping[str, Scalar] | None = None) -> list[Verdict]:
    """Check a loss against the contract, on the CPU.

    Parameters
    ----------
    name : str
        Built in, or the import path of the user's own, such as `my_losses:mine`.
    own : mapping, optional
        Further parameters that it takes.

    Returns
    -------
    list of Verdict
        One for each check, whatever the others found.

    Raises
    ------
    ConfigError
        When it cannot be imported, or takes other parameters.
    """
    return list(verdicts(CHECKS, _loss_of(name, dict(own or {}))))


def _loss_of(name: str, own: dict[str, Scalar]) -> HeadsLoss:
    if name != BUILT_IN_LOSS:
        LOSSES.check_own(name, own)
        return FunctionLoss(LOSSES.bind(name, own))
    settings = {key: value for key, value in own.items() if isinstance(value, int | float)}
    if settings.keys() != own.keys() or settings.keys() != set(PARAMETERS_OF_BUILT_IN_LOSS):
        needed = ", ".join(PARAMETERS_OF_BUILT_IN_LOSS)
        raise ConfigError(f"{name}: was given {', '.join(own) or 'nothing'}; it takes the numbers {needed}")
    return GroundingLineLoss(**settings, ds_weights=None)


def lines(shift_px: int = 0) -> Tensor:
    """Return a level, a slanted and no line, 3 pixels wide: labels (3, H, W), moved down by `shift_px`."""
    row, col = torch.meshgrid(torch.arange(SIZE_PX), torch.arange(SIZE_PX), indexing="ij")
    level = (row - shift_px - SIZE_PX // 3).abs() <= 1
    slanted = (row - shift_px - SIZE_PX // 4 - col // 2).abs() <= 1
    return torch.stack([level, slanted, torch.zeros_like(level)]).float()


def _soft_lines() -> Tensor:
    return torch.nn.functional.avg_pool2d(lines()[:, None], 5, stride=1, padding=2)[:, 0]


def _gap(label: Tensor) -> Tensor:
    """Return the label with a corner and a whole column without data."""
    label = label.clone()
    label[:, :20, :30] = NO_DATA
    label[:, :, 40] = NO_DATA
    return label


def _noise() -> Tensor:
    return torch.randn(3, SIZE_PX, SIZE_PX, generator=torch.Generator().manual_seed(1))


def _sure(label: Tensor) -> Tensor:
    return (2 * label.clamp_min(0) - 1) * SURE


def _value(loss: HeadsLoss, logits: Tensor, label: Tensor) -> float:
    return float(loss((logits[:, None],), label))


def _slopes(loss: HeadsLoss, logits: Tensor, label: Tensor) -> Tensor:
    """Return the gradient at logits (N, H, W)."""
    said = logits.clone().requires_grad_()
    value = loss((said[:, None],), label)
    if not value.requires_grad:
        raise Broken("it has no gradient; compute it from `logits` by torch alone")
    (slopes,) = torch.autograd.grad(value, said)
    return slopes


def _is_finite(loss: HeadsLoss) -> str:
    labels = {
        "lines": lines(),
        "soft labels": _soft_lines(),
        "patches without a line": torch.zeros_like(lines()),
        "patches full of line": torch.ones_like(lines()),
        "patches without data": torch.full_like(lines(), NO_DATA),
    }
    said = {"noise": _noise(), "0": torch.zeros_like(lines()), "10,000": torch.full_like(lines(), 1e4)}
    said["-10,000"] = -said["10,000"]
    for label_text, label in labels.items():
        for logits_text, logits in said.items():
            slopes = _slopes(loss, logits, label)
            if not torch.tensor(_value(loss, logits, label)).isfinite() or not bool(slopes.isfinite().all()):
                raise Broken(
                    f"it or its gradient is not finite for {label_text} where logits are {logits_text}"
                )
    return f"for {', '.join(labels)}; for logits up to 10,000"


def _counts_data_alone(loss: HeadsLoss) -> str:
    label, logits = _gap(lines()), _noise()
    unseen = label < 0
    slopes = _slopes(loss, logits, label)
    if bool(slopes[unseen].any()):
        raise Broken("pixels without data have a gradient; sum where `valid` alone")
    value = _value(loss, logits, label)
    for said in (-1e4, 1e4):
        other = _value(loss, logits.masked_fill(unseen, said), label)
        if other != value:
            raise Broken(f"it was {value:.6g} and is {other:.6g} where other logits are said without data")
    return "neither value nor gradient depends on logits without data"


def _is_computed_in_float32(loss: HeadsLoss) -> str:
    logits = _noise()
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        low = logits.to(dtype)
        value = loss((low[:, None],), lines())
        if value.dtype != torch.float32 or float(value) != _value(loss, low.float(), lines()):
            raise Broken(f"for logits of {dtype} it is {float(value):.6g}, of {value.dtype}")
    return "the same for logits of any precision"


def _prefers_what_is_right(loss: HeadsLoss) -> str:
    label = lines()
    wrong = {
        "nothing": torch.zeros_like(label),
        "everything": torch.ones_like(label),
        f"the line {SHIFT_PX} px off": lines(SHIFT_PX),
    }
    right = _value(loss, _sure(label), label)
    values = {text: _value(loss, _sure(drawn), label) for text, drawn in wrong.items()}
    for text, value in values.items():
        if not right < value:
            raise Broken(f"drawing the label costs {right:.4g}, and {text} {value:.4g}")
    return f"{right:.3g}; " + ", ".join(f"{text} {value:.3g}" for text, value in values.items())


def _pushes_the_right_way(loss: HeadsLoss) -> str:
    label = lines()
    slopes = _slopes(loss, torch.full_like(label, -3.0), label)
    on_line, elsewhere = float(slopes[label > 0].mean()), float(slopes[label == 0].mean())
    if not on_line < 0 < elsewhere:
        raise Broken(
            f"where all is unsure, its slope is {on_line:.2g} on the line, not below 0, "
            f"and {elsewhere:.2g} elsewhere, not above 0"
        )
    rest = float(_slopes(loss, _sure(label), label).norm())
    if rest > 1e-3 * float(slopes.norm()):
        raise Broken(f"where the label is drawn, its gradient is still {rest:.2g} long")
    return "up on the line, down elsewhere, nowhere from what is right"


def _a_step_lowers_it(loss: HeadsLoss) -> str:
    for text, label in {"labels": _gap(lines()), "soft labels": _gap(_soft_lines())}.items():
        logits = _noise()
        slopes = _slopes(loss, logits, label)
        before = _value(loss, logits, label)
        after = _value(loss, logits - slopes / slopes.norm().clamp_min(1e-12), label)
        if not after < before:
            raise Broken(f"with {text} it was {before:.6f} and is {after:.6f} after a step down its gradient")
    return "with labels of 0 and 1, and with soft ones"


def _learns_from_empty_patches(loss: HeadsLoss) -> str:
    empty = torch.zeros_like(lines())
    if not float(_slopes(loss, _noise(), empty).sum()) > 0:
        raise Broken("a batch without a line pushes nothing down: what is invented there costs nothing")
    if not float(_slopes(loss, _noise(), lines())[2].sum()) > 0:
        raise Broken("a patch without a line, beside others, pushes nothing down")
    return "alone, and beside patches with a line"


def _adds_up(loss: HeadsLoss) -> str:
    label, logits = _gap(lines()), _noise()
    parts = [loss.sums((logits[i : i + 1, None],), label[i : i + 1]) for i in range(len(label))]
    whole, of_parts = _value(loss, logits, label), float(loss.from_sums(torch.stack(parts).sum(dim=0)))
    off = abs(of_parts - whole) / max(abs(whole), 1e-12)
    if off < 1e-5:
        return "a batch in parts comes to the same"
    return f"a batch in parts comes to another value, here by {off:.1%}"


def _asks_for_values(loss: HeadsLoss) -> str:
    # Tensors on the device "meta" have a shape and no values; what needs some raises.
    try:
        loss((_noise()[:, None].to("meta"),), lines().to("meta"))
    except (RuntimeError, NotImplementedError):
        return "it asks the device for a value: leave `cuda_graphs` off"
    return "it asks the device for no value, as `cuda_graphs` needs"


CHECKS: dict[str, Callable[[HeadsLoss], str]] = {
    "it stays finite": _is_finite,
    "only pixels with data count": _counts_data_alone,
    "it is computed in float32": _is_computed_in_float32,
    "what is right costs least": _prefers_what_is_right,
    "it pushes the right way": _pushes_the_right_way,
    "a step lowers it": _a_step_lowers_it,
    "patches without a line teach": _learns_from_empty_patches,
    # These only inform; whatever they find is right.
    "in parts": _adds_up,
    "on a GPU": _asks_for_values,
}
"""The checks, in their order."""
