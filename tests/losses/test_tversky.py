"""The loss against hand-computed values, and its gradient where others' breaks."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glsweep.losses import (
    NO_DATA,
    GroundingLineLoss,
    focal_tversky,
    loss_from_sums,
    pixel_sums,
    tversky_index,
    tversky_sums,
)

PUBLISHED = {"fn_weight": 0.7, "fp_weight": 0.3, "gamma": 1.33, "bce_weight": 0.25}


def combined_loss(logits, target, **settings):
    return loss_from_sums(pixel_sums(logits, target), **settings)


def test_a_hand_computed_case():
    # TP = .8 + .6 = 1.4, FN = .2 + .4 = .6, FP = .1 + .5 = .6
    probability = torch.tensor([0.8, 0.6, 0.1, 0.5])
    target = torch.tensor([1.0, 1.0, 0.0, 0.0])
    sums = tversky_sums(probability, target)
    index = tversky_index(sums, fn_weight=0.7, fp_weight=0.3)
    assert index.item() == pytest.approx(2.4 / (1.4 + 0.42 + 0.18 + 1))  # .8
    ftl = focal_tversky(sums, fn_weight=0.7, fp_weight=0.3, gamma=4 / 3)
    assert ftl.item() == pytest.approx(0.2**0.75)
    loss = combined_loss(
        torch.logit(probability), target, fn_weight=0.7, fp_weight=0.3, gamma=4 / 3, bce_weight=0.25
    )
    bce = -(math.log(0.8) + math.log(0.6) + math.log(0.9) + math.log(0.5)) / 4
    assert loss.item() == pytest.approx(0.25 * bce + 0.75 * 0.2**0.75, rel=1e-5)


def test_fn_weight_weighs_the_missed_line_and_fp_weight_the_invented_one():
    target = torch.zeros(1, 8, 8)
    target[0, 3] = 1
    misses, invents = torch.zeros_like(target), target.clone()
    invents[0, 5] = 1

    def ftl(probability, fn_weight, fp_weight):
        sums = tversky_sums(probability, target)
        return focal_tversky(sums, fn_weight=fn_weight, fp_weight=fp_weight, gamma=4 / 3).item()

    assert ftl(misses, 0.9, 0.1) > ftl(misses, 0.5, 0.1)
    assert ftl(invents, 0.9, 0.1) == ftl(invents, 0.5, 0.1)
    assert ftl(invents, 0.5, 0.9) > ftl(invents, 0.5, 0.1)
    assert ftl(misses, 0.5, 0.9) == ftl(misses, 0.5, 0.1)


def test_the_gradient_is_finite_at_a_tversky_index_of_one():
    target = (torch.arange(256).view(1, 16, 16) % 5 == 0).float()
    logits = ((target * 2 - 1) * 200).requires_grad_()
    loss = combined_loss(logits, target, **PUBLISHED)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("certainty", [-200.0, -3.0, 0.0])
def test_an_empty_batch_has_a_finite_gradient_that_pushes_down(certainty):
    logits = torch.full((2, 16, 16), certainty, requires_grad=True)
    combined_loss(logits, torch.zeros(2, 16, 16), **PUBLISHED).backward()
    assert logits.grad.isfinite().all()
    assert (logits.grad > 0).all() if certainty > -100 else (logits.grad >= 0).all()


def test_an_empty_patch_beside_one_with_a_line_still_gets_a_gradient_from_the_index():
    target = torch.zeros(2, 16, 16)
    target[0, 4] = 1
    logits = torch.zeros(2, 16, 16, requires_grad=True)
    combined_loss(logits, target, **{**PUBLISHED, "bce_weight": 0.0}).backward()
    assert (logits.grad[1] > 0).all()


@pytest.mark.parametrize("certainty", [-3.0, 0.0, 3.0])
def test_the_cross_entropy_of_a_patch_without_a_line_counts_in_full(certainty):
    """Balanced by classes it would be 0 there, and nothing invented on such ground would cost."""
    logits = torch.full((1, 16, 16), certainty, requires_grad=True)
    loss = combined_loss(logits, torch.zeros(1, 16, 16), **{**PUBLISHED, "bce_weight": 1.0})
    loss.backward()
    assert loss.item() == pytest.approx(math.log(1 + math.exp(certainty)), rel=1e-5)
    torch.testing.assert_close(logits.grad, logits.detach().sigmoid() / logits.numel())


@pytest.mark.parametrize("seen", [1, 2, 5])
def test_the_cross_entropy_is_a_mean_over_the_pixels_with_data_however_few(seen):
    target = torch.full((1, 4, 4), NO_DATA)
    target.view(-1)[:seen] = 0
    loss = combined_loss(torch.full((1, 4, 4), 0.7), target, **{**PUBLISHED, "bce_weight": 1.0})
    assert loss.item() == pytest.approx(math.log(1 + math.exp(0.7)), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_computed_in_float32(dtype):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 64, 64, generator=generator).to(dtype)
    target = torch.rand(2, 64, 64, generator=generator) < 0.3
    with torch.autocast("cpu", torch.bfloat16):
        loss = combined_loss(logits, target, **PUBLISHED)
    assert loss.dtype == torch.float32
    assert loss == combined_loss(logits.float(), target.float(), **PUBLISHED)


def test_more_false_positives_than_float16_can_count_stay_finite():
    loss = combined_loss(torch.full((2, 256, 256), 9.0).half(), torch.zeros(2, 256, 256), **PUBLISHED)
    assert loss.isfinite()


@pytest.mark.parametrize("target_type", [torch.uint8, torch.bool, torch.float32])
def test_one_head_has_weight_one_whatever_the_targets_type(target_type):
    logits = torch.linspace(-2, 2, 256).view(1, 1, 16, 16)
    target = (torch.arange(256).view(1, 16, 16) % 7 == 0).to(target_type)
    loss = GroundingLineLoss(**PUBLISHED, ds_weights=(0.1, 0.2, 0.3, 0.4))((logits,), target)
    torch.testing.assert_close(loss, combined_loss(logits[:, 0], target.float(), **PUBLISHED))


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_deep_supervision_weighs_the_heads_in_order_and_sums_to_one(scale):
    generator = torch.Generator().manual_seed(0)
    heads = tuple(torch.randn(2, 1, 16, 16, generator=generator) for _ in range(4))
    target = torch.rand(2, 16, 16, generator=generator) < 0.1
    each = [combined_loss(head[:, 0], target.float(), **PUBLISHED) for head in heads]
    weights = (0.05, 0.1, 0.2, 0.65)
    loss = GroundingLineLoss(**PUBLISHED, ds_weights=[w * scale for w in weights])(heads, target)
    torch.testing.assert_close(loss, sum(w * part for w, part in zip(weights, each, strict=True)))
    torch.testing.assert_close(GroundingLineLoss(**PUBLISHED)(heads, target), sum(each) / 4)


def test_weights_that_do_not_match_the_heads_are_refused():
    with pytest.raises(ValueError, match="cannot weigh 2 heads"):
        GroundingLineLoss(**PUBLISHED, ds_weights=(1, 1, 1, 1)).head_weights(2)


def test_a_target_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="size"):
        combined_loss(torch.zeros(2, 16, 16), torch.zeros(16, 16), **PUBLISHED)


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_the_sums_of_the_parts_give_the_loss_of_the_whole_and_their_losses_do_not(cut):
    generator = torch.Generator().manual_seed(0)
    heads = tuple(torch.randn(6, 1, 16, 16, generator=generator) for _ in range(4))
    target = (torch.rand(6, 16, 16, generator=generator) < 0.1).float()
    target[:cut] = 0
    target[:, :3] = NO_DATA
    target[0, :9] = NO_DATA
    loss = GroundingLineLoss(**PUBLISHED, ds_weights=(0.1, 0.2, 0.3, 0.4))
    parts = [(tuple(head[span] for head in heads), target[span]) for span in (slice(cut), slice(cut, None))]
    sums = sum(loss.sums(*part) for part in parts)
    torch.testing.assert_close(loss.from_sums(sums), loss(heads, target))
    naive = sum(loss(*part) * len(part[1]) for part in parts) / len(target)
    assert abs(naive - loss(heads, target)) > 1e-3


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    share=st.sampled_from([0, 0.2, 0.9, 1]),
    soft=st.booleans(),
    heads=st.sampled_from([1, 4]),
)
def test_the_loss_is_that_of_the_pixels_with_data_alone_and_so_is_its_gradient(seed, share, soft, heads):
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(2, 6, 7, generator=generator)
    target = target if soft else (target < 0.2).float()
    seen = torch.rand(2, 6, 7, generator=generator) >= share
    logits = torch.randn(heads, 2, 1, 6, 7, generator=generator) * 5
    loss = GroundingLineLoss(**PUBLISHED, ds_weights=(0.1, 0.2, 0.3, 0.4))

    def loss_and_slopes(said, wanted):
        said = said.clone().requires_grad_()
        value = loss(tuple(said), wanted)
        (slopes,) = torch.autograd.grad(value, said)
        return value, slopes

    value, slopes = loss_and_slopes(logits, target.masked_fill(~seen, NO_DATA))
    assert not slopes[:, :, 0][:, ~seen].any()
    if seen.any():
        gathered = logits[:, :, 0][:, seen].view(heads, 1, 1, 1, -1)
        alone, slopes_alone = loss_and_slopes(gathered, target[seen].view(1, 1, -1))
        torch.testing.assert_close(value, alone)
        torch.testing.assert_close(slopes[:, :, 0][:, seen], slopes_alone.view(heads, -1))


@pytest.mark.parametrize("said", [-1e30, 0.0, 1e30, math.inf, -math.inf, math.nan])
def test_what_is_said_of_pixels_without_data_changes_neither_the_loss_nor_a_gradient(said):
    generator = torch.Generator().manual_seed(0)
    target = (torch.rand(2, 16, 16, generator=generator) < 0.1).float()
    target[:, :, :5] = NO_DATA
    logits = torch.randn(2, 16, 16, generator=generator)
    other = logits.clone()
    other[:, :, :5] = said
    found = []
    for one in (logits, other):
        one.requires_grad_()
        loss = combined_loss(one, target, **PUBLISHED)
        loss.backward()
        found.append((loss.detach(), one.grad))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


def test_a_batch_without_any_data_has_a_finite_loss_and_no_gradient():
    logits = torch.randn(2, 16, 16, requires_grad=True)
    loss = combined_loss(logits, torch.full((2, 16, 16), NO_DATA), **PUBLISHED)
    loss.backward()
    assert loss.isfinite()
    assert not logits.grad.any()
