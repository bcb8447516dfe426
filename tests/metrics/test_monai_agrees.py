"""MONAI's opinion of the same masks, where its definitions are ours.

It is imported by the tests that ask it: every worker collects this file, and it takes seconds to load.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from one_patch import boundary_scores, hd95, pixel_scores

from glsweep.metrics.distances import MaskStack


@st.composite
def filled_pairs(draw):
    """Two masks with a pixel at least each: what MONAI says of empty ones is NaN."""
    rows, cols = draw(st.tuples(st.integers(2, 20), st.integers(2, 20)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    masks = [rng.random((rows, cols)) < draw(st.sampled_from([0.02, 0.3, 0.9])) for _ in range(2)]
    for mask in masks:
        mask[rng.integers(rows), rng.integers(cols)] = True
    return masks


def as_batches(pair):
    """As (batch, class, rows, cols)."""
    return [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in pair]


@settings(max_examples=60, deadline=None)
@given(filled_pairs())
def test_dice_precision_and_recall_are_those_of_monai(pair):
    from monai.metrics.confusion_matrix import compute_confusion_matrix_metric, get_confusion_matrix

    counts = get_confusion_matrix(*as_batches(pair))
    theirs = [
        float(compute_confusion_matrix_metric(name, counts)) for name in ("f1 score", "precision", "recall")
    ]
    assert list(pixel_scores(*pair)) == pytest.approx(theirs, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(filled_pairs())
def test_hd95_is_that_of_monai(pair):
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance

    theirs = compute_hausdorff_distance(*as_batches(pair), include_background=True, percentile=95)
    assert hd95(*pair) == pytest.approx(float(theirs), rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(filled_pairs(), st.sampled_from([1, 2, 5]))
def test_the_surface_dice_of_monai_follows_from_our_boundary_precision_and_recall(pair, tolerance_px):
    """It takes the boundary pixels of both masks together, where BF takes the mean of two shares."""
    from monai.metrics.surface_dice import compute_surface_dice

    theirs = compute_surface_dice(*as_batches(pair), [tolerance_px], include_background=True)
    ours = boundary_scores(*pair, tolerance_m=100 * tolerance_px, posting_m=100)
    predicted_px, truth_px = (MaskStack.of(mask[None], 0.0).boundary_px[0] for mask in pair)
    near_px = ours.boundary_precision * predicted_px + ours.boundary_recall * truth_px
    assert near_px / (predicted_px + truth_px) == pytest.approx(float(theirs), abs=1e-6)
