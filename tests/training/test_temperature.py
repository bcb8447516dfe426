"""One number makes of logits the probabilities that fit the mask best, and changes no pixel's rank."""

import numpy as np
import pytest
import torch
from made_patches import bands
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from torch import nn

from glsweep.config.space import Calibration
from glsweep.metrics.reliability import measure_reliability, relaxed_precision_recall
from glsweep.metrics.thresholds import choose_threshold, count_at_thresholds
from glsweep.patches import PatchArrays
from glsweep.randomness import generator_for
from glsweep.training.memory import (
    BATCH_PATCHES,
    LARGEST_TEMPERATURE,
    calibrate_on,
    fitted_temperature,
    logits_of,
    predict_patches,
    truth_of,
)

CHANNELS = ("real", "imag")
SETTINGS = {"lowest": 0.02, "highest": 0.98, "count": 49, "criterion": "relaxed_f1"}


class Boasts(nn.Module):
    """Takes the real part for its logits, so many times as large."""

    def __init__(self, times):
        super().__init__()
        self.times = nn.Parameter(torch.tensor(float(times)))

    def forward(self, channels):
        return [self.times * channels[:, :1]]


def drawn_from_logits(seed=0, shape=(6, 32, 32)):
    """Patches whose line pixels are drawn with the probability that the real part's logit says."""
    generator = generator_for(seed, "patches")
    logits = generator.normal(-1.0, 1.5, shape).astype(np.float32)
    mask = (generator.random(shape) < expit(logits)).astype(np.uint8)
    image = np.stack([logits, np.ones_like(logits)], axis=1)
    image[:, :, :4] = 0
    return PatchArrays(image, mask, 100.0, 1.0)


@pytest.mark.parametrize("times", [0.4, 1.0, 3.0])
def test_logits_that_are_too_large_by_a_factor_are_divided_by_it(times):
    patches = drawn_from_logits()
    found = fitted_temperature(logits_of(Boasts(times), patches, CHANNELS), patches)
    assert found == pytest.approx(times, rel=0.1)


def test_the_temperature_is_that_of_a_logistic_regression_without_an_intercept():
    patches = drawn_from_logits(1)
    seen = (patches.image != 0).any(axis=1)
    logits = 2.5 * patches.image[:, 0][seen]
    slope = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8).fit(
        logits[:, None], patches.mask[seen]
    )
    found = fitted_temperature(logits_of(Boasts(2.5), patches, CHANNELS), patches)
    assert found == pytest.approx(1 / slope.coef_[0, 0], rel=1e-3)


def test_tempered_probabilities_are_reliable_where_nothing_but_their_scale_was_wrong():
    patches, boasts = drawn_from_logits(2), Boasts(3.0)
    truth = truth_of(patches, 100.0)

    def error(temperature):
        said = predict_patches(boasts, patches, CHANNELS, temperature=temperature)
        reliability = measure_reliability(torch.from_numpy(said), truth)
        return reliability.error(reliability.line_share)

    assert error(fitted_temperature(logits_of(boasts, patches, CHANNELS), patches)) < 0.04 < 0.1 < error(None)


def test_no_pixel_changes_its_rank_so_that_the_best_relaxed_f1_stays():
    patches, boasts = drawn_from_logits(3), Boasts(3.0)
    truth = truth_of(patches, 100.0)
    temperature = fitted_temperature(logits_of(boasts, patches, CHANNELS), patches)
    raw, soft = (
        torch.from_numpy(predict_patches(boasts, patches, CHANNELS, temperature=one))
        for one in (None, temperature)
    )
    taus = torch.linspace(0.1, 0.9, 9)
    where = torch.from_numpy(expit(logit(taus.numpy().astype(np.float64)) / temperature)).float()
    before, after = count_at_thresholds(raw, truth, taus), count_at_thresholds(soft, truth, where)
    torch.testing.assert_close(before.relaxed_f1(), after.relaxed_f1(), atol=2e-3, rtol=0)
    areas = [relaxed_precision_recall(one, truth).area for one in (raw, soft)]
    assert areas[0] == pytest.approx(areas[1], abs=1e-3)


def test_the_threshold_is_that_of_tempered_probabilities_and_unasked_nothing_is_tempered():
    patches, boasts = drawn_from_logits(4), Boasts(3.0)
    asked = calibrate_on(
        patches, boasts, CHANNELS, Calibration(**SETTINGS, temperature=True), tolerance_m=100.0
    )
    unasked = calibrate_on(patches, boasts, CHANNELS, Calibration(**SETTINGS), tolerance_m=100.0)
    assert (unasked.temperature, "temperature" in unasked.model_dump()) == (None, False)
    assert asked.temperature == pytest.approx(3, rel=0.1)
    assert max(asked.values) == pytest.approx(max(unasked.values), abs=0.01)
    assert "temperature" not in Calibration(**SETTINGS).model_dump(), "older studies keep their identity"


@pytest.mark.parametrize("temperature", [False, True])
def test_the_threshold_is_of_the_probabilities_that_are_predicted_and_the_network_is_called_once(temperature):
    patches, boasts = drawn_from_logits(5, shape=(BATCH_PATCHES + 3, 32, 32)), Boasts(3.0)
    settings, calls = Calibration(**SETTINGS, temperature=temperature), []
    boasts.register_forward_hook(lambda _module, given, _answer: calls.append(len(given[0])))
    curve = calibrate_on(patches, boasts, CHANNELS, settings, tolerance_m=100.0)
    assert calls == [BATCH_PATCHES, 3]
    assert curve.temperature == (
        fitted_temperature(logits_of(boasts, patches, CHANNELS), patches) if temperature else None
    )
    said = predict_patches(boasts, patches, CHANNELS, temperature=curve.temperature)
    assert curve.values == choose_threshold(torch.from_numpy(said), truth_of(patches, 100.0), settings).values


def test_a_network_without_an_error_and_one_without_pixels_have_a_temperature_too():
    perfect = bands()
    nothing = drawn_from_logits(shape=(0, 32, 32))
    assert fitted_temperature(logits_of(Boasts(1.0), nothing, CHANNELS), nothing) == 1
    sure = PatchArrays(
        np.stack([perfect.mask * 2.0 - 1, np.ones_like(perfect.mask)], axis=1).astype(np.float32),
        perfect.mask,
        100.0,
        1.0,
    )
    found = fitted_temperature(logits_of(Boasts(1.0), sure, CHANNELS), sure)
    assert found == pytest.approx(1 / LARGEST_TEMPERATURE, rel=1e-3)
