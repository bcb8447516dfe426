"""What Optuna draws of parameters: slices, contours, ranks of pairs, and every configuration as one line."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import optuna
from optuna import visualization
from optuna.trial import FrozenTrial
from scipy.interpolate import griddata
from scipy.spatial import QhullError

from glsweep.config.space import HIGHER_IS_BETTER
from glsweep.config.trial import Stratum
from glsweep.report import counted
from glsweep.report.figures import GREY, CaptionedFigure
from glsweep.report.figures.composed import PLOTLYS_SHADES, Cell, Chart, plain, shade, shortened
from glsweep.report.figures.painted import captioned
from glsweep.report.tuning import Tuning, completed, places_of
from glsweep.sweep.optuna_study import in_memory

MOST_SLICES, MOST_PAIRED, MOST_LINES = 5, 3, 300
OUTLINE = {"color": GREY, "width": 0.6}


def draw_slices(tuning: Tuning) -> CaptionedFigure | None:
    """Draw the value of each configuration over each of the most important parameters, a row a stratum."""
    places = max((len(tuning.ranked[stratum]) for stratum in tuning.compared), default=0)
    cells = [
        Cell(stratum.title, _slices(tuning, stratum, min(places, MOST_SLICES)), row)
        for row, stratum in enumerate(tuning.compared)
    ]
    return captioned(
        "slices",
        "Each parameter by itself",
        cells,
        caption=(
            "Each dot is a configuration that ran in full: across, its value of one parameter; up, its "
            f"{tuning.of_seeds}. Later ones are darker. At most {MOST_SLICES} parameters a stratum, the most "
            "important first. Strata do not share an axis, since their metrics need not compare. Where early "
            "stopping let only good ones run in full, all dots are of these."
        ),
        alt="Each parameter by itself. " + _parameters_in_words(tuning),
    )


def _slices(tuning: Tuning, stratum: Stratum, places: int) -> Chart:
    study, names = tuning.strata[stratum], places_of(tuning.strata[stratum])
    params = tuning.ranked[stratum][:MOST_SLICES]
    # Optuna sorts parameters by name: drawn one by one they stand in the order of their importance.
    charts = [
        plain(visualization.plot_slice(study, params=[name], target_name=tuning.metric)) for name in params
    ]
    for chart in charts:
        dots = chart["data"][0]
        dots["text"] = [names[number] for number in dots["marker"]["color"]]
        dots["marker"] |= {"colorscale": PLOTLYS_SHADES, "showscale": False, "line": OUTLINE, "size": 8}
        dots["marker"].pop("colorbar", None)
        _unquote(chart, "x")
        chart["data"] = [dots]
    return _in_a_row(charts, places, shares_height=True)


def _unquote(chart: Chart, letter: str) -> None:
    """Take the quotation marks from labels: Optuna writes them as Python does."""

    def bare(values: list[Any]) -> list[Any]:
        return [value.strip("'") if isinstance(value, str) else value for value in values]

    for trace in chart["data"]:
        if letter in trace:
            trace[letter] = bare(trace[letter])
    axis = chart["layout"][f"{letter}axis"]
    if "categoryarray" in axis:
        axis["categoryarray"] = bare(axis["categoryarray"])


def _unbounded(chart: Chart) -> Chart:
    """Return a chart without the ends of its axes, which Optuna sets so that outer dots are cut."""
    for letter in "xy":
        chart["layout"][f"{letter}axis"].pop("range", None)
    return chart


def _in_a_row(charts: list[Chart], count: int = MOST_PAIRED, *, shares_height: bool = False) -> Chart:
    """Return one chart of several side by side in `count` places, of axes x and y, x2 and y2, and so on."""
    data, layout = [], {}
    gap = 0.04 if shares_height else 0.11
    width = (1 - gap * (count - 1)) / count
    for number, chart in enumerate(charts, start=1):
        suffix = str(number) if number > 1 else ""
        left = (number - 1) * (width + gap)
        layout[f"xaxis{suffix}"] = {**chart["layout"]["xaxis"], "domain": [left, left + width]}
        up = {**chart["layout"]["yaxis"], "domain": [0, 1]}
        if shares_height and number > 1:
            up = {**up, "matches": "y", "showticklabels": False, "title": {"text": ""}}
        layout[f"yaxis{suffix}"] = up
        data += [{**trace, "xaxis": f"x{suffix}", "yaxis": f"y{suffix}"} for trace in chart["data"]]
    return {"data": data, "layout": layout}


def _parameters_in_words(tuning: Tuning) -> str:
    words = [f"{s.title}: {', '.join(tuning.ranked[s][:MOST_SLICES])}" for s in tuning.compared]
    return "; ".join(words) + "."


# --- Pairs of parameters


def _pairs(tuning: Tuning, stratum: Stratum) -> list[tuple[str, str]]:
    return list(combinations(tuning.ranked[stratum][:MOST_PAIRED], 2))


def draw_ranks(tuning: Tuning) -> CaptionedFigure | None:
    """Draw each pair of the three most important parameters, configurations coloured by their rank."""
    rows = [
        (s, charts)
        for s in tuning.compared
        if (charts := [_rank(tuning, s, pair) for pair in _pairs(tuning, s)])
    ]
    better = "red" if HIGHER_IS_BETTER[tuning.results.config.space.search.rank_by] else "blue"
    return captioned(
        "ranks",
        "Pairs of parameters",
        [Cell(s.title, _in_a_row(charts), row) for row, (s, charts) in enumerate(rows)],
        caption=(
            "Each dot is a configuration that ran in full, at its values of two of the stratum's three most "
            f"important parameters. Colours are ranks within the stratum by {tuning.of_seeds}, from blue to "
            f"red; {better} is best. Where dots of one colour stand together the pair tells good from bad; "
            "where colours mix it decides little."
        ),
        alt="Pairs of parameters. " + _parameters_in_words(tuning),
    )


def _rank(tuning: Tuning, stratum: Stratum, pair: tuple[str, str]) -> Chart:
    study = tuning.strata[stratum]
    chart = plain(visualization.plot_rank(study, params=list(pair), target_name=tuning.metric))
    dots = chart["data"][0]
    numbers = [int(text.split("<br>")[0].removeprefix("Trial #")) for text in dots["hovertext"]]
    trials, names = study.get_trials(deepcopy=False), places_of(study)
    colours = [_hex(colour) for colour in dots["marker"]["color"]]
    chart["data"] = [
        {
            **{key: dots[key] for key in ("type", "mode", "x", "y", "showlegend")},
            "marker": {"color": colours, "size": 9, "line": OUTLINE},
            "text": [f"{names[n]}: {trials[n].value:.3f}" for n in numbers],
        }
    ]
    return _labels_across(_unbounded(chart))


def _labels_across(chart: Chart) -> Chart:
    """Turn a chart whose labels stand upright on the left, where long ones find no room."""
    across, up = chart["layout"]["xaxis"], chart["layout"]["yaxis"]
    if up.get("type") != "category" or across.get("type") == "category":
        return chart
    data = [{**trace, "x": trace["y"], "y": trace["x"]} for trace in chart["data"]]
    return {"data": data, "layout": {**chart["layout"], "xaxis": up, "yaxis": across}}


def _hex(colour: str) -> str:
    parts = colour.removeprefix("rgb(").removesuffix(")").split(",")
    return "#" + "".join(f"{round(float(part)):02x}" for part in parts)


GRID_STEPS = 24


def draw_contours(tuning: Tuning) -> CaptionedFigure | None:
    """Draw the metric over each pair of numeric parameters among the three most important."""
    rows = []
    for stratum in tuning.compared:
        charts = [chart for pair in _pairs(tuning, stratum) if (chart := _contour(tuning, stratum, pair))]
        if charts:
            rows.append((stratum, charts))
    return captioned(
        "contours",
        "Pairs of parameters, with what lies between",
        [Cell(s.title, _in_a_row(charts), row) for row, (s, charts) in enumerate(rows)],
        caption=(
            f"The {tuning.of_seeds}, interpolated linearly between the configurations that ran in full "
            "(dots), over pairs of the three most important parameters; darker is better. Only numbers with "
            "three values or more are shown: between labels nothing lies. Far from dots it says nothing, and "
            "bumps of single dots are seeds as often as parameters."
        ),
        alt="Contours over pairs of parameters. " + _parameters_in_words(tuning),
    )


def _contour(tuning: Tuning, stratum: Stratum, pair: tuple[str, str]) -> Chart | None:
    trials = [t for t in completed(tuning.strata[stratum]) if all(name in t.params for name in pair)]
    if not all(_is_numeric(trials, name) for name in pair):
        return None
    chart = plain(
        visualization.plot_contour(tuning.strata[stratum], params=list(pair), target_name=tuning.metric)
    )
    area, dots = chart["data"][:2]
    if "z" not in area:
        return None
    scales = [chart["layout"][f"{letter}axis"].get("type") == "log" for letter in "xy"]
    grid = _interpolated(area, *scales)
    if grid is None:
        return None
    higher = HIGHER_IS_BETTER[tuning.results.config.space.search.rank_by]
    names = places_of(tuning.strata[stratum])
    look = {
        "colorscale": PLOTLYS_SHADES,
        "reversescale": not higher,
        "showscale": False,
        "opacity": 0.75,
        "contours": {"showlabels": True},
        "line": {"width": 0.5},
    }
    dots = {key: dots[key] for key in ("type", "mode", "x", "y")}
    marker = {"color": "#ffffff", "size": 6, "line": OUTLINE}
    dots |= {"marker": marker, "showlegend": False, "text": [names[t.number] for t in trials]}
    return {**chart, "data": [{"type": "contour", **grid, **look}, dots]}


def _is_numeric(trials: list[FrozenTrial], name: str) -> bool:
    values = {trial.params[name] for trial in trials}
    return len(values) >= 3 and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _interpolated(area: Chart, x_is_log: bool, y_is_log: bool) -> Chart | None:
    """Return Optuna's grid, which has a row for each value that was tried, on one of a fixed size."""
    points = [
        (float(area["x"][i]), float(area["y"][j]), value)
        for j, row in enumerate(area["z"])
        for i, value in enumerate(row)
        if value is not None
    ]
    x, y, z = np.array(points, dtype=float).T
    u, v = (np.log10(x) if x_is_log else x), (np.log10(y) if y_is_log else y)
    across, up = (np.linspace(one.min(), one.max(), GRID_STEPS) for one in (u, v))
    try:
        between = griddata((u, v), z, tuple(np.meshgrid(across, up)), method="linear", rescale=True)
    except QhullError:  # all dots lie on one line
        return None
    places = (10**across if x_is_log else across), (10**up if y_is_log else up)
    return {"x": shortened(places[0]), "y": shortened(places[1]), "z": shortened(between)}


# --- Every configuration as one line


def draw_parallel_coordinates(tuning: Tuning) -> CaptionedFigure | None:
    """Draw configurations across all their parameters, a row a patch size."""
    sizes = sorted({stratum.patch_size_px for stratum in tuning.compared})
    cells = [
        Cell(f"Patches of {size} px", chart, row)
        for row, (size, chart) in enumerate((size, _coordinates(tuning, size)) for size in sizes)
    ]
    count = sum(len(completed(tuning.strata[stratum])) for stratum in tuning.compared)
    return captioned(
        "parallel-coordinates",
        "Configurations across their parameters",
        cells,
        row_px=420,
        caption=(
            f"Each line is a configuration that ran in full, from its {tuning.of_seeds} (left) across its "
            "parameters; darker is better. What does not exist for a configuration is None there. "
            f"At most the best {MOST_LINES} of a patch size are drawn, and dimensions in which they differ."
        ),
        alt=f"Parallel coordinates of {counted(count, 'configuration')}, coloured by {tuning.metric}.",
    )


def _coordinates(tuning: Tuning, size: int) -> Chart:
    study = _of_size(tuning, size)
    trials = study.get_trials(deepcopy=False)
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    varying = [name for name in names if len({str(trial.params.get(name)) for trial in trials}) > 1]
    chart = plain(visualization.plot_parallel_coordinate(study, params=varying, target_name=tuning.metric))
    higher = HIGHER_IS_BETTER[tuning.results.config.space.search.rank_by]
    data = []
    for trace in chart["data"]:
        if trace["mode"] != "lines":
            continue
        height = trace["y"][0]
        line = {"color": shade(height if higher else 1 - height), "width": 1.5}
        text = "<br>".join(f"{name}: {value}" for name, value in trace["customdata"])
        kept = {key: trace[key] for key in ("type", "mode", "x", "y", "showlegend")}
        data.append({**kept, "line": line, "opacity": 0.8, "text": text, "hoverinfo": "text"})
    data.sort(key=lambda trace: trace["y"][0] if higher else -trace["y"][0])
    for one in (*chart["layout"]["annotations"], *chart["layout"]["shapes"]):
        one.pop("font", None)
    return {**chart, "data": data}


def _of_size(tuning: Tuning, size: int) -> optuna.Study:
    """Return one study of the best configurations of a patch size, with their architecture as a parameter."""
    rank_by = tuning.results.config.space.search.rank_by
    sign = -1 if HIGHER_IS_BETTER[rank_by] else 1
    trials = sorted(_with_architecture(tuning, size), key=lambda trial: sign * float(trial.value or 0))
    return in_memory(trials[:MOST_LINES], rank_by)


def _with_architecture(tuning: Tuning, size: int) -> Iterator[FrozenTrial]:
    strata = [stratum for stratum in tuning.compared if stratum.patch_size_px == size]
    known = optuna.distributions.CategoricalDistribution([stratum.architecture for stratum in strata])
    for stratum in strata:
        for trial in completed(tuning.strata[stratum]):
            yield optuna.trial.create_trial(
                value=trial.value,
                params={"architecture": stratum.architecture, **trial.params},
                distributions={"architecture": known, **trial.distributions},
            )
