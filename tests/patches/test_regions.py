"""Regions by name and by polygon, a column, a buffer, scenes for test alone."""

import itertools
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely
from made_scenes import POSTING_M, all_origins, entry_at
from shapely import box

from glsweep.config.data_card import Region, Split
from glsweep.errors import DataError
from glsweep.patches.ground import window_outlines
from glsweep.patches.split import split_ground


def row_of_scenes(count=6, **changes):
    return [replace(entry_at(f"s{n}", 100 * n, 0, (60, 80)), **changes) for n in range(count)]


def split_of(ground):
    return {piece.entry.name: piece.split for piece in ground.pieces}


def test_a_region_by_name_goes_to_its_split_and_the_rest_is_shared():
    split = Split(rule="region", regions=(Region(split="test", scenes=("s4", "s5*")),))
    ground = split_ground(row_of_scenes(), split, largest_patch_px=16, seed=0)
    assert ground.rule == "region"
    assert ground.reason == "regions are held out; 4 groups of scenes that share no ground"
    splits = split_of(ground)
    assert {n for n, s in splits.items() if s == "test"} == {"s4", "s5"}
    assert {splits[f"s{n}"] for n in range(4)} == {"train", "val"}


def test_scenes_of_a_group_go_with_the_one_that_is_named():
    groups = {"s0": "twin", "s5": "twin", "s1": "other", "s2": "other"}
    entries = [replace(e, group=groups.get(e.name)) for e in row_of_scenes()]
    split = Split(rule="region", regions=(Region(split="test", scenes=("s5",)),))
    splits = split_of(split_ground(entries, split, largest_patch_px=16, seed=0))
    assert {name for name, s in splits.items() if s == "test"} == {"s0", "s5"}
    assert splits["s1"] == splits["s2"]


def test_a_region_by_polygon_holds_every_test_patch_and_no_other(tmp_path):
    # The region ends within scene s3, in another CRS than the scenes'.
    region = box(33_000, -9_000, 90_000, 3_000)
    table = gpd.GeoDataFrame({"name": ["mine", "other"]}, geometry=[region, region.buffer(9e5)], crs=3031)
    path = tmp_path / "regions.gpkg"
    table.to_crs("+proj=laea +lat_0=-90 +lon_0=20").to_file(path)
    split = Split(rule="region", regions=(Region(split="test", polygons=path, names=("mine",)),))
    ground = split_ground(row_of_scenes(), split, largest_patch_px=16, seed=0)
    drawn = {"train": 0, "val": 0, "test": 0}
    for piece in ground.pieces:
        origins = all_origins(piece.entry, 16, ground.crs, strip=piece.strip, within=piece.within)
        outlines = window_outlines(piece.entry, *np.nonzero(origins), 16, ground.crs)
        drawn[piece.split] += len(outlines)
        if piece.split == "test":
            assert shapely.contains(region.buffer(1), outlines).all()
        else:
            assert (shapely.area(shapely.intersection(region, outlines)) < 1).all()
    assert all(drawn.values())
    assert {p.split for p in ground.pieces if p.entry.name == "s3"} >= {"test"}


@pytest.mark.parametrize(
    ("region", "says"),
    [
        ({"scenes": ("nowhere", "x*")}, r"the region nowhere, x\* holds no scene with a line; mend"),
        ({"polygons": "regions.gpkg"}, r"the region .*regions\.gpkg holds no scene with a line; mend"),
        ({"polygons": "regions.gpkg", "names": ("Atlantis",)}, "has no 'Atlantis'"),
        ({"polygons": "regions.gpkg", "column": "region", "names": ("x",)}, "has no column 'region'"),
        ({"polygons": "missing.gpkg"}, "no such file of polygons"),
    ],
)
def test_a_region_that_is_not_there_is_named(region, says, tmp_path):
    gpd.GeoDataFrame({"name": ["far"]}, geometry=[box(9e6, 9e6, 9.1e6, 9.1e6)], crs=3031).to_file(
        tmp_path / "regions.gpkg"
    )
    if "polygons" in region:
        region = {**region, "polygons": tmp_path / region["polygons"]}
    split = Split(rule="region", regions=(Region(split="test", **region),))
    with pytest.raises(DataError, match=says):
        split_ground(row_of_scenes(), split, largest_patch_px=16, seed=0)


def test_a_region_whose_scenes_another_has_taken_is_told_so():
    regions = (Region(split="val", scenes=("s1",)), Region(split="test", scenes=("s0", "s1")))
    with pytest.raises(DataError, match="the region s1 holds no scene with a line that others leave; mend"):
        split_ground(row_of_scenes(), Split(rule="region", regions=regions), largest_patch_px=16, seed=0)


def test_a_column_decides_and_shared_ground_goes_to_test():
    wanted = ["train", "train", "val", "test"]
    entries = [replace(e, split=s) for e, s in zip(row_of_scenes(4), wanted, strict=True)]
    # A training scene that lies half under the test scene.
    entries.append(replace(entry_at("over", 340, 0, (60, 80)), split="train"))
    ground = split_ground(entries, Split(rule="column", column="dataset"), largest_patch_px=16, seed=0)
    splits = split_of(ground)
    assert [splits[f"s{n}"] for n in range(4)] == wanted
    over = next(p for p in ground.pieces if p.entry.name == "over")
    test = next(p for p in ground.pieces if p.split == "test")
    assert over.outline.intersection(test.outline).area < POSTING_M**2
    origins = all_origins(over.entry, 16, ground.crs, strip=over.strip, within=over.within)
    outlines = window_outlines(over.entry, *np.nonzero(origins), 16, ground.crs)
    assert len(outlines)
    assert (shapely.area(shapely.intersection(test.outline, outlines)) < 1).all()


def test_a_scene_without_a_split_in_the_column_is_named():
    entries = [replace(e, split="train") for e in row_of_scenes(3)]
    entries[1] = replace(entries[1], split=None)
    with pytest.raises(DataError, match="names no split for scene s1"):
        split_ground(entries, Split(rule="column", column="dataset"), largest_patch_px=16, seed=0)


PRECEDENCE = ("test", "val", "train")


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(PRECEDENCE, 2)))
def test_ground_that_two_splits_claim_goes_to_test_before_validation_before_training(first, second):
    claims = {"here": first, "over": second}
    rest = [s for s in PRECEDENCE if s not in claims.values()]
    entries = [
        replace(entry_at("here", 0, 0, (60, 80)), split=first),
        replace(entry_at("over", 40, 0, (60, 80)), split=second),
        *(replace(entry_at(s, 1000, 0, (60, 80)), split=s) for s in rest),
    ]
    ground = split_ground(entries, Split(rule="column", column="dataset"), largest_patch_px=16, seed=0)
    pieces = {piece.entry.name: piece for piece in ground.pieces}
    keeps, gives = sorted(claims, key=lambda name: PRECEDENCE.index(claims[name]))
    assert pieces[keeps].outline.area == pytest.approx(60 * 80 * POSTING_M**2)
    assert pieces[keeps].within is None
    assert pieces[gives].outline.area == pytest.approx(60 * 40 * POSTING_M**2)
    assert pieces[gives].within == pieces[gives].outline
    assert pieces[gives].line_m == pytest.approx(pieces[keeps].line_m / 2, rel=0.05)


def test_of_ground_that_all_three_splits_claim_each_keeps_what_those_before_it_leave():
    entries = [
        replace(entry_at(s, left, 0, (60, 80)), split=s)
        for s, left in (("train", 0), ("test", 20), ("val", 40))
    ]
    ground = split_ground(entries, Split(rule="column", column="dataset"), largest_patch_px=16, seed=0)
    extents_px = {
        p.split: tuple(np.round(np.array(p.outline.bounds[0::2]) / POSTING_M)) for p in ground.pieces
    }
    assert extents_px == {"test": (20, 100), "val": (100, 120), "train": (0, 20)}


def test_scenes_of_one_split_keep_the_ground_that_they_share():
    entries = [replace(entry_at(f"s{n}", 40 * n, 0, (60, 80)), split="train") for n in range(2)]
    entries += [replace(entry_at(s, 1000 * n, 900, (60, 80)), split=s) for n, s in enumerate(("val", "test"))]
    ground = split_ground(entries, Split(rule="column", column="dataset"), largest_patch_px=16, seed=0)
    assert [piece.outline.area for piece in ground.pieces] == pytest.approx([4800 * POSTING_M**2] * 4)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("by", ["name", "polygon"])
def test_of_regions_that_overlap_test_keeps_its_ground_in_whatever_order_they_stand(by, turned, tmp_path):
    # Test claims s0 and s1, validation s1 and s2.
    if by == "name":
        test, val = ({"scenes": names} for names in (("s0", "s1"), ("s1", "s2")))
    else:
        ends_px = (-10, 190), (90, 290)
        ground = [box(*(POSTING_M * px for px in (left, -70, right, 10))) for left, right in ends_px]
        path = tmp_path / "regions.gpkg"
        gpd.GeoDataFrame({"name": ["t", "v"]}, geometry=ground, crs=3031).to_file(path)
        test, val = ({"polygons": path, "names": (name,)} for name in ("t", "v"))
    regions = (Region(split="test", **test), Region(split="val", **val))
    split = Split(rule="region", regions=regions[::-1] if turned else regions)
    splits = split_of(split_ground(row_of_scenes(), split, largest_patch_px=16, seed=0))
    assert [splits[f"s{n}"] for n in range(6)] == ["test", "test", "val", "train", "train", "train"]


def test_test_ground_is_taken_from_patches_that_are_shared_out_later():
    entries = [*row_of_scenes(2), replace(entry_at("away", 40, 0, (60, 80)), test_only=True)]
    ground = split_ground(entries, Split(rule="patch"), largest_patch_px=16, seed=0)
    areas_px = {p.entry.name: p.outline.area / POSTING_M**2 for p in ground.pieces}
    assert areas_px == pytest.approx({"away": 4800, "s0": 2400, "s1": 3600})
    assert split_of(ground) == {"away": "test", "s0": None, "s1": None}


@pytest.mark.parametrize("buffer_px", [None, 0, 40])
def test_blocks_keep_a_buffer_between_them(buffer_px):
    entries = [entry_at("wide", 0, 0, (60, 800))]
    ground = split_ground(entries, Split(rule="block", buffer_px=buffer_px), largest_patch_px=16, seed=0)
    extents = sorted(piece.outline.bounds[0::2] for piece in ground.pieces)
    gaps = [right[0] - left[1] for left, right in itertools.pairwise(extents)]
    expected_px = 16 if buffer_px is None else buffer_px
    assert gaps == pytest.approx([expected_px * POSTING_M] * 2)


def test_a_scene_for_test_alone_is_never_trained_on():
    entries = [*row_of_scenes(), replace(entry_at("away", 0, 2000, (60, 80)), test_only=True)]
    for rule in ("scene", "block", "patch"):
        splits = split_of(split_ground(entries, Split(rule=rule), largest_patch_px=16, seed=0))
        assert splits["away"] == "test"
    with pytest.raises(DataError, match="no scene with a line may be trained on"):
        split_ground(entries[-1:], Split(), largest_patch_px=16, seed=0)
