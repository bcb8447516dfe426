"""Coherence and fringe frequency against loops over single pixels, plane waves and noise."""

import math

import numpy as np
import pytest
import torch
from made_input import NORTH_UP, POLAR, write_bands

from glsweep.nets import derive_channels
from glsweep.nets.local_phase import fringe_frequency, local_coherence
from glsweep.scenes.raster import read_header
from glsweep.scenes.resample import local_coherence as coherence_of_whole_boxes
from glsweep.scenes.source import Window

CHANNELS = ("coherence", "frequency")


def as_image(z):
    z = np.atleast_3d(z.T).T
    return torch.tensor(np.stack([z.real, z.imag], axis=1), dtype=torch.float32)


def noise(shape=(40, 52), seed=5):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


def with_holes(shape=(17, 23)):
    z = noise(shape)
    z[np.random.default_rng(6).random(shape) < 0.4] = 0
    z[4:12, 8:16] = 0
    return z


def around(row, col, box_px):
    reach = box_px // 2
    return slice(max(0, row - reach), row + reach + 1), slice(max(0, col - reach), col + reach + 1)


def coherence_by_loops(z):
    found = np.zeros(z.shape)
    for row, col in zip(*np.nonzero(z), strict=True):
        box = z[around(row, col, 5)]
        found[row, col] = abs(np.mean(np.exp(1j * np.angle(box[box != 0]))))
    return found


def frequency_by_loops(z):
    unit = np.divide(z, np.abs(z), out=np.zeros_like(z), where=z != 0)
    found = np.zeros(z.shape)
    for row, col in zip(*np.nonzero(z), strict=True):
        box = unit[around(row, col, 7)]
        along = (box[:, 1:] * box[:, :-1].conj()).sum(), (box[1:] * box[:-1].conj()).sum()
        found[row, col] = np.hypot(*np.angle(along)) / (2 * np.pi)
    return found


@pytest.mark.parametrize("cycles", [(0.0, 0.0), (0.2, 0.0), (-0.31, 0.12), (0.05, -0.45)])
def test_a_plane_wave_has_its_own_frequency_up_to_the_border_and_beside_holes(cycles):
    row, col = np.indices((24, 31))
    z = np.exp(2j * np.pi * (cycles[0] * row + cycles[1] * col))
    z[5:9, 3:20] = 0
    expected = np.where(z != 0, math.hypot(*cycles), 0)
    np.testing.assert_allclose(fringe_frequency(as_image(z))[0], expected, atol=2e-6)


def test_one_phase_is_coherent_up_to_the_border_and_beside_holes():
    z = np.full((20, 20), 3 - 4j)
    z[7:11, 2:9] = 0
    torch.testing.assert_close(local_coherence(as_image(z))[0], torch.tensor(z != 0).float())


def test_noise_has_the_coherence_of_a_random_walk():
    found = float(local_coherence(as_image(noise((400, 400)))).mean())
    assert found == pytest.approx(math.sqrt(math.pi) / 10, rel=0.03)


@pytest.mark.parametrize("z", [noise((17, 23)), with_holes()], ids=["whole", "holes"])
def test_both_agree_with_loops_over_pixels(z):
    np.testing.assert_allclose(local_coherence(as_image(z))[0], coherence_by_loops(z), atol=1e-5)
    np.testing.assert_allclose(fringe_frequency(as_image(z))[0], frequency_by_loops(z), atol=1e-5)


def test_where_the_box_is_whole_the_coherence_is_that_of_the_scenes_own_measure():
    z = noise()
    expected = coherence_of_whole_boxes(z)
    known = np.isfinite(expected)
    assert known.mean() > 0.7
    np.testing.assert_allclose(local_coherence(as_image(z))[0][known], expected[known], atol=1e-5)


def test_a_constant_phase_an_amplitude_and_conjugation_change_nothing():
    z = with_holes()
    expected = derive_channels(as_image(z), CHANNELS, 1.0)
    for other in (z * 40 * np.exp(2.1j), z.conj()):
        torch.testing.assert_close(
            derive_channels(as_image(other), CHANNELS, 7.0), expected, atol=1e-4, rtol=0
        )


def test_what_is_turned_is_turned_along():
    image = as_image(with_holes())
    turned = torch.rot90(image.flip(-1), 1, (-2, -1))
    for measure in (local_coherence, fringe_frequency):
        torch.testing.assert_close(
            measure(turned), torch.rot90(measure(image).flip(-1), 1, (-2, -1)), atol=1e-5, rtol=0
        )


def test_a_pixel_without_neighbours_is_coherent_and_has_no_fringes():
    z = np.zeros((16, 16), np.complex64)
    z[8, 3] = 2j
    found = derive_channels(as_image(z), CHANNELS, 1.0)[0, :, 8, 3]
    assert found.tolist() == [1.0, 0.0]


def test_a_batch_is_measured_patch_by_patch():
    several = torch.cat([as_image(noise((16, 20), seed)) for seed in (1, 2, 3)])
    for measure in (local_coherence, fringe_frequency):
        torch.testing.assert_close(measure(several), torch.cat([measure(one[None]) for one in several]))


@pytest.mark.parametrize("signal", ["phase", "real, imaginary"])
def test_a_raster_with_coherence_gives_it_back_as_its_magnitude(tmp_path, signal):
    z = noise()
    coherence = np.random.default_rng(8).uniform(0.05, 0.95, z.shape).astype(np.float32)
    bands = [np.angle(z)] if signal == "phase" else [z.real, z.imag]
    names = (*signal.split(", "), "coherence")
    path = write_bands(tmp_path / "a.tif", np.stack([*bands, coherence]), NORTH_UP, POLAR, names=names)
    header = read_header(path)
    assert header.reading.title == f"{signal}, coherence"
    image = as_image(header.read(Window(0, 0, *z.shape)))
    found = derive_channels(image, ["raw_magnitude", "phase"], 1.0)[0]
    np.testing.assert_allclose(found, np.stack([coherence, np.angle(z) / np.pi]), atol=1e-5)
