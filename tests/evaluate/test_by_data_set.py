"""Figures of several data sets: each is what it would be alone."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from glsweep.config.space import Calibration
from glsweep.evaluate.patches import (
    COHERENCE_EDGES,
    HeldOut,
    data_facts_of,
    part_data_sets,
    patch_coherence,
    recall_by_coherence,
)
from glsweep.patches import PatchArrays
from glsweep.study.evaluation_artifacts import HeldOutMetrics

SIZE_PX = 40
SETTINGS = Calibration(lowest=0.1, highest=0.9, count=17, criterion="dice")


def patches(count: int = 8, *, seed: int = 0) -> PatchArrays:
    """Patches with a straight line each, the last without; the left half's phase is noise."""
    generator = np.random.default_rng(seed)
    mask = np.zeros((count, SIZE_PX, SIZE_PX), np.uint8)
    for index in range(count - 1):
        mask[index, 5 + 3 * index] = 1
    phase_rad = generator.uniform(-np.pi, np.pi, mask.shape)
    phase_rad[:, :, SIZE_PX // 2 :] = 0.3
    image = np.stack([np.cos(phase_rad), np.sin(phase_rad)], axis=1).astype(np.float32)
    return PatchArrays(image, mask, posting_m=100.0, amplitude_scale=1.0)


def test_each_data_set_scores_as_it_would_alone():
    every = HeldOut(patches(), tolerance_m=200.0, seed=0)
    of_patch = np.array(["sim"] * 5 + ["getz"] * 3)
    probability = np.random.default_rng(1).random(every.patches.mask.shape, np.float32)
    parted = part_data_sets(every, of_patch, ["sim", "getz", "absent"])
    scores = parted.score(probability, 0.6, SETTINGS)
    assert list(scores) == ["sim", "getz"]
    for name, found in scores.items():
        alone = every.select(of_patch == name)
        expected = alone.score(probability[of_patch == name], 0.6)
        assert {key: getattr(found, key) for key in HeldOutMetrics.model_fields} == expected.model_dump()
        assert found.best_relaxed_f1 >= found.relaxed_f1 - 1e-12
        precision, recall = found.relaxed_precision, found.relaxed_recall
        assert found.relaxed_f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_pixels_without_data_count_neither_apart_nor_among_the_facts():
    clear = patches()
    image, mask = clear.image.copy(), clear.mask.copy()
    image[:, :, :, 30:], mask[:, :, 30:] = 0, 0
    every = HeldOut(PatchArrays(image, mask, 100.0, 1.0), tolerance_m=200.0, seed=0)
    parted = part_data_sets(every, np.array(["sim"] * 8), ["sim"])
    said = np.random.default_rng(1).random(mask.shape, np.float32)
    beyond = said.copy()
    beyond[:, :, 30:] = 1
    assert parted.score(said * every.has_data, 0.6, SETTINGS) == parted.score(beyond, 0.6, SETTINGS)
    facts = parted.facts()["sim"]
    assert facts.valid_share == pytest.approx(30 / SIZE_PX)
    assert facts.line_share == pytest.approx(1 / SIZE_PX), "of what can be seen, a row of each patch"


def test_recall_by_coherence_agrees_with_a_dilation_by_hand():
    held = patches(3)
    coherence = patch_coherence(held)
    predicted = np.zeros(held.mask.shape, bool)
    predicted[0, 7, 25:30] = True  # two rows off, so within 200 m of the line on row 5
    rows = recall_by_coherence(held, coherence, predicted, 200.0)
    row, col = np.mgrid[-2:3, -2:3]
    disk = np.hypot(row, col) <= 2
    found = np.stack([binary_dilation(one, disk) for one in predicted])
    line, known = held.mask > 0, np.nan_to_num(coherence)
    edges = [-1.0, *COHERENCE_EDGES, 2.0]
    for counted, low, high in zip(rows, edges[:-1], edges[1:], strict=True):
        here = line & (known >= low) & (known < high)
        assert counted.line_px == here.sum()
        assert counted.recall == (found[here].mean() if here.any() else None)
    assert rows[-1].recall > 0 == rows[0].recall


def test_facts_tell_noise_from_clear_ground():
    clear = patches()
    noisy = PatchArrays(clear.image[:, :, :, : SIZE_PX // 2], clear.mask[:, :, : SIZE_PX // 2], 100.0, 1.0)
    facts = data_facts_of(noisy, patch_coherence(noisy))
    assert facts.coherence < 0.3
    assert facts.line_share == pytest.approx(1 / SIZE_PX)
    assert (facts.patches_with_line, facts.patches_without_line) == (7, 1)
    assert data_facts_of(clear, patch_coherence(clear)).coherence > facts.coherence


def test_patches_without_data_or_line_have_no_coherence_and_no_recall():
    empty = PatchArrays(np.zeros((1, 2, 9, 9), np.float32), np.zeros((1, 9, 9), np.uint8), 100.0, 1.0)
    facts = data_facts_of(empty, patch_coherence(empty))
    assert (facts.valid_share, facts.coherence, facts.line_coherence) == (0, None, None)
    rows = recall_by_coherence(empty, patch_coherence(empty), np.zeros((1, 9, 9), bool), 200.0)
    assert [row.recall for row in rows] == [None] * 3
