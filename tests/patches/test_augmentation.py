import numpy as np
import pytest
import torch

from glsweep.patches.augmentation import augment_dihedral

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
