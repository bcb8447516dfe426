"""What is looked at some rows at a time is what is looked at as a whole."""

from dataclasses import replace

import numpy as np
import pytest
from made_scenes import numbered_folder, settings, study_of

from glsweep.config.data_card import Split
from glsweep.config.patches import PatchSettings
from glsweep.patches import ground, index, store, windows
from glsweep.patches.held_masks import PackedMask, SparseMask
from glsweep.patches.prepare import prepare_patches
from glsweep.patches.windows import SummedArea, count_in_boxes

SHAPE = (37, 29)


@pytest.fixture
def few_pixels_at_once(monkeypatch):
    """Strips of a row or a few, in scenes of some hundred rows."""
    for module in (windows, index, store):
        monkeypatch.setattr(module, "PIXELS_AT_ONCE", 2000)
    monkeypatch.setattr(ground, "CORNERS_AT_ONCE", 700)


@pytest.mark.parametrize("kind", [PackedMask, SparseMask])
def test_a_held_mask_gives_back_what_it_was_made_of(kind):
    mask = np.random.default_rng(0).random(SHAPE) > 0.8
    held = kind.of(mask)
    for top, bottom in ((0, 37), (5, 6), (36, 50), (40, 44), (7, 7)):
        np.testing.assert_array_equal(held.rows(top, bottom), mask[top:bottom])


def test_a_packed_mask_tells_of_places_rectangles_and_rows():
    mask = np.random.default_rng(1).random(SHAPE) > 0.5
    packed = PackedMask.of(mask)
    rows, cols = np.indices(SHAPE).reshape(2, -1)
    np.testing.assert_array_equal(packed.at(rows, cols), mask.ravel())
    np.testing.assert_array_equal(packed.true_in_rows(), mask.sum(axis=1))
    for row, col, height, width in ((0, 0, 37, 29), (3, 11, 5, 9), (30, 21, 7, 8)):
        np.testing.assert_array_equal(
            packed.box(row, col, height, width), mask[row : row + height, col : col + width]
        )
    assert not packed.box(0, 24, 37, 16)[:, 5:].any(), "beyond the last column"


def test_boxes_are_counted_alike_in_strips_and_at_once(few_pixels_at_once, monkeypatch):
    monkeypatch.setattr(windows, "PIXELS_AT_ONCE", 100)
    mask = np.random.default_rng(2).random(SHAPE) > 0.6
    rows, cols = (values.ravel() for values in np.mgrid[-9:45, -9:36])
    for size_px in (1, 4, 12):
        expected = SummedArea(mask).in_boxes(rows, cols, size_px)
        for held in (PackedMask.of(mask), SparseMask.of(mask)):
            np.testing.assert_array_equal(count_in_boxes(held, rows, cols, size_px), expected)
    assert len(count_in_boxes(PackedMask.of(mask), rows[:0], cols[:0], 4)) == 0


def written(study):
    prepare_patches(study, [32])
    files = (path for path in sorted(study.patches.rglob("*")) if path.is_file())
    return {path.relative_to(study.patches): path.read_bytes() for path in files}


BALANCED = PatchSettings(rule="balanced", with_line=40, without_line=20, valid_share=0.2, near_share=0.5)


@pytest.mark.parametrize("patches", [BALANCED, settings()], ids=["balanced", "published"])
@pytest.mark.parametrize(
    "card",
    [{}, {"split": Split(rule="block")}, {"label": "soft", "label_width_m": 150.0}, {"label": "bresenham"}],
    ids=["scene", "block", "soft", "bresenham"],
)
def test_prepared_patches_do_not_depend_on_how_much_is_read_at_once(tmp_path, request, patches, card):
    folder = numbered_folder(tmp_path / "scenes")
    found = []
    for name in ("whole", "strips"):
        study = study_of(folder, tmp_path / name)
        config = study.config
        changed = {
            "card": config.card.model_copy(update=card),
            "space": config.space.model_copy(update={"patches": patches}),
        }
        found.append(written(replace(study, config=config.model_copy(update=changed))))
        request.getfixturevalue("few_pixels_at_once")
    assert found[0] == found[1]
