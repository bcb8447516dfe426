"""Files of lines, measured in metres: the commands `compare` and `zone`."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from pyproj import CRS
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from shapely import LineString

from glsweep.errors import ConfigError, DataError
from glsweep.files import replacing
from glsweep.geodesy import area_m2, metric_crs, reproject
from glsweep.metrics.lines import STEP_M, LineDistances, line_distances
from glsweep.metrics.zone import envelope, measure_zone
from glsweep.prediction.products import GPKG_VERSION
from glsweep.qgis.styles import style_layers, zone_envelope, zone_sections
from glsweep.scenes.lines import LineFile, check_places, read_groups
from glsweep.scenes.names import name_mismatch, only_dates

Lines = tuple[LineString, ...]


@dataclass(frozen=True)
class Pair:
    """Lines and their reference, of one scene or region, each on the map of its file."""

    name: str
    lines: Lines
    reference: Lines
    crs: pyproj.CRS
    reference_crs: pyproj.CRS

    def distances(self, step_m: float) -> LineDistances:
        """Measure the lines against the reference, in pieces of `step_m` at most."""
        return line_distances(
            self.lines, self.reference, crs=self.crs, reference_crs=self.reference_crs, step_m=step_m
        )


def read_pairs(
    lines: Path,
    reference: Path,
    *,
    by: str | None,
    reference_by: str | None,
    layer: str | None = None,
    reference_layer: str | None = None,
    on_remark: Callable[[str], object] = lambda remark: None,
) -> list[Pair]:
    """Read both files, and pair their rows by the value of a column.

    Parameters
    ----------
    lines, reference : Path
        Files of lines in any CRS.
    by, reference_by : str or None
        The column of each file; without one, all rows are one pair. `reference_by` follows `by`.
        A value in only one of the files has no partner: its lines are missed, or invented.
    layer, reference_layer : str or None
        The layer of each file, where it has several.
    on_remark : callable
        Called with each sentence on what in a file was not taken as it stands.

    Raises
    ------
    DataError
        When a file cannot be read, has no such column, no value is in both, the reference holds no
        line, or a line has no place on Earth.
    """
    reference_by = reference_by or by
    drawn = read_groups(lines, by, layer=layer)
    truth = read_groups(reference, reference_by, layer=reference_layer, option="--reference-layer")
    for file in (drawn, truth):
        for remark in file.remarks:
            on_remark(f"{file.path}: {remark}")
    if not any(truth.by_scene.values()):
        raise DataError(f"{reference}: holds no line; name the file of the reference second")
    for file in (drawn, truth):
        check_places(file)
    names = sorted(set(drawn.by_scene) | set(truth.by_scene))
    _check_common(drawn, truth, by, reference_by, on_remark)
    return [
        Pair(name, drawn.by_scene.get(name, ()), truth.by_scene.get(name, ()), drawn.crs, truth.crs)
        for name in names
    ]


def _check_common(
    drawn: LineFile,
    truth: LineFile,
    by: str | None,
    reference_by: str | None,
    on_remark: Callable[[str], object],
) -> None:
    """Make sure that some value is in both files, and report values that are only spelt differently."""
    drawn_names, true_names = set(drawn.by_scene), set(truth.by_scene)
    if by is None or not drawn_names:
        return
    near = name_mismatch(true_names - drawn_names, drawn_names - true_names, by)
    one, other = (near.other, near.one) if near else (min(drawn_names), min(true_names))
    if not drawn_names & true_names:
        raise DataError(
            f"{drawn.path}: its column {by} and {reference_by} of {truth.path} have no value in common "
            f"(such as {one!r} and {other!r}); {near.explanation if near else 'name the columns that do'}"
        )
    if near:
        on_remark(
            f"{drawn.path}: {one!r} is paired with nothing, though there is {other!r}: {near.explanation}"
        )


# --- The distances between lines, as a table

POOLED = "all"
EDGES_WIDTH = 2
"""Characters at the ends of a row; between two columns there is one."""
LEAST_NAME = 4


def distance_table(
    pairs: Sequence[Pair], tolerances_m: Sequence[float], *, step_m: float = STEP_M
) -> pd.DataFrame:
    """Return one row a pair, and the pooled one last where there are several.

    Pooled, the pieces of all lines stand side by side; distances are those of `paired`.

    Returns
    -------
    DataFrame
        Columns name, lines_km, reference_km, mean_m, median_m, mad_m, and for each tolerance
        completeness_T, missed_km_T, false_km_T.
    """
    found = [pair.distances(step_m) for pair in pairs]
    rows = [_row(pair.name or POOLED, one, one, tolerances_m) for pair, one in zip(pairs, found, strict=True)]
    if len(found) > 1:
        every, both = LineDistances.pooled(found), LineDistances.pooled(paired(found))
        rows.append(_row(POOLED, every, both, tolerances_m))
    return pd.DataFrame(rows)


def paired(found: Sequence[LineDistances]) -> list[LineDistances]:
    """Return those with lines on both sides, since only they have a mean distance.

    Lines without a counterpart count in completeness and false length.
    """
    return [one for one in found if len(one.drawn_m) and len(one.reference_m)]


def _row(
    name: str, every: LineDistances, paired: LineDistances, tolerances_m: Sequence[float]
) -> dict[str, float | str]:
    row: dict[str, float | str] = {
        "name": name,
        "lines_km": every.drawn_km,
        "reference_km": every.reference_km,
        "mean_m": paired.mean_m(),
        "median_m": paired.median_m(),
        "mad_m": paired.mad_m(),
    }
    for tolerance_m in tolerances_m:
        row[f"completeness_{tolerance_m:g}"] = every.completeness(tolerance_m)
        row[f"missed_km_{tolerance_m:g}"] = every.missed_km(tolerance_m)
        row[f"false_km_{tolerance_m:g}"] = every.false_km(tolerance_m)
    return row


def print_distances(table: pd.DataFrame, tolerances_m: Sequence[float], console: Console) -> None:
    """Print the table; distances in metres, lengths in kilometres, both within each tolerance."""
    headings = [
        *(f"{name}\nkm" for name in ("lines", "refer.")),
        *(f"{name}\nm" for name in ("mean", "median", "MAD")),
        *(f"{name}\n{t:g} m" for name in ("found\n%", "false\nkm") for t in tolerances_m),
    ]
    columns = [Column(heading, justify="right", no_wrap=True) for heading in headings]
    shown = Table(Column("", no_wrap=True), *columns, box=SIMPLE_HEAD, padding=0)
    rows = [_metric_cells(row, tolerances_m) for row in table.to_dict("records")]
    widest = (
        max(map(len, [*heading.split("\n"), *cells])) for heading, *cells in zip(headings, *rows, strict=True)
    )
    left = console.width - EDGES_WIDTH - sum(1 + width for width in widest)
    for name, metrics in zip(table["name"], rows, strict=True):
        shown.add_row(_shortened(str(name), max(LEAST_NAME, left)), *metrics)
    console.print(shown)


def _metric_cells(row: Mapping[Hashable, float], tolerances_m: Sequence[float]) -> list[str]:
    return [
        *(f"{row[name]:.1f}" for name in ("lines_km", "reference_km")),
        *(_metric_text(row[name], "{:.0f}") for name in ("mean_m", "median_m", "mad_m")),
        *(_metric_text(100 * row[f"completeness_{t:g}"], "{:.1f}") for t in tolerances_m),
        *(_metric_text(row[f"false_km_{t:g}"], "{:.1f}") for t in tolerances_m),
    ]


def _shortened(name: str, width: int) -> str:
    """Shorten a name at its beginning, since names differ at their end; files have it whole."""
    return name if len(name) <= width else f"\N{HORIZONTAL ELLIPSIS}{name[1 - width :]}"


def print_remark(remark: str, console: Console) -> None:
    """Print a remark on a file; brackets in its path are no markup."""
    console.print(Text.assemble(("mind: ", "yellow"), remark), soft_wrap=True)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV, whole or not at all."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)


def _metric_text(value: float, form: str) -> str:
    return form.format(value) if math.isfinite(value) else "-"


# --- The command `zone`: how far a line moves between dates

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
        with replacing(out) as temporary:
            for name, columns, geometry, kind in (
                ("sections", widths, sections, "LineString"),
                ("envelope", areas, ground, "Polygon"),
            ):
                table = gpd.GeoDataFrame(columns, geometry=geometry, crs=crs)
                table.to_file(temporary, driver="GPKG", layer=name, geometry_type=kind, VERSION=GPKG_VERSION)
            style_layers(
                temporary, {"sections": zone_sections(width_m[is_known]), "envelope": zone_envelope()}
            )
        console.print(
            f"written to {out}: sections, and an envelope of {areas['area_km2'].sum():.1f} km2",
            highlight=False,
            soft_wrap=True,
        )


def _on_one_map(file: LineFile, by: str) -> tuple[dict[str, tuple[LineString, ...]], CRS]:
    """Return the lines of each date on a map that is true in their midst."""
    by_date: dict[str, list[LineString]] = {}
    for value, found in file.by_scene.items():
        if found:
            date = " ".join(day.isoformat() for day in only_dates(value)) or value
            by_date.setdefault(date, []).extend(found)
    if len(by_date) < 2:
        dates = "".join(f" ({date})" for date in by_date)
        raise DataError(
            f"{file.path}: its column {by} names {len(by_date)} date(s) with lines{dates}, a zone needs two; "
            "name another column with --by"
        )
    check_places(file)
    crs = metric_crs([line for found in by_date.values() for line in found], file.crs)
    on_map = {date: tuple(reproject(found, file.crs, crs).tolist()) for date, found in by_date.items()}
    if not all(np.isfinite(shapely.get_coordinates(found)).all() for found in on_map.values()):
        raise DataError(
            f"{file.path}: its lines are too far from each other for one map ({crs.name}); "
            "give those of one region"
        )
    return on_map, crs
