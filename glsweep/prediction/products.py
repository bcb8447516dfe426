"""Files of drawn lines: their provenance, vector files, and a STAC item."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import geopandas as gpd
import numpy as np
import pyproj
import pystac
from pystac.extensions.projection import ProjectionExtension
from shapely.geometry import mapping

from glsweep import __version__
from glsweep.files import replacing, write_json
from glsweep.nets.member import LineUncertainty
from glsweep.prediction import Format
from glsweep.prediction.blend import Member, SceneInput
from glsweep.scenes.names import Acquisition, acquisition_of
from glsweep.scenes.probability import geojson_outline
from glsweep.scenes.raster import RasterHeader
from glsweep.vectorize import DrawnLine

CONVENTIONS = "CF-1.11"


@dataclass(frozen=True)
class Provenance:
    """The provenance that every file made from a scene holds, in the same words.

    Attributes
    ----------
    scene : str
        The raster's name.
    acquisition : Acquisition
        Its dates and sensor, where they are known.
    models, hashes : tuple of str
        The members, as the user named them, and the hashes of their weights.
    tau : float
        Probability from which a pixel is line.
    """

    scene: str
    acquisition: Acquisition
    models: tuple[str, ...]
    hashes: tuple[str, ...]
    tau: float

    def columns(self) -> dict[str, str | float]:
        """Return it as columns of a table: empty texts for what is not known."""
        return {
            **scene_columns(self.scene, self.acquisition),
            "tau": self.tau,
            "model": ", ".join(self.models),
            "model_hash": ", ".join(self.hashes),
            "version": __version__,
        }

    def tags(self) -> dict[str, str]:
        """Return it as tags of a raster: the columns, and global attributes of the CF conventions."""
        known = {name.upper(): str(value) for name, value in self.columns().items() if value != ""}
        return {
            "Conventions": CONVENTIONS,
            "title": f"Probability of a grounding line in {self.scene}",
            "source": f"glsweep {__version__}, {', '.join(self.models)}",
            **known,
            "TIFFTAG_SOFTWARE": f"glsweep {__version__}",
        }


def provenance_of(header: RasterHeader, members: Sequence[Member], tau: float) -> Provenance:
    """Return the provenance of lines that members draw in a scene.

    Raises
    ------
    DataError
        When the scene's file cannot be read.
    """
    return Provenance(
        header.name,
        acquisition_of(header),
        tuple(member.name for member in members),
        tuple(member.weights_hash for member in members if member.weights_hash),
        tau,
    )


def scene_columns(scene: str, acquisition: Acquisition) -> dict[str, str]:
    """Return a scene's name, dates (YYYYMMDD) and sensor as columns of a table."""
    sensor = acquisition.sensor
    return {"scene": scene, "dates": acquisition.listed, "sensor": sensor.name if sensor else ""}


# --- Drawn lines as files that GIS programs open

DRIVERS: dict[Format, str] = {"gpkg": "GPKG", "geojson": "GeoJSON", "shp": "ESRI Shapefile"}
GPKG_VERSION = "1.2"
"""GDAL 3.6, which Debian 12 and QGIS 3.22 have, warns of newer ones."""
OPTIONS: dict[Format, dict[str, str]] = {
    "gpkg": {"VERSION": GPKG_VERSION},
    "geojson": {"RFC7946": "YES"},
    "shp": {},
}
COLUMNS = {
    "scene": str,
    "dates": str,
    "sensor": str,
    "length_m": float,
    "mean_prob": float,
    "band_m": float,
    "uncert_m": float,
    "spread_m": float,
    "hinge_m": float,
    "tau": float,
    "model": str,
    "model_hash": str,
    "version": str,
}
"""No name is longer than the ten letters that a shapefile keeps."""
SHAPEFILE_TEXT = 254
"""Bytes that a shapefile keeps of a text."""


def as_table(
    lines: Sequence[DrawnLine],
    crs: pyproj.CRS,
    provenance: Provenance,
    uncertainty: LineUncertainty | None,
    *,
    spreads_m: Sequence[float],
    hinges_m: Sequence[float],
) -> gpd.GeoDataFrame:
    """Return one row a line, in the scene's CRS.

    Returns
    -------
    GeoDataFrame
        The columns of `COLUMNS`: length_m, mean_prob, band_m and uncert_m of each line, the
        provenance of all; and the geometry. uncert_m is NaN, and null in every file, where it
        was not learnt; spread_m, how far apart networks draw the line, where fewer than two draw it;
        hinge_m, how far inland of the line ice first bends, where fringes do not tell.
    """
    factor = uncertainty.factor if uncertainty else np.nan
    rows = [
        {
            **provenance.columns(),
            "length_m": round(one.length_m, 1),
            "mean_prob": round(one.probability, 4),
            "band_m": round(one.half_width_m, 1),
            "uncert_m": round(factor * one.half_width_m, 1),
            "spread_m": round(spread_m, 1),
            "hinge_m": round(hinge_m, 1),
        }
        for one, spread_m, hinge_m in zip(lines, spreads_m, hinges_m, strict=True)
    ]
    geometry = gpd.GeoSeries([one.line for one in lines], crs=crs)
    # A file without a row has columns of the same types as any other.
    return gpd.GeoDataFrame(rows, columns=list(COLUMNS), geometry=geometry, crs=crs).astype(COLUMNS)


def write_lines(table: gpd.GeoDataFrame, folder: Path, name: str, formats: Sequence[Format]) -> list[Path]:
    """Write the lines in each format, whole or not at all, and return the files.

    A scene without a line gives a file without a row. GeoJSON is in degrees (RFC 7946); a shapefile
    is a folder of its own, since it is several files.
    """
    written = []
    for kind in formats:
        target = folder / f"{name}.{kind}" if kind != "shp" else folder / f"{name}-shp"
        with replacing(target) as temporary:
            if kind == "shp":
                temporary.mkdir()
            _as_kept(table, kind).to_file(
                temporary / f"{name}.shp" if kind == "shp" else temporary,
                driver=DRIVERS[kind],
                geometry_type="LineString",
                **OPTIONS[kind],
            )
        written.append(target)
    return written


def _as_kept(table: gpd.GeoDataFrame, kind: Format) -> gpd.GeoDataFrame:
    """Return the table as a format can hold it."""
    if kind == "geojson":
        return table.to_crs(4326)
    if kind == "shp":
        # A path tells most at its end; the note beside the lines has it whole.
        texts = {
            name: table[name].map(_ending)
            for name, kept_as in COLUMNS.items()
            if kept_as is str and name in table
        }
        return table.assign(**texts)
    return table


def _ending(text: str) -> str:
    return text.encode()[-SHAPEFILE_TEXT:].decode(errors="ignore")


# --- The STAC item by which catalogues find a scene's files: https://stacspec.org

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
LINE_MEDIA = {
    ".gpkg": "application/geopackage+sqlite3",
    ".geojson": "application/geo+json",
    ".shp": "application/vnd.shp",
}
LAST_MOMENT = time(23, 59, 59)


def write_item(
    path: Path,
    provenance: Provenance,
    scene: SceneInput,
    lines: Sequence[DrawnLine],
    *,
    probability: Path,
    line_files: Sequence[Path],
    picture: Path,
    note: Path,
) -> None:
    """Write the STAC item beside the files that it names, whole or not at all.

    A scene's dates are days, so the item spans them from the first one's beginning to the last one's
    end. Without a date `datetime`, which STAC asks for, is the time of processing, and
    `glsweep:datetime_of` says so.

    Parameters
    ----------
    path : Path
        The JSON.
    provenance : Provenance
        What the files are from.
    scene : SceneInput
        Its grid is that of the probability.
    lines : sequence of DrawnLine
    probability, picture, note : Path
    line_files : sequence of Path
        A shapefile's folder among them.
    """
    outline = None
    if scene.header.is_placed:
        outline = geojson_outline(scene.shape, scene.transform, scene.header.crs)
    start, end, moment = _times(provenance)
    item = pystac.Item(
        id=provenance.scene,
        geometry=mapping(outline.geometry) if outline else None,
        bbox=outline.bbox if outline else None,
        properties=_properties(provenance, scene, lines),
        datetime=moment,
        start_datetime=start,
        end_datetime=end,
    )
    if scene.header.is_placed:
        _add_projection(item, scene)
    item.add_asset("probability", _probability(probability, len(provenance.models)))
    for file in line_files:
        name, href = _line_file(file)
        item.add_asset(name, _asset(href, LINE_MEDIA[Path(href).suffix], "data", "The drawn lines"))
    item.add_asset("picture", _asset(picture.name, pystac.MediaType.PNG, "overview", "Phase and probability"))
    item.add_asset("note", _asset(note.name, pystac.MediaType.JSON, "metadata", "How the files were made"))
    write_json(path, item.to_dict(include_self_link=False, transform_hrefs=False))


def _times(provenance: Provenance) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Return the start, the end and the moment, of which STAC wants the first two or the last."""
    days = provenance.acquisition.dates
    if not days:
        return None, None, datetime.now(UTC).replace(microsecond=0)
    return datetime.combine(min(days), time(), UTC), datetime.combine(max(days), LAST_MOMENT, UTC), None


def _properties(provenance: Provenance, scene: SceneInput, lines: Sequence[DrawnLine]) -> dict[str, Any]:
    acquisition = provenance.acquisition
    own = {
        **provenance.columns(),
        "dates": [day.isoformat() for day in acquisition.dates],
        "datetime_of": "acquisition" if acquisition.dates else "processing",
        "lines": len(lines),
        "length_km": round(sum(one.length_m for one in lines) / 1000, 3),
    }
    properties: dict[str, Any] = {
        "title": f"Grounding lines in {provenance.scene}",
        "gsd": scene.header.posting_m * scene.looks,
        **{f"glsweep:{name}": value for name, value in own.items()},
    }
    if acquisition.sensor is not None:
        properties |= {
            "constellation": acquisition.sensor.constellation,
            "instruments": [acquisition.sensor.instrument],
        }
    return properties


def _add_projection(item: pystac.Item, scene: SceneInput) -> None:
    crs, code = scene.header.crs, scene.header.crs.to_authority()
    ProjectionExtension.ext(item, add_if_missing=True).apply(
        code=":".join(code) if code else None,
        wkt2=None if code else crs.to_wkt(version="WKT2_2019"),
        shape=list(scene.shape),
        transform=list(scene.transform)[:6],
    )


def _probability(path: Path, members: int) -> pystac.Asset:
    asset = _asset(path.name, COG, "data", "Probability of a grounding line")
    names = ("probability",) if members == 1 else ("probability", "spread")
    asset.extra_fields["bands"] = [
        {"name": name, "data_type": "float32", "nodata": "nan", "unit": "1"} for name in names
    ]
    return asset


def _line_file(file: Path) -> tuple[str, str]:
    """Return the name and the address of a file of lines, which may be a shapefile's folder."""
    if file.suffix:
        return ("lines" if file.suffix == ".gpkg" else f"lines-{file.suffix[1:]}"), file.name
    return "lines-shp", f"{file.name}/{file.name.removesuffix('-shp')}.shp"


def _asset(href: str, media_type: str, role: str, title: str) -> pystac.Asset:
    return pystac.Asset(f"./{quote(href)}", title=title, media_type=media_type, roles=[role])
