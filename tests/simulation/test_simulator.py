from itertools import islice

import numpy as np
import pytest
import shapely
from scipy.ndimage import binary_erosion, distance_transform_edt, map_coordinates
from scipy.optimize import least_squares
from shapely import STRtree

from glsweep.config.data_card import DataCard, Layout, Simulation
from glsweep.errors import ConfigError
from glsweep.scenes import raster
from glsweep.scenes.cards import load_card
from glsweep.scenes.catalogue import open_catalogue
from glsweep.scenes.masks import line_mask
from glsweep.simulation import floating_ice, scene_beam, simulate_data, simulate_scene
from glsweep.simulation.drawing import MOST_TIDE_SHARE
from glsweep.simulation.phase import uplift_m

SMALL = Simulation(rows=160, cols=224, tides="resolved", line="hinge")
ORIGIN = (-1_500_000.0, -700_000.0)


def simulated(seed, noise, settings=SMALL):
    return simulate_scene(settings, seed=seed, name="a", origin_xy_m=ORIGIN, noise=noise)


@pytest.mark.parametrize("seed", range(6))
def test_the_line_of_a_clean_scene_is_found_again_from_its_phase(seed):
    """Grounded ice has no phase at all, floating ice has: the line lies between the two."""
    scene = simulated(seed, noise=0)
    line = line_mask(scene.lines, scene.shape, scene.transform, "all_touched").astype(bool)
    assert line.sum() > 100
    still = np.abs(np.angle(scene.interferogram)) < 1e-4
    assert distance_transform_edt(~still)[line].max() <= 2
    assert distance_transform_edt(still)[line].max() <= 2
    # Eroded, since single pixels out at sea may be whole fringes away from 0.
    inland = binary_erosion(still, np.ones((3, 3)), border_value=1)
    shore = inland & ~binary_erosion(inland, np.ones((3, 3)), border_value=1)
    assert distance_transform_edt(~line)[shore].max() <= 3


@pytest.mark.parametrize("seed", range(3))
def test_ice_floats_where_a_clean_scene_has_tide(seed):
    floats = floating_ice(SMALL, seed=seed, name="a")
    phase_rad = np.abs(np.angle(simulated(seed, noise=0).interferogram))
    assert (phase_rad[~floats] == 0).all()
    # Within a pixel of the line hardly anything has bent, and out at sea some pixels are whole fringes away.
    assert (phase_rad[binary_erosion(floats, iterations=2)] > 1e-4).mean() > 0.99


OFFSET_M = np.arange(-3_000, 3_001, 50.0)


def transects(scene):
    """Unwrapped phase at OFFSET_M, positive seaward, wherever one straight line alone is near."""
    tree = STRtree(scene.lines)
    real, imaginary = scene.interferogram.real.astype(float), scene.interferogram.imag.astype(float)
    for line in scene.lines:
        for at_m in np.arange(3_000, line.length - 3_000, 500):
            before, here, after = (np.array(line.interpolate(at_m + d).coords[0]) for d in (-100, 0, 100))
            along = after - before
            points = here + OFFSET_M[:, None] * np.array([-along[1], along[0]]) / np.hypot(*along)
            _, nearest_m = tree.query_nearest(shapely.points(points), return_distance=True, all_matches=False)
            col, row = ~scene.transform @ (points[:, 0], points[:, 1])
            within = (np.minimum(row, col) > 1) & (row < scene.shape[0] - 1) & (col < scene.shape[1] - 1)
            if not within.all() or np.abs(nearest_m - np.abs(OFFSET_M)).max() > 60:
                continue
            z = sum(
                unit * map_coordinates(part, [row - 0.5, col - 0.5])
                for unit, part in ((1, real), (1j, imaginary))
            )
            landward_first = np.abs(np.angle(z[:30])).max() < np.abs(np.angle(z[-30:])).max()
            yield np.unwrap(np.angle(z if landward_first else z[::-1]))


def fit_beam(phase, beam):
    """Start in metres, amplitude in metres and rate per metre of the beam that fits best."""

    def residual(p):
        return beam.phase_per_m * uplift_m(OFFSET_M - 1000 * p[0], p[1], p[2] / 1000) - phase

    fits = [least_squares(residual, [0.3, np.sign(phase[-1]) * 0.3, rate]) for rate in (0.5, 0.8, 1.2)]
    start_km, amplitude_m, rate_per_km = min(fits, key=lambda fit: fit.cost).x
    return 1000 * start_km, amplitude_m, rate_per_km / 1000


def test_a_beam_fitted_across_the_line_begins_within_one_posting_of_it():
    settings = Simulation(rows=256, cols=256, posting_m=100, tides="resolved", line="hinge")
    fitted = 0
    for seed in range(5):
        beam = scene_beam(settings, seed=seed, name="a")
        for phase in islice(transects(simulated(seed, 0, settings)), 3):
            start_m, amplitude_m, rate_per_m = fit_beam(phase, beam)
            assert abs(start_m) < settings.posting_m
            assert amplitude_m == pytest.approx(beam.amplitude_m, rel=0.15)
            assert rate_per_m == pytest.approx(beam.rate_per_m, rel=0.15)
            fitted += 1
    assert fitted >= 3


def test_phase_agrees_with_the_distance_to_the_vector_lines():
    """Pixel centres lie half a posting inside: a shift by that would show in the phase."""
    scene = simulated(3, noise=0)
    beam = scene_beam(SMALL, seed=3, name="a")
    row, col = np.indices(scene.shape) + 0.5
    x, y = scene.transform @ (col.ravel(), row.ravel())
    _, distance_m = STRtree(scene.lines).query_nearest(
        shapely.points(x, y), return_distance=True, all_matches=False
    )
    distance_m = distance_m.reshape(scene.shape)
    expected = np.exp(1j * beam.phase_rad(distance_m))
    # Lines just outside the scene are not among its lines, so the border is left out.
    inside = (distance_m < 2_000) & (
        distance_transform_edt(np.pad(np.ones(np.array(scene.shape) - 2), 1)) > 20
    )
    seaward = inside & (np.abs(np.angle(scene.interferogram)) > 1e-4)
    assert seaward.sum() > 500
    assert np.abs(np.angle(scene.interferogram * expected.conj()))[seaward].max() < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_an_analyst_draws_where_the_tide_has_reached_a_level(seed):
    """The phase along the line is one number, from .4 to 1.0 cycle, or less where the whole tide is weak."""
    settings = SMALL.model_copy(update={"line": "analyst"})
    scene, hinge = simulated(seed, 0, settings), simulated(seed, 0)
    beam = scene_beam(settings, seed=seed, name="a")
    points = shapely.points(np.concatenate([shapely.get_coordinates(line) for line in scene.lines]))
    distance_m = shapely.distance(shapely.union_all(hinge.lines), points)
    cycles = np.abs(beam.phase_rad(distance_m)) / (2 * np.pi)
    level = np.median(cycles)
    tide_cycles = abs(beam.phase_per_m * beam.amplitude_m) / (2 * np.pi)
    assert 0.4 <= level <= 1.0 or level == pytest.approx(MOST_TIDE_SHARE * tide_cycles, rel=0.05)
    # Lines just outside the scene bend the ice inside, and are not among its lines.
    assert np.mean(np.abs(cycles - level) < 0.1 * level) > 0.85


def test_the_line_that_is_drawn_changes_nothing_else():
    hinge, analyst = (
        simulated(2, 0.3, SMALL.model_copy(update={"line": line})) for line in ("hinge", "analyst")
    )
    np.testing.assert_array_equal(hinge.interferogram, analyst.interferogram)
    assert hinge.lines != analyst.lines


def test_two_analysts_differ_in_hand_alone_where_the_ice_begins_to_bend():
    clean, noisy = simulated(0, 0), simulated(0, 1)
    clean_m, noisy_m = (
        np.median(shapely.distance(shapely.union_all(one.lines), shapely.points(points)))
        for one in (clean, noisy)
        for points in [np.concatenate([shapely.get_coordinates(line) for line in one.second_analyst])]
    )
    assert clean_m == pytest.approx(0, abs=1e-6)
    assert 5 < noisy_m < 100


def test_a_scene_is_the_same_for_the_same_seed_and_name_only():
    first, again = simulated(0, 1), simulated(0, 1)
    np.testing.assert_array_equal(first.interferogram, again.interferogram)
    assert first.lines == again.lines
    assert (simulated(1, 1).interferogram != first.interferogram).any()
    other = simulate_scene(SMALL, seed=0, name="b", origin_xy_m=ORIGIN)
    assert (other.interferogram != first.interferogram).any()


def test_noise_leaves_the_outline_where_it_was():
    length_m = 0.0
    for seed in range(5):
        clean = shapely.union_all(simulated(seed, 0).lines)
        noisy = shapely.union_all(simulated(seed, 1).lines)
        length_m += noisy.length
        assert clean.buffer(180).covers(noisy), "a hand errs by less than two pixels"
        assert not clean.buffer(20).covers(noisy)
    assert length_m > 20_000


def test_half_the_noise_is_less_noise():
    clean, half, full = (simulated(4, noise).interferogram for noise in (0, 0.5, 1))
    valid = full != 0
    closeness = [np.mean((z * clean.conj()).real[valid]) for z in (clean, half, full)]
    assert closeness[0] > closeness[1] > closeness[2]


@pytest.mark.parametrize("seed", range(4))
def test_a_noisy_scene_looks_like_the_public_ones(seed):
    scene = simulate_scene(Simulation(rows=256, cols=320), seed=seed, name="a", origin_xy_m=ORIGIN)
    magnitude = np.abs(scene.interferogram[scene.valid])
    assert scene.valid.mean() > 0.3
    assert 0.02 < np.quantile(magnitude, 0.01) < 0.3
    assert 0.25 < np.quantile(magnitude, 0.5) < 0.95
    assert 0.6 < np.quantile(magnitude, 0.99) <= 1
    assert sum(line.length for line in scene.lines) > 3_000


def test_no_line_is_drawn_where_there_is_no_data():
    collars = 0
    for seed in range(12):
        scene = simulated(seed, 1)
        collars += not scene.valid.all()
        mask = line_mask(scene.lines, scene.shape, scene.transform, "all_touched").astype(bool)
        assert distance_transform_edt(~scene.valid)[mask].max(initial=0) <= 2
    assert 1 <= collars <= 11


def test_simulated_data_is_read_as_any_other(tmp_path):
    settings = Simulation(scenes=5, rows=128, cols=192)
    root = tmp_path / "scenes"
    simulate_data(settings, root, seed=0)
    layout = Layout(unsure="unsure_lines.gpkg", second_analyst="second_analyst.gpkg")
    catalogue = open_catalogue(root, DataCard(name="demo", simulation=settings, layout=layout))
    found = catalogue.findings()
    assert (found.scenes, found.posting_m) == (5, 100)
    assert found.rows_without_geometry == 0
    assert found.scenes_without_line == ()
    assert found.line_rows == sum(len(entry.lines) for entry in catalogue.entries)
    grounds = [entry.ground() for entry in catalogue.entries]
    assert all(not a.intersects(b) for i, a in enumerate(grounds) for b in grounds[:i])
    for entry in catalogue.entries:
        name = entry.name
        origin = (entry.header.transform.c, entry.header.transform.f)
        scene = simulate_scene(settings, seed=0, name=name, origin_xy_m=origin)
        np.testing.assert_array_equal(entry.read().interferogram, scene.interferogram)
        assert entry.lines == scene.lines
        assert entry.unsure == scene.unsure
        assert entry.second_analyst == scene.second_analyst != scene.lines
    assert any(entry.unsure for entry in catalogue.entries)


def test_the_same_seed_writes_the_same_rasters(tmp_path):
    settings = Simulation(scenes=2, rows=64, cols=96)
    for folder in ("one", "two"):
        simulate_data(settings, tmp_path / folder, seed=7)
    for path in sorted((tmp_path / "one" / "DInSAR").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / "DInSAR" / path.name).read_bytes()


def test_two_data_sets_of_a_study_share_no_scene_and_no_ground(tmp_path):
    settings = Simulation(scenes=3, rows=64, cols=96)
    grounds, names, pixels = [], [], []
    for number in (0, 1):
        root = tmp_path / str(number)
        simulate_data(settings, root, seed=0, number=number)
        for entry in open_catalogue(root, DataCard(name="demo", simulation=settings)).entries:
            grounds.append(entry.ground())
            names.append(entry.name)
            pixels.append(entry.read().interferogram.tobytes())
    assert len(set(names)) == len(set(pixels)) == 6
    assert all(not a.intersects(b) for i, a in enumerate(grounds) for b in grounds[:i])


def test_an_interrupted_simulation_leaves_nothing(tmp_path, monkeypatch):
    written = []

    def write_one_then_stop(path, *args):
        if written:
            raise KeyboardInterrupt
        written.append(path)
        raster.write_interferogram(path, *args)

    monkeypatch.setattr("glsweep.simulation.write_interferogram", write_one_then_stop)
    with pytest.raises(KeyboardInterrupt):
        simulate_data(Simulation(scenes=2, rows=64, cols=64), tmp_path / "scenes", seed=0)
    assert written
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:0", "no crs"])
def test_a_crs_that_cannot_be_simulated_in_is_refused(tmp_path, crs):
    with pytest.raises(ConfigError, match=r"simulation\.crs.*name a projected one"):
        simulate_data(Simulation(crs=crs), tmp_path / "scenes", seed=0)
    assert list(tmp_path.iterdir()) == []


def test_the_demo_card_is_valid(request):
    card = load_card(request.config.rootpath / "datasets" / "demo.yaml")
    assert card.simulation is not None
    assert 6 <= card.simulation.scenes <= 20
    assert card.simulation.posting_m == 100
    assert card.title
    assert card.citation


def test_scenes_drawn_widely_have_the_same_lines_and_vary_more():
    """Of 12 scenes each: the mean magnitudes of those drawn widely lie farther apart."""
    spread = {}
    for disturbances in ("as_real", "wide"):
        settings = Simulation(rows=128, cols=128, tides="resolved", disturbances=disturbances, line="hinge")
        scenes = [simulated(seed, 1.0, settings) for seed in range(12)]
        valid = [scene.interferogram[scene.interferogram != 0] for scene in scenes]
        spread[disturbances] = np.std([np.abs(values).mean() for values in valid])
    assert spread["wide"] > spread["as_real"]
    clean = [
        simulated(3, 0.0, SMALL.model_copy(update={"disturbances": each})) for each in ("as_real", "wide")
    ]
    assert [line.wkt for line in clean[0].lines] == [line.wkt for line in clean[1].lines]
