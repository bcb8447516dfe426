"""Profiles along the normals of lines: what is measured, on which side, and where there is nothing."""

from itertools import pairwise

import numpy as np
import pytest
from shapely import LineString

from glsweep.scenes.profiles import normal_profiles, window_of
from glsweep.scenes.source import Window

SHAPE = (160, 200)


def fringes(cycles_px: float, coast_col: float = 100.0) -> np.ndarray:
    """Phase that stands still landward of a column, and grows evenly seaward (right) of it."""
    seaward_px = np.maximum(np.arange(SHAPE[1]) + 0.5 - coast_col, 0)
    return np.exp(2j * np.pi * np.tile(cycles_px * seaward_px, (SHAPE[0], 1))).astype(np.complex64)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("cycles_px", [0.2, -0.3])
def test_fringes_across_a_line_are_counted_seaward_whichever_way_it_was_drawn(
    cycles_px: float, backwards: bool
) -> None:
    line = LineString([(100, 150), (100, 10)] if backwards else [(100, 10), (100, 150)])
    found = normal_profiles(window_of(fringes(cycles_px)), SHAPE, line)
    assert found is not None and found.contrast > 0.1
    middle = len(found.offsets_px) // 2
    np.testing.assert_allclose(found.normals, np.tile([1.0, 0.0], (len(found.normals), 1)), atol=1e-9)
    np.testing.assert_allclose(found.frequency[:, middle + 6 : middle + 25], cycles_px, atol=1e-4)
    np.testing.assert_allclose(found.frequency[:, middle - 25 : middle - 6], 0, atol=1e-4)
    np.testing.assert_allclose(found.coherence[:, middle - 25 : middle - 6], 1, atol=1e-5)


def test_a_slanted_line_is_crossed_by_as_many_fringes_as_lie_along_its_normal() -> None:
    row, col = np.indices((200, 200)) + 0.5
    along = np.array([0.6, 0.8])
    seaward_px = np.maximum((col - 100) * along[0] + (row - 100) * along[1], 0)
    phase = np.exp(2j * np.pi * 0.25 * seaward_px).astype(np.complex64)
    line = LineString([(100 - 0.8 * 60, 100 + 0.6 * 60), (100 + 0.8 * 60, 100 - 0.6 * 60)])
    found = normal_profiles(window_of(phase), phase.shape, line, spacing_px=5)
    assert found is not None
    np.testing.assert_allclose(found.normals, np.tile(along, (len(found.normals), 1)), atol=1e-9)
    np.testing.assert_allclose(found.frequency[:, 32 + 7 : 32 + 20], 0.25, atol=2e-3)


def test_noise_has_the_coherence_and_the_frequencies_of_noise() -> None:
    generator = np.random.default_rng(0)
    noise = np.exp(2j * np.pi * generator.random(SHAPE)).astype(np.complex64)
    found = normal_profiles(window_of(noise), SHAPE, LineString([(100, 40), (100, 120)]))
    assert found is not None
    assert np.median(found.coherence) == pytest.approx(0.18, abs=0.02)
    assert np.median(np.abs(found.frequency)) == pytest.approx(0.25, abs=0.03)


def test_what_lies_beyond_the_scene_or_beside_missing_data_is_not_measured() -> None:
    phase = fringes(0.2)
    phase[:, 110:115] = 0
    found = normal_profiles(window_of(phase), SHAPE, LineString([(100, -10), (100, 60)]))
    assert found is not None
    at = found.offsets_px
    hidden = found.coherence[:, (at > 8) & (at < 16)]
    assert np.isnan(hidden).all() and np.isnan(found.frequency[:, (at > 8) & (at < 16)]).all()
    assert np.isfinite(found.coherence[-20:, at < 7]).all()
    assert np.isnan(found.coherence[:10]).all(), "the first ten normals lie outside"


def test_a_line_outside_the_scene_has_no_profiles() -> None:
    assert normal_profiles(window_of(fringes(0.2)), SHAPE, LineString([(900, 0), (900, 99)])) is None


def test_a_long_line_is_never_read_as_one_rectangle() -> None:
    side = 3000
    read_px = []

    def read(window: Window) -> np.ndarray:
        read_px.append(window.rows * window.cols)
        return np.ones((window.rows, window.cols), np.complex64)

    line = LineString([(10, 10), (side - 10, side - 10)])
    found = normal_profiles(read, (side, side), line)
    assert found is not None and len(found.normals) > 4000
    assert max(read_px) < 300**2 and len(read_px) > 10


def test_profiles_follow_one_another_along_the_line() -> None:
    found = normal_profiles(
        window_of(fringes(0.2)), SHAPE, LineString([(100, 20), (100, 140)]), spacing_px=10
    )
    assert found is not None and len(found.normals) == 12
    first, second = found.part(np.arange(5)), found.part(np.arange(5, 12))
    assert len(first.normals) + len(second.normals) == 12
    assert all(one.contrast == other.contrast for one, other in pairwise((found, first, second)))
