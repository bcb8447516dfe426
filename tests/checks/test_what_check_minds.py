"""What `check` says of scenes that can be read, and yet are not what they should be."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from scipy.ndimage import gaussian_filter, uniform_filter, zoom

from glsweep.checks.findings import SceneFindings
from glsweep.checks.notes import compare_scenes, missing_collar_note, scene_notes
from glsweep.checks.pixels import describe_pixels
from glsweep.config.data_card import Simulation
from glsweep.scenes.raster import read_header, write_interferogram
from glsweep.simulation import simulate_scene
from glsweep.simulation.radar import filter_phase

POLAR = CRS.from_epsg(3031)
PLACE = Affine(100, 0, -1_000_000, 0, -100, 500_000)
SIDE = 160


def measured(seed=0, noise_rad=0.7):
    """Fringes with noise of its own in every pixel, a sea without coherence, and a slanted collar."""
    generator = np.random.default_rng(seed)
    row, col = np.indices((SIDE, SIDE))
    uneven_rad = 30 * gaussian_filter(generator.normal(size=(SIDE, SIDE)), 12)
    phase_rad = generator.uniform(0.5, 1.5) * (row + 2 * col) / 15 + uneven_rad
    phase_rad += np.where(row > 0.8 * SIDE, 9, noise_rad) * generator.normal(size=(SIDE, SIDE))
    values = generator.uniform(0.2, 0.9, (SIDE, SIDE)) * np.exp(1j * phase_rad)
    values[col + row / 5 < 12] = 0
    return values


def describe(folder, values, name="scene"):
    """Write a scene, and return what check finds in its pixels."""
    path = folder / f"{name}.tif"
    write_interferogram(path, values.astype(np.complex64), PLACE, POLAR)
    header = read_header(path, "real, imaginary", nodata="as_tagged")
    found = SceneFindings(name, f"{values.shape[0]} x {values.shape[1]}", reading=header.reading)
    describe_pixels(header, found)
    found.notes += scene_notes(found)
    return found


def kinds(found):
    return [note.kind for note in found.notes]


def as_phase(phase_rad, like):
    return np.where(like == 0, 0, np.exp(1j * phase_rad))


def with_box(values, value):
    values = values.copy()
    values[40:90, 50:120] = value
    return values


@pytest.mark.parametrize("noise_rad", [0.3, 0.7, 1.5])
def test_a_measured_scene_has_nothing_to_be_minded(tmp_path, noise_rad):
    for seed in range(4):
        assert kinds(describe(tmp_path, measured(seed, noise_rad))) == []


def test_simulated_scenes_as_noisy_as_real_ones_have_none_either_and_noise_free_ones_have(tmp_path):
    settings_ = Simulation(rows=256, cols=256)
    for noise, seed in ((1, 0), (1, 1), (1, 2), (0, 0)):
        scene = simulate_scene(settings_, seed=seed, name="s", origin_xy_m=(0, 0), noise=noise)
        found = kinds(describe(tmp_path, scene.interferogram))
        assert ("too coherent" in found or "areas of one phase" in found) == (noise == 0)


WRONG = {
    "an average over 9 x 9 pixels": (
        lambda z: np.where(z == 0, 0, uniform_filter(z.real, 9) + 1j * uniform_filter(z.imag, 9)),
        "too coherent",
    ),
    "a strong filter": (
        lambda z: filter_phase(filter_phase(z.astype(np.complex64), 1.0), 1.0),
        "too coherent",
    ),
    "a finer posting": (lambda z: zoom(z[40:100, 40:100], 3, order=1), "too coherent"),
    "degrees": (lambda z: as_phase(np.rad2deg(np.angle(z)), z), "noise"),
    "a shade from 0 to 255": (lambda z: as_phase((np.angle(z) + np.pi) * 255 / 2 / np.pi, z), "noise"),
    "an absolute value": (lambda z: as_phase(np.abs(np.angle(z)), z), "part of the circle"),
    "an amplitude and an unwrapped phase": (
        lambda z: np.where(z == 0, 0, 40 * np.abs(z) + 1j * (np.angle(z) + 19)),
        "part of the circle",
    ),
    "a filled area": (lambda z: with_box(z, np.exp(2j)), "areas of one phase"),
    "a collar filled with almost a constant": (
        lambda z: np.where(z == 0, np.exp(1e-5j * np.random.default_rng(0).normal(size=z.shape)), z),
        "areas of one phase",
    ),
    "pixels repeated": (lambda z: z[40:120, 40:120].repeat(2, 0).repeat(2, 1), "repeated pixels"),
    "a hole": (lambda z: with_box(z, 0), "holes"),
    "hardly any data": (lambda z: np.where(np.indices(z.shape)[0] < 20, z, 0), "hardly any data"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_scene_is_minded(tmp_path, what):
    change, kind = WRONG[what]
    noise_rad = 0.35 if kind == "too coherent" else 0.7
    found = describe(tmp_path, change(measured(noise_rad=noise_rad)))
    assert kind in kinds(found)
    if kind != "areas of one phase":
        assert len(found.notes) == 1
    assert all("likely" in note.text or "unless" in note.text for note in found.notes)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0.005, 0.5), st.floats(-3, 3), st.integers(0, 5))
def test_a_phase_in_any_smaller_unit_is_minded(tmp_path, factor, offset_rad, seed):
    values = measured(seed)
    found = describe(tmp_path, as_phase(factor * np.angle(values) + offset_rad, values))
    assert "part of the circle" in kinds(found)


def test_areas_of_one_phase_are_where_they_are_drawn(tmp_path):
    found = describe(tmp_path, with_box(measured(), np.exp(2j)))
    wanted = np.zeros((SIDE, SIDE), bool)
    wanted[40:90, 50:120] = True
    np.testing.assert_array_equal(found.thumbnail.is_flat, wanted)
    assert found.measured.flat_share == pytest.approx(wanted.sum() / found.measured.valid_px)


def compared(folder, *changes):
    """Six scenes, of which the last are changed, as check compares them."""
    changes = [lambda z: z] * (6 - len(changes)) + list(changes)
    scenes = [describe(folder, change(measured(n)), f"s{n}") for n, change in enumerate(changes)]
    compare_scenes(scenes)
    return [kinds(scene) for scene in scenes]


def test_scenes_that_are_alike_are_not_minded(tmp_path):
    assert compared(tmp_path) == [[]] * 6


def test_a_scene_that_is_unlike_the_others_is_minded_with_what_is_unlike(tmp_path):
    last = {
        "grain": lambda z: np.where(z == 0, 0, uniform_filter(z.real, 3) + 1j * uniform_filter(z.imag, 3)),
        "magnitude": lambda z: 3000 * z,
        "coherence": lambda z: as_phase(np.rad2deg(np.angle(z)), z),
        "share with data": lambda z: np.where(np.indices(z.shape)[1] < 60, z, 0),
    }
    for quantity, change in last.items():
        *others, odd = compared(tmp_path, change)
        assert others == [[]] * 5
        assert f"unlike others: {quantity}" in odd


def test_of_three_scenes_none_is_unlike_the_others(tmp_path):
    scenes = [describe(tmp_path, measured(n) * (1, 1, 3000)[n], f"s{n}") for n in range(3)]
    compare_scenes(scenes)
    assert not any(scene.notes for scene in scenes)


def test_a_copy_is_minded_also_with_the_opposite_sign_or_another_magnitude(tmp_path):
    for change in (np.copy, np.conj, np.abs):
        scenes = [describe(tmp_path, measured(0), "a"), describe(tmp_path, measured(1), "b")]
        copied = np.abs(measured(0)) * 9 * np.exp(1j * np.angle(measured(0)))
        scenes.append(describe(tmp_path, copied if change is np.abs else change(measured(0)), "c"))
        compare_scenes(scenes)
        assert [kinds(scene) for scene in scenes] == [[], [], ["a copy"]]
        assert " a; remove one of the two" in scenes[2].notes[0].text


def test_no_collar_is_minded_of_one_scene_among_others_or_once_of_all(tmp_path):
    def whole(values):
        return np.where(values == 0, measured(7)[:, ::-1], values)

    assert compared(tmp_path, whole)[-1] == ["no collar"]
    scenes = [describe(tmp_path, whole(measured(n)), f"s{n}") for n in range(5)]
    compare_scenes(scenes)
    assert not any(scene.notes for scene in scenes)
    assert "no scene has a pixel without data" in missing_collar_note(scenes)
    assert missing_collar_note([*scenes, describe(tmp_path, measured(9), "s9")]) is None
