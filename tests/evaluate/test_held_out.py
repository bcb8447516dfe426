"""Scores on held-out patches, and the choice of a threshold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_artifacts import network_row

from glsweep.config.space import Calibration
from glsweep.config.trial import Stratum
from glsweep.evaluate import paired_leads
from glsweep.evaluate.patches import DRAWS, HeldOut, member_curves
from glsweep.metrics.thresholds import choose_threshold, truth_within
from glsweep.patches import PatchArrays
from glsweep.randomness import generator_for
from glsweep.study.artifacts import ThresholdCurve

SIZE_PX = 48
GRID = Calibration(lowest=0.1, highest=0.9, count=17, criterion="dice")


def held_out(with_line: int = 5, without_line: int = 2) -> HeldOut:
    """Patches with a sinuous line, and patches without."""
    mask = np.zeros((with_line + without_line, SIZE_PX, SIZE_PX), np.uint8)
    rows = np.arange(SIZE_PX)
    for index in range(with_line):
        mask[index, rows, (SIZE_PX // 2 + 6 * np.sin(rows / 7 + index)).astype(int)] = 1
    image = np.ones((len(mask), 2, SIZE_PX, SIZE_PX), np.float32)
    return HeldOut(PatchArrays(image, mask, posting_m=100.0, amplitude_scale=1.0), tolerance_m=200.0, seed=0)


def test_the_truth_itself_scores_best_on_every_figure() -> None:
    test = held_out()
    scores = test.score(test.patches.mask.astype(np.float32), tau=0.5)
    for figure in (
        "relaxed_f1",
        "dice",
        "precision",
        "recall",
        "bf",
        "iou_tol2",
        "dice_with_line",
        "dice_micro",
    ):
        assert getattr(scores, figure) == 1, figure
    assert scores.hd95_px == scores.hd95_union_px == scores.hd95_m == 0
    assert (scores.patches_with_line, scores.patches_without_line) == (5, 2)
    assert scores.empty_predictions == 2
    assert (scores.relaxed_f1_low, scores.relaxed_f1_high) == (1, 1)


def test_no_line_scores_its_share_of_line_free_patches_and_no_relaxed_f1() -> None:
    test = held_out()
    scores = test.score(np.zeros(test.patches.mask.shape, np.float32), tau=0.5)
    assert scores.relaxed_f1 == 0
    assert scores.dice == pytest.approx(2 / 7)
    assert scores.dice_with_line == 0
    assert scores.hd95_px == pytest.approx(5 / 7 * np.hypot(SIZE_PX, SIZE_PX))


def with_collars(test: HeldOut) -> HeldOut:
    """Take the data from a slanted part of each patch, with the line that is there."""
    rows, cols = np.mgrid[:SIZE_PX, :SIZE_PX]
    image, mask = test.patches.image.copy(), test.patches.mask.copy()
    for index in range(len(mask)):
        beyond = cols + index * rows / 4 > 40
        image[index, :, beyond], mask[index, beyond] = 0, 0
    return replace(test, patches=replace(test.patches, image=image, mask=mask))


def test_what_is_said_of_pixels_without_data_changes_no_figure() -> None:
    test = with_collars(held_out())
    said = np.random.default_rng(0).random(test.patches.mask.shape, np.float32)
    expected = test.score(np.where(test.has_data, said, 0), tau=0.6)
    assert test.score(np.where(test.has_data, said, 1), tau=0.6) == expected
    sure_beyond = member_curves(test, np.where(test.has_data, said, np.float32(1)), 0.6)
    assert sure_beyond == member_curves(test, np.where(test.has_data, said, np.float32(0)), 0.6)


def test_a_line_where_there_is_no_data_alone_scores_as_no_line() -> None:
    test = with_collars(held_out())
    beyond = (~test.has_data).astype(np.float32)
    assert beyond.any(axis=(1, 2)).all()
    assert test.score(beyond, tau=0.5) == test.score(np.zeros_like(beyond), tau=0.5)
    assert member_curves(test, beyond, 0.5) == member_curves(test, np.zeros_like(beyond), 0.5)


def test_all_line_draws_all_that_has_data_and_the_truth_that_can_be_seen_is_perfect() -> None:
    test = with_collars(held_out())
    all_line = test.score(np.ones(test.patches.mask.shape, np.float32), tau=0.5)
    line_share = test.patches.mask.sum() / test.has_data.sum()
    assert all_line.precision_micro == pytest.approx(line_share)
    assert all_line.recall_micro == 1
    truth = test.score(test.patches.mask.astype(np.float32), tau=0.5)
    assert truth.relaxed_f1 == truth.dice == truth.bf == truth.iou_tol2 == 1
    assert truth.hd95_px == 0


def test_a_line_shifted_within_the_tolerance_keeps_its_relaxed_f1_but_not_its_dice() -> None:
    test = held_out()
    by_px = {
        shift: test.score(np.roll(test.patches.mask, shift, axis=2).astype(np.float32), tau=0.5)
        for shift in (1, 2, 6)
    }
    assert by_px[1].relaxed_f1 == by_px[2].relaxed_f1 == 1
    assert by_px[2].dice_with_line < 0.5
    assert by_px[6].relaxed_f1 < 0.5


def test_the_interval_holds_the_figure() -> None:
    test = held_out()
    noisy = np.roll(test.patches.mask, 3, axis=2).astype(np.float32)
    noisy[0] = test.patches.mask[0]
    scores = test.score(noisy, tau=0.5)
    assert scores.relaxed_f1_low < scores.relaxed_f1 < scores.relaxed_f1_high


def test_patches_with_and_without_a_line_are_told_apart() -> None:
    test = held_out()
    predicted = test.patches.mask.copy()
    predicted[0] = 0  # a line missed
    predicted[-1, 3, 3] = 1  # one invented
    scores = test.score(predicted.astype(np.float32), tau=0.5)
    assert (scores.empty_with_line, scores.empty_without_line) == (1 / 5, 1 / 2)
    assert scores.dice_with_line == scores.bf_with_line == pytest.approx(4 / 5)
    assert scores.hd95_px_with_line == pytest.approx(np.hypot(SIZE_PX, SIZE_PX) / 5)
    line_px = SIZE_PX * 5
    assert scores.precision_micro == pytest.approx((line_px - SIZE_PX) / (line_px - SIZE_PX + 1))
    assert scores.recall_micro == pytest.approx(4 / 5)
    all_drawn = held_out(without_line=0).score(np.ones((5, SIZE_PX, SIZE_PX), np.float32), tau=0.5)
    assert all_drawn.empty_without_line is None


def test_the_boundary_figure_is_given_at_every_tolerance_of_the_field() -> None:
    test = held_out(without_line=0)
    near, far = (
        test.score(np.roll(test.patches.mask, px, axis=2).astype(np.float32), tau=0.5) for px in (2, 4)
    )
    assert near.bf_100 < near.bf_200 == near.bf_500 == near.bf == 1
    assert far.bf_200 < far.bf_500 == 1


def test_patches_of_one_scene_are_drawn_together() -> None:
    test = held_out(with_line=12, without_line=0)
    half_right = np.roll(test.patches.mask, 6, axis=2).astype(np.float32)
    half_right[::3] = test.patches.mask[::3]
    half_right[:3] = test.patches.mask[:3]
    alone = test.score(half_right, tau=0.5)
    by_scene = replace(test, scenes=np.repeat(["a", "b", "c", "d"], 3)).score(half_right, tau=0.5)
    assert (alone.interval_over, by_scene.interval_over) == ("patches", "scenes")
    assert by_scene.relaxed_f1 == alone.relaxed_f1 == pytest.approx(6 / 12)
    # One scene is right throughout, a third of each of the others: with it drawn k times of 4, 4 + 2 k
    # patches of 12 are right, and k is 0 to 3 in more than 95 of 100 draws. Alone, 3 to 9 patches are.
    assert (by_scene.relaxed_f1_low, by_scene.relaxed_f1_high) == pytest.approx((4 / 12, 10 / 12))
    assert (alone.relaxed_f1_low, alone.relaxed_f1_high) == pytest.approx((3 / 12, 9 / 12))
    too_few = replace(test, scenes=np.repeat(["a", "b"], 6)).score(half_right, tau=0.5)
    assert too_few == alone


def test_each_patch_as_a_scene_of_its_own_gives_the_interval_over_patches() -> None:
    test = held_out()
    noisy = np.roll(test.patches.mask, 3, axis=2).astype(np.float32)
    noisy[0] = test.patches.mask[0]
    apart = replace(test, scenes=np.array([f"scene{n}" for n in range(7)]))
    expected, found = test.score(noisy, tau=0.5), apart.score(noisy, tau=0.5)
    assert found == expected.model_copy(update={"interval_over": "scenes"})
    kept = apart.select(np.array([True] * 4 + [False] * 3))
    assert kept.scenes is not None
    assert kept.scenes.tolist() == ["scene0", "scene1", "scene2", "scene3"]


def test_a_lead_is_of_the_same_draws_for_both_networks() -> None:
    test = held_out(with_line=12, without_line=0)
    # Both find the easy half. Of the other one finds all, the other half of each line.
    hard = np.arange(12) % 2 == 1
    better = test.patches.mask.astype(np.float32)
    better[hard] = np.roll(better[hard], 6, axis=2)
    worse = better.copy()
    worse[:, : SIZE_PX // 4] = np.roll(worse[:, : SIZE_PX // 4], 6, axis=2)
    strata = {"unetpp-48": better, "unet-48": worse, "unet-96": worse}
    rows = [
        network_row(Stratum.parse(key), test.score(of_one, 0.5).relaxed_f1) for key, of_one in strata.items()
    ]
    draws = {key: test.score_and_draw(of_one, 0.5)[1] for key, of_one in strata.items()}
    (lead,) = paired_leads(rows, draws)
    assert (lead.stratum, lead.behind) == ("unetpp-48", "unet-48")
    assert (
        lead.lead == pytest.approx(rows[0].relaxed_f1 - rows[1].relaxed_f1) == pytest.approx(1 / 8, abs=0.02)
    )
    first, second = (test.score(of_one, 0.5) for of_one in (better, worse))
    assert second.relaxed_f1_high is not None
    assert first.relaxed_f1_low is not None
    assert second.relaxed_f1_high > first.relaxed_f1_low, "by themselves the intervals overlap"
    assert lead.low is not None
    assert lead.low > 0.03
    # Worked out draw by draw, from the patches that the bootstrap's generator names.
    places = generator_for(test.seed, "bootstrap", 12).integers(12, size=(DRAWS, 12))
    by_hand = [(~hard[drawn]).mean() * 1 / 4 for drawn in places]
    assert (lead.low, lead.high) == pytest.approx(tuple(np.percentile(by_hand, [2.5, 97.5])), abs=0.02)


def chosen_for(line_probability: float, other_probability: float) -> ThresholdCurve:
    mask = held_out().patches.mask
    probability = np.where(mask > 0, line_probability, other_probability).astype(np.float32)
    return choose_threshold(torch.from_numpy(probability), truth_within(mask, 200.0, 100.0), GRID)


def test_the_lowest_threshold_above_the_background_is_chosen() -> None:
    chosen = chosen_for(0.72, 0.43)
    assert chosen.tau == pytest.approx(0.45)
    assert chosen.on_grid_edge is False
    assert np.allclose(chosen.thresholds, np.linspace(0.1, 0.9, 17))


@pytest.mark.parametrize(("line", "other", "tau"), [(0.99, 0.87, 0.9), (0.5, 0.01, 0.1)])
def test_an_optimum_on_the_edge_of_the_grid_is_told(line: float, other: float, tau: float) -> None:
    chosen = chosen_for(line, other)
    assert chosen.tau == pytest.approx(tau)
    assert chosen.on_grid_edge is True


@pytest.mark.parametrize(("criterion", "tau"), [("dice", 0.55), ("relaxed_f1", 0.25)])
def test_the_criterion_decides_which_threshold_is_best(criterion: str, tau: float) -> None:
    mask = held_out(without_line=0).patches.mask
    beside = np.roll(mask, 1, axis=2) | np.roll(mask, -1, axis=2)
    # What lies beside the line costs exact pixels, but is within the tolerance.
    probability = np.where(mask > 0, 0.72, np.where(beside > 0, 0.52, 0.22)).astype(np.float32)
    settings = GRID.model_copy(update={"criterion": criterion})
    chosen = choose_threshold(torch.from_numpy(probability), truth_within(mask, 200.0, 100.0), settings)
    assert chosen.criterion == criterion
    assert chosen.tau == pytest.approx(tau)
    assert chosen.values.index(max(chosen.values)) == chosen.thresholds.index(chosen.tau)


def test_thresholds_are_told_to_four_digits() -> None:
    mask = held_out().patches.mask
    settings = Calibration(lowest=0.1, highest=0.2, count=4, criterion="dice")
    probability = torch.from_numpy(np.where(mask > 0, 0.9, 0.15).astype(np.float32))
    chosen = choose_threshold(probability, truth_within(mask, 200.0, 100.0), settings)
    assert chosen.thresholds == (0.1, 0.1333, 0.1667, 0.2)
    assert chosen.tau == 0.1667
