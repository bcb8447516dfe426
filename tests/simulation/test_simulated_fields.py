import numpy as np
import pytest
from scipy.special import gammaln

from glsweep.simulation.coherence import draw_coherence
from glsweep.simulation.phase import draw_atmosphere_rad, draw_bulls_eyes_rad, power_law_field
from glsweep.simulation.radar import (
    FlightTrack,
    draw_track,
    pixels_within,
    speckled_interferogram,
    whole_footprint,
)


def mean_squared_coherence(coherence, looks):
    """Second moment of the sample coherence (Touzi et al. 1999, eq. 11 with k = 2), as its series."""
    n = np.arange(2000)
    log_looks = gammaln(looks + n) - gammaln(looks)
    log_terms = gammaln(2 + n) + 2 * log_looks - gammaln(looks + 1 + n) - 2 * gammaln(1 + n)
    series = np.exp(log_terms + gammaln(looks)) * float(coherence) ** (2 * n)
    return (1 - coherence**2) ** looks * series.sum()


@pytest.mark.parametrize("coherence", [0.0, 0.3, 0.7, 0.95])
@pytest.mark.parametrize("looks", [4, 12])
def test_measured_coherence_is_the_one_asked_for(coherence, looks):
    shape = (200, 250)
    phase_rad = np.full(shape, 1.0)
    z = speckled_interferogram(
        phase_rad, np.full(shape, coherence), looks=looks, generator=np.random.default_rng(0)
    )
    assert z.dtype == np.complex64
    assert np.abs(z).max() <= 1 + 1e-6
    assert np.mean(np.abs(z) ** 2) == pytest.approx(mean_squared_coherence(coherence, looks), rel=0.01)
    assert abs(z.mean()) == pytest.approx(coherence, abs=0.05)
    if coherence > 0:
        assert np.angle(z.mean()) == pytest.approx(1.0, abs=0.02)


def test_phase_noise_is_that_of_multilooked_speckle():
    """Cramer-Rao bound (Rodriguez & Martin 1992): variance (1 - c^2) / (2 L c^2), met at many looks."""
    shape, coherence, looks = (100, 200), 0.8, 30
    z = speckled_interferogram(
        np.zeros(shape), np.full(shape, coherence), looks=looks, generator=np.random.default_rng(1)
    )
    bound = np.sqrt((1 - coherence**2) / (2 * looks * coherence**2))
    assert np.angle(z).std() == pytest.approx(bound, rel=0.05)


def test_coherence_may_differ_from_pixel_to_pixel():
    coherence = np.repeat([[0.1, 0.9]], 150, axis=0).repeat(100, axis=1)
    z = speckled_interferogram(np.zeros((150, 200)), coherence, looks=12, generator=np.random.default_rng(2))
    assert abs(z[:, :100].mean()) == pytest.approx(0.1, abs=0.02)
    assert abs(z[:, 100:].mean()) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("slope", [-8 / 3, -3.4])
def test_a_fields_spectrum_has_the_slope_asked_for(slope):
    fields = [power_law_field((128, 192), slope, np.random.default_rng(i)) for i in range(8)]
    window = np.hanning(128)[:, None] * np.hanning(192)[None, :]
    density = np.mean([np.abs(np.fft.fft2(field * window)) ** 2 for field in fields], axis=0)
    wavenumber = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(192)[None, :])
    band = (wavenumber > 0.04) & (wavenumber < 0.4)
    fitted = np.polyfit(np.log(wavenumber[band]), np.log(density[band]), 1)[0]
    assert fitted == pytest.approx(slope, abs=0.15)
    assert fields[0].shape == (128, 192)
    assert fields[0].std() == pytest.approx(1)
    assert fields[0].mean() == pytest.approx(0, abs=1e-9)


def test_atmosphere_stays_below_what_would_hide_the_belt():
    strengths = [draw_atmosphere_rad((64, 64), np.random.default_rng(i)).std() for i in range(30)]
    assert 0.5 <= min(strengths) <= max(strengths) <= 1.8


def test_bulls_eyes_stand_on_grounded_ice_alone():
    landward_px = np.where(np.arange(200)[None, :] < 100, -50.0, np.arange(200)[None, :] - 100.0)
    landward_px = landward_px.repeat(150, axis=0)
    drawn = [draw_bulls_eyes_rad(landward_px, 100, np.random.default_rng(i)) for i in range(20)]
    assert {bool(phase.any()) for phase in drawn} == {True, False}
    assert max(np.abs(phase[:, :100]).max() for phase in drawn) < 0.3
    assert max(np.abs(phase).max() for phase in drawn) > 3


def test_coherence_is_lost_where_fringes_are_narrow():
    steep = np.zeros((100, 100))
    steep[:, 50:] = 2.5 * np.arange(50)
    inland_m = np.full((100, 100), -50_000.0)
    kept = draw_coherence(np.zeros((100, 100)), inland_m, np.random.default_rng(0))
    blurred = draw_coherence(steep, inland_m, np.random.default_rng(0))
    assert ((kept >= 0) & (kept <= 1)).all()
    np.testing.assert_array_equal(kept[:, :49], blurred[:, :49])
    np.testing.assert_allclose(blurred[:, 52:] / kept[:, 52:], np.sinc(2.5 / (2 * np.pi)))


def test_seams_are_straight_steps_across_the_flight():
    track = FlightTrack((300, 400), heading_rad=0.0)
    phase = track.draw_seams_rad(100, np.random.default_rng(0))
    # Flight along the rows: every row is even, and steps lie 20 km apart.
    assert np.ptp(phase, axis=1).max() < 1e-12
    steps = np.flatnonzero(np.abs(np.diff(phase[:, 0], 2)) > 1e-9)
    assert len(steps) in {2, 4}


def test_a_footprint_leaves_slanted_corners_without_data():
    shape = (200, 300)
    shares = []
    for seed in range(10):
        generator = np.random.default_rng(seed)
        track = draw_track(shape, generator)
        valid = pixels_within(track.draw_footprint(generator), shape)
        assert valid.shape == shape
        shares.append(valid.mean())
    assert max(shares) < 1
    assert min(shares) > 0.3, "a swath that ends within a scene"
    assert np.median(shares) > 0.7
    assert pixels_within(whole_footprint(shape), shape).all()


def test_beyond_an_ice_front_nothing_is_coherent():
    seaward_m = np.broadcast_to(np.linspace(-5_000, 70_000, 400), (50, 400))
    maps = [draw_coherence(np.zeros((50, 400)), seaward_m, np.random.default_rng(seed)) for seed in range(6)]
    assert max(coherence[:, -50:].max() for coherence in maps) == 0
    assert max(coherence[:, :60].max() for coherence in maps) > 0.3


def test_the_line_lies_at_the_landward_edge_of_what_is_lost():
    """Ice bends and shears seaward of the line: inland coherence is back within a kilometre or so."""
    seaward_m = np.broadcast_to(np.linspace(-6_000, 6_000, 240), (200, 240))
    lost_m = {"landward": [], "seaward": []}
    for seed in range(40):
        coherence = draw_coherence(np.zeros((200, 240)), seaward_m, np.random.default_rng(seed))
        undisturbed = draw_coherence(np.zeros((200, 240)), seaward_m - 50_000, np.random.default_rng(seed))
        kept = np.divide(
            coherence.mean(axis=0), undisturbed.mean(axis=0), out=np.ones(240), where=undisturbed.any(axis=0)
        )
        across = np.linspace(-6_000, 6_000, 240)
        lost_m["landward"].append(50.25 * (kept[across < 0] < 0.5).sum())
        lost_m["seaward"].append(50.25 * (kept[across > 0] < 0.5).sum())
    assert np.median(lost_m["landward"]) < 600 < 1_500 < np.median(lost_m["seaward"])
    assert max(lost_m["landward"]) < 1_000
