"""The STAC item by which catalogues find a scene's files: https://stacspec.org."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pystac
from pystac.extensions.projection import ProjectionExtension
from shapely.geometry import mapping

from glsweep.files import write_json
from glsweep.prediction.blend import SceneInput
from glsweep.prediction.provenance import Provenance
from glsweep.scenes.probability import geojson_outline
from glsweep.vectorize import DrawnLine

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
LINE_MEDIA = {
    ".gpkg": "application/geopackage+sqlite3",
    ".geojson": "application/geo+json",
    ".shp": "application/vnd.shp",
    ".parquet": "application/vnd.apache.parquet",
}
QGIS_STYLE = "application/x-qgis-layer-settings"
VRT = "application/xml"
LAST_MOMENT = time(23, 59, 59)


def write_item(
    path: Path,
    provenance: Provenance,
    scene: SceneInput,
    lines: Sequence[DrawnLine],
    *,
    probability: Path,
    style: Path,
    line_files: Sequence[Path],
    phase: Sequence[Path],
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
    probability, style, picture, note : Path
        The style is that of the probability.
    line_files : sequence of Path
        A shapefile's folder among them.
    phase : sequence of Path
        Views of the scene's phase, `<scene>-<what>-view.vrt`.
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
    item.add_asset("style", _asset(style.name, QGIS_STYLE, "metadata", "How QGIS shows the probability"))
    for view in phase:
        name = view.stem.removeprefix(f"{provenance.scene}-").removesuffix("-view")
        item.add_asset(name, _asset(view.name, VRT, "visual", f"The scene: {name}"))
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
