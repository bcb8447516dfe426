"""The command `zone`: how far a line moves between dates, as a table and as polygons."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from pyproj import CRS
from rich.console import Console
from shapely import LineString, Polygon

from glsweep.comparison import check_places, print_remark
from glsweep.errors import ConfigError, DataError
from glsweep.files import replacing
from glsweep.geodesy import area_m2, metric_crs, moved
from glsweep.metrics.lines import Zone, measure_zone
from glsweep.prediction.products import GPKG_VERSION
from glsweep.scenes.lines import LineFile, read_groups
from glsweep.scenes.names import only_dates

APART = 1.5
"""Neighbouring transects of one line are a spacing apart at most; farther ones are of two lines."""


def envelope(zone: Zone, *, spacing_m: float) -> list[Polygon]:
    """Return the two-sided envelope of a zone's lines, the largest part first.

    Each pair of neighbouring transects gives a piece of ground between the outermost crossings; the
    pieces are joined. Where only one date is known, there is a gap.

    Parameters
    ----------
    zone : Zone
        As it was measured.
    spacing_m : float
        Between its transects.
    """
    ends = np.array([section.coords for section in zone.sections()]).reshape(-1, 2, 2)
    known = zone.dates_at > 1
    step_m = zone.scale[1:] * np.hypot(*np.diff(zone.origin_xy_m, axis=0).T)
    joined = known[1:] & known[:-1] & (step_m < APART * spacing_m)
    before, after = ends[:-1][joined], ends[1:][joined]
    corners = np.stack([before[:, 0], after[:, 0], after[:, 1], before[:, 1]], axis=1)
    # Where the base bends sharply transects cross each other, and a piece is a bow tie.
    pieces = shapely.make_valid(shapely.polygons(corners))
    parts = shapely.get_parts(shapely.get_parts(shapely.union_all(pieces))).tolist()
    ground = [part for part in parts if part.geom_type == "Polygon" and part.area > 0]
    return sorted(ground, key=lambda part: -part.area)


# --- The command `zone`: how far a line moves between dates, as a table and as a file

PERCENTILES = (5, 50, 95)


def print_zone(
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
        print_remark(f"{file.path}: {remark}", console)
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
