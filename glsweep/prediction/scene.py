"""One scene, from its raster to a probability, lines and a picture."""

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pyproj

from glsweep import progress
from glsweep.metrics.spread import line_spreads_m
from glsweep.prediction.blend import Member, SceneInput, fit_to, predict_strips
from glsweep.prediction.drawing import Drawing, length_km, write_note
from glsweep.prediction.near import cut_to_near, remark_if_far
from glsweep.prediction.products import as_table, write_lines
from glsweep.prediction.provenance import provenance_of
from glsweep.prediction.quick_look import LONGEST_PX, draw_quick_look
from glsweep.prediction.schemes import in_scheme
from glsweep.prediction.stac import write_item
from glsweep.qgis import styles
from glsweep.scenes.bending import bendings_of
from glsweep.scenes.names import Acquisition
from glsweep.scenes.phase_view import write_phase_view
from glsweep.scenes.probability import OneBand, ProbabilityRaster, temporary_probability
from glsweep.scenes.raster import RasterHeader
from glsweep.vectorize import DrawnLine, draw_lines
from glsweep.vectorize.outlines import ProbabilityGrid

Advance = Callable[[float], None]


@dataclass(frozen=True)
class PredictedScene:
    """What was made of a scene.

    Attributes
    ----------
    header : RasterHeader
        The scene.
    acquisition : Acquisition
        Its dates and sensor, where they are known.
    lines : list of DrawnLine
        In the scene's map; near the lines known before, if there are any.
    all_lines : list of DrawnLine
        The same before they were cut to what is near.
    table : GeoDataFrame
        The same with their columns, as the files hold them.
    probability : Path
        The raster of the members' mean and, of several, their spread.
    others : list of Path
        The lines, the probability's style, views of the phase, the picture, the note of how they were
        made, and the STAC item.
    before_km : float or None
        Length of `all_lines`; None where nothing was to be near.
    far_from_prior : str
        Says so where no line known before is anywhere near; else empty.
    """

    header: RasterHeader
    acquisition: Acquisition
    lines: list[DrawnLine]
    table: gpd.GeoDataFrame
    probability: Path
    others: list[Path]
    all_lines: list[DrawnLine]
    before_km: float | None = None
    far_from_prior: str = ""

    @property
    def scene(self) -> str:
        """The scene's name."""
        return self.header.name

    @property
    def files(self) -> list[Path]:
        """All that was written."""
        return [self.probability, *self.others]

    @property
    def length_km(self) -> float:
        """Length of all lines."""
        return length_km(self.lines)


def predict_scene(
    header: RasterHeader,
    members: list[Member],
    drawing: Drawing,
    folder: Path,
    advance: Advance,
    *,
    noted_as: str | None = None,
) -> PredictedScene:
    """Predict a scene and write everything that is made of it.

    Parameters
    ----------
    header : RasterHeader
        The scene.
    members : list of Member
        On `drawing.device`.
    drawing : Drawing
        How.
    folder : Path
        Where the files go; a temporary raster lies there meanwhile.
    advance : callable
        Called with each share of the scene that is done.
    noted_as : str, optional
        What the note calls the scene; its path unless given.

    Raises
    ------
    DataError
        When the scene's posting does not fit, its pixels cannot be read, or it has no place where its
        lines are to be near others.
    """
    scene = fit_to(header, members)
    far_from_prior = "" if drawing.prior is None else remark_if_far(drawing.prior, scene)
    crs = pyproj.CRS.from_wkt(header.crs.to_wkt())
    provenance = provenance_of(header, members, drawing.tau)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _empty_raster(scene, len(members), folder) as raster,
        _raster_of_networks(scene, members, raster, folder) as of_networks,
    ):
        phase_rad = _fill(raster, scene, members, drawing, advance, of_networks=of_networks)
        all_lines = _lines(raster, scene, drawing)
        lines, before_km = all_lines, None
        if drawing.prior is not None:
            lines = cut_to_near(drawing.prior, all_lines, raster, scene, shortest_m=drawing.shortest_m)
            before_km = length_km(all_lines)
        probability = folder / f"{header.name}-probability.tif"
        raster.write_cog(probability, provenance.tags())
        table = as_table(
            lines,
            crs,
            provenance,
            drawing.uncertainty,
            spreads_m=_spreads_m(lines, of_networks, scene, drawing),
            hinges_m=_hinges_m(lines, header, members),
        )
        files = write_lines(
            in_scheme(table, drawing.scheme),
            folder,
            f"{header.name}-lines",
            drawing.formats,
            styles.drawn_lines(),
        )
        style = styles.style_raster(probability, styles.probability(drawing.tau))
        phase = write_phase_view(header, folder)
        picture = folder / f"{header.name}.png"
        draw_quick_look(
            picture,
            phase_rad,
            raster.read_coarsely(LONGEST_PX),
            [one.line for one in lines],
            scene.transform,
            shape=scene.shape,
            crs=_map_of(scene),
            dates=provenance.acquisition.dates,
            title=f"{header.name}: {length_km(lines):.1f} km of line",
        )
    note = folder / f"{header.name}.json"
    named = noted_as or str(header.path)
    write_note(note, scene, members, drawing, lines, noted_as=named, before_km=before_km)
    item = folder / f"{header.name}.stac.json"
    write_item(
        item,
        provenance,
        scene,
        lines,
        probability=probability,
        style=style,
        phase=phase,
        line_files=files,
        picture=picture,
        note=note,
    )
    others = [*files, style, *phase, picture, note, item]
    return PredictedScene(
        header=header,
        acquisition=provenance.acquisition,
        lines=lines,
        table=table,
        probability=probability,
        others=others,
        all_lines=all_lines,
        before_km=before_km,
        far_from_prior=far_from_prior,
    )


def draw_scene(header: RasterHeader, member: Member, drawing: Drawing, folder: Path) -> list[DrawnLine]:
    """Return the lines that a member draws in a scene; nothing stays in the folder.

    Raises
    ------
    DataError
        When the scene's posting does not fit, or its pixels cannot be read.
    """
    scene = fit_to(header, [member])
    with _empty_raster(scene, 1, folder) as raster:
        _fill(raster, scene, [member], drawing, progress.advance)
        return _lines(raster, scene, drawing)


@contextmanager
def _empty_raster(scene: SceneInput, bands: int, folder: Path) -> Iterator[ProbabilityRaster]:
    """Yield room for so many probabilities in `folder`, which is removed in the end."""
    header = scene.header
    with (
        tempfile.TemporaryDirectory(prefix=f".{header.name}.", dir=folder) as temporary,
        temporary_probability(
            Path(temporary), scene.shape, scene.transform, header.crs, members=bands
        ) as raster,
    ):
        yield raster


@contextmanager
def _raster_of_networks(
    scene: SceneInput, members: Sequence[Member], raster: ProbabilityRaster, folder: Path
) -> Iterator[ProbabilityRaster]:
    """Yield the raster of what is compared: of several members theirs, of one that of its networks."""
    if len(members) > 1 or members[0].bands == 1:
        yield raster
        return
    with _empty_raster(scene, members[0].bands - 1, folder) as of_networks:
        yield of_networks


def _lines(grid: ProbabilityGrid, scene: SceneInput, drawing: Drawing) -> list[DrawnLine]:
    return draw_lines(
        grid,
        scene.transform,
        crs=_map_of(scene),
        tau=drawing.tau,
        shortest_m=drawing.shortest_m,
        bridge_m=drawing.bridge_m,
    )


def _map_of(scene: SceneInput) -> pyproj.CRS | None:
    """Return the map by which lengths are measured; None where the scene has no place on Earth."""
    header = scene.header
    return pyproj.CRS.from_wkt(header.crs.to_wkt()) if header.is_placed else None


def _spreads_m(
    lines: Sequence[DrawnLine], of_networks: ProbabilityRaster, scene: SceneInput, drawing: Drawing
) -> list[float]:
    """Return how far apart networks draw each line by themselves; NaN of a single network."""
    if of_networks.bands == 1:
        return [math.nan] * len(lines)
    each = [_lines(OneBand(of_networks, band), scene, drawing) for band in range(of_networks.bands)]
    drawn = [[one.line for one in own] for own in each]
    return list(line_spreads_m([one.line for one in lines], drawn, crs=_map_of(scene)))


def _hinges_m(lines: Sequence[DrawnLine], header: RasterHeader, members: Sequence[Member]) -> list[float]:
    """Return how far inland of each line ice first bends; NaN where it is not seen, or is the line itself."""
    if any(member.card.line == "hinge" for member in members):
        return [math.nan] * len(lines)
    found = bendings_of(header, [one.line for one in lines])
    return [math.nan if one is None else one.hinge_m for one in found]


def _fill(
    raster: ProbabilityRaster,
    scene: SceneInput,
    members: Sequence[Member],
    drawing: Drawing,
    advance: Advance,
    *,
    of_networks: ProbabilityRaster | None = None,
) -> npt.NDArray[np.float32]:
    """Predict the scene into the raster, and return its phase, coarsely, NaN without data.

    Into `of_networks`, where it is another raster, go the networks of a single member.
    """
    apart = None if of_networks is raster else of_networks
    step = max(1, math.ceil(max(scene.shape) / LONGEST_PX))
    seen: list[npt.NDArray[np.float32]] = []
    strips = predict_strips(
        scene.read_rows,
        scene.shape,
        members,
        window_px=drawing.window_px,
        overlap=drawing.overlap,
        turned=drawing.turned,
        device=drawing.device,
        filters=drawing.filters,
        each_network=apart is not None,
    )
    for row, probability, interferogram in strips:
        raster.write(row, probability[: len(members)], interferogram != 0)
        if apart is not None:
            apart.write(row, probability[len(members) :], interferogram != 0)
        coarse = interferogram[-row % step :: step, ::step]
        seen.append(np.where(coarse != 0, np.angle(coarse), np.nan).astype(np.float32))
        advance(len(interferogram) / scene.shape[0])
    return np.concatenate(seen)
