from itertools import product

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from glsweep.config.data_card import Simulation
from glsweep.simulation import simulate_scene
from glsweep.simulation.radar import STRIDE_PX, WINDOW_PX, filter_phase


def speckled_fringes(shape=(100, 130), noise=0.9, seed=0):
    """Fringes 9 px wide along the columns, the clean and the noisy ones."""
    generator = np.random.default_rng(seed)
    clean = np.exp(2j * np.pi * np.arange(shape[1]) / 9)[None, :].repeat(shape[0], axis=0)
    speckle = generator.normal(size=(*shape, 2)).view(complex)[..., 0]
    return clean.astype(np.complex64), (clean + noise * speckle).astype(np.complex64)


def window_by_window(interferogram, strength):
    """The filter as it is told in words: one window after the other."""
    rows, cols = interferogram.shape
    padded = np.pad(interferogram, (WINDOW_PX, 2 * WINDOW_PX), mode="reflect")
    ramp = 1 - np.abs(np.arange(WINDOW_PX) + 0.5 - WINDOW_PX / 2) / (WINDOW_PX / 2)
    total = np.zeros_like(padded)
    for top, left in product(
        range(0, padded.shape[0] - WINDOW_PX + 1, STRIDE_PX),
        range(0, padded.shape[1] - WINDOW_PX + 1, STRIDE_PX),
    ):
        here = np.s_[top : top + WINDOW_PX, left : left + WINDOW_PX]
        spectrum = np.fft.fft2(padded[here])
        smooth = uniform_filter(np.abs(spectrum), 3, mode="wrap")
        total[here] += np.outer(ramp, ramp) * np.fft.ifft2(spectrum * (smooth / smooth.max()) ** strength)
    return total[WINDOW_PX : WINDOW_PX + rows, WINDOW_PX : WINDOW_PX + cols]


@pytest.mark.parametrize("shape", [(64, 96), (75, 101)])
def test_the_filter_is_that_of_single_windows(shape):
    _, noisy = speckled_fringes(shape)
    found, slow = filter_phase(noisy, 0.6), window_by_window(noisy, 0.6)
    turned = np.angle(found * slow.conj())[WINDOW_PX // 2 : -WINDOW_PX // 2]
    np.testing.assert_allclose(turned, 0, atol=1e-3)


def test_the_stronger_the_filter_the_nearer_the_phase_to_the_clean_one():
    clean, noisy = speckled_fringes()
    errors = [np.abs(np.angle(filter_phase(noisy, a) * clean.conj())).mean() for a in (0.0, 0.3, 0.6, 0.9)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 2


def test_without_strength_nothing_changes_and_the_magnitude_never_does():
    _, noisy = speckled_fringes()
    np.testing.assert_allclose(filter_phase(noisy, 0.0), noisy, atol=1e-4)
    np.testing.assert_allclose(np.abs(filter_phase(noisy, 0.8)), np.abs(noisy), rtol=1e-5)


def test_as_many_scenes_are_filtered_as_asked_for_and_the_others_stay():
    plain = Simulation(rows=96, cols=96)
    some = plain.model_copy(update={"filtered_share": 0.5})
    changed = [
        bool(
            np.abs(
                simulate_scene(some, seed=0, name=f"s{n}", origin_xy_m=(0.0, 0.0)).interferogram
                - simulate_scene(plain, seed=0, name=f"s{n}", origin_xy_m=(0.0, 0.0)).interferogram
            ).max()
        )
        for n in range(16)
    ]
    assert 4 <= sum(changed) <= 12
