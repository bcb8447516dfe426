import itertools
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from made_scenes import POSTING_M, all_origins, entry_at, settings
from rasterio.crs import CRS
from rasterio.features import geometry_mask

from glsweep.config.data_card import SPLITS, Region, Split
from glsweep.errors import DataError
from glsweep.patches.ground import (
    WindowOrigins,
    assert_no_shared_ground,
    common_map,
    footprint,
    window_outlines,
)
from glsweep.patches.held_masks import PackedMask, SparseMask
from glsweep.patches.sampler import sample_positions
from glsweep.patches.split import apportion, assign_groups, group_overlapping, split_ground
from glsweep.patches.windows import GroundStrip, cut_at_quantiles
from glsweep.scenes.masks import line_mask

FRACTIONS = np.array([0.7, 0.15, 0.15])


def windows_by_split(ground, size_px, seed):
    """Windows drawn from each piece, as (entry, row, col) by split."""
    drawn = {name: [] for name in SPLITS}
    for n, piece in enumerate(ground.pieces):
        entry = piece.entry
        positions = sample_positions(
            SparseMask.of(line_mask(entry.lines, entry.shape, entry.header.transform, "all_touched") > 0),
            PackedMask.of(np.ones(entry.shape, np.bool_)),
            WindowOrigins(entry, size_px, ground.crs, strip=piece.strip, within=piece.within),
            size_px=size_px,
            settings=settings(),
            limit_with_line=6,
            limit_without_line=6,
            generator=np.random.default_rng([seed, n]),
        )
        drawn[piece.split] += [(entry, p.row, p.col) for p in positions]
    return drawn


scene_places = st.lists(
    st.tuples(
        st.integers(0, 180), st.integers(0, 180), st.integers(24, 60), st.integers(24, 60), st.booleans()
    ),
    min_size=1,
    max_size=7,
)


@given(places=scene_places, rule=st.sampled_from(["scene", "block"]), seed=st.integers(0, 99))
@hypothesis_settings(max_examples=60, deadline=None)
def test_no_pixel_of_ground_is_shared_between_splits(places, rule, seed):
    entries = [
        entry_at(f"s{n}", left, -top, (rows, cols), line_cols=(2.5, 3.5) if steep else None)
        for n, (left, top, rows, cols, steep) in enumerate(places)
    ]
    try:
        ground = split_ground(entries, Split(rule=rule), largest_patch_px=16, seed=seed)
    except DataError as error:
        assert "km wide" in str(error) or "leaves no line for" in str(error)
        assume(False)
        return
    # Every window is painted on the one grid that all scenes lie on.
    painted = {name: np.zeros((240, 240), np.bool_) for name in SPLITS}
    for name, windows in windows_by_split(ground, 16, seed).items():
        for entry, row, col in windows:
            left = round(entry.header.transform.c / POSTING_M) + col
            top = round(-entry.header.transform.f / POSTING_M) + row
            painted[name][top : top + 16, left : left + 16] = True
    for one, other in itertools.combinations(SPLITS, 2):
        assert not (painted[one] & painted[other]).any()


@given(
    places=st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 90), st.floats(0, 360)), min_size=3, max_size=6
    ),
    rule=st.sampled_from(["scene", "block"]),
)
@hypothesis_settings(max_examples=25, deadline=None)
def test_no_ground_is_shared_between_splits_of_turned_scenes(places, rule):
    entries = [entry_at(f"s{n}", x, y, (40, 50), degrees=d) for n, (x, y, d) in enumerate(places)]
    try:
        ground = split_ground(entries, Split(rule=rule), largest_patch_px=8, seed=1)
    except DataError:
        assume(False)
        return
    shape, transform = (900, 900), entry_at("grid", -100, 200, (1, 1)).header.transform
    fine = transform @ transform.scale(0.34)
    painted = {}
    for name, windows in windows_by_split(ground, 8, 1).items():
        outlines = [window_outlines(e, [row], [col], 8, ground.crs)[0] for e, row, col in windows]
        assume(outlines)
        painted[name] = geometry_mask(outlines, shape, fine, invert=True)
    for one, other in itertools.combinations(SPLITS, 2):
        assert not (painted[one] & painted[other]).any()


def chain(count, shape=(40, 60), step_px=40):
    """Scenes that overlap their neighbours in a row."""
    return [entry_at(f"s{n}", n * step_px, 0, shape) for n in range(count)]


def test_scenes_that_overlap_stay_together():
    apart = [entry_at("far", 1000, 0, (40, 60)), entry_at("farther", 2000, 0, (40, 60))]
    ground = split_ground([*chain(3), *apart], Split(), largest_patch_px=16, seed=0)
    assert ground.rule == "scene"
    assert {p.split for p in ground.pieces if p.entry.name.startswith("s")} == {"train"}
    assert sorted(p.split for p in ground.pieces) == ["test", "train", "train", "train", "val"]


def test_scenes_of_a_group_stay_together_though_they_share_no_ground():
    groups = {"s0": "a", "s1": "b", "s2": "a", "s3": "b", "s4": "a"}
    entries = [replace(entry_at(f"s{n}", 100 * n, 0, (40, 60)), group=groups.get(f"s{n}")) for n in range(8)]
    # s3 and the last one share ground, so that the latter is of its group too.
    entries.append(entry_at("over", 330, 0, (40, 60)))
    for seed in range(4):
        ground = split_ground(entries, Split(), largest_patch_px=16, seed=seed)
        splits = {piece.entry.name: piece.split for piece in ground.pieces}
        assert splits["s0"] == splits["s2"] == splits["s4"]
        assert splits["s1"] == splits["s3"] == splits["over"]
        assert ground.reason == "5 groups of scenes that share no ground"


def test_groups_are_shared_out_by_the_length_of_their_lines_not_by_their_number():
    entries = [
        entry_at("long", 0, 0, (700, 40)),
        *(entry_at(f"s{n}", 99, -99 * n, (70, 40)) for n in range(4)),
    ]
    ground = split_ground(entries, Split(), largest_patch_px=16, seed=0)
    by_split = {name: [p.entry.name for p in ground.pieces if p.split == name] for name in SPLITS}
    assert by_split["train"] == ["long"]
    assert [len(by_split[name]) for name in ("val", "test")] == [2, 2]


def test_what_is_not_held_out_is_shared_in_the_proportion_of_the_other_fractions():
    entries = [entry_at(f"s{n}", 100 * n, 0, (40, 60)) for n in range(9)]
    split = Split(rule="region", regions=(Region(split="test", scenes=("s8",)),))
    ground = split_ground(entries, split, largest_patch_px=40, seed=0)
    assert [sum(p.split == name for p in ground.pieces) for name in SPLITS] == [7, 1, 1]


def test_the_findings_tell_rule_scenes_and_kilometres_of_every_split():
    entries = [replace(entry_at(f"s{n}", 100 * n, 0, (40, 60)), split=s) for n, s in enumerate(SPLITS)]
    ground = split_ground(entries, Split(rule="column", column="dataset"), largest_patch_px=16, seed=0)
    km = {piece.split: piece.line_m / 1000 for piece in ground.pieces}
    assert ground.findings().model_dump() == {
        "rule": "column",
        "reason": "as the file of lines says",
        "leak_proof": True,
        "scenes": {name: (f"s{n}",) for n, name in enumerate(SPLITS)},
        "line_km": {name: pytest.approx(km[name], abs=5e-4) for name in SPLITS},
    }
    shared = split_ground(entries, Split(rule="patch"), largest_patch_px=16, seed=0).findings()
    assert (shared.leak_proof, shared.reason) == (
        False,
        "as published: overlapping patches leak between splits",
    )
    assert shared.scenes == dict.fromkeys(SPLITS, ("s0", "s1", "s2"))


def test_blocks_that_were_asked_for_are_not_excused_by_too_few_groups():
    asked = split_ground(chain(5), Split(rule="block", buffer_px=20), largest_patch_px=16, seed=0)
    assert (asked.rule, asked.reason) == ("block", "blocks with 2 km left unused between them")
    forced = split_ground(chain(5), Split(buffer_px=20), largest_patch_px=16, seed=0)
    needs = "rule `scene` needs 3 groups of scenes that share no ground, there are 1"
    assert forced.reason == f"{needs}; {asked.reason}"
    assert forced.pieces == asked.pieces


@pytest.mark.parametrize("lacking", SPLITS)
def test_a_split_that_is_left_without_a_line_is_named(lacking):
    others = [name for name in SPLITS if name != lacking]
    entries = [replace(entry_at(f"s{n}", 100 * n, 0, (40, 60)), split=s) for n, s in enumerate(others * 2)]
    with pytest.raises(DataError, match=f"rule `column` leaves no line for {lacking}; mend"):
        split_ground(entries, Split(rule="column", column="dataset"), largest_patch_px=16, seed=0)


def test_a_line_beyond_its_scene_is_no_line_of_its_split():
    entries = [replace(entry_at(f"s{n}", 100 * n, 0, (40, 60)), split=s) for n, s in enumerate(SPLITS)]
    entries[1] = replace(entries[1], lines=entry_at("elsewhere", 900, 0, (40, 60)).lines)
    with pytest.raises(DataError, match="rule `column` leaves no line for val; mend"):
        split_ground(entries, Split(rule="column", column="dataset"), largest_patch_px=16, seed=0)


def test_scenes_that_only_touch_are_not_one_group():
    touching = [entry_at("a", 0, 0, (40, 60)), entry_at("b", 60, 0, (40, 60))]
    outlines = [footprint(e, common_map(e)) for e in touching]
    assert len(set(group_overlapping(outlines))) == 2


def test_too_few_groups_fall_back_to_blocks_and_say_so():
    ground = split_ground(chain(5, step_px=50), Split(buffer_px=0), largest_patch_px=16, seed=0)
    assert ground.rule == "block"
    assert "there are 1" in ground.reason
    km = ground.findings().line_km
    assert np.allclose(np.array(list(km.values())) / sum(km.values()), FRACTIONS, atol=0.01)


def test_the_ground_does_not_depend_on_the_patch_size():
    small = split_ground(chain(6, step_px=58), Split(buffer_px=20), largest_patch_px=16, seed=4)
    large = split_ground(chain(6, step_px=58), Split(buffer_px=20), largest_patch_px=32, seed=4)
    assert small == large


@pytest.mark.parametrize("rule", ["scene", "block"])
def test_the_seed_decides_the_split(rule):
    entries = [entry_at(f"s{n}", 100 * n, 0, (40, 60)) for n in range(9)]

    def splits(seed):
        ground = split_ground(entries, Split(rule=rule), largest_patch_px=16, seed=seed)
        return [(p.entry.name, p.split) for p in ground.pieces]

    assert splits(0) == splits(0)
    assert len({str(splits(seed)) for seed in range(6)}) > 1


def test_scenes_of_another_projection_are_compared_in_one_map():
    here = entry_at("polar", 0, 0, (60, 60))
    other_crs = CRS.from_string("+proj=laea +lat_0=-90 +lon_0=10 +datum=WGS84 +units=m")
    there = entry_at("turned", -20, 20, (60, 60), crs=other_crs)
    crs = common_map(here)
    assert len(set(group_overlapping([footprint(here, crs), footprint(there, crs)]))) == 1
    moved = footprint(there, crs)
    inside = window_outlines(there, [0, 44], [0, 44], 16, crs)
    assert (shapely.area(shapely.intersection(inside, moved)) > 0.999 * shapely.area(inside)).all()
    strip = GroundStrip(0, *np.quantile([moved.bounds[0], moved.bounds[2]], [0.3, 0.7]))
    origins = all_origins(there, 16, crs, strip=strip)
    row, col = np.nonzero(origins)
    assert 0 < len(row) < origins.size
    bounds = shapely.bounds(window_outlines(there, row, col, 16, crs))
    assert (bounds[:, 0] >= strip.low).all()
    assert (bounds[:, 2] <= strip.high).all()


def test_a_patch_larger_than_every_scene_is_refused_by_name():
    entries = [entry_at("small", 0, 0, (40, 60)), entry_at("larger", 0, 900, (200, 300))]
    with pytest.raises(DataError, match=r"patch_size_px 256 is larger than scene larger \(200 x 300\)"):
        split_ground(entries, Split(), largest_patch_px=256, seed=0)


def test_a_block_narrower_than_a_patch_is_refused():
    with pytest.raises(DataError, match=r"block for (val|test) is .* km wide, a patch of 32 px 3.2 km"):
        split_ground([entry_at("only", 0, 0, (40, 60))], Split(), largest_patch_px=32, seed=0)


def test_shared_ground_is_found():
    entry = entry_at("a", 0, 0, (64, 64))
    crs = common_map(entry)
    outlines = {
        "train": window_outlines(entry, [0, 0], [0, 16], 16, crs),
        "test": window_outlines(entry, [16, 15], [0, 31], 16, crs),
    }
    names = {"train": ["a 0 0", "a 0 16"], "test": ["a 16 0", "a 15 31"]}
    with pytest.raises(DataError, match=r"a 0 16 \(train\) and a 15 31 \(test\) share ground"):
        assert_no_shared_ground(outlines, names, posting_m=POSTING_M)
    outlines["test"] = window_outlines(entry, [16], [0], 16, crs)
    assert assert_no_shared_ground(outlines, names, posting_m=POSTING_M) == 2


@given(
    lengths=st.lists(st.floats(1, 50), min_size=3, max_size=14),
    without=st.integers(0, 3),
    seed=st.integers(0, 99),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_every_split_gets_a_group_with_a_line(lengths, without, seed):
    all_lengths = np.array([*lengths, *[0.0] * without])
    assigned = assign_groups(all_lengths, FRACTIONS, np.random.default_rng(seed))
    assert len(assigned) == len(all_lengths)
    assert all(all_lengths[assigned == split].sum() > 0 for split in range(3))


def test_groups_are_shared_as_near_to_the_fractions_as_can_be():
    lengths = np.array([70.0, 10, 5, 9, 6])
    assigned = assign_groups(lengths, FRACTIONS, np.random.default_rng(0))
    assert sorted(lengths[assigned == s].sum() for s in (1, 2)) == [15, 15]
    tens = assign_groups(np.ones(10), np.array([0.7, 0.2, 0.1]), np.random.default_rng(0))
    assert np.bincount(tens).tolist() == [7, 2, 1]
    many = np.random.default_rng(1).uniform(1, 3, 60)
    shares = np.bincount(assign_groups(many, FRACTIONS, np.random.default_rng(0)), many) / many.sum()
    assert np.allclose(shares, FRACTIONS, atol=0.02)


@pytest.mark.parametrize("length", [0.5, 1.0, 40.0])
@pytest.mark.parametrize("without", [0, 6, 60])
def test_the_smallest_splits_get_a_group_with_a_line_though_one_lacks_far_more(length, without):
    lengths = np.array([*[length] * 12, *[0.0] * without])
    for seed in range(4):
        assigned = assign_groups(lengths, np.array([0.98, 0.01, 0.01]), np.random.default_rng(seed))
        assert np.bincount(assigned, lengths > 0).tolist() == [10, 1, 1]


@given(total=st.integers(0, 500), weights=st.lists(st.floats(0, 9), min_size=1, max_size=8))
def test_shares_of_a_count_sum_to_it(total, weights):
    assume(sum(weights) > 1e-3)
    parts = apportion(total, np.array(weights))
    assert parts.sum() == total
    assert (np.abs(parts - total * np.array(weights) / sum(weights)) <= 1).all()


def test_what_is_left_of_a_count_goes_to_the_largest_remainders_the_first_of_equals():
    assert apportion(4, np.array([1.1, 1.7, 1.2])).tolist() == [1, 2, 1]
    assert apportion(10, np.array([0.0, 2.0, 0.0, 2.0])).tolist() == [0, 5, 0, 5]
    # 70 in the proportion 2 : 4 : 1, forty times: 1/2, 1 and 1/4 each, so the first 30 halves get one.
    shared = apportion(70, np.tile([0.5, 1.0, 0.25], 40))
    assert shared.reshape(40, 3).tolist() == [[1, 1, 0]] * 30 + [[0, 1, 0]] * 10
    nothing = apportion(7, np.zeros(3))
    assert (nothing.tolist(), nothing.dtype) == ([0, 0, 0], np.int64)


def test_strips_hold_their_share_of_the_lines():
    lines = np.array(
        [shapely.LineString([(0, 0), (0, 30), (100, 30)]), shapely.LineString([(100, 5), (200, 5)])]
    )
    strips = cut_at_quantiles(lines, [0.5, 0.25, 0.25])
    assert [s.axis for s in strips] == [0, 0, 0]
    assert strips[0].high == strips[1].low
    # 30 upright at x = 0, then 200 along x: 115 of 230 are reached at x = 85.
    assert np.allclose([strips[0].high, strips[1].high], [85, 142.5], atol=0.3)
