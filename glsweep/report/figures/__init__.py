"""The style of all figures: colours, type, sizes, layout, and how a figure becomes a PNG."""

import io
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure

from glsweep.config.trial import Stratum
from glsweep.registry import ARCHITECTURES

CM_PER_INCH = 2.54
# The columns of a page of Nature; those of AGU (9.5 and 19 cm) have room for them.
COLUMN_IN = 8.9 / CM_PER_INCH
WIDTH_IN = 18.3 / CM_PER_INCH
DOTS_PER_INCH = 300

INK = "#1b2228"
SOFT_INK = "#5a6670"
HAIRLINE = "#d5dade"
NO_DATA = "#b9bec3"
GREY = "#808a92"  # seen on white and on a dark page
# Okabe & Ito: distinguishable with any kind of colour vision.
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILLION, PURPLE, SKY = "#D55E00", "#CC79A7", "#56B4E9"
# Their yellow and black cannot be seen on white and on a dark page.
WINE, BROWN = "#B23A66", "#8A6D3B"
BASELINE_COLOURS = {
    "all_line": "#b3b9bf",
    "no_line": "#939ba2",
    "phase_gradient": "#747d85",
    "second_analyst": "#565f67",
}

Dash = Literal["solid", "dashed", "dotted", "dash-dot", "long", "short", "dash-dot-dot", "even"]
DASHES: dict[Dash, tuple[float, ...]] = {
    "solid": (),
    "dashed": (5, 1.5),
    "dotted": (1.2, 1.2),
    "dash-dot": (5, 1.5, 1.2, 1.5),
    "long": (9, 2),
    "short": (2.8, 1.2),
    "dash-dot-dot": (6, 1.5, 1.2, 1.5, 1.2, 1.5),
    "even": (3.2, 3.2),
}
"""Lengths of dashes and gaps, in widths of the line."""


@dataclass(frozen=True)
class Look:
    """By what lines and dots are told apart, in grey print too; no colour is that of text.

    Markers are named as in matplotlib, an empty one is none.
    """

    colour: str | None
    dash: Dash = "solid"
    marker: str = ""
    hollow: bool = False


LOOKS = tuple(
    Look(colour, dash, marker)
    for colour, dash, marker in zip(
        (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, WINE, BROWN), DASHES, "os^DvPX*", strict=True
    )
)

SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so figures look alike everywhere
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 5,
    "axes.labelsize": 7,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT_INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": HAIRLINE,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "text.parse_math": False,  # a label that a user chose may hold a dollar sign
    "axes.formatter.use_mathtext": False,
    "xtick.color": SOFT_INK,
    "ytick.color": SOFT_INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.pad": 2.5,
    "ytick.major.pad": 2.5,
    "axes.labelpad": 2.5,
    "legend.fontsize": 7,
    "legend.facecolor": "white",
    "legend.edgecolor": "white",
    "legend.framealpha": 0.85,
    "lines.linewidth": 0.9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "image.interpolation": "nearest",
}


@dataclass(frozen=True)
class CaptionedFigure:
    """A figure with the words that belong to it.

    `name` is the file's stem and the page's anchor; `caption` says what is seen and how it is
    defined; `alt` says it to those who cannot see it; `defined` are the anchors of the definitions
    that the page links below it. `interactive` is the same as a Plotly figure in plain JSON, which the
    page draws in its place; one that is not `on_page` is in `figures/` alone.
    """

    name: str
    title: str
    figure: Figure
    caption: str
    alt: str
    defined: tuple[str, ...] = ()
    interactive: dict[str, Any] | None = None
    on_page: bool = True


@contextmanager
def house_style() -> Iterator[None]:
    """Draw and save within this block, so that no other user of matplotlib is touched."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """Return an empty figure that arranges itself, by default across both columns of a journal."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.03, hspace=0.04)  # type: ignore[union-attr, call-arg]
    return figure


def png_bytes(figure: Figure, dots_per_inch: int = DOTS_PER_INCH) -> bytes:
    """Return the figure as PNG, without a date or a version, so that equal figures are equal files."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_inch, metadata={"Software": None})
    return buffer.getvalue()


def svg_bytes(figure: Figure) -> bytes:
    """Return the figure as SVG, without a date or random names, so that equal figures are equal files.

    Text stays text, as journals want it, which edit it.
    """
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "glsweep", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", dpi=DOTS_PER_INCH, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def architecture_colour(architecture: str) -> str:
    """Colour of an architecture in every figure."""
    return str(architecture_look(architecture).colour)


def architecture_look(architecture: str) -> Look:
    """Look of an architecture in every figure: one for each built-in, a user's own has one by its name."""
    known = list(ARCHITECTURES.built_in)
    place = known.index(architecture) if architecture in known else zlib.crc32(architecture.encode())
    return LOOKS[place % len(LOOKS)]


def cut_colours(name: str, start: float, end: float) -> Colormap:
    """Return the part of a colour map between two shares of it, without ends too light to see."""
    return ListedColormap(mpl.colormaps[name](np.linspace(start, end, 256)))


def note(axes: Axes, text: str, colour: str = SOFT_INK) -> None:
    """Write a short remark in the middle of empty axes."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=colour)


# --- Small multiples: rows for each patch size, a column for each architecture

Draw = Callable[[Axes, Stratum], None]
MOST_COLUMNS = 4
"""More panels would have no room, on paper or on the page; further architectures of a patch size go below."""


def small_multiples(strata: Sequence[Stratum], draw: Draw) -> Figure:
    """Call `draw` once for each stratum, on axes that carry its title.

    Parameters
    ----------
    strata : sequence of Stratum
        Any subset of architectures and patch sizes; places without one stay empty.
    draw : callable
        Draws one stratum on the axes it is given.
    """
    sizes = sorted({stratum.patch_size_px for stratum in strata})
    names = sorted({stratum.architecture for stratum in strata}, key=ARCHITECTURES.rank)
    columns = min(len(names), MOST_COLUMNS)
    rows_each = math.ceil(len(names) / columns)
    figure = new_figure(0.3 + 1.7 * rows_each * len(sizes))
    grid = figure.subplots(rows_each * len(sizes), columns, squeeze=False).reshape(len(sizes), -1)
    for size, places in zip(sizes, grid, strict=True):
        for name, axes in zip_longest(names, places):
            stratum = Stratum(name, size)
            if stratum not in strata:
                axes.set_axis_off()
                continue
            draw(axes, stratum)
            axes.set_title(stratum.title)
    return figure
