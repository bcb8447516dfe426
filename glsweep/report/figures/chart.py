"""What a chart shows, said once: it is drawn for papers (`static`) and for the page (`interactive`)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from glsweep.config.trial import Stratum
from glsweep.registry import ARCHITECTURES
from glsweep.report.figures import MOST_COLUMNS, Look

Kind = Literal["line", "steps", "dots", "bars", "words"]
Place = Literal["left", "right", "top left", "top right"]
Numbers = Sequence[float]
Ticks = tuple[tuple[float, str], ...]
Limits = tuple[float, float]

ROW_CM, BAR_HEIGHT = 0.34, 0.78
"""Height of a row of bars or dots, and what share of it a bar takes."""
PLAIN = Look(colour=None)
"""Of what belongs to no network."""


@dataclass(frozen=True)
class Series:
    """Points that are drawn alike.

    Attributes
    ----------
    x, y : sequence of float
        NaN where there is no value. Bars lie on their sides: `y` is their row, `x` their length.
    kind : str
        `steps` keep a value until the next point; `words` writes `texts` at the points.
    name : str
        Its entry in the legend, which other series may share; none without.
    network : str
        The title of the network that it belongs to: what is hidden with it, and named by the pointer.
    told : str
        What the pointer says first; by default the network, or else the name.
    silent : bool
        The pointer passes over it.
    size, width : float
        Diameter of markers, and width of lines, in points on paper; `size` may be one for each point.
    low, high : sequence of float
        How far error bars reach, along x for bars and where `level`, else along y.
    texts : sequence of str
        One for each point, for `words`; otherwise told by the pointer.
    place : str
        On which side of their points `words` stand.
    """

    x: Numbers
    y: Numbers
    kind: Kind = "line"
    look: Look = PLAIN
    name: str = ""
    network: str = ""
    told: str = ""
    silent: bool = False
    size: float | Numbers = 3.0
    width: float = 0.9
    opacity: float = 1.0
    low: Numbers = ()
    high: Numbers = ()
    level: bool = False
    texts: Sequence[str] = ()
    place: Place = "right"

    @property
    def lies(self) -> bool:
        """Whether error bars reach along x."""
        return self.level or self.kind == "bars"


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    `x_ticks` and `y_ticks` replace numbers by words: the pointer then leaves out that axis. `note` stands in
    the middle of what would be empty.
    """

    title: str
    series: tuple[Series, ...] = ()
    x_label: str = ""
    y_label: str = ""
    x_limits: Limits | None = None
    y_limits: Limits | None = None
    x_ticks: Ticks | None = None
    y_ticks: Ticks | None = None
    log_x: bool = False
    note: str = ""


@dataclass(frozen=True)
class Chart:
    """Panels in rows, None where a place stays empty.

    `shared_x` and `shared_y` give all panels the same axis, on which they are zoomed together. The legend
    has an entry for each name, and a click on it hides its series: those of the same network where it is
    `by_network`, otherwise those of the same name.
    """

    panels: tuple[Panel | None, ...]
    columns: int
    panel_height_cm: float = 3.8
    shared_x: bool = False
    shared_y: bool = False
    by_network: bool = False

    @property
    def rows(self) -> int:
        """How many rows of panels there are."""
        return -(-len(self.panels) // self.columns)

    def placed(self) -> Iterator[tuple[int, Panel]]:
        """Yield each panel with its place."""
        return ((place, panel) for place, panel in enumerate(self.panels) if panel is not None)

    def entries(self) -> list[Series]:
        """Return the first series of each name; without a colour where panels have different ones."""
        named: dict[str, list[Series]] = {}
        for _, panel in self.placed():
            for series in panel.series:
                if series.name:
                    named.setdefault(series.name, []).append(series)
        return [_entry(several) for several in named.values()]

    def group_of(self, series: Series) -> str:
        """Return what is hidden together with a series."""
        return (self.by_network and series.network) or series.name or series.network

    def is_left(self, place: int) -> bool:
        """Whether no panel lies to the left."""
        return place % self.columns == 0 or self.panels[place - 1] is None

    def is_bottom(self, place: int) -> bool:
        """Whether no panel lies below."""
        below = place + self.columns
        return below >= len(self.panels) or self.panels[below] is None


def _entry(several: list[Series]) -> Series:
    first = several[0]
    if len({series.look.colour for series in several}) == 1:
        return first
    return replace(first, look=replace(first.look, colour=None))


def in_rows(panels: Sequence[Panel], most: int = MOST_COLUMNS) -> tuple[tuple[Panel | None, ...], int]:
    """Return panels and the number of columns by which their rows are as full as can be."""
    rows = max(-(-len(panels) // most), 1)
    return tuple(panels), max(-(-len(panels) // rows), 1)


def by_stratum(
    strata: Sequence[Stratum], panel: Callable[[Stratum], Panel]
) -> tuple[tuple[Panel | None, ...], int]:
    """Return a panel for each stratum, rows for each patch size and a column for each network, and columns.

    Parameters
    ----------
    strata : sequence of Stratum
        Any subset of architectures and patch sizes; places without one stay empty.
    panel : callable
        Makes the panel of one of them.
    """
    sizes = sorted({stratum.patch_size_px for stratum in strata})
    names = sorted({stratum.architecture for stratum in strata}, key=ARCHITECTURES.rank)
    rows_each = max(-(-len(names) // MOST_COLUMNS), 1)
    columns = max(-(-len(names) // rows_each), 1)
    panels: list[Panel | None] = []
    for size in sizes:
        of_size = [panel(s) if (s := Stratum(name, size)) in strata else None for name in names]
        for start in range(0, len(names), columns):
            row = of_size[start : start + columns]
            if any(row):
                panels += row + [None] * (columns - len(row))
    return tuple(panels), columns
