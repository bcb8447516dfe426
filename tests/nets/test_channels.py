"""Channels against the complex arithmetic of NumPy."""

from typing import get_args

import numpy as np
import pytest
import torch

from glsweep.config.trial import Channel
from glsweep.errors import ConfigError
from glsweep.nets import derive_channels

ALL = ("real", "imag", "magnitude", "raw_magnitude", "phase", "cos", "sin")


@pytest.fixture
def interferogram():
    rng = np.random.default_rng(3)
    z = (rng.normal(size=(2, 16, 24)) + 1j * rng.normal(size=(2, 16, 24))).astype(np.complex64)
    z[:, :4] = 0
    return z


def as_image(z):
    return torch.tensor(np.stack([z.real, z.imag], axis=1))


def test_every_channel_equals_complex_arithmetic(interferogram):
    z = interferogram
    unit = np.divide(z, np.abs(z), out=np.zeros_like(z), where=z != 0)
    size, phase = np.abs(z), np.angle(z)
    expected = np.stack([z.real / 3, z.imag / 3, size / 3, size, phase / np.pi, unit.real, unit.imag], 1)
    np.testing.assert_allclose(derive_channels(as_image(z), ALL, 3.0), expected, atol=1e-6)


def test_channels_come_in_the_order_asked_for(interferogram):
    image = as_image(interferogram)
    straight, reverse = (derive_channels(image, names, 2.0) for names in (ALL, ALL[::-1]))
    assert straight.shape == (2, 7, 16, 24)
    assert torch.equal(straight, reverse.flip(1))


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_every_channel_is_zero_where_there_is_no_data(zero):
    assert not derive_channels(torch.full((1, 2, 16, 16), zero), get_args(Channel), 1.0).any()


def test_phase_and_phasor_do_not_depend_on_amplitude(interferogram):
    image = as_image(interferogram)
    names = ("phase", "cos", "sin")
    torch.testing.assert_close(derive_channels(image * 1000, names, 1.0), derive_channels(image, names, 7.0))


def test_half_precision_storage_gives_float32_channels(interferogram):
    assert derive_channels(as_image(interferogram).half(), ALL, 1.0).dtype == torch.float32


def test_every_channel_that_a_trial_may_name_is_derived(interferogram):
    image = as_image(interferogram)
    assert derive_channels(image, get_args(Channel), 1.0).shape == (2, len(get_args(Channel)), 16, 24)


def test_an_unknown_channel_and_a_bad_scale_are_refused():
    image = torch.ones(1, 2, 16, 16)
    with pytest.raises(ConfigError, match=r"height.*known here: real"):
        derive_channels(image, ["real", "height"], 1.0)
    with pytest.raises(ConfigError, match="channels"):
        derive_channels(image, [], 1.0)
    for scale in (0.0, float("nan")):
        with pytest.raises(ConfigError, match="amplitude_scale"):
            derive_channels(image, ["real"], scale)
