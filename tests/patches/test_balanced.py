import numpy as np
import pandas as pd
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rasterio.features import rasterize
from shapely import Point, box

from glsweep.config.patches import PatchSettings
from glsweep.patches.held_masks import PackedMask, SparseMask
from glsweep.patches.index import largest_overlap
from glsweep.patches.sampler import sample_positions
from glsweep.scenes.polygons import pixels_within

SIZE = 32


def tangled(shape=(200, 300)):
    """A line that is straight on the left and runs to and fro on the right."""
    mask = np.zeros(shape, np.uint8)
    mask[100, :150] = 1
    for col in range(150, 290, 8):
        mask[40:160, col] = 1
        mask[40 if (col // 8) % 2 else 159, col : col + 8] = 1
    return mask


def sample(mask, valid=None, *, with_line=60, without_line=40, near_share=0.5, seed=0, valid_share=0.2):
    valid = np.ones(mask.shape, np.bool_) if valid is None else valid
    return sample_positions(
        SparseMask.of(mask > 0),
        PackedMask.of(valid),
        PackedMask.of(np.ones([side - SIZE + 1 for side in mask.shape], np.bool_)),
        size_px=SIZE,
        settings=PatchSettings(
            rule="balanced",
            near_share=near_share,
            with_line=with_line,
            without_line=without_line,
            valid_share=valid_share,
        ),
        limit_with_line=with_line,
        limit_without_line=without_line,
        generator=np.random.default_rng(seed),
    )


def around(p, margin=0):
    top, left = max(0, p.row - margin), max(0, p.col - margin)
    return np.s_[top : p.row + SIZE + margin, left : p.col + SIZE + margin]


def coverage(shape, positions):
    times = np.zeros(shape, np.int32)
    for p in positions:
        times[around(p)] += 1
    return times


@pytest.mark.parametrize("near_share", [0.0, 0.25, 0.5, 1.0])
def test_the_shares_with_and_without_a_line_near_and_far_are_those_asked_for(near_share):
    mask = tangled()
    positions = sample(mask, near_share=near_share)
    without = [p for p in positions if not p.has_line]
    assert sum(p.has_line for p in positions) == 60
    assert all(mask[around(p)].any() == p.has_line for p in positions)
    assert len(without) == 40
    near = sum(mask[around(p, SIZE)].any() for p in without)
    assert near == round(40 * near_share)


def test_what_far_ground_cannot_give_near_ground_does():
    mask = np.zeros((3 * SIZE, 3 * SIZE), np.uint8)
    mask[48] = 1
    without = [p for p in sample(mask, without_line=10, near_share=0.2) if not p.has_line]
    assert len(without) == 10


def test_every_stretch_of_a_tangled_line_is_covered_more_evenly_than_by_uniform_positions():
    mask = tangled()
    line = mask > 0
    rng = np.random.default_rng(5)
    spreads = {"even": [], "uniform": []}
    for seed in range(8):
        chosen = [p for p in sample(mask, seed=seed) if p.has_line]
        times = coverage(mask.shape, chosen)[line]
        assert (times > 0).mean() > 0.93
        spreads["even"].append(times.std() / times.mean())
        rows, cols = rng.integers(0, 200 - SIZE, 4000), rng.integers(0, 300 - SIZE, 4000)
        held = [(r, c) for r, c in zip(rows, cols, strict=True) if mask[r : r + SIZE, c : c + SIZE].any()]
        uniform = np.zeros(mask.shape, np.int32)
        for r, c in held[:60]:
            uniform[r : r + SIZE, c : c + SIZE] += 1
        spreads["uniform"].append(uniform[line].std() / uniform[line].mean())
    assert np.mean(spreads["even"]) < 0.85 * np.mean(spreads["uniform"])


@given(seed=st.integers(0, 10_000), hole=st.tuples(st.integers(0, 150), st.integers(0, 250)))
@hypothesis_settings(max_examples=40, deadline=None)
def test_windows_hold_enough_data_lie_in_the_scene_and_come_once(seed, hole):
    mask = tangled()
    valid = np.ones(mask.shape, np.bool_)
    valid[hole[0] : hole[0] + 70, hole[1] : hole[1] + 90] = False
    positions = sample(mask, valid, seed=seed, valid_share=0.6)
    assert len({(p.row, p.col) for p in positions}) == len(positions)
    for p in positions:
        assert valid[around(p)].shape == (SIZE, SIZE)
        assert valid[around(p)].mean() == pytest.approx(p.valid_share)
        assert p.valid_share >= 0.6
        assert (mask * valid)[around(p)].any() == p.has_line


def test_more_than_there_are_gives_all_of_them_and_ends():
    mask = np.zeros((SIZE + 1, SIZE + 2), np.uint8)
    mask[5, 5] = 1
    positions = sample(mask, with_line=50, without_line=5)
    assert {(p.row, p.col) for p in positions} == {(r, c) for r in range(2) for c in range(3)}


def test_the_seed_decides():
    assert sample(tangled(), seed=1) == sample(tangled(), seed=1)
    assert sample(tangled(), seed=1) != sample(tangled(), seed=2)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.sampled_from("ab")), max_size=12))
def test_the_largest_overlap_is_that_of_every_pair_looked_at(corners):
    index = pd.DataFrame(corners, columns=["row", "col", "scene"]).assign(split="test")
    best = 0
    for n, (row, col, scene) in enumerate(corners):
        for other_row, other_col, other_scene in corners[:n]:
            if scene == other_scene:
                best = max(best, max(0, 16 - abs(row - other_row)) * max(0, 16 - abs(col - other_col)))
    found = largest_overlap(index, 16)
    assert found == ({"test": pytest.approx(best / 256, abs=1e-4)} if corners else {})


def test_pixels_within_lie_wholly_within():
    transform = Affine(100, 0, 1000, 0, -100, 5000)
    shape = (30, 40)
    polygon = Point(3000, 3500).buffer(1100) - box(2500, 3300, 2800, 3400)
    inside = pixels_within(polygon, shape, transform)
    for row, col in np.ndindex(shape):
        pixel = box(*(transform @ (col, row + 1)), *(transform @ (col + 1, row)))
        if inside[row, col]:
            assert polygon.contains(pixel)
    centres = rasterize([polygon.buffer(-150)], shape, transform=transform, all_touched=False)
    assert inside[centres > 0].all(), "no more than the edge is left out"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rule": "balanced"}, "needs `near_share`"),
        ({"rule": "balanced", "near_share": 0.5, "box_px": 31}, "none of box_px"),
        ({"rule": "published"}, "needs `box_px`"),
    ],
)
def test_a_rule_has_its_own_keys(changes, says):
    with pytest.raises(ValidationError, match=says):
        PatchSettings(with_line=1, without_line=1, valid_share=0.2, **changes)
