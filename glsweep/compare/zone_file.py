"""The command `zone`: how far a line moves between dates, as a table and as a file."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from pyproj import CRS
from rich.console import Console
from shapely import LineString

from glsweep.compare.envelope import envelope
from glsweep.compare.pairs import check_places
from glsweep.compare.told import tell_remark
from glsweep.errors import ConfigError, DataError
from glsweep.files import replacing
from glsweep.geodesy import area_m2, moved
from glsweep.metrics.zone import measure_zone
from glsweep.predict.line_file import GPKG_VERSION
from glsweep.scenes.dates import only_dates
from glsweep.scenes.lines import LineFile, read_groups
from glsweep.scenes.map_scale import metric_crs

PERCENTILES = (5, 50, 95)


def tell_zone(
    lines: Path,
    *,
    by: str,
    spacing_m: float,
    reach_m: float,
    out: Path | None,
    console: Console,
    layer: str | None = None,
) -> None:
    """Measure the grounding zone of a file of lines, print its width, and write its sections and envelope.

    A value of the column `by` that says dates and nothing else is known by them, however they are written.

    Raises
    ------
    ConfigError
        When a length is not positive, or `out` is no GeoPackage.
    DataError
        When the file cannot be read, has no such column, or no two dates with lines.
    """
    for option, length_m in (("spacing-m", spacing_m), ("reach-m", reach_m)):
        if not length_m > 0:
            raise ConfigError(f"--{option} {length_m:g}: is not positive; choose more than 0")
    if out is not None and out.suffix.lower() != ".gpkg":
        raise ConfigError(f"--out {out}: is no GeoPackage; give it the ending .gpkg")
    file = read_groups(lines, by, layer=layer)
    for remark in file.remarks:
        tell_remark(f"{file.path}: {remark}", console)
    by_date, crs = _on_one_map(file, by)
    zone = measure_zone(by_date, crs=crs, spacing_m=spacing_m, reach_m=reach_m)
    width_m = zone.width_m()
    is_known = np.isfinite(width_m)
    console.print(
        f"{len(zone.dates)} dates, transects every {spacing_m:g} m along {zone.base}; "
        f"{is_known.mean():.0%} of them cross lines of two dates or more",
        highlight=False,
    )
    if is_known.any():
        low, middle, high = np.percentile(width_m[is_known], PERCENTILES)
        console.print(
            f"width of the zone: median {middle:.0f} m, 5 to 95 % {low:.0f} to {high:.0f} m, "
            f"widest {width_m[is_known].max():.0f} m",
            highlight=False,
        )
    if out is not None:
        sections = np.array(zone.sections(), dtype=object)[is_known]
        widths = {"width_m": width_m[is_known].round(1), "dates": zone.dates_at[is_known]}
        ground = envelope(zone, spacing_m=spacing_m)
        areas = {"area_km2": np.array([area_m2(part, crs) / 1e6 for part in ground], np.float64).round(4)}
        with replacing(out) as beside:
            for name, columns, geometry, kind in (
                ("sections", widths, sections, "LineString"),
                ("envelope", areas, ground, "Polygon"),
            ):
                table = gpd.GeoDataFrame(columns, geometry=geometry, crs=crs)
                table.to_file(beside, driver="GPKG", layer=name, geometry_type=kind, VERSION=GPKG_VERSION)
        console.print(
            f"written to {out}: sections, and an envelope of {areas['area_km2'].sum():.1f} km2",
            highlight=False,
            soft_wrap=True,
        )


def _on_one_map(file: LineFile, by: str) -> tuple[dict[str, tuple[LineString, ...]], CRS]:
    """Return the lines of each date on a map that is true in their midst."""
    known: dict[str, list[LineString]] = {}
    for value, found in file.by_scene.items():
        if found:
            date = " ".join(day.isoformat() for day in only_dates(value)) or value
            known.setdefault(date, []).extend(found)
    if len(known) < 2:
        told = "".join(f" ({date})" for date in known)
        raise DataError(
            f"{file.path}: its column {by} names {len(known)} date(s) with lines{told}, a zone needs two; "
            "name another column with --by"
        )
    check_places(file)
    crs = metric_crs([line for found in known.values() for line in found], file.crs)
    by_date = {date: tuple(moved(found, file.crs, crs).tolist()) for date, found in known.items()}
    if not all(np.isfinite(shapely.get_coordinates(found)).all() for found in by_date.values()):
        raise DataError(
            f"{file.path}: its lines are too far from each other for one map ({crs.name}); "
            "give those of one region"
        )
    return by_date, crs
