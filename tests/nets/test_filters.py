"""Filters of interferograms, against the simulator's own and against what each is in words."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from glsweep.nets.filters import boxcar, goldstein, multilooked
from glsweep.simulation.radar import filter_phase

FILTERS = {
    "boxcar3": lambda image: boxcar(image, 3),
    "boxcar5": lambda image: boxcar(image, 5),
    "multilooked": multilooked,
    "goldstein": lambda image: goldstein(image, torch.full((len(image),), 0.6)),
}


@pytest.fixture(params=FILTERS)
def filtered(request):
    return FILTERS[request.param]


def speckled(shape=(2, 2, 75, 101), seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def signal(image):
    return torch.complex(image[:, 0], image[:, 1])


@pytest.mark.parametrize("shape", [(64, 96), (75, 101), (20, 40)])
def test_goldstein_is_the_simulators_for_each_patch_with_its_own_strength(shape):
    image, strengths = speckled((3, 2, *shape)), (0.2, 0.5, 0.9)
    image[:, :, :12, :15] = 0
    found = signal(goldstein(image, torch.tensor(strengths))).numpy()
    for patch, one, strength in zip(signal(image).numpy(), found, strengths, strict=True):
        np.testing.assert_allclose(one, filter_phase(patch, strength), atol=2e-5)


def test_windows_that_overlap_by_half_find_almost_the_same_phase():
    steps = torch.linspace(0, 1.5, 96).cumsum(0).expand(1, 96, 96)
    image = torch.stack([steps.cos(), steps.sin()], dim=1) + speckled((1, 2, 96, 96))
    strength = torch.tensor([0.6])
    fine, coarse = (signal(goldstein(image, strength, stride_px=stride)) for stride in (8, 16))
    moved, apart = (fine * signal(image).conj()).angle().abs(), (fine * coarse.conj()).angle().abs()
    assert apart.mean() < 0.1 * moved.mean()


@pytest.mark.parametrize("side_px", [3, 5])
def test_a_boxcar_is_the_mean_of_the_valid_pixels_around(side_px):
    image = speckled((1, 2, 11, 13))
    image[:, :, 4:7, 5:9] = 0
    found = boxcar(image, side_px)
    reach = side_px // 2
    for row, col in ((2, 3), (3, 5), (8, 9)):
        around = image[0, :, row - reach : row + reach + 1, col - reach : col + reach + 1]
        valid = (around != 0).any(dim=0)
        torch.testing.assert_close(found[0, :, row, col], around[:, valid].mean(dim=1))


def test_multilooked_phase_is_that_of_a_product_half_as_fine():
    image = speckled((1, 2, 16, 20))
    expected = F.interpolate(F.avg_pool2d(image, 2), scale_factor=2, mode="bilinear")
    torch.testing.assert_close(multilooked(image), expected)


def test_no_data_stays_none_and_every_other_pixel_some(filtered):
    image = speckled()
    image[:, :, 20:50, 30:33] = 0
    image[0, :, 60:] = 0
    found = filtered(image)
    assert torch.equal((found == 0).all(dim=1), (image == 0).all(dim=1))
    assert found.isfinite().all()
    assert (filtered(torch.zeros(1, 2, 40, 40)) == 0).all()


def test_signals_that_cancel_stay_as_they_were(filtered):
    checkered = 1 - 2 * (torch.arange(40)[:, None] + torch.arange(40)) % 2
    image = torch.stack([checkered, torch.zeros_like(checkered)]).to(torch.float32)[None]
    image[:, :, 10:] = 0
    found = filtered(image)
    assert torch.equal((found == 0).all(dim=1), (image == 0).all(dim=1))


@pytest.mark.parametrize("name", ["boxcar3", "boxcar5", "multilooked"])
def test_one_phase_beside_no_data_stays_that_phase(name):
    image = torch.zeros(1, 2, 24, 24)
    image[:, 0, 5:, 7:], image[:, 1, 5:, 7:] = 0.6, -0.8
    torch.testing.assert_close(FILTERS[name](image), image)


def test_filters_do_not_mind_a_constant_phase_or_a_tide_of_the_other_sign(filtered):
    image, phase_rad = speckled(), 0.7
    image[:, :, 20:50, 30:33] = 0
    real, imag = image.unbind(1)
    cos, sin = math.cos(phase_rad), math.sin(phase_rad)
    turned = torch.stack([real * cos - imag * sin, real * sin + imag * cos], dim=1)
    expected = signal(filtered(image)) * complex(cos, sin)
    torch.testing.assert_close(signal(filtered(turned)), expected, atol=1e-4, rtol=0)
    conjugated = torch.stack([real, -imag], dim=1)
    torch.testing.assert_close(
        signal(filtered(conjugated)), signal(filtered(image)).conj(), atol=1e-4, rtol=0
    )


def test_patches_of_a_batch_are_filtered_by_themselves_and_alike_each_time(filtered):
    image = speckled()
    together = filtered(image)
    torch.testing.assert_close(torch.cat([filtered(one[None]) for one in image]), together)
    assert torch.equal(filtered(image), together)


def test_noise_gets_less(filtered):
    slope = 0.3 * torch.arange(96.0).expand(1, 96, 96)
    clean = torch.stack([slope.cos(), slope.sin()], dim=1)
    noisy = clean + 0.7 * speckled(clean.shape)
    off, was = (
        (signal(image) * signal(clean).conj()).angle()[:, 5:-5, 5:-5].abs().mean()
        for image in (filtered(noisy), noisy)
    )
    assert off < 0.7 * was
