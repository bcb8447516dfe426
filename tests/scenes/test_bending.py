"""Where ice begins to bend beside a line, against beams that are known."""

import numpy as np
import pytest
import shapely
from shapely import LineString
from shapely.ops import substring
from skimage.measure import find_contours

from glsweep.scenes.bending import Bending, bending_along, convention_of
from glsweep.scenes.profiles import window_of
from glsweep.simulation.phase import Beam
from glsweep.simulation.radar import speckled_interferogram

SHAPE, POSTING_M, PIECE_PX = (256, 256), 100.0, 100.0
RADIUS_PX, FURTHEST_COL = 400.0, 130.0
"""A round coast whose sea is to the right."""
BEAMS = [
    Beam(thickness_m=h, young_pa=e, amplitude_m=a, incidence_rad=0.7, wavelength_m=0.0555)
    for h, e, a in ((300, 1e9, 0.12), (500, 1e9, -0.25), (800, 2e9, 0.5), (1100, 1e9, -0.3))
]


def bent_ice(beam: Beam) -> np.ndarray:
    """Return the unwrapped phase along the coast."""
    row, col = np.indices(SHAPE) + 0.5
    seaward_px = np.hypot(row - SHAPE[0] / 2, col - FURTHEST_COL + RADIUS_PX) - RADIUS_PX
    return beam.phase_rad(seaward_px * POSTING_M)


def seen(phase_rad: np.ndarray, coherence: float) -> np.ndarray:
    """Return the interferogram of a phase, with as much noise as its coherence leaves."""
    if coherence == 1:
        return np.exp(1j * phase_rad).astype(np.complex64)
    generator = np.random.default_rng(0)
    return speckled_interferogram(phase_rad, np.full(SHAPE, coherence), looks=12, generator=generator)


def cycles_of(beam: Beam) -> float:
    """All that builds up, in cycles."""
    return abs(beam.phase_per_m * beam.amplitude_m) / (2 * np.pi)


def lines_at(phase_rad: np.ndarray, level_cycles: float) -> list[LineString]:
    """Return the contours of a level, in pieces of ten kilometres."""
    contours = find_contours(np.abs(phase_rad) / (2 * np.pi), level_cycles)
    whole = [LineString(contour[:, ::-1] + 0.5) for contour in contours]
    return [
        substring(line, start, start + PIECE_PX)
        for line in whole
        for start in np.arange(0, line.length - PIECE_PX / 2, PIECE_PX)
    ]


def distance_m(beam: Beam, level_cycles: float) -> float:
    """How far seaward of the hinge a level is reached."""
    seaward_m = np.linspace(0, np.pi / beam.rate_per_m, 4000)
    return float(np.interp(level_cycles, np.abs(beam.phase_rad(seaward_m)) / (2 * np.pi), seaward_m))


def measured(level_cycles: float, coherence: float) -> list[tuple[float, float]]:
    """Return by how much the levels and the distances from the hinge err, in cycles and metres."""
    errors = []
    for beam in BEAMS:
        if cycles_of(beam) < 2 * level_cycles:
            continue
        phase_rad = bent_ice(beam)
        read = window_of(seen(phase_rad, coherence))
        for line in lines_at(phase_rad, level_cycles):
            found = bending_along(read, SHAPE, line, POSTING_M)
            assert found is not None and not found.sees_no_fringes
            errors.append((found.level_cycles - level_cycles, found.hinge_m - distance_m(beam, level_cycles)))
    return errors


@pytest.mark.parametrize("coherence", [1.0, 0.4])
@pytest.mark.parametrize("level_cycles", [0.01, 0.4, 0.7, 1.0])
def test_a_line_drawn_at_a_level_is_found_to_lie_there(level_cycles: float, coherence: float) -> None:
    off_cycles, off_m = np.array(measured(level_cycles, coherence)).T
    assert np.isfinite(off_cycles).all() and np.isfinite(off_m).all()
    assert np.median(np.abs(off_cycles)) < 0.05 and np.median(np.abs(off_m)) < 60
    assert np.abs(off_cycles).max() < (0.1 if coherence == 1 else 0.25)
    assert np.abs(off_m).max() < (100 if coherence == 1 else 150)


@pytest.mark.parametrize(("shift_px", "hinge_m"), [(-10, -1000), (-5, -500)])
def test_a_line_inland_of_the_first_bending_has_a_level_of_nothing(shift_px: float, hinge_m: float) -> None:
    phase_rad = bent_ice(BEAMS[1])
    (line, *_) = lines_at(phase_rad, 0.002)
    moved = shapely.affinity.translate(line, shift_px)
    found = bending_along(window_of(seen(phase_rad, 0.6)), SHAPE, moved, POSTING_M)
    assert found is not None
    assert found.level_cycles == pytest.approx(0, abs=0.02)
    assert found.hinge_m == pytest.approx(hinge_m, abs=150)


def test_where_nothing_bends_nothing_is_told() -> None:
    line = LineString([(100, 60), (100, 190)])
    quiet = bending_along(window_of(seen(np.zeros(SHAPE), 0.8)), SHAPE, line, POSTING_M)
    noisy = bending_along(window_of(seen(np.zeros(SHAPE), 0.0)), SHAPE, line, POSTING_M)
    for found in (quiet, noisy):
        assert found is not None and np.isnan(found.level_cycles) and np.isnan(found.hinge_m)
    assert quiet is not None and quiet.sees_no_fringes
    assert noisy is not None and not noisy.sees_no_fringes


def test_the_same_ice_at_half_the_posting_bends_at_the_same_place() -> None:
    phase_rad = bent_ice(BEAMS[3])
    line = LineString([(140, 60), (140, 190)])
    coarse = bending_along(window_of(seen(phase_rad, 1.0)), SHAPE, line, POSTING_M)
    finer = np.repeat(np.repeat(phase_rad, 2, axis=0), 2, axis=1)
    finer = (finer + np.roll(finer, 1, 0) + np.roll(finer, 1, 1) + np.roll(finer, (1, 1), (0, 1))) / 4
    line = shapely.affinity.scale(line, 2, 2, origin=(0, 0))
    read = window_of(np.exp(1j * finer).astype(np.complex64))
    fine = bending_along(read, finer.shape, line, POSTING_M / 2)
    assert coarse is not None and fine is not None
    assert fine.level_cycles == pytest.approx(coarse.level_cycles, abs=0.1)
    assert fine.hinge_m == pytest.approx(coarse.hinge_m, abs=100)


# --- What the lines of a data set are


def lines_of(levels: list[float], hinges_m: list[float]) -> list[Bending]:
    """Return what was found of some lines."""
    return [Bending(level, hinge_m, 90, False) for level, hinge_m in zip(levels, hinges_m, strict=True)]


def test_lines_at_half_a_cycle_are_an_analysts_and_those_at_none_the_hinge() -> None:
    analysts = lines_of([0.4, 0.6, 0.9, 0.7, np.nan], [400, 600, 900, 700, 650])
    found = convention_of(analysts)
    assert (found.kind, found.measured, found.hinge_m) == ("analyst", 5, 650)
    assert found.level_cycles == pytest.approx(0.65)
    assert convention_of(lines_of([0.0, 0.05, 0.02], [0, 60, 20])).kind == "hinge"


def test_lines_that_lie_elsewhere_than_most_are_odd() -> None:
    usual = lines_of([0.5, 0.6, 0.7, 0.6, 0.8] * 4, [500, 600, 700, 600, 800] * 4)
    shifted = lines_of([0.0, 4.0], [-2000, 2600])
    quiet = Bending(np.nan, np.nan, 90, True)
    unknown = Bending(np.nan, np.nan, 90, False)
    assert convention_of([*usual, *shifted, quiet, unknown, None]).odd == (20, 21, 22)


def test_of_too_few_lines_no_convention_is_told() -> None:
    few = lines_of([0.6, 0.6], [600, 600])
    assert convention_of(few).kind is None
    assert convention_of([]).kind is None
    many = lines_of([0.6, 0.6, 0.6] + [np.nan] * 40, [np.nan] * 43)
    assert convention_of(many).kind is None


def test_without_a_convention_no_line_is_odd() -> None:
    quiet = Bending(np.nan, np.nan, 90, True)
    assert convention_of([quiet, quiet, *lines_of([0.6], [600])]).odd == ()
