"""Styles: lines by confidence, lines that are known, the grounding zone, probability and phase."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
from markupsafe import Markup
from matplotlib import colormaps
from matplotlib.colors import to_hex

from glsweep.files import write_text
from glsweep.qgis import rendered

CLEAR_BELOW = 0.05
"""A lower probability is not shown."""
PHASE_OPACITY = 0.5
"""Fringes are the ground on which lines stand out."""


@dataclass(frozen=True)
class Style:
    """How one layer is drawn.

    Attributes
    ----------
    name : str
        Listed by QGIS among a layer's styles; up to 30 letters.
    description : str
        What colours say.
    symbology : Markup
        The renderer of a vector, or the pipe of a raster, in QGIS's own XML.
    map_tip : str
        Shown where the pointer rests on a feature, HTML with expressions in `[% %]`; none where empty.
    """

    name: str
    description: str
    symbology: Markup
    map_tip: str = ""

    def qml(self) -> str:
        """Return it as QGIS keeps a style, in a table of a GeoPackage or in a file beside a raster."""
        return rendered("style.qml", symbology=self.symbology, map_tip=self.map_tip)


# --- Lines

LINE_MM = 0.8
GREEN = "#00894a"
DASH = "2.5;2.5"


class Class(NamedTuple):
    """Values of a column from `low` to `high` in one colour."""

    low: float
    high: float
    label: str
    color: str


CONFIDENCE = (
    Class(0.95, 1, "mean probability 0.95 and more", "#49006a"),
    Class(0.85, 0.95, "0.85 to 0.95", "#7a0177"),
    Class(0.7, 0.85, "0.70 to 0.85", "#ae017e"),
    Class(0.5, 0.7, "0.50 to 0.70", "#dd3497"),
    Class(0, 0.5, "below 0.50", "#f768a1"),
)
"""The same in every file, so that scenes and networks can be compared. Deep purple to pink: neither is in
the cividis ramp of a probability, and both stand apart from green by brightness."""
TIP = (
    "<b>[% scene %]</b><br>mean probability [% round(mean_prob, 2) %], [% round(length_m / 1000, 1) %] km<br>"
    "[% coalesce('68 % of the true line within ' || round(uncert_m) || ' m', 'uncertainty not measured') %]"
    "[% coalesce('<br>networks differ by ' || round(spread_m) || ' m', '') %]"
)


def drawn_lines() -> Style:
    """Return the style of lines that networks draw: by their mean probability."""
    return Style(
        "Confidence",
        "Mean probability along each line: the darker, the surer the networks are.",
        rendered("graduated.xml", column="mean_prob", classes=CONFIDENCE, width_mm=LINE_MM),
        TIP,
    )


def known_lines() -> Style:
    """Return the style of lines that were drawn by hand, or are known of a simulated scene."""
    return Style(
        "Known lines",
        "What drawn lines are measured against.",
        rendered("single_line.xml", color=GREEN, width_mm=LINE_MM, dash=DASH),
    )


class Category(NamedTuple):
    """One value of a column of texts in one colour, dashed where `dash` gives lengths in millimetres."""

    value: str
    label: str
    color: str
    dash: str = ""


DOUBTS = (
    Category("missed", "labelled, and seen by no member", GREEN, DASH),
    Category("unlabelled", "drawn by every member, and not labelled", "#d7301f"),
)


def doubtful_lines() -> Style:
    """Return the style of lines worth a second look: by `kind`, which side they stand on."""
    return Style(
        "Second look",
        "Where labels and all members differ.",
        rendered("categorised.xml", column="kind", classes=DOUBTS, width_mm=LINE_MM),
    )


def dated_lines(colors: Mapping[str, str]) -> Style:
    """Return the style of lines of several dates: by `period`, each in its colour, in their order."""
    classes = [Category(period, period, color) for period, color in colors.items()]
    return Style(
        "Date",
        "The dates of each line's interferogram, from dark to light.",
        rendered("categorised.xml", column="period", classes=classes, width_mm=LINE_MM),
        TIP,
    )


# --- The grounding zone

WIDTHS = ("#fecc5c", "#fd8d3c", "#f03b20", "#bd0026")


def zone_sections(widths_m: npt.NDArray[np.float64]) -> Style:
    """Return the style of a zone's sections: by width, in quarters of those that are there."""
    ends = np.unique(np.quantile(widths_m, np.linspace(0, 1, len(WIDTHS) + 1)).round(1))
    pairs = list(pairwise(ends)) or [(ends[0], ends[0])]
    classes = [
        Class(float(low), float(high), f"{low:.0f} to {high:.0f} m wide", color)
        for (low, high), color in zip(pairs, WIDTHS, strict=False)
    ]
    return Style(
        "Width",
        "How far the line moves between dates, along each section.",
        rendered("graduated.xml", column="width_m", classes=classes, width_mm=0.4),
        "[% round(width_m) %] m between [% dates %] dates",
    )


def zone_envelope() -> Style:
    """Return the style of the ground between the outermost lines."""
    return Style(
        "Zone",
        "The ground between the outermost lines of all dates.",
        rendered("single_fill.xml", color="#3690c0", opacity=0.4),
    )


# --- Rasters


class _Stop(NamedTuple):
    value: float
    label: str
    color: str
    alpha: int = 255


def probability(tau: float) -> Style:
    """Return the style of a probability: cividis from 0 to 1, clear where hardly anything is.

    Parameters
    ----------
    tau : float
        Probability from which lines are drawn, named in the legend.
    """
    clear = _Stop(0.0, f"below {CLEAR_BELOW:g}: clear", _color("cividis", 0), alpha=0)
    values = sorted({*np.linspace(0.1, 1, 10).round(2).tolist(), round(tau, 3)} - {0.0})
    stops = [_Stop(value, f"{value:g}", _color("cividis", value)) for value in values]
    named = [
        one._replace(label=f"{one.label} (tau: lines from here on)") if one.value == round(tau, 3) else one
        for one in stops
    ]
    return Style(
        "Probability",
        f"Probability of a grounding line; lines are drawn from {tau:g} on.",
        rendered(
            "pseudocolour.xml",
            low=0.0,
            high=1.0,
            stops=[clear, *named],
            clear_below=CLEAR_BELOW,
            opacity=1,
            is_continuous=False,
        ),
    )


def wrapped_phase() -> Style:
    """Return the style of an interferogram's phase: a ramp that ends where it begins."""
    shares = np.linspace(0, 1, 25)
    stops = [_Stop(math.pi * (2 * share - 1), "", _color("twilight", share)) for share in shares]
    ends = (stops[0]._replace(label="-\u03c0"), stops[-1]._replace(label="\u03c0"))
    return Style(
        "Phase",
        "Wrapped phase in radians.",
        rendered(
            "pseudocolour.xml",
            low=-math.pi,
            high=math.pi,
            stops=[ends[0], *stops[1:-1], ends[1]],
            clear_below=None,
            opacity=PHASE_OPACITY,
            is_continuous=True,
        ),
    )


def _color(ramp: str, share: float) -> str:
    return str(to_hex(colormaps[ramp](share)))


# --- Where QGIS looks for them

STYLES_TABLE = "layer_styles"


def style_layers(path: Path, styles: Mapping[str, Style]) -> None:
    """Give layers of a GeoPackage their default styles, in the table in which QGIS looks for them.

    Parameters
    ----------
    path : Path
        The GeoPackage, which has no such table yet.
    styles : mapping
        The style of each layer.
    """
    rows = [_row(layer, pyogrio.read_info(path, layer=layer), style) for layer, style in styles.items()]
    table = pd.DataFrame(rows).assign(update_time=pd.Timestamp(datetime.now(UTC)).floor("s"))
    pyogrio.write_dataframe(
        table, path, layer=STYLES_TABLE, driver="GPKG", append=False, layer_options={"FID": "id"}
    )


def _row(layer: str, info: Mapping[str, Any], style: Style) -> dict[str, str | bool]:
    return {
        "f_table_catalog": "",
        "f_table_schema": "",
        "f_table_name": layer,
        "f_geometry_column": str(info["geometry_name"]),
        "styleName": style.name,
        "styleQML": style.qml(),
        "styleSLD": "",
        "useAsDefault": True,
        "description": style.description,
        "owner": "",
        "ui": "",
    }


def style_raster(path: Path, style: Style) -> Path:
    """Write a raster's style beside it, where QGIS looks for it, and return the file."""
    beside = path.with_suffix(".qml")
    write_text(beside, style.qml())
    return beside
