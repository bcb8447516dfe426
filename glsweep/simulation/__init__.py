"""Scenes from physics: an elastic beam's flexure as a radar sees it, with lines as an analyst draws them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.features import shapes
from shapely import LineString, Polygon

from glsweep.config.data_card import GROUNDED_ICE, SECOND_ANALYST, UNSURE_LINES, Layout, Simulation
from glsweep.errors import ConfigError
from glsweep.files import replacing
from glsweep.progress import track
from glsweep.randomness import generator_for
from glsweep.scenes.raster import write_interferogram
from glsweep.scenes.scene import Scene
from glsweep.simulation.coherence import draw_coherence, draw_shear_margin
from glsweep.simulation.drawing import DrawnLines, draw_level_cycles, drawn_lines, lines_at_level
from glsweep.simulation.outlines import Outline, cut_outline, draw_outline
from glsweep.simulation.phase import (
    REALISTIC,
    Beam,
    Disturbances,
    draw_atmosphere_rad,
    draw_beam,
    draw_bulls_eyes_rad,
    draw_ice_motion_rad,
    draw_ramp_rad,
    draw_wide_disturbances,
    power_law_field,
)
from glsweep.simulation.radar import (
    FILTER_STRENGTHS,
    draw_track,
    filter_phase,
    pixels_within,
    speckled_interferogram,
    whole_footprint,
)

COLLAR_SHARE = 0.6
GAP_SHARE = 0.08
WOBBLE_M = 40.0
UNEVEN_SLOPE = -4.0
MOST_UNEVEN = 0.2
MOST_RETREAT_M, MOST_SHARE = 600.0, 0.4
MOST_ATTEMPTS = 8
"""At a scene in which something can be seen: archives of lines hold no others."""


def simulate_scene(
    settings: Simulation,
    *,
    seed: int,
    name: str,
    origin_xy_m: tuple[float, float],
    noise: float | None = None,
) -> Scene:
    """Simulate a scene with its lines, where analysts draw them or where the ice begins to bend.

    A second analyst draws it too: with another hand, in other strokes, and at another level of the
    fringes unless lines are drawn where the ice begins to bend.

    Parameters
    ----------
    settings : Simulation
        Size, posting, wavelength, looks, CRS, and which line is drawn.
    seed : int
        With `name` it decides every draw; the outline and the beam are the same at any `noise`.
    name : str
        The scene's name.
    origin_xy_m : tuple of float
        Map coordinates of the upper left corner.
    noise : float, optional
        Replaces that of the settings. 0 gives the flexure's phase alone, with magnitude 1, and whole
        lines; 1 gives a realistic scene with speckle, atmosphere, ramp, subglacial lakes, seams,
        (at times) collars, uneven ice, a migrating line, and an analyst's wobble and gaps; in
        between, all of these are weakened equally.

    Raises
    ------
    ConfigError
        When the CRS is unknown or not projected.
    """
    noise = settings.noise if noise is None else noise
    shape = (settings.rows, settings.cols)
    transform = Affine(settings.posting_m, 0, origin_xy_m[0], 0, -settings.posting_m, origin_xy_m[1])
    outline = _outline(settings, shape, generator_for(seed, name, "outline"))
    tide_rad = _tide_rad(settings, outline, seed=seed, name=name, strength=noise)
    lines, grounded = outline.lines, outline.seaward_px <= 0
    if settings.line == "analyst":
        level_cycles = _level_cycles(settings, seed=seed, name=name)
        lines = lines_at_level(tide_rad, level_cycles)
        grounded = np.abs(tide_rad) / (2 * math.pi) < level_cycles
    for attempt in range(MOST_ATTEMPTS if noise > 0 else 1):
        observation = _observed(
            settings,
            outline,
            tide_rad,
            seed=seed,
            name=f"{name}, {attempt}" if attempt else name,
            noise=noise,
        )
        drawn = _drawn(lines, observation, transform, generator_for(seed, name, "strokes"), noise)
        if drawn.lines:
            break
    if settings.line == "analyst":
        level_cycles = _level_cycles(settings, seed=seed, name=name, analyst="second analyst's ")
        lines = lines_at_level(tide_rad, level_cycles)
    second = _drawn(
        lines, observation, transform, generator_for(seed, name, "second analyst's strokes"), noise
    )
    return Scene(
        name,
        observation.interferogram,
        transform,
        projected_crs(settings),
        drawn.lines,
        drawn.unsure,
        second.lines,
        np.asarray(grounded),
    )


class Observation(NamedTuple):
    """What the radar makes of a tide: the interferogram, its true coherence, and the part with data."""

    interferogram: npt.NDArray[np.complex64]
    coherence: npt.NDArray[np.float64]
    footprint: Polygon


def _observed(
    settings: Simulation,
    outline: Outline,
    tide_rad: npt.NDArray[np.float64],
    *,
    seed: int,
    name: str,
    noise: float,
) -> Observation:
    seaward_px, posting_m = outline.seaward_px, settings.posting_m
    footprint = whole_footprint(tide_rad.shape)
    if noise == 0:
        clean = np.exp(1j * tide_rad).astype(np.complex64)
        return Observation(clean, np.ones(tide_rad.shape), footprint)
    track = draw_track(tide_rad.shape, generator_for(seed, name, "track"))
    collar = generator_for(seed, name, "collar")
    if collar.random() < COLLAR_SHARE:
        footprint = track.draw_footprint(collar)
    disturbances = _disturbances(settings, seed=seed, name=name)
    margin = draw_shear_margin(
        seaward_px.shape, posting_m, generator_for(seed, name, "shear margin"), disturbances
    )
    nuisance_rad = margin.phase_rad + (
        draw_atmosphere_rad(seaward_px.shape, generator_for(seed, name, "atmosphere"), disturbances)
        + draw_ramp_rad(seaward_px.shape, generator_for(seed, name, "ramp"), disturbances)
        + draw_bulls_eyes_rad(-seaward_px, posting_m, generator_for(seed, name, "bull's-eyes"))
        + draw_ice_motion_rad(seaward_px, posting_m, generator_for(seed, name, "motion"), disturbances)
        + track.draw_seams_rad(posting_m, generator_for(seed, name, "seams"))
    )
    drawn_coherence = margin.kept * draw_coherence(
        tide_rad, seaward_px * posting_m, generator_for(seed, name, "coherence"), disturbances
    )
    coherence = 1 - noise * (1 - drawn_coherence)
    interferogram = speckled_interferogram(
        tide_rad + noise * nuisance_rad,
        coherence,
        looks=settings.looks,
        generator=generator_for(seed, name, "speckle"),
    )
    filtering = generator_for(seed, name, "filter")
    if filtering.random() < settings.filtered_share:
        interferogram = filter_phase(interferogram, filtering.uniform(*FILTER_STRENGTHS))
    interferogram[~pixels_within(footprint, tide_rad.shape)] = 0
    return Observation(interferogram, coherence, footprint)


def _drawn(
    lines: Sequence[LineString],
    observation: Observation,
    transform: Affine,
    generator: np.random.Generator,
    noise: float,
) -> DrawnLines:
    """Return what an analyst leaves of lines in pixel coordinates, on the map."""
    return drawn_lines(
        lines,
        observation.footprint,
        transform,
        generator,
        coherence=observation.coherence,
        gap_share=GAP_SHARE * noise,
        wobble_m=WOBBLE_M * noise,
    )


def _level_cycles(settings: Simulation, *, seed: int, name: str, analyst: str = "") -> float:
    """Return the tidal phase at which an analyst sees the fringes begin; the scene's own has no name."""
    beam = scene_beam(settings, seed=seed, name=name)
    tide_cycles = beam.phase_per_m * beam.amplitude_m / (2 * math.pi)
    return draw_level_cycles(tide_cycles, generator_for(seed, name, f"{analyst}level"))


def _disturbances(settings: Simulation, *, seed: int, name: str) -> Disturbances:
    if settings.disturbances == "as_real":
        return REALISTIC
    return draw_wide_disturbances(generator_for(seed, name, "strengths"))


def scene_beam(settings: Simulation, *, seed: int, name: str) -> Beam:
    """Return the beam that bends in a scene, to compare with what is recovered from its phase."""
    generator = generator_for(seed, name, "beam")
    return draw_beam(
        generator,
        wavelength_m=settings.wavelength_m,
        posting_m=settings.posting_m,
        tides=settings.tides,
    )


def floating_ice(settings: Simulation, *, seed: int, name: str) -> npt.NDArray[np.bool_]:
    """Return where a scene's ice is seaward of where bending begins, (rows, cols)."""
    shape = (settings.rows, settings.cols)
    return np.asarray(_outline(settings, shape, generator_for(seed, name, "outline")).seaward_px > 0)


def _tide_rad(
    settings: Simulation, outline: Outline, *, seed: int, name: str, strength: float
) -> npt.NDArray[np.float64]:
    """Return the flexure's phase; `strength` says how uneven ice is and how far the line migrates."""
    beam = scene_beam(settings, seed=seed, name=name)
    if strength == 0:
        return beam.phase_rad(outline.seaward_px * settings.posting_m)
    generator = generator_for(seed, name, "unevenness")
    uneven = power_law_field(outline.seaward_px.shape, UNEVEN_SLOPE, generator)
    return beam.migrating_phase_rad(
        outline.seaward_px * settings.posting_m,
        np.exp(strength * generator.uniform(0, MOST_UNEVEN) * np.clip(uneven, -2, 2)),
        retreat_m=float(generator.uniform(0, MOST_RETREAT_M)),
        share=strength * float(generator.uniform(0, MOST_SHARE)),
    )


def _outline(settings: Simulation, shape: tuple[int, int], generator: np.random.Generator) -> Outline:
    if settings.lines is None:
        return draw_outline(shape, settings.posting_m, generator)
    return cut_outline(settings.lines, settings.crs, shape, settings.posting_m, generator)


def projected_crs(settings: Simulation) -> CRS:
    """Return the scenes' CRS.

    Raises
    ------
    ConfigError
        When it is unknown or not projected.
    """
    remedy = "name a projected one such as EPSG:3031"
    try:
        crs = CRS.from_user_input(settings.crs)
    except CRSError as error:
        raise ConfigError(f"simulation.crs: {settings.crs!r} is not known; {remedy}") from error
    if not crs.is_projected:
        raise ConfigError(f"simulation.crs: {settings.crs!r} is not projected; {remedy}")
    return crs


# --- A folder of simulated scenes in the study layout

# In West Antarctica, where EPSG:3031 has such coordinates.
FIRST_XY_M = (-1_500_000.0, -700_000.0)
SPACING_SHARE = 0.25
APART_M = 1_500_000.0
"""Distance between the grounds of two data sets."""


def simulate_data(settings: Simulation, root: Path, *, seed: int, number: int = 0) -> None:
    """Write scenes and lines under `root` in the study layout, whole or not at all.

    Footprints do not overlap, so that a split by scene shares no ground. The same settings and
    seed give the same scenes and lines.

    Parameters
    ----------
    settings : Simulation
        Number and kind of scenes.
    root : Path
        The folder to be made or replaced: `DInSAR/<name>.tif`, `all_manual_segm_gl.gpkg`, where a line
        runs that was not drawn, `unsure_lines.gpkg`, another analyst's `second_analyst.gpkg`, and
        `grounded.gpkg`, polygons of the ice landward of the line.
    seed : int
        Decides every draw.
    number : int
        Number of the data set within the study: no two share a scene or ground.

    Raises
    ------
    ConfigError
        When the CRS is unknown or not projected.
    """
    layout = Layout()
    crs = projected_crs(settings)
    drawn: list[tuple[str, LineString]] = []
    unsure: list[tuple[str, LineString]] = []
    second: list[tuple[str, LineString | None]] = []
    grounded: list[Polygon] = []
    with replacing(root) as folder:
        for index in track(range(settings.scenes), "scenes"):
            name = f"sim{index:03d}_seed{seed}" + (f"_set{number}" if number else "")
            origin_xy_m = _origin_xy_m(settings, index, number)
            scene = simulate_scene(settings, seed=seed, name=name, origin_xy_m=origin_xy_m)
            write_interferogram(folder / "DInSAR" / f"{name}.tif", scene.interferogram, scene.transform, crs)
            drawn += [(f"{name}.shp", line) for line in scene.lines]
            unsure += [(f"{name}.shp", line) for line in scene.unsure]
            # A row without a line says that the scene was looked at.
            second += [(f"{name}.shp", line) for line in scene.second_analyst or (None,)]
            assert scene.grounded is not None, "known of what is simulated"
            grounded += _polygons(scene.grounded, scene.transform)
        for path, rows in ((str(layout.lines), drawn), (UNSURE_LINES, unsure), (SECOND_ANALYST, second)):
            column, geometry = ([row[part] for row in rows] for part in (0, 1))
            table = gpd.GeoDataFrame({layout.scene_column: column}, geometry=geometry, crs=crs.to_wkt())
            table.to_file(folder / path, driver="GPKG", layer="grounding_lines", geometry_type="LineString")
        areas = gpd.GeoDataFrame(geometry=grounded, crs=crs.to_wkt())
        areas.to_file(folder / GROUNDED_ICE, driver="GPKG", layer="grounded_ice", geometry_type="Polygon")


def _polygons(mask: npt.NDArray[np.bool_], transform: Affine) -> list[Polygon]:
    """Return the areas of a mask along the edges of its pixels, on the map."""
    areas = shapes(mask.astype(np.uint8), mask=mask, transform=transform)
    return [Polygon(area["coordinates"][0], area["coordinates"][1:]) for area, _ in areas]


def _origin_xy_m(settings: Simulation, index: int, number: int) -> tuple[float, float]:
    """Upper left corner of a scene: a grid of as many columns as rows, with gaps between."""
    down, across = divmod(index, math.ceil(math.sqrt(settings.scenes)))
    width_m, height_m = settings.cols * settings.posting_m, settings.rows * settings.posting_m
    x_m = FIRST_XY_M[0] + across * width_m * (1 + SPACING_SHARE)
    y_m = FIRST_XY_M[1] + number * APART_M - down * height_m * (1 + SPACING_SHARE)
    return x_m, y_m
