"""Labels that trials have of their own: what is stored for them, and that they are what a card's would be."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import torch
from made_scenes import numbered_folder, study_of
from shapely import LineString

from glsweep.config.data_card import SPLITS, DataCard
from glsweep.config.trial import TrialParameters
from glsweep.errors import ConfigError, StudyError
from glsweep.patches import FARTHEST_PX2
from glsweep.patches.prepare import prepare_patches, survey
from glsweep.patches.store import SceneLabels, open_patches, store_folder
from glsweep.scenes import FULL, UNSURE
from glsweep.scenes.masks import squared_distance
from glsweep.study import create_study
from glsweep.training.memory import place, truth_of

SIZE_PX = 32
CPU = torch.device("cpu")
OWN = {"label": "buffered", "label_width_m": 200.0}


def trial(**label):
    return TrialParameters(
        architecture="unet",
        patch_size_px=SIZE_PX,
        fn_weight=0.7,
        fp_weight=0.3,
        gamma=1.33,
        bce_weight=0.3,
        learning_rate=1e-3,
        weight_decay=0.0,
        batch_size=4,
        gradient_clip=1.0,
        channels=("cos", "sin"),
        augmentation=(),
        **label,
    )


def of_labels(study, fixed):
    space = study.config.space
    return study.config.model_copy(
        update={"space": space.model_copy(update={"fixed": {**space.fixed, **fixed}})}
    )


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    folder = numbered_folder(tmp_path_factory.mktemp("numbered"))
    # Across every scene and its line, so that one is near the other in places.
    unsure = [LineString([(18_000 * i + 9_000, 0), (18_000 * i + 12_000, -9_600)]) for i in range(4)]
    table = gpd.GeoDataFrame({"source_file": [f"s{i}" for i in range(4)]}, geometry=unsure, crs="EPSG:3031")
    table.to_file(folder / "unsure_lines.gpkg", driver="GPKG")
    hard = study_of(folder, tmp_path_factory.mktemp("hard") / "s")

    def prepared(name, **changes):
        card = hard.config.card.model_copy(update=changes)
        config = of_labels(hard, OWN if name == "own" else {}).model_copy(update={"card": card})
        made = replace(create_study(tmp_path_factory.mktemp(name) / "s", config), config=config)
        prepare_patches(made, [SIZE_PX])
        return made

    return {
        "card": prepared("card"),
        "own": prepared("own"),
        "buffered": prepared("buffered", label="buffered", label_width_m=200.0),
        "soft": prepared("soft", label="soft", label_width_m=150.0),
    }


def arrays(studies, name, split="train"):
    return open_patches(studies[name], SIZE_PX).arrays(split)


def test_a_stored_distance_is_that_to_the_nearest_line_pixel_of_the_scene(studies):
    store, entries = open_patches(studies["own"], SIZE_PX), survey(studies["own"], [SIZE_PX]).entries
    lines = {entry.name: np.argwhere(entry.line_mask("all_touched")) for entry in entries}
    without_line = 0
    for split in SPLITS:
        patches = store.arrays(split)
        for number, window in enumerate(store.index(split).itertuples()):
            row, col = np.indices((SIZE_PX, SIZE_PX))
            place_px = np.stack([row + window.row, col + window.col], axis=-1)[:, :, None]
            squared = np.square(lines[window.scene] - place_px).sum(axis=-1).min(axis=-1)
            valid = patches.image[number].any(axis=0)
            np.testing.assert_array_equal(patches.distance_px2[number][valid], squared[valid])
            assert (patches.distance_px2[number][~valid] == FARTHEST_PX2).all()
            without_line += not patches.mask[number].any()
    assert without_line, "a line beyond the edges counts in patches that hold none"


def test_what_lies_far_and_a_scene_without_a_line_have_the_largest_distance():
    mask = np.zeros((3, 300), np.uint8)
    assert (squared_distance(mask, FARTHEST_PX2) == FARTHEST_PX2).all()
    mask[:, 0] = 1
    np.testing.assert_array_equal(
        squared_distance(mask, FARTHEST_PX2)[1, 180:184], [32400, 32761, 32767, 32767]
    )


def test_rows_of_a_scene_do_not_depend_on_how_it_is_cut(studies):
    study = studies["own"]
    entry = survey(study, [SIZE_PX]).entries[1]
    labels = SceneLabels(entry, study.config.card, of_trials=True)
    whole, part = labels.rows(0, entry.shape[0]), labels.rows(40, 45)
    for of_whole, of_part in zip(whole, part, strict=True):
        assert (of_whole is None) == (of_part is None)
        if of_whole is not None:
            np.testing.assert_array_equal(of_whole[40:45], of_part)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("card", {}),
        ("buffered", {"label": "buffered", "label_width_m": 200.0}),
        ("soft", {"label": "soft", "label_width_m": 150.0}),
    ],
)
def test_a_trial_s_label_is_what_the_card_s_would_be_unsure_ground_and_all(studies, name, label):
    for split in SPLITS:
        of_card, own = arrays(studies, name, split), arrays(studies, "own", split)
        np.testing.assert_array_equal(of_card.image, own.image)
        every = torch.arange(len(own))
        _, wanted = place(of_card, CPU).batch(every)
        _, found = place(own, CPU, trial=trial(**label)).batch(every)
        assert (wanted < 0).any()
        assert (wanted == 1).any()
        torch.testing.assert_close(found, wanted, rtol=0, atol=1.01 / FULL if name == "soft" else 0)
        assert torch.equal(found < 0, wanted < 0)


def test_a_thin_label_is_that_of_a_card_with_thin_lines_which_other_windows_would_show(studies):
    study = studies["own"]
    store, entries = open_patches(study, SIZE_PX), survey(study, [SIZE_PX]).entries
    thin_card = study.config.card.model_copy(update={"label": "bresenham"})
    of_scene = {entry.name: SceneLabels(entry, thin_card).rows(0, entry.shape[0]).target for entry in entries}
    own = store.arrays("train")
    _, found = place(own, CPU, trial=trial(label="bresenham")).batch(torch.arange(len(own)))
    for number, window in enumerate(store.index("train").itertuples()):
        target = of_scene[window.scene][window.row :, window.col :][:SIZE_PX, :SIZE_PX]
        known = own.image[number].any(axis=0) & (target != UNSURE)
        np.testing.assert_array_equal(found[number].numpy(), np.where(known, target / FULL, -1))
    assert 0 < (found == 1).sum() < own.mask.sum()


def test_a_line_outside_the_patch_reaches_into_it(studies):
    own = arrays(studies, "own")
    wide = trial(label="soft", label_width_m=2000.0)
    _, label = place(own, CPU, trial=wide).batch(torch.arange(len(own)))
    assert (label[torch.from_numpy(~own.has_line)] > 0.1).any()


def test_what_is_scored_does_not_depend_on_a_trial_s_label(studies):
    of_card, own = arrays(studies, "card"), arrays(studies, "own")
    np.testing.assert_array_equal(of_card.mask, own.mask)
    np.testing.assert_array_equal(of_card.is_known, own.is_known)
    assert torch.equal(truth_of(of_card, 200.0).mask, truth_of(own, 200.0).mask)


def test_smoothing_moves_targets_towards_a_half_and_leaves_unknown_pixels_alone(studies):
    own = arrays(studies, "own")
    every = torch.arange(len(own))
    for label in ({}, OWN):
        _, plain = place(own, CPU, trial=trial(**label)).batch(every)
        _, smoothed = place(own, CPU, trial=trial(**label, label_smoothing=0.2)).batch(every)
        known = plain >= 0
        torch.testing.assert_close(smoothed[known], plain[known] * 0.8 + 0.1)
        assert torch.equal(smoothed[~known], plain[~known])


def test_stores_without_labels_of_trials_stay_as_they_were_and_say_what_they_lack(studies):
    folder = store_folder(studies["card"], SIZE_PX)
    assert {path.stem for path in (folder / "train").glob("*.npy")} == {"image", "mask", "target"}
    assert folder.name != store_folder(studies["own"], SIZE_PX).name
    with pytest.raises(
        StudyError, match="label: buffered: these patches were cut for labels of the data card"
    ):
        place(arrays(studies, "card"), CPU, trial=trial(**OWN))


def test_a_label_that_reaches_farther_than_distances_are_stored_is_refused(studies):
    own = arrays(studies, "own")
    place(own, CPU, trial=trial(label="soft", label_width_m=4500.0))
    with pytest.raises(StudyError, match=r"label_width_m: 4501 .* make it 4500 or less"):
        place(own, CPU, trial=trial(label="soft", label_width_m=4501.0))
    with pytest.raises(StudyError, match=r"label_width_m: 18001 .* make it 18000 or less"):
        place(own, CPU, trial=trial(label="buffered", label_width_m=18001.0))


def test_masks_cannot_be_drawn_thinner(studies, tmp_path):
    study = studies["own"]
    layout = study.config.card.layout.model_copy(update={"lines": None, "masks": "*.tif", "unsure": None})
    config = of_labels(study, {"label": "bresenham", "label_width_m": None})
    masks = DataCard.model_validate({**config.card.model_dump(), "layout": layout.model_dump()})
    study = replace(study, config=config.model_copy(update={"card": masks}))
    with pytest.raises(ConfigError, match="label: bresenham: the lines of the data card"):
        prepare_patches(study, [SIZE_PX])
