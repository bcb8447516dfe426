"""One scene drawn and measured against its own lines, with both kept beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pyproj
from shapely import LineString

from glsweep.errors import DataError
from glsweep.geodesy import lengths_m
from glsweep.metrics.lines import LineDistances, line_distances
from glsweep.predict.line_file import write_lines
from glsweep.predict.network import Member
from glsweep.predict.provenance import scene_columns
from glsweep.predict.scene import Advance, Drawing, predict_scene
from glsweep.scenes.acquisitions import acquisition_of
from glsweep.scenes.lines_on_data import lines_on_data
from glsweep.scenes.scene_entry import SceneEntry


@dataclass(frozen=True)
class ScoredScene:
    """A scene of the data set, and how far the drawn lines lie from its own."""

    entry: SceneEntry
    distances: LineDistances


def score_scene(
    entry: SceneEntry, members: list[Member], drawing: Drawing, out: Path, advance: Advance
) -> ScoredScene:
    """Draw a scene as `predict` does, and measure the lines against those that are known.

    Known lines count where the scene holds data: no network can see the rest. They are written
    beside the drawn ones, so that `compare` can say the same of the two files.

    Parameters
    ----------
    entry : SceneEntry
        The scene with its lines.
    members : list of Member
        On `drawing.device`.
    drawing : Drawing
        How.
    out : Path
        Where the files go; in a folder of the data set's name where several are joined.
    advance : callable
        Told the share of the scene that was added.

    Raises
    ------
    DataError
        When the scene's posting does not fit, its pixels cannot be read, or none of its lines lies
        where there is data.
    """
    header = entry.header
    reference = lines_on_data(entry.lines, entry.valid(), header.transform)
    if not reference:
        raise DataError(f"{header.path}: its lines lie where it holds no data; nothing can be measured")
    folder = out / entry.prefix
    drawn = predict_scene(header, members, drawing, folder, advance).lines
    write_lines(_as_table(reference, entry), folder, f"{header.name}-reference", drawing.formats)
    return ScoredScene(entry, line_distances([one.line for one in drawn], reference, crs=entry.map_crs))


def _as_table(lines: Sequence[LineString], entry: SceneEntry) -> gpd.GeoDataFrame:
    header = entry.header
    columns = {
        **scene_columns(header.name, acquisition_of(header)),
        "length_m": lengths_m(lines, entry.map_crs).round(1),
    }
    crs = pyproj.CRS.from_wkt(header.crs.to_wkt())
    return gpd.GeoDataFrame(columns, geometry=list(lines), crs=crs)
