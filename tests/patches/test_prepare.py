import numpy as np
import pandas as pd
import pytest
from affine import Affine
from made_scenes import POSTING_M, numbered, numbered_folder, study_of, write_folder
from shapely import LineString

from glsweep.config.data_card import SPLITS, Split
from glsweep.errors import DataError, StudyError
from glsweep.patches.index import assign_patches
from glsweep.patches.prepare import prepare_patches
from glsweep.patches.store import open_patches, store_folder
from glsweep.study.artifacts import DataSummary, PatchCounts, read_artifact


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return numbered_folder(tmp_path_factory.mktemp("numbered"))


@pytest.fixture(scope="module")
def prepared(folder, tmp_path_factory):
    study = study_of(folder, tmp_path_factory.mktemp("study") / "s")
    return study, prepare_patches(study, [16, 32, 16])


def every(store):
    """Each patch of a store: its split, its row of the index, image and mask."""
    for name in SPLITS:
        arrays = store.arrays(name)
        index = store.index(name)
        assert len(arrays) == len(index)
        for n, row in enumerate(index.itertuples()):
            yield name, row, arrays.image[n], arrays.mask[n]


@pytest.mark.parametrize("size_px", [16, 32])
def test_a_patch_is_the_window_of_its_scene_rows_before_columns(prepared, size_px):
    study, _ = prepared
    scene = numbered((96, 160), empty_cols=10)
    seen = set()
    for _, at, image, _ in every(open_patches(study, size_px)):
        window = scene[at.row : at.row + size_px, at.col : at.col + size_px]
        np.testing.assert_array_equal(image, np.stack([window.real, window.imag]))
        seen.add(at.col > 96 - size_px)
    assert seen == {True, False}, "both halves of a scene that is wider than high"


def test_masks_and_index_agree_and_no_line_lies_where_there_is_no_data(prepared):
    study, _ = prepared
    for _, at, image, mask in every(open_patches(study, 16)):
        assert mask.any() == at.has_line
        assert not mask[~image.any(axis=0)].any()
        assert image.any(axis=0).mean() == pytest.approx(at.valid_share)


def test_the_summary_counts_what_the_stores_hold(prepared):
    study, summary = prepared
    assert read_artifact(study.data_json, DataSummary) == summary
    assert set(summary.patches) == {16, 32}
    for size_px in (16, 32):
        store = open_patches(study, size_px)
        total = {"with_line": 0, "without_line": 0}
        for name in SPLITS:
            has_line = store.arrays(name).has_line
            counts = summary.patches[size_px][name]
            assert counts == PatchCounts(with_line=has_line.sum(), without_line=(~has_line).sum())
            total = {kind: total[kind] + getattr(counts, kind) for kind in total}
        assert 20 < total["with_line"] <= 30
        assert 6 < total["without_line"] <= 12


def test_scenes_without_a_line_are_left_out_and_named(prepared):
    _, summary = prepared
    assert summary.left_out == {"s4": "no row in the file of lines"}
    named = [name for names in summary.split.scenes.values() for name in names]
    assert sorted(named) == ["s0", "s1", "s2", "s3"]
    assert summary.catalogue.rows_without_geometry == 1


def test_splits_are_proven_to_share_no_ground(prepared):
    study, summary = prepared
    assert summary.split.rule == "scene"
    counts = {
        name: sum(len(open_patches(study, size_px).arrays(name)) for size_px in (16, 32)) for name in SPLITS
    }
    train, val, test = counts.values()
    assert summary.proof.pairs_checked == train * val + train * test + val * test


def test_the_scale_is_that_of_valid_training_pixels(prepared):
    study, _ = prepared
    store = open_patches(study, 32)
    train = store.arrays("train").image.astype(np.float64)
    power = (train**2).sum(axis=1)
    expected = np.sqrt(power.sum() / np.count_nonzero(power))
    assert store.amplitude_scale == pytest.approx(expected)
    assert store.arrays("test").amplitude_scale == store.amplitude_scale
    assert store.posting_m == POSTING_M


def test_arrays_are_read_only_memory_maps(prepared):
    study, _ = prepared
    arrays = open_patches(study, 16).arrays("val")
    assert isinstance(arrays.image, np.memmap)
    assert arrays.image.dtype == np.float32
    assert arrays.mask.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        arrays.image[0] = 0


def test_the_same_seed_gives_the_same_patches_and_another_gives_others(folder, prepared, tmp_path):
    study, summary = prepared
    again, other = study_of(folder, tmp_path / "a"), study_of(folder, tmp_path / "b", seed=1)
    assert prepare_patches(again, [16, 32]) == summary
    prepare_patches(other, [16])
    first = open_patches(study, 16)
    for name in SPLITS:
        pd.testing.assert_frame_equal(open_patches(again, 16).index(name), first.index(name))
        np.testing.assert_array_equal(open_patches(again, 16).arrays(name).image, first.arrays(name).image)
    assert not open_patches(other, 16).index("train").equals(first.index("train"))


def test_the_patches_of_one_size_do_not_depend_on_the_other_sizes(folder, prepared, tmp_path):
    alone = study_of(folder, tmp_path / "alone")
    prepare_patches(alone, [16])
    for name in SPLITS:
        pd.testing.assert_frame_equal(
            open_patches(alone, 16).index(name), open_patches(prepared[0], 16).index(name)
        )


def test_a_complete_store_is_kept_and_a_missing_one_is_made_again(folder, tmp_path):
    study = study_of(folder, tmp_path / "s")
    prepare_patches(study, [16])
    before = (store_folder(study, 16) / "meta.json").stat().st_mtime_ns
    with pytest.raises(StudyError, match="prepare --study"):
        open_patches(study, 32)
    prepare_patches(study, [16, 32])
    assert (store_folder(study, 16) / "meta.json").stat().st_mtime_ns == before
    assert len(open_patches(study, 32).arrays("train")) > 0
    assert sorted(p.name for p in study.patches.iterdir()) == sorted(
        store_folder(study, size_px).name for size_px in (16, 32)
    )


def test_the_published_protocol_reports_its_leak(folder, tmp_path):
    study = study_of(folder, tmp_path / "s", rule="patch")
    summary = prepare_patches(study, [32])
    assert summary.split.leak_proof is False
    assert summary.proof.pairs_checked is None
    # A slow twin: windows of one scene that share a pixel.
    store = open_patches(study, 32)
    train = store.index("train")
    for name in ("val", "test"):
        index = store.index(name)
        leaking = [
            (
                (train["scene"] == at.scene)
                & ((train["row"] - at.row).abs() < 32)
                & ((train["col"] - at.col).abs() < 32)
            ).any()
            for at in index.itertuples()
        ]
        assert np.mean(leaking) > 0.3
        assert summary.proof.leak[32][name] == pytest.approx(np.mean(leaking), abs=1e-4)


def test_blocks_are_proven_to_share_no_ground(folder, tmp_path):
    study = study_of(folder, tmp_path / "s", rule="block")
    summary = prepare_patches(study, [16, 32])
    assert summary.split.rule == "block"
    assert summary.proof.pairs_checked > 0


@pytest.mark.parametrize(("count", "expected"), [(100, (70, 15, 15)), (4, (2, 1, 1)), (3, (1, 1, 1))])
def test_patches_are_shared_out_by_kind(count, expected):
    has_line = pd.Series([True] * count + [False] * 20)
    shared = assign_patches(has_line, Split(), np.random.default_rng(0))
    assert tuple((shared[:count] == name).sum() for name in SPLITS) == expected
    assert tuple((shared[count:] == name).sum() for name in SPLITS) == (14, 3, 3)


def test_a_scene_smaller_than_a_patch_is_named_and_gives_none(tmp_path):
    numbered_folder(tmp_path / "data")
    study = study_of(tmp_path / "data", tmp_path / "s")
    transform = Affine(POSTING_M, 0, -1_000, 0, -POSTING_M, 0)
    line = LineString([transform @ (0, 0), transform @ (24, 24)])
    # Four full scenes and a small one that overlaps the first.
    scenes, lines = {"small": (numbered((24, 24)), transform)}, [("small", line)]
    for n in range(4):
        place = Affine(POSTING_M, 0, n * 20_000, 0, -POSTING_M, 0)
        scenes[f"s{n}"] = (numbered((96, 160)), place)
        lines.append((f"s{n}", LineString([place @ (0, 20), place @ (160, 60)])))
    write_folder(tmp_path / "data", scenes, lines)
    summary = prepare_patches(study, [16, 32])
    assert summary.too_small == {16: (), 32: ("small",)}
    store = open_patches(study, 32)
    assert not any("small" in set(store.index(name)["scene"]) for name in SPLITS)


def test_a_split_without_a_line_is_refused_and_nothing_is_written(folder, tmp_path):
    study = study_of(folder, tmp_path / "s", with_line=2)
    with pytest.raises(DataError, match=r"split \w+ \(rule scene\) has no patch of 16 px with a line"):
        prepare_patches(study, [16])
    assert not study.data_json.exists()
    assert not study.patches.exists()


def test_the_getz_scenes_are_split_without_a_leak(getz, tmp_path):
    study = study_of(getz, tmp_path / "s", with_line=60, without_line=20)
    summary = prepare_patches(study, [64, 128])
    assert summary.split.rule == "scene"
    assert list(summary.left_out.values()) == ["no row in the file of lines"]
    assert summary.catalogue.rows_without_geometry == 3
    assert all(summary.patches[128][name].with_line > 4 for name in SPLITS)
