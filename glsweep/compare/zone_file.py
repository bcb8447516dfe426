"""The command `zone`: how far a line moves between dates, as a table and as a file."""

from pathlib import Path

import geopandas as gpd
import numpy as np
from rich.console import Console

from glsweep.compare.envelope import envelope
from glsweep.compare.pairs import metric_crs, moved
from glsweep.errors import ConfigError, DataError
from glsweep.files import replacing
from glsweep.metrics.zone import measure_zone
from glsweep.predict.line_file import GPKG_VERSION
from glsweep.scenes.lines import read_lines

PERCENTILES = (5, 50, 95)


def tell_zone(
    lines: Path, *, by: str, spacing_m: float, reach_m: float, out: Path | None, console: Console
) -> None:
    """Measure the grounding zone of a file of lines, print its width, and write its sections and envelope.

    Raises
    ------
    ConfigError
        When a length is not positive, or `out` is no GeoPackage.
    DataError
        When the file cannot be read, has no such column, or no two dates with lines.
    """
    for name, value in (("spacing-m", spacing_m), ("reach-m", reach_m)):
        if not value > 0:
            raise ConfigError(f"--{name} {value:g}: is not positive; choose more than 0")
    if out is not None and out.suffix.lower() != ".gpkg":
        raise ConfigError(f"--out {out}: is no GeoPackage; give it the ending .gpkg")
    file = read_lines(lines, by)
    crs = metric_crs(file)
    by_date = {date: moved(file, date, crs) for date, found in file.by_scene.items() if found}
    if len(by_date) < 2:
        raise DataError(
            f"{lines}: its column {by} names {len(by_date)} date(s) with lines, a zone needs two; "
            "name another column"
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
            for layer, columns, geometry, kind in (
                ("sections", widths, sections, "LineString"),
                ("envelope", areas, ground, "Polygon"),
            ):
                table = gpd.GeoDataFrame(columns, geometry=geometry, crs=crs)
                table.to_file(beside, driver="GPKG", layer=layer, geometry_type=kind, VERSION=GPKG_VERSION)
        console.print(
            f"written to {out}: sections, and an envelope of {areas['area_km2'].sum():.1f} km2",
            highlight=False,
            soft_wrap=True,
        )
