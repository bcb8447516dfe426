"""The command `zone`: how far a line moves between dates, as a table and as a file."""

from pathlib import Path

import geopandas as gpd
import numpy as np
from rich.console import Console

from glsweep.compare.envelope import envelope
from glsweep.compare.pairs import Lines, metric_crs, moved
from glsweep.compare.told import tell_remark
from glsweep.errors import ConfigError, DataError
from glsweep.files import replacing
from glsweep.metrics.zone import measure_zone
from glsweep.predict.line_file import GPKG_VERSION
from glsweep.scenes.dates import only_dates
from glsweep.scenes.lines import read_groups

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
    crs = metric_crs(file)
    by_date: dict[str, Lines] = {}
    for value, found in file.by_scene.items():
        if found:
            date = " ".join(day.isoformat() for day in only_dates(value)) or value
            by_date[date] = (*by_date.get(date, ()), *moved(file, value, crs))
    if len(by_date) < 2:
        told = "".join(f" ({date})" for date in by_date)
        raise DataError(
            f"{lines}: its column {by} names {len(by_date)} date(s) with lines{told}, a zone needs "
            "two; name another column with --by"
        )
    zone = measure_zone(by_date, spacing_m=spacing_m, reach_m=reach_m)
    width_m = zone.width_m()
    known = np.isfinite(width_m)
    console.print(
        f"{len(zone.dates)} dates, transects every {spacing_m:g} m along {zone.base}; "
        f"{known.mean():.0%} of them cross lines of two dates or more",
        highlight=False,
    )
    if known.any():
        low, middle, high = np.percentile(width_m[known], PERCENTILES)
        console.print(
            f"width of the zone: median {middle:.0f} m, 5 to 95 % {low:.0f} to {high:.0f} m, "
            f"widest {width_m[known].max():.0f} m",
            highlight=False,
        )
    if out is not None:
        sections = [section for section, is_known in zip(zone.sections(), known, strict=True) if is_known]
        widths = {"width_m": width_m[known].round(1), "dates": zone.dates_at[known]}
        ground = envelope(zone, spacing_m=spacing_m)
        areas = {"area_km2": np.array([part.area / 1e6 for part in ground], np.float64).round(4)}
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
