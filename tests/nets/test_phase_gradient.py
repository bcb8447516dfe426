"""The line drawn without learning, on simulated scenes whose lines are known."""

import numpy as np
import pytest
import torch
from affine import Affine
from made_input import POLAR, write_bands
from safetensors.torch import load_file

from glsweep.config.data_card import Simulation
from glsweep.config.trial import TrialParameters
from glsweep.errors import ConfigError
from glsweep.metrics.lines import line_distances
from glsweep.metrics.thresholds import count_at_thresholds
from glsweep.nets import derive_channels, has_data
from glsweep.nets.member import WEIGHTS, load_member, save_member
from glsweep.nets.phase_gradient import Numbers, PhaseGradient
from glsweep.patches import PatchArrays
from glsweep.prediction.blend import IN_PACKAGE, open_members
from glsweep.registry import ARCHITECTURES
from glsweep.run import main
from glsweep.scenes.lines import read_lines
from glsweep.scenes.masks import line_mask
from glsweep.simulation import simulate_scene
from glsweep.training.memory import predict_patches, truth_of
from glsweep.training.phase_gradient import CHANNELS, GRID, tune_phase_gradient

PACKAGED = IN_PACKAGE["phase-gradient"]
PLACE = Affine(100, 0, -1_500_000, 0, -100, -700_000)


def made_scene(noise, number=0):
    settings = Simulation(rows=256, cols=256, noise=noise, tides="resolved")
    return simulate_scene(settings, seed=31, name=f"g{number}", origin_xy_m=(PLACE.c, PLACE.f))


@pytest.fixture(scope="module")
def scenes():
    return [made_scene(noise=0.2, number=number) for number in range(5)]


@pytest.fixture(scope="module")
def patches(scenes):
    images = [np.stack([one.interferogram.real, one.interferogram.imag]) for one in scenes]
    masks = [line_mask(one.lines, one.shape, one.transform, "all_touched") for one in scenes]
    return PatchArrays(np.stack(images), np.stack(masks), 100.0, 1.0)


def probability_of(image, network=None):
    network = network or load_member(PACKAGED)[0]
    with torch.inference_mode():
        return network(derive_channels(image, CHANNELS, 1.0))[0][:, 0].sigmoid()


def relaxed(probability, patches, tolerance_m, tau):
    counts = count_at_thresholds(
        torch.as_tensor(probability), truth_of(patches, tolerance_m, "cpu"), torch.tensor([tau])
    )
    metrics = counts.relaxed_f1(), counts.relaxed_recall(), counts.relaxed_precision()
    return [float(metric[0]) for metric in metrics]


def test_on_clear_scenes_it_finds_most_of_the_line_and_beats_a_line_everywhere(patches):
    """In one of these five the tide is so weak that fringes never are dense, and none of it is found."""
    network, card = load_member(PACKAGED)
    f1, recall, precision = relaxed(
        predict_patches(network, patches, card.channels), patches, 500.0, card.tau
    )
    everywhere, *_ = relaxed(np.ones(patches.mask.shape, np.float32), patches, 500.0, 0.5)
    assert recall > 0.65
    assert precision > 0.9
    assert f1 > 3 * everywhere


def test_a_turned_scene_has_the_turned_line(patches):
    image = torch.from_numpy(patches.image[:2])
    straight = probability_of(image)
    turned = probability_of(torch.rot90(image.flip(-1), 1, (-2, -1)))
    # Rounding may move a level by a pixel here and there.
    differs = (turned - torch.rot90(straight.flip(-1), 1, (-2, -1))).abs() > 1e-3
    assert straight.max() > 0.9
    assert differs.float().mean() < 1e-3


def test_a_constant_phase_and_conjugation_change_nothing(patches):
    image = torch.from_numpy(patches.image[:2])
    z = torch.complex(image[:, 0], image[:, 1])
    for other in (z * np.exp(2.2j), z.conj().resolve_conj()):
        changed = probability_of(torch.view_as_real(other).movedim(-1, 1).float())
        assert ((changed - probability_of(image)).abs() > 1e-3).float().mean() < 1e-3


def test_there_is_no_line_where_there_is_no_data_nor_on_still_ice():
    row, col = np.indices((128, 128))
    still = np.exp(1j * (0.02 * row + 0.01 * col))
    still[40:80] = 0
    image = torch.tensor(np.stack([[still.real, still.imag], np.zeros((2, 128, 128))])).float()
    assert probability_of(image).max() < 1e-4


def test_holes_hold_no_line(patches):
    image = torch.from_numpy(patches.image.copy())
    image[..., ::3, 50:200] = 0
    assert probability_of(image)[~has_data(image)].max() < 1e-4


def test_a_belt_is_drawn_on_the_land_side_and_not_where_it_fades_out():
    col = np.arange(200)
    cycles = np.interp(col, [0, 76, 84, 199], [0, 0, 0.3, 0.05])
    z = np.broadcast_to(np.exp(2j * np.pi * np.cumsum(cycles)), (128, 200))
    image = torch.tensor(np.stack([z.real, z.imag])[None]).float()
    drawn = probability_of(image)[0, 30:-30].numpy() > 0.3
    assert drawn.any(axis=1).all()
    at = np.nonzero(drawn)[1]
    assert 78 <= at.min() <= at.max() <= 86


def test_its_numbers_are_kept_with_the_member(tmp_path, patches):
    numbers = Numbers(3, 11, 0.25, 0.375, 0.125, 0.5)
    _, card = load_member(PACKAGED)
    save_member(tmp_path, PhaseGradient(numbers), card)
    network, _ = load_member(tmp_path)
    assert network.numbers == numbers
    assert set(load_file(tmp_path / WEIGHTS)) == set(numbers._fields)


def test_tuning_finds_the_best_of_the_grid_and_the_same_again(patches):
    small = PatchArrays(patches.image[1:2, :, 64:160, 64:160], patches.mask[1:2, 64:160, 64:160], 100.0, 1.0)
    tuned = tune_phase_gradient(small, tolerance_m=200.0)
    assert tuned.numbers == tune_phase_gradient(small, tolerance_m=200.0).numbers
    assert small.has_line.all()
    own = relaxed(predict_patches(tuned, small, CHANNELS), small, 200.0, 0.5)[0]
    others = [
        relaxed(predict_patches(PhaseGradient(numbers), small, CHANNELS), small, 200.0, tau)[0]
        for numbers in GRID
        for tau in (0.2, 0.5, 0.8)
    ]
    assert own >= max(others) - 0.01


def test_it_cannot_be_trained(tmp_path):
    trial = {
        "patch_size_px": 64,
        "learning_rate": 1e-3,
        "weight_decay": 0,
        "batch_size": 4,
        "gradient_clip": 1,
        "channels": CHANNELS,
        "augmentation": (),
        "fn_weight": 0.7,
        "fp_weight": 0.3,
        "gamma": 1.3,
        "bce_weight": 0.3,
    }
    with pytest.raises(ValueError, match=r"Input should be 'unet'"):
        TrialParameters.model_validate({**trial, "architecture": "phase_gradient"})
    with pytest.raises(ConfigError, match="takes no parameter called in_channels"):
        ARCHITECTURES.check_own("glsweep.nets.phase_gradient:PhaseGradient", ())


def test_the_member_in_the_package_is_opened_by_its_name():
    (member,) = open_members(["phase-gradient"], torch.device("cpu"))
    assert member.card.posting_m == 100
    assert member.card.line == "analyst"
    assert (PACKAGED / WEIGHTS).stat().st_size < 1000


def test_predict_writes_the_lines_that_it_finds(tmp_path, scenes):
    scene = scenes[0]
    phase_rad = np.where(scene.interferogram != 0, np.angle(scene.interferogram), np.nan).astype(np.float32)
    path = write_bands(tmp_path / "s.tif", phase_rad[None], PLACE, POLAR, nodata=np.nan)
    command = ["predict", "--scene", str(path), "--out", str(tmp_path / "out"), "--model", "phase-gradient"]
    assert main(command) == 0
    lines = [
        line
        for lines in read_lines(tmp_path / "out" / "s-lines.gpkg", None).by_scene.values()
        for line in lines
    ]
    distances = line_distances(lines, scene.lines)
    near = distances.reference_m <= 500
    assert distances.reference_length_m[near].sum() > 0.7 * distances.reference_length_m.sum()
