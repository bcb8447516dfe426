import math

import numpy as np
import pytest

from glsweep.simulation.phase import Beam, draw_beam, uplift_m

RATE_PER_M = 7e-4


def test_ice_does_not_move_landward_and_leaves_the_bed_smoothly():
    assert (uplift_m(np.linspace(-1e4, 0, 50), 0.5, RATE_PER_M) == 0).all()
    near_m = np.array([1.0, 2.0])
    near = uplift_m(near_m, 0.5, RATE_PER_M)
    # 1 - exp(-u)(cos u + sin u) = u^2 + O(u^3): no step and no kink at the line.
    np.testing.assert_allclose(near, 0.5 * (RATE_PER_M * near_m) ** 2, rtol=3e-3)


@pytest.mark.parametrize("amplitude_m", [-0.3, 0.8])
def test_ice_floats_level_far_away(amplitude_m):
    assert uplift_m(np.array([5e4]), amplitude_m, RATE_PER_M)[0] == pytest.approx(amplitude_m)


def test_uplift_solves_the_beam_equation():
    """w'''' + 4 b^4 (w - A) = 0, by finite differences in units of 1 / b."""
    step = 0.01
    distance = np.arange(1, 600) * step
    w = uplift_m(distance / RATE_PER_M, 0.6, RATE_PER_M)
    fourth = np.convolve(w, [1, -4, 6, -4, 1], mode="valid") / step**4
    np.testing.assert_allclose(fourth + 4 * (w[2:-2] - 0.6), 0, atol=2e-3)


def test_the_rate_of_ice_500_m_thick_is_that_of_the_field():
    beam = Beam(thickness_m=500, young_pa=1e9, amplitude_m=0.5, incidence_rad=0.7, wavelength_m=0.0555)
    assert beam.rate_per_m == pytest.approx(6.8e-4, rel=0.02)


def test_phase_is_two_ways_along_the_line_of_sight():
    beam = Beam(500, 1e9, amplitude_m=0.3, incidence_rad=math.radians(60), wavelength_m=0.05)
    fringes = beam.phase_rad(np.array([1e5]))[0] / (2 * math.pi)
    # 0.3 m of uplift is 0.15 m along the line of sight, which is 6 half wavelengths.
    assert fringes == pytest.approx(6)


def drawn_beams(count, tides):
    return [
        draw_beam(np.random.default_rng(i), wavelength_m=0.0555, posting_m=100, tides=tides)
        for i in range(count)
    ]


def test_tides_spread_as_double_differences_at_the_gauges():
    """Syowa: median .72 m, 90 % 1.6 m; Astrolabe: .82 and 2.1; half of the scenes each."""
    tides_m = np.abs([beam.amplitude_m for beam in drawn_beams(4000, "gauges")])
    assert np.median(tides_m) == pytest.approx(0.77, rel=0.05)
    assert np.quantile(tides_m, 0.9) == pytest.approx(1.85, rel=0.08)
    assert (tides_m < 0.3).mean() > 0.05, "small ones matter too"
    assert tides_m.min() >= 0.05


def test_resolved_beams_are_within_the_fields_ranges_and_do_not_alias():
    distance_m = np.arange(0, 20_000, 100.0)
    beams = drawn_beams(200, "resolved")
    for beam in beams:
        assert 200 <= beam.thickness_m <= 1200
        assert 0.8e9 <= beam.young_pa <= 3e9
        assert 0.05 <= abs(beam.amplitude_m) <= 1.2
        assert np.abs(np.diff(beam.phase_rad(distance_m))).max() < 0.9 * math.pi
    assert len({np.sign(beam.amplitude_m) for beam in beams}) == 2
    assert np.mean([abs(beam.phase_rad(np.array([1e5]))[0]) > 4 * math.pi for beam in beams]) > 0.9


def test_a_line_that_migrates_leaves_the_difference_of_two_beams():
    beam = Beam(500.0, 1e9, 0.4, math.radians(39), 0.0555)
    distance_m = np.linspace(-5_000, 60_000, 800)
    even = np.ones_like(distance_m)
    same = beam.migrating_phase_rad(distance_m, even, retreat_m=400.0, share=0.0)
    np.testing.assert_allclose(same, beam.phase_rad(distance_m))
    moved = beam.migrating_phase_rad(distance_m, even, retreat_m=400.0, share=0.3)
    expected = 1.3 * beam.phase_rad(distance_m) - 0.3 * beam.phase_rad(distance_m - 400)
    np.testing.assert_allclose(moved, expected)
    assert (moved[distance_m <= 0] == 0).all(), "the line that is drawn is the landward one"
    assert moved[-1] == pytest.approx(beam.phase_rad(distance_m)[-1], rel=1e-6), "the tide is the same"
    stiff = beam.migrating_phase_rad(distance_m, 0.5 * even, retreat_m=0.0, share=0.0)
    np.testing.assert_allclose(stiff, beam.phase_rad(distance_m / 2))
