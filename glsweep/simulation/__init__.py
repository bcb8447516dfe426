"""Scenes from physics: an elastic beam's flexure as a radar sees it, with lines as an analyst draws them."""

import math
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from shapely import LineString

from glsweep.config.data_card import Layout, Simulation
from glsweep.errors import ConfigError
from glsweep.files import replacing
from glsweep.randomness import generator_for
from glsweep.scenes.raster import write_interferogram
from glsweep.scenes.scene import Scene
from glsweep.simulation.outlines import Outline, cut_outline, draw_outline, drawn_lines
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
    FlightTrack,
    draw_coherence,
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


def simulate_scene(
    settings: Simulation,
    *,
    seed: int,
    name: str,
    origin_xy_m: tuple[float, float],
    noise: float | None = None,
) -> Scene:
    """Simulate a scene whose lines lie where the ice begins to bend.

    Parameters
    ----------
    settings : Simulation
        Size, posting, wavelength, looks and CRS.
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
    disturbances = _disturbances(settings, seed=seed, name=name)
    shape = (settings.rows, settings.cols)
    transform = Affine(settings.posting_m, 0, origin_xy_m[0], 0, -settings.posting_m, origin_xy_m[1])
    outline = _outline(settings, shape, generator_for(seed, name, "outline"))
    phase_rad = scene_beam(settings, seed=seed, name=name).phase_rad(outline.seaward_px * settings.posting_m)
    footprint = whole_footprint(shape)
    coherence = np.ones(shape)
    if noise > 0:
        phase_rad = _uneven_phase_rad(settings, outline, seed=seed, name=name, strength=noise)
        track = draw_track(shape, generator_for(seed, name, "track"))
        collar = generator_for(seed, name, "collar")
        if collar.random() < COLLAR_SHARE:
            footprint = track.draw_footprint(collar)
        nuisance_rad = _nuisance_rad(settings, outline, track, disturbances, seed=seed, name=name)
        drawn_coherence = draw_coherence(
            phase_rad,
            outline.seaward_px * settings.posting_m,
            generator_for(seed, name, "coherence"),
            disturbances,
        )
        coherence = 1 - noise * (1 - drawn_coherence)
        interferogram = speckled_interferogram(
            phase_rad + noise * nuisance_rad,
            coherence,
            looks=settings.looks,
            generator=generator_for(seed, name, "speckle"),
        )
        filtering = generator_for(seed, name, "filter")
        if filtering.random() < settings.filtered_share:
            interferogram = filter_phase(interferogram, filtering.uniform(*FILTER_STRENGTHS))
        interferogram[~pixels_within(footprint, shape)] = 0
    else:
        interferogram = _clean(phase_rad)
    lines = drawn_lines(
        outline.lines,
        footprint,
        transform,
        generator_for(seed, name, "strokes"),
        coherence=coherence,
        gap_share=GAP_SHARE * noise,
        wobble_m=WOBBLE_M * noise,
    )
    return Scene(name, interferogram, transform, projected_crs(settings), lines)


def _nuisance_rad(
    settings: Simulation,
    outline: Outline,
    track: FlightTrack,
    disturbances: Disturbances,
    *,
    seed: int,
    name: str,
) -> npt.NDArray[np.float64]:
    """Draw everything in the phase besides the tide."""
    seaward_px, posting_m = outline.seaward_px, settings.posting_m
    return np.asarray(
        draw_atmosphere_rad(seaward_px.shape, generator_for(seed, name, "atmosphere"), disturbances)
        + draw_ramp_rad(seaward_px.shape, generator_for(seed, name, "ramp"), disturbances)
        + draw_bulls_eyes_rad(-seaward_px, posting_m, generator_for(seed, name, "bull's-eyes"))
        + draw_ice_motion_rad(seaward_px, posting_m, generator_for(seed, name, "motion"), disturbances)
        + track.draw_seams_rad(posting_m, generator_for(seed, name, "seams"))
    )


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


def _uneven_phase_rad(
    settings: Simulation, outline: Outline, *, seed: int, name: str, strength: float
) -> npt.NDArray[np.float64]:
    """Return the flexure's phase where ice is uneven and the line migrates."""
    generator = generator_for(seed, name, "unevenness")
    uneven = power_law_field(outline.seaward_px.shape, UNEVEN_SLOPE, generator)
    return scene_beam(settings, seed=seed, name=name).migrating_phase_rad(
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


def _clean(phase_rad: npt.NDArray[np.float64]) -> npt.NDArray[np.complex64]:
    return np.asarray(np.exp(1j * phase_rad), dtype=np.complex64)


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
        The folder to be made or replaced: `DInSAR/<name>.tif` and `all_manual_segm_gl.gpkg`.
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
    names: list[str] = []
    lines: list[LineString] = []
    with replacing(root) as folder:
        for index in range(settings.scenes):
            name = f"sim{index:03d}_seed{seed}" + (f"_set{number}" if number else "")
            origin_xy_m = _origin_xy_m(settings, index, number)
            scene = simulate_scene(settings, seed=seed, name=name, origin_xy_m=origin_xy_m)
            write_interferogram(folder / "DInSAR" / f"{name}.tif", scene.interferogram, scene.transform, crs)
            names += [f"{name}.shp"] * len(scene.lines)
            lines += scene.lines
        table = gpd.GeoDataFrame({layout.scene_column: names}, geometry=lines, crs=crs.to_wkt())
        table.to_file(folder / str(layout.lines), driver="GPKG", layer="grounding_lines")


def _origin_xy_m(settings: Simulation, index: int, number: int) -> tuple[float, float]:
    """Upper left corner of a scene: a grid of as many columns as rows, with gaps between."""
    down, across = divmod(index, math.ceil(math.sqrt(settings.scenes)))
    width_m, height_m = settings.cols * settings.posting_m, settings.rows * settings.posting_m
    x_m = FIRST_XY_M[0] + across * width_m * (1 + SPACING_SHARE)
    y_m = FIRST_XY_M[1] + number * APART_M - down * height_m * (1 + SPACING_SHARE)
    return x_m, y_m
