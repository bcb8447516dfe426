"""Counts at all thresholds against a loop over thresholds with distance transforms."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from one_patch import pixel_scores
from scipy.ndimage import distance_transform_edt

from glsweep.config.space import Calibration
from glsweep.metrics.counts import ThresholdCounts
from glsweep.metrics.thresholds import choose_threshold, count_at_thresholds, truth_within

FIGURES = ("relaxed_precision", "relaxed_recall", "relaxed_f1", "relaxed_f05", "precision", "recall", "dice")
MACRO = ("macro_dice", "macro_precision", "macro_recall")


def within(mask, radius_px):
    if not mask.any():
        return np.zeros_like(mask)
    return distance_transform_edt(~mask) <= radius_px


def by_brute_force(probability, mask, has_data, thresholds, tolerance_m, posting_m):
    radius_px = tolerance_m / posting_m + 1e-6
    rows = {"predicted": [], "true_positive": [], "predicted_near": [], "line_found": []}
    for patch, line, seen in zip(probability, mask.astype(bool) & has_data, has_data, strict=True):
        predictions = [(patch >= tau) & seen for tau in thresholds]
        rows["predicted"].append([p.sum() for p in predictions])
        rows["true_positive"].append([(p & line).sum() for p in predictions])
        rows["predicted_near"].append([(p & within(line, radius_px)).sum() for p in predictions])
        rows["line_found"].append([(line & within(p, radius_px)).sum() for p in predictions])
    return rows


@st.composite
def cases(draw):
    patches, rows, cols = draw(st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    # Few distinct values, so that probabilities often equal a threshold.
    levels = np.linspace(0, 1, draw(st.integers(2, 12)), dtype=np.float32)
    probability = rng.choice(levels, size=(patches, rows, cols))
    mask = (rng.random((patches, rows, cols)) < draw(st.sampled_from([0, 0.05, 0.4]))).astype(np.uint8)
    has_data = rng.random((patches, rows, cols)) < draw(st.sampled_from([0, 0.5, 0.9, 1]))
    thresholds = draw(hnp.arrays(np.float32, st.integers(1, 6), elements=st.sampled_from(list(levels))))
    posting_m = draw(st.sampled_from([33.3, 50.0, 100.0]))
    tolerance_m = posting_m * draw(st.sampled_from([0, 1, 2, 2.3, 3, 30]))
    return probability, mask, has_data, np.sort(thresholds), tolerance_m, posting_m


def counts_of(case):
    probability, mask, has_data, thresholds, tolerance_m, posting_m = case
    truth = truth_within(mask, tolerance_m, posting_m, has_data=has_data)
    return count_at_thresholds(torch.tensor(probability), truth, torch.tensor(thresholds))


@settings(max_examples=200, deadline=None)
@given(cases())
def test_all_counts_equal_a_loop_over_thresholds(case):
    counts = counts_of(case)
    for name, expected in by_brute_force(*case).items():
        np.testing.assert_array_equal(getattr(counts, name), expected, err_msg=name)
    _, mask, has_data, *_ = case
    np.testing.assert_array_equal(counts.line, (mask * has_data).sum(axis=(1, 2)))
    assert counts.pixels == mask[0].size


@settings(max_examples=50, deadline=None)
@given(cases())
def test_macro_figures_are_means_of_the_pixel_scores(case):
    probability, mask, has_data, thresholds, *_ = case
    counts = counts_of(case)
    for t, tau in enumerate(thresholds):
        pairs = zip((probability >= tau) & has_data, (mask > 0) & has_data, strict=True)
        scores = [pixel_scores(predicted, line) for predicted, line in pairs]
        macro = [counts.macro_dice()[t], counts.macro_precision()[t], counts.macro_recall()[t]]
        np.testing.assert_allclose(macro, np.mean(scores, axis=0))


@settings(max_examples=50, deadline=None)
@given(cases())
def test_every_figure_lies_between_zero_and_one(case):
    counts = counts_of(case)
    for name in FIGURES + MACRO:
        figure = getattr(counts, name)()
        assert figure.shape == counts.thresholds.shape
        assert ((figure >= 0) & (figure <= 1)).all(), name


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    mask = np.zeros((6, 32, 32), np.uint8)
    mask[:4, :, 13] = 1
    probability = torch.tensor(rng.random((6, 32, 32)), dtype=torch.float32) * 0.5 + torch.tensor(mask) * 0.4
    return probability, mask, torch.linspace(0.1, 0.9, 17)


def equal(one, other):
    return all(
        torch.equal(torch.as_tensor(getattr(one, f.name)), torch.as_tensor(getattr(other, f.name)))
        for f in fields(ThresholdCounts)
    )


def test_counting_in_groups_equals_counting_at_once(batch, monkeypatch):
    probability, mask, thresholds = batch
    truth = truth_within(mask, 200, 100)
    whole = count_at_thresholds(probability, truth, thresholds)
    monkeypatch.setattr("glsweep.metrics.thresholds._GROUP_PX", 2 * 32 * 32)
    assert equal(count_at_thresholds(probability, truth, thresholds), whole)
    parts = [
        count_at_thresholds(probability[s], truth.select(s), thresholds) for s in (slice(0, 1), slice(1, 6))
    ]
    assert equal(ThresholdCounts.concatenate(parts), whole)
    chosen = torch.tensor([0, 3, 5])
    assert equal(
        whole.select(chosen), count_at_thresholds(probability[chosen], truth.select(chosen), thresholds)
    )


def test_counts_of_other_thresholds_or_none_are_not_joined(batch):
    probability, mask, thresholds = batch
    truth = truth_within(mask, 200, 100)
    one, other = (count_at_thresholds(probability, truth, t) for t in (thresholds, thresholds[:5]))
    with pytest.raises(ValueError, match="cannot be joined"):
        ThresholdCounts.concatenate([one, other])
    with pytest.raises(ValueError, match="no counts"):
        ThresholdCounts.concatenate([])


def test_the_line_is_near_itself_and_line_free_patches_have_nothing_near(batch):
    truth = truth_within(batch[1], 200, 100)
    assert truth.near[:4].sum().item() == 4 * 32 * 5
    assert (truth.near | ~truth.mask).all()
    assert not truth.near[4:].any()


def test_a_threshold_given_in_float64_means_the_same_as_in_float32(batch):
    _, mask, _ = batch
    truth = truth_within(mask, 200, 100)
    thresholds = torch.linspace(0.1, 0.9, 17, dtype=torch.float64)
    at_threshold = torch.full((6, 32, 32), thresholds[16].item(), dtype=torch.float32)
    counts = count_at_thresholds(at_threshold, truth, thresholds)
    assert counts.predicted[0].tolist() == [32 * 32] * 17


@pytest.mark.parametrize(("shift", "relaxed_f1"), [(0, 1.0), (1, 1.0), (2, 1.0), (3, 0.0)])
def test_a_shifted_straight_line_keeps_its_relaxed_f1_within_the_tolerance(batch, shift, relaxed_f1):
    _, mask, thresholds = batch
    probability = torch.tensor(np.roll(mask, shift, axis=2)).float()
    counts = count_at_thresholds(probability, truth_within(mask, 200, 100), thresholds)
    assert counts.relaxed_f1().tolist() == [relaxed_f1] * 17
    assert counts.dice().tolist() == [float(shift == 0)] * 17


@settings(max_examples=50, deadline=None)
@given(cases())
def test_what_draws_the_visible_line_and_no_more_scores_1(case):
    _, mask, has_data, thresholds, tolerance_m, posting_m = case
    perfect = np.where(has_data, mask, 1).astype(np.float32)
    counts = counts_of((perfect, mask, has_data, thresholds.clip(0.01), tolerance_m, posting_m))
    for name in FIGURES + MACRO:
        assert (getattr(counts, name)() == 1).all(), name


@pytest.mark.parametrize(("predicts", "expected"), [(False, 1.0), (True, 0.0)])
def test_without_any_line_only_the_empty_prediction_is_right(predicts, expected):
    truth = truth_within(np.zeros((2, 16, 16), np.uint8), 200, 100)
    counts = count_at_thresholds(torch.full((2, 16, 16), float(predicts)), truth, torch.tensor([0.5]))
    assert all(getattr(counts, name)().item() == expected for name in FIGURES + MACRO)


def test_without_any_line_each_threshold_is_right_from_which_nothing_is_drawn():
    truth = truth_within(np.zeros((2, 16, 16), np.uint8), 200, 100)
    counts = count_at_thresholds(torch.full((2, 16, 16), 0.6), truth, torch.tensor([0.4, 0.6, 0.8]))
    for name in FIGURES + MACRO:
        assert getattr(counts, name)().tolist() == [0, 0, 1], name


def test_a_line_that_is_missed_altogether_scores_zero(batch):
    counts = count_at_thresholds(torch.zeros(4, 32, 32), truth_within(batch[1][:4], 200, 100), batch[2])
    assert all(not getattr(counts, name)().any() for name in FIGURES + MACRO)


def test_the_best_threshold_is_the_lowest_that_reaches_the_largest_figure(batch):
    probability, mask, thresholds = batch
    counts = count_at_thresholds(probability, truth_within(mask, 200, 100), thresholds)
    # The line lies in [.4, .9), noise in [0, .5): only above .5 is nothing invented.
    best = counts.best("dice")
    assert thresholds[best].item() == pytest.approx(0.5)
    assert counts.macro_dice()[best] == counts.macro_dice().max()
    by_f1 = counts.best("relaxed_f1")
    assert counts.relaxed_f1()[:by_f1].max() < counts.relaxed_f1()[by_f1]


def test_f05_is_the_mean_that_counts_precision_four_times(batch):
    probability, mask, thresholds = batch
    counts = count_at_thresholds(probability, truth_within(mask, 200, 100), thresholds)
    precision, recall = counts.relaxed_precision(), counts.relaxed_recall()
    assert ((precision > 0) & (recall > 0) & (precision != recall)).any()
    torch.testing.assert_close(counts.relaxed_f05(), 1 / (0.8 / precision + 0.2 / recall))
    assert counts.curve("relaxed_f05")[counts.best("relaxed_f05")] == counts.relaxed_f05().max()


def test_bad_input_is_refused(batch):
    probability, mask, thresholds = batch
    truth = truth_within(mask, 200, 100)
    broken = probability.clone()
    broken[5, 31, 31] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        count_at_thresholds(broken, truth, thresholds)
    with pytest.raises(ValueError, match="ascending"):
        count_at_thresholds(probability, truth, thresholds.flip(0))
    with pytest.raises(ValueError, match="probability is"):
        count_at_thresholds(probability[:2], truth, thresholds)
    with pytest.raises(ValueError, match="tolerance_m is -1"):
        truth_within(mask, -1, 100)


def test_no_patches_give_empty_counts_that_choose_nothing():
    truth = truth_within(np.zeros((0, 16, 16), np.uint8), 200, 100)
    counts = count_at_thresholds(torch.zeros(0, 16, 16), truth, torch.tensor([0.5]))
    assert len(counts) == 0
    with pytest.raises(ValueError, match="no patches"):
        counts.best("relaxed_f1")
    with pytest.raises(ValueError, match="no patches"):
        counts.macro_dice()


def test_probabilities_that_carry_a_gradient_and_half_precision_are_taken(batch):
    probability, mask, thresholds = batch
    truth = truth_within(mask, 200, 100).to("cpu")
    expected = count_at_thresholds(probability, truth, thresholds)
    assert equal(count_at_thresholds(probability.clone().requires_grad_(), truth, thresholds), expected)
    half = count_at_thresholds(probability.half(), truth, thresholds)
    assert equal(half, count_at_thresholds(probability.half().float(), truth, thresholds))


def test_of_thresholds_that_are_nearly_as_good_the_one_nearest_to_a_half_is_taken():
    line = np.zeros((1, 20, 20), np.uint8)
    line[0, 10] = 1
    truth = truth_within(line, 100.0, 100.0)
    # Right from .1 to .9; below .3 and above .95 a little is invented or missed.
    probability = torch.full((1, 20, 20), 0.02)
    probability[0, 10] = 0.97
    probability[0, 3, 3] = 0.7
    settings = Calibration(lowest=0.05, highest=0.95, count=19, criterion="relaxed_f1")
    best = choose_threshold(probability, truth, settings)
    assert best.tau == 0.75, "above what was invented"
    as_good = choose_threshold(probability, truth, settings.model_copy(update={"as_good_within": 0.05}))
    assert as_good.tau == 0.5
    assert as_good.values == best.values
