"""A chart with the words that belong to it, drawn for papers and for the page."""

from glsweep.report.figures import CaptionedFigure
from glsweep.report.figures.chart import Chart
from glsweep.report.figures.interactive import plotly_json
from glsweep.report.figures.static import drawn


def captioned(
    chart: Chart, *, name: str, title: str, caption: str, alt: str, defined: tuple[str, ...] = ()
) -> CaptionedFigure:
    """Return the chart as a `CaptionedFigure`, in both ways."""
    return CaptionedFigure(name, title, drawn(chart), caption, alt, defined, plotly_json(chart))
