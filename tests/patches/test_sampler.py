import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from made_scenes import settings

from glsweep.config.patches import PatchSettings
from glsweep.patches.held_masks import PackedMask, SparseMask
from glsweep.patches.sampler import Coverage, sample_positions
from glsweep.patches.windows import SummedArea


def scene(shape=(60, 90), seed=0):
    """A slanted line, and a corner without data that it crosses."""
    mask = np.zeros(shape, np.uint8)
    cols = np.arange(shape[1])
    mask[np.clip(5 + cols // 3, 0, shape[0] - 1), cols] = 1
    valid = np.random.default_rng(seed).random(shape) > 0.05
    valid[:, :20] = False
    return mask, valid


def sample(mask, valid, size_px=16, seed=0, limits=(20, 20), origins=None, **changes):
    if origins is None:
        origins = np.ones((mask.shape[0] - size_px + 1, mask.shape[1] - size_px + 1), np.bool_)
    return sample_positions(
        SparseMask.of(mask > 0),
        PackedMask.of(valid),
        PackedMask.of(origins),
        size_px=size_px,
        settings=settings(**changes),
        limit_with_line=limits[0],
        limit_without_line=limits[1],
        generator=np.random.default_rng(seed),
    )


def window(values, position, size_px=16):
    return values[position.row : position.row + size_px, position.col : position.col + size_px]


def test_counts_of_windows_equal_a_plain_count():
    values = np.random.default_rng(1).random((9, 13)) > 0.5
    counts = SummedArea(values).in_windows(4)
    assert counts.shape == (6, 10)
    for row, col in np.ndindex(counts.shape):
        assert counts[row, col] == values[row : row + 4, col : col + 4].sum()


def test_counts_of_boxes_take_what_lies_outside_as_false():
    values = np.random.default_rng(1).random((9, 13)) > 0.5
    rows, cols = (places.ravel() for places in np.mgrid[-6:12, -6:16])
    padded = np.pad(values, 12)
    expected = [
        padded[row + 12 : row + 17, col + 12 : col + 17].sum() for row, col in zip(rows, cols, strict=True)
    ]
    np.testing.assert_array_equal(SummedArea(values).in_boxes(rows, cols, 5), expected)


def test_what_is_said_of_a_patch_holds_in_its_window():
    mask, valid = scene()
    positions = sample(mask, valid)
    assert {p.has_line for p in positions} == {True, False}
    for p in positions:
        assert window(mask * valid, p).any() == p.has_line
        assert window(valid, p).mean() == pytest.approx(p.valid_share)
        assert p.valid_share >= 0.2
        if not p.has_line:
            assert not window(mask, p).any(), "a line without data below it is no line-free ground"


def test_a_line_wholly_without_data_gives_no_patch():
    mask, valid = scene()
    valid[:, :] = True
    valid[mask > 0] = False
    positions = sample(mask, valid)
    assert positions
    assert not any(p.has_line or window(mask, p).any() for p in positions)


@pytest.mark.parametrize("limits", [(0, 0), (1, 0), (0, 3), (7, 4)])
def test_the_limits_are_obeyed(limits):
    positions = sample(*scene(), limits=limits)
    assert sum(p.has_line for p in positions) == limits[0]
    assert sum(not p.has_line for p in positions) == limits[1]


def test_a_crowded_scene_ends_though_the_limit_is_far():
    positions = sample(*scene(), limits=(500, 500), box_px=16, box_coverage=0, fresh_share=1)
    assert 0 < len(positions) < 60


def test_patches_lie_only_where_windows_may():
    mask, valid = scene()
    origins = np.zeros((45, 75), np.bool_)
    origins[::7, ::5] = True
    positions = sample(mask, valid, origins=origins)
    assert positions
    assert all(origins[p.row, p.col] for p in positions)


def test_a_scene_smaller_than_a_patch_gives_none():
    mask, valid = scene((60, 90))
    assert sample(mask, valid, size_px=64, origins=np.ones((0, 27), np.bool_)) == []


def test_the_same_generator_draws_the_same_patches():
    assert sample(*scene(), seed=3) == sample(*scene(), seed=3)
    assert sample(*scene(), seed=3) != sample(*scene(), seed=4)


def kept_slowly(candidates, shape, size_px, rule, limit, has_line=True):
    """The docstring of PatchSettings, pixel by pixel, counting coverage anew each time."""
    kept = []

    def times(row, col):
        return sum(0 <= row - r < size_px and 0 <= col - c < size_px for r, c in kept)

    for r, c in candidates:
        centre_row, centre_col = r + size_px // 2, c + size_px // 2
        box = [
            times(row, col)
            for row, col in np.ndindex(shape)
            if 0 <= row - centre_row + rule.box_px // 2 < rule.box_px
            and 0 <= col - centre_col + rule.box_px // 2 < rule.box_px
        ]
        fresh = [times(r + i, c + j) < rule.fresh_coverage for i in range(size_px) for j in range(size_px)]
        is_fresh = has_line and np.mean(fresh) >= rule.fresh_share
        wanted = sum(box) <= rule.box_coverage or is_fresh
        if len(kept) < limit and (r, c) not in kept and wanted:
            kept.append((r, c))
    return kept


@given(
    candidates=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 12)), max_size=25),
    box_px=st.integers(1, 9),
    box_coverage=st.integers(0, 40),
    fresh_share=st.floats(0, 1),
    fresh_coverage=st.integers(1, 3),
    limit=st.integers(0, 12),
    has_line=st.booleans(),
)
@example(
    # A box that is wider than a patch reaches beyond the scene's corner.
    candidates=[(0, 7), (0, 0)],
    limit=2,
    has_line=False,
    box_px=8,
    box_coverage=0,
    fresh_share=0.0,
    fresh_coverage=1,
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_the_coverage_rule_keeps_what_its_slow_twin_keeps(candidates, limit, has_line, **rule):
    shape, size_px = (14, 18), 6
    chosen = settings(**rule)
    array = np.array(candidates, np.int64).reshape(-1, 2)
    kept = Coverage(size_px, chosen, by_box_alone=not has_line).keep(array, limit)
    assert kept == kept_slowly(candidates, shape, size_px, chosen, limit, has_line)


@pytest.mark.parametrize("seed", range(4))
def test_each_kind_is_drawn_as_its_slow_twin_draws_it_with_a_coverage_map_of_its_own(seed):
    size_px, limits, tries = 8, (6, 9), 40
    mask, valid = scene((24, 30), seed)
    rule = {"box_px": 5, "box_coverage": 12, "fresh_share": 0.3, "fresh_coverage": 1}
    drawn = sample(mask, valid, size_px, seed, limits, tries_without_line=tries, **rule)
    chosen, generator = settings(**rule), np.random.default_rng(seed)
    for has_line, limit, count in ((True, limits[0], 30 * limits[0]), (False, limits[1], tries)):
        windows = [
            (row, col)
            for row, col in np.ndindex(24 - size_px + 1, 30 - size_px + 1)
            if valid[row : row + size_px, col : col + size_px].mean() >= 0.2
            and (mask * valid if has_line else mask)[row : row + size_px, col : col + size_px].any()
            == has_line
        ]
        tried = [windows[place] for place in generator.choice(len(windows), count)]
        kept = [(p.row, p.col) for p in drawn if p.has_line == has_line]
        assert kept == kept_slowly(tried, mask.shape, size_px, chosen, limit, has_line)
        assert len(kept) > 1


def test_what_the_rule_refuses_is_refused():
    mask, valid = np.ones((40, 40), np.uint8), np.ones((40, 40), np.bool_)
    one = sample(mask, valid, size_px=40, limits=(5, 0))
    assert [(p.row, p.col) for p in one] == [(0, 0)], "no window twice"
    apart = sample(
        mask, valid, size_px=20, limits=(50, 0), box_px=1, box_coverage=0, fresh_share=1, fresh_coverage=1
    )
    for n, p in enumerate(apart):
        centre = (p.row + 10, p.col + 10)
        assert not any(0 <= centre[0] - q.row < 20 and 0 <= centre[1] - q.col < 20 for q in apart[:n])


def test_positions_without_a_line_are_given_up_after_so_many_tries_in_a_scene():
    mask, valid = scene((120, 200))
    free = {"box_coverage": 10**6, "fresh_share": 0.0}  # everything that is tried is kept
    few = sample(mask, valid, limits=(20, 1000), tries_without_line=100, **free)
    many = sample(mask, valid, limits=(20, 1000), **free)
    assert 80 < sum(not position.has_line for position in few) <= 100
    assert sum(not position.has_line for position in many) == 1000
    assert [p for p in few if p.has_line] == [p for p in many if p.has_line]
    assert not [p for p in sample(mask, valid, limits=(20, 0), tries_without_line=100) if not p.has_line]


def test_a_number_of_tries_goes_with_the_published_rule_and_is_written_only_where_it_is_given():
    assert "tries_without_line" not in settings().model_dump_json()
    assert settings(tries_without_line=7).model_dump()["tries_without_line"] == 7
    balanced = {"rule": "balanced", "with_line": 1, "without_line": 1, "valid_share": 0, "near_share": 0.5}
    with pytest.raises(ValueError, match="`tries_without_line` goes with `rule: published`"):
        PatchSettings(**balanced, tries_without_line=3)
