import numpy as np
import pytest
import torch

from glsweep.nets.filters import boxcar, multilooked
from glsweep.patches.augmentation import (
    FILTER_SHARES,
    MOST_GAIN,
    MOST_SPECKLE,
    add_speckle,
    augment,
    augment_dihedral,
    build_augmentations,
    filter_patches,
    jitter_amplitude,
    rotate_phase,
)
from glsweep.registry import AUGMENTATIONS

SYMMETRIES = [(turns, flip) for turns in range(4) for flip in (False, True)]


def turned(patch, turns, flip):
    """NumPy's own quarter turns and flips of the last two axes."""
    patch = np.rot90(patch, turns, axes=(-2, -1))
    return patch[..., ::-1] if flip else patch


@pytest.fixture
def batch():
    image = torch.rand(400, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    return image, (image[:, 0] > 0.5).to(torch.uint8)


def test_each_patch_is_turned_by_one_of_the_eight_symmetries_and_all_occur(batch):
    image, mask = batch
    after, mask_after = augment_dihedral(image, mask, torch.Generator().manual_seed(1))
    assert after.shape == image.shape
    assert mask_after.dtype == torch.uint8
    seen = []
    for before, now in zip(image.numpy(), after.numpy(), strict=True):
        fits = [s for s in SYMMETRIES if np.array_equal(turned(before, *s), now)]
        assert len(fits) == 1
        seen += fits
    counts = [seen.count(s) for s in SYMMETRIES]
    assert min(counts) > 25, "each has an eighth of 400"


def test_image_and_mask_move_together(batch):
    image, mask = batch
    after, mask_after = augment_dihedral(image, mask, torch.Generator().manual_seed(2))
    assert torch.equal((after[:, 0] > 0.5).to(torch.uint8), mask_after)


def test_the_same_generator_turns_alike_and_the_input_stays(batch):
    image, mask = batch
    kept = image.clone()
    one = augment_dihedral(image, mask, torch.Generator().manual_seed(3))
    other = augment_dihedral(image, mask, torch.Generator().manual_seed(3))
    assert torch.equal(one[0], other[0])
    assert torch.equal(image, kept)


def test_a_batch_of_none_stays_one_of_none():
    image, mask = augment_dihedral(torch.empty(0, 2, 4, 4), torch.empty(0, 4, 4), torch.Generator())
    assert image.shape == (0, 2, 4, 4)
    assert mask.shape == (0, 4, 4)


def phase_steps(image):
    """Wrapped phase differences between neighbours along the columns, without their sign."""
    signal = torch.complex(image[:, 0], image[:, 1])
    return torch.angle(signal[:, :, 1:] * signal[:, :, :-1].conj()).abs()


@pytest.mark.parametrize("change", ["conjugation", "phase_rotation"])
def test_changes_of_phase_keep_mask_magnitude_and_fringes(change):
    generator = torch.Generator().manual_seed(3)
    image = torch.randn(16, 2, 12, 12, generator=generator)
    image[:, :, :3] = 0  # no data
    mask = (torch.rand(16, 12, 12, generator=generator) < 0.1).to(torch.uint8)
    changed, same_mask = augment(image, mask, build_augmentations([change]), generator)
    assert torch.equal(same_mask, mask)
    torch.testing.assert_close(changed.norm(dim=1), image.norm(dim=1))
    torch.testing.assert_close(phase_steps(changed), phase_steps(image), atol=1e-4, rtol=0)
    assert (changed[:, :, :3] == 0).all()
    moved = (changed != image).flatten(1).any(dim=1)
    assert 0 < int(moved.sum()) <= 16


def test_a_rotation_adds_one_phase_to_a_patch_and_another_to_the_next():
    image = torch.zeros(200, 2, 2, 2)
    image[:, 0] = 1
    rotated = rotate_phase(image, torch.Generator().manual_seed(0))
    phase_rad = torch.atan2(rotated[:, 1], rotated[:, 0])
    assert torch.allclose(phase_rad, phase_rad[:, :1, :1].expand_as(phase_rad))
    counts = torch.histc(phase_rad[:, 0, 0], bins=4, min=-torch.pi, max=torch.pi)
    assert (counts > 25).all(), "all directions occur"


def test_without_changes_a_batch_stays_as_it_is():
    image, mask = torch.randn(2, 2, 4, 4), torch.ones(2, 4, 4)
    same_image, same_mask = augment(image, mask, (), torch.Generator())
    assert torch.equal(same_image, image)
    assert torch.equal(same_mask, mask)


@pytest.mark.parametrize("change", [name for name in AUGMENTATIONS.built_in if name != "dihedral"])
def test_no_change_of_the_image_alone_touches_the_label_or_ground_without_data(change):
    generator = torch.Generator().manual_seed(5)
    image = torch.randn(32, 2, 8, 8, generator=generator)
    image[:, :, 2:4] = 0
    label = torch.rand(32, 8, 8, generator=generator)
    changed, same = augment(image, label, build_augmentations([change]), generator)
    assert torch.equal(same, label)
    assert torch.equal((changed == 0).all(dim=1), (image == 0).all(dim=1))
    assert not torch.equal(changed, image)


def test_a_soft_label_is_turned_with_its_image(batch):
    image, _ = batch
    after, label = augment(
        image, image[:, 1], build_augmentations(["dihedral"]), torch.Generator().manual_seed(2)
    )
    assert torch.equal(after[:, 1], label)


def test_speckle_is_unbiased_leaves_the_fringes_where_they_are_and_differs_in_strength():
    image = torch.zeros(300, 2, 32, 32)
    phase_rad = torch.linspace(0, 12, 32).expand(32, 32)
    image[:, 0], image[:, 1] = 2 * phase_rad.cos(), 2 * phase_rad.sin()
    speckled = add_speckle(image, torch.Generator().manual_seed(0))
    ratio = torch.complex(speckled[:, 0], speckled[:, 1]) / torch.complex(image[:, 0], image[:, 1])
    assert abs(complex(ratio.mean()) - 1) < 0.01, "fringes stay where they were"
    deviation = (ratio - 1).abs().square().mean(dim=(1, 2)).sqrt()
    assert deviation.max() <= 1.1 * MOST_SPECKLE
    assert torch.histc(deviation, bins=4, min=0, max=MOST_SPECKLE).min() > 40, "all strengths occur"
    rows = ratio[:, 0, :].angle()
    assert abs(float((rows[:, 1:] * rows[:, :-1]).mean() / rows.square().mean())) < 0.05, "white"


def test_amplitude_jitter_scales_a_whole_patch_and_keeps_its_phase():
    image = torch.randn(400, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    jittered = jitter_amplitude(image, torch.Generator().manual_seed(2))
    gain = (jittered / image).flatten(1)
    torch.testing.assert_close(gain, gain[:, :1].expand_as(gain))
    assert gain.min() >= 1 / MOST_GAIN
    assert gain.max() <= MOST_GAIN
    assert abs(float(gain.log().mean())) < 0.05, "louder as often as fainter"


def test_filters_are_met_in_their_shares_and_the_same_again_from_the_same_seed():
    image = torch.randn(600, 2, 12, 12, generator=torch.Generator().manual_seed(0))
    found = filter_patches(image, torch.Generator().manual_seed(1))
    assert torch.equal(found, filter_patches(image, torch.Generator().manual_seed(1)))
    known = {
        "raw": image,
        "boxcar3": boxcar(image, 3),
        "boxcar5": boxcar(image, 5),
        "multilooked": multilooked(image),
    }
    is_known = {
        name: torch.isclose(found, one, atol=1e-5).flatten(1).all(dim=1) for name, one in known.items()
    }
    for name, these in is_known.items():
        assert float(these.float().mean()) == pytest.approx(FILTER_SHARES[name], abs=0.05)
    rest = ~torch.stack(list(is_known.values())).any(dim=0)
    torch.testing.assert_close(found[rest].norm(dim=1), image[rest].norm(dim=1))
    assert float(rest.float().mean()) == pytest.approx(FILTER_SHARES["goldstein"], abs=0.05)
