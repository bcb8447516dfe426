"""The importance of each dimension, with its interval, beside that of chance."""

from glsweep.report import METRIC_WORDS, joined
from glsweep.report.figures import GREY, NO_DATA, CaptionedFigure, architecture_colour
from glsweep.report.figures.composed import ROOM_PX, Cell, Chart
from glsweep.report.figures.painted import captioned
from glsweep.report.importance import DRAWS, Panel
from glsweep.report.results import Results

ROW_PX = 34


def draw_importance(results: Results, panels: list[Panel]) -> CaptionedFigure | None:
    """Draw a panel for each patch size and each of its strata; None where no panel has enough trials."""
    shown = [panel for panel in panels if panel.shares]
    if not shown:
        return None
    columns = min(len(shown), MOST_COLUMNS)
    cells = [
        Cell(panel.title, _chart(panel, is_first=place == 0), place // columns, place % columns, columns)
        for place, panel in enumerate(shown)
    ]
    return captioned(
        "importance",
        "Importance of the dimensions",
        cells,
        row_px=ROOM_PX + ROW_PX * max(len(panel.shares) for panel in shown),
        legend=True,
        caption=_caption(results, shown),
        alt="Importance of the dimensions. " + "; ".join(_in_words(panel) for panel in shown) + ".",
    )


MOST_COLUMNS = 3


def _chart(panel: Panel, *, is_first: bool) -> Chart:
    """Draw one panel; the first one alone speaks for all in the legend."""
    shares = panel.shares
    names = [share.name for share in shares]
    colour = GREY if panel.architecture is None else architecture_colour(panel.architecture)
    ends = [end for share in shares for end in (share.low, share.high, None)]
    places = [place for name in names for place in (name, name, None)]
    legend = {"showlegend": is_first}
    dots = {"type": "scatter", "mode": "markers", "y": names}
    data = [
        {
            **{"type": "bar", "orientation": "h", "y": names, "x": [round(s.chance, 4) for s in shares]},
            **{"name": "given to a dimension without effect", "marker": {"color": NO_DATA}, **legend},
        },
        {
            **{"type": "scatter", "mode": "lines", "x": _short(ends), "y": places},
            **{"name": "10 to 90 % of draws", "line": {"color": colour, "width": 2}, **legend},
        },
        {
            **{
                **dots,
                "x": _short([share.median for share in shares]),
                "marker": {"color": colour, "size": 9},
            },
            **{"name": "median of draws", **legend},
        },
        {
            **{
                **dots,
                "x": _short([share.among_best for share in shares]),
                "name": "among the best",
                **legend,
            },
            "marker": {"color": colour, "size": 10, "symbol": "diamond-open"},
        },
    ]
    across = {"range": [0, 1], "tickformat": ".0%", "title": {"text": "share of variance"}}
    ticks = {"tickvals": [0, 0.25, 0.5, 0.75, 1], "ticktext": ["0 %", "25 %", "50 %", "75 %", "100 %"]}
    up = {"type": "category", "categoryorder": "array", "categoryarray": names[::-1]}
    return {"data": data, "layout": {"xaxis": {**across, **ticks}, "yaxis": up}}


def _short(values: list[float | None] | list[float]) -> list[float | None]:
    return [None if value is None else round(value, 4) for value in values]


def missing_importance(panels: list[Panel]) -> str:
    """Return why importance is not shown, where it is shown for no panel."""
    if any(panel.shares for panel in panels):
        return ""
    reasons = joined([f"{panel.title} ({panel.remark})" for panel in panels])
    return f"The importance of the dimensions is not shown, for want of trials: {reasons}."


def _caption(results: Results, shown: list[Panel]) -> str:
    search = results.config.space.search
    epochs = sorted({panel.epoch for panel in shown})
    until = f"epoch {epochs[0]}" if len(epochs) == 1 else f"epochs {joined(list(map(str, epochs)))}"
    early = (
        ", so that stopped trials count like others. It thus tells what matters early, which need not be "
        "what matters in the end"
        if epochs[0] < search.epochs
        else ""
    )
    text = (
        "How much of the variance between trials each dimension explains by itself, by functional analysis "
        "of variance with random forests (Hutter et al. 2014) of each trial's best "
        f"{METRIC_WORDS[search.rank_by]} until {until}, the last that all trials of a panel reached{early}. "
        f"The dot is the median of {DRAWS} bootstrap draws of the trials, each with another forest, and the "
        "line reaches from their 10th to their 90th percentile. The grey bar is what a shuffled copy of "
        "the dimension, which cannot matter, stays below in 90 % of the draws: a line that does not leave "
        "it shows no effect. The open diamond is the dimension's share of what tells the best tenth of the "
        "trials from the others (PED-ANOVA, Watanabe et al. 2023): it lies lower where a dimension tells bad "
        "from worse alone. What is missing to 100 % lies in combinations of dimensions and in noise. "
        "Tied parameters make one dimension; one that exists under conditions stands where all trials have "
        "it."
    )
    if search.rank_by == "val_loss":
        text += (
            " Settings of the loss change what the loss measures, so part of their share is by definition."
        )
    if search.sampler == "tpe":
        text += " Most trials were proposed near good ones: what is far from them rests on few."
    return text


def _in_words(panel: Panel) -> str:
    ordered = sorted(panel.shares, key=lambda share: -share.median)
    return f"{panel.title}: " + joined(
        [f"{s.name} {s.median:.0%} ({s.low:.0%} to {s.high:.0%}; chance {s.chance:.0%})" for s in ordered]
    )
