"""What Optuna draws of how a search went: its history, each trial epoch by epoch, what came out, and when."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna import visualization
from optuna.trial import FrozenTrial, TrialState

from glsweep.config.space import HIGHER_IS_BETTER
from glsweep.config.trial import Stratum
from glsweep.report import counted, joined
from glsweep.report.figures import (
    BLUE,
    GREEN,
    GREY,
    NO_DATA,
    ORANGE,
    VERMILLION,
    CaptionedFigure,
    architecture_colour,
)
from glsweep.report.figures.composed import Cell, Chart, plain, shortened
from glsweep.report.figures.painted import captioned
from glsweep.report.sweep_facts import judgements, rule_words
from glsweep.report.tuning import FEWEST, Tuning, completed, names_of
from glsweep.search.plan import place_label

# --- All strata of one patch size in one chart: history and distribution


def _by_size(tuning: Tuning, traces_of: Callable[[Stratum, optuna.Study], Chart]) -> list[Cell]:
    strata = [s for s, study in tuning.strata.items() if len(completed(study)) >= FEWEST]
    sizes = sorted({stratum.patch_size_px for stratum in strata})
    cells = []
    for column, size in enumerate(sizes):
        charts = [traces_of(s, tuning.strata[s]) for s in strata if s.patch_size_px == size]
        together = {**charts[0], "data": [trace for chart in charts for trace in chart["data"]]}
        cells.append(Cell(f"Patches of {size} px", together, 0, column, len(sizes)))
    return cells


def draw_history(tuning: Tuning) -> CaptionedFigure | None:
    """Draw the value of each configuration in the order in which they began, and the best so far."""

    def traces_of(stratum: Stratum, study: optuna.Study) -> Chart:
        chart = plain(visualization.plot_optimization_history(study, target_name=tuning.metric))
        values, best = chart["data"][:2]
        colour, names = architecture_colour(stratum.architecture), names_of(study)
        words = {"name": stratum.title, "legendgroup": stratum.title}
        values |= {**words, "text": [names[n] for n in values["x"]], "marker": {"color": colour, "size": 6}}
        best |= {**words, "showlegend": False, "line": {"color": colour, "shape": "hv", "width": 1.5}}
        chart["layout"]["xaxis"]["title"]["text"] = "configuration"
        return {**chart, "data": [values, best]}

    return captioned(
        "optimization-history",
        "History of the search",
        _by_size(tuning, traces_of),
        legend=True,
        row_px=380,
        caption=(
            "Each dot is a configuration that ran in full, in the order in which those of its stratum began, "
            f"with its {tuning.of_seeds}; the line is the best so far."
        ),
        alt="History of the search. " + _best_words(tuning),
    )


def draw_distributions(tuning: Tuning) -> CaptionedFigure | None:
    """Draw the share of configurations of each stratum that stay below a value."""

    def traces_of(stratum: Stratum, study: optuna.Study) -> Chart:
        chart = plain(visualization.plot_edf([study], target_name=tuning.metric))
        (trace,) = chart["data"]
        trace |= {"name": stratum.title, "line": {"color": architecture_colour(stratum.architecture)}}
        chart["layout"]["yaxis"]["title"]["text"] = "share of configurations"
        return chart

    return captioned(
        "distributions",
        "Distribution of the configurations",
        _by_size(tuning, traces_of),
        legend=True,
        row_px=380,
        caption=(
            f"Share of a stratum's configurations that ran in full whose {tuning.of_seeds} stays at or below "
            "the value across. A steep curve is of a network to which its parameters matter little."
        ),
        alt="Distribution of the configurations. " + _best_words(tuning),
    )


def _best_words(tuning: Tuning) -> str:
    found = {s: completed(study) for s, study in tuning.strata.items()}
    words = [
        f"{s.title}: {counted(len(trials), 'configuration')}, best {tuning.strata[s].best_value:.3f}"
        for s, trials in found.items()
        if trials
    ]
    return "; ".join(words) + "."


# --- Intermediate values, with the cut-offs of early stopping

COLUMNS = 3
MOST_CURVES = 300


def draw_intermediate_values(tuning: Tuning) -> CaptionedFigure | None:
    """Draw the metric of each trial at each epoch, and what it had to reach at the rungs."""
    shown = [s for s, study in tuning.strata.items() if any(t.intermediate_values for t in study.trials)]
    columns = min(len(shown), COLUMNS)
    cells = [
        Cell(s.title, _curves(tuning, s), number // columns, number % columns, columns)
        for number, s in enumerate(shown)
    ]
    cutoffs = (
        ""
        if tuning.results.history.judged.empty
        else " The dashed line joins the cut-offs at the last judgement of each rung: the best value so far "
        f"with which a trial still went on. Earlier trials were compared with fewer. {_rule(tuning)}"
    )
    return captioned(
        "intermediate-values",
        "Trials epoch by epoch, and early stopping",
        cells,
        caption=(
            f"The {tuning.metric} on validation of each first seed at each epoch: coloured where it ran "
            "in full, grey to a hollow dot where it was stopped, to a filled one where it failed. The star "
            f"marks the winner's best epoch. At most the best {MOST_CURVES} of a stratum are drawn.{cutoffs}"
        ),
        alt="Trials epoch by epoch. "
        + "; ".join(f"{s.title}: {_state_words(tuning.strata[s])}" for s in shown)
        + ".",
    )


def _rule(tuning: Tuning) -> str:
    search = tuning.results.config.space.search
    text = (
        "At each rung a trial is compared with those of its stratum that come earlier in the plan, each by "
        f"its best so far: {rule_words(search.scheduler)}."
    )
    if search.replicates > 1:
        text += (
            " Only first seeds are judged; the winner is chosen by the mean of its seeds, and need not "
            "be the first here."
        )
    return text


def _state_words(study: optuna.Study) -> str:
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    words = {TrialState.COMPLETE: "ran in full", TrialState.PRUNED: "were stopped", TrialState.FAIL: "failed"}
    return joined([f"{states.count(state)} {said}" for state, said in words.items() if state in states])


def _curves(tuning: Tuning, stratum: Stratum) -> Chart:
    """Join the curves of each state to one trace: Optuna's, one a trial, would halt a browser."""
    colour = architecture_colour(stratum.architecture)
    of_state: dict[TrialState, list[FrozenTrial]] = {}
    for trial in _best_curves(tuning, stratum):
        of_state.setdefault(trial.state, []).append(trial)
    data = []
    for state in sorted(of_state, reverse=True):
        is_full = state is TrialState.COMPLETE
        data.append(_joined_curves(of_state[state], {"color": colour if is_full else NO_DATA, "width": 1.2}))
        if not is_full:
            symbol = "circle-open" if state is TrialState.PRUNED else "circle"
            data.append(_ends(of_state[state], {"symbol": symbol, "color": GREY, "size": 5}))
    data += _cutoffs(tuning, stratum) + _winner(tuning, stratum, colour)
    layout = {"xaxis": {"title": {"text": "epoch"}}, "yaxis": {"title": {"text": tuning.metric}}}
    return {"data": data, "layout": layout}


def _best_curves(tuning: Tuning, stratum: Stratum) -> list[FrozenTrial]:
    """Return the trials that reported anything, or the best of them; the best last, which is on top."""
    trials = [t for t in tuning.strata[stratum].get_trials(deepcopy=False) if t.intermediate_values]
    sign = -1 if HIGHER_IS_BETTER[tuning.results.config.space.search.rank_by] else 1
    return sorted(trials, key=lambda t: math.inf if t.value is None else sign * t.value)[:MOST_CURVES][::-1]


def _joined_curves(trials: Sequence[FrozenTrial], line: Chart) -> Chart:
    x: list[Any] = []
    y: list[Any] = []
    text: list[str] = []
    for trial in trials:
        x += [*trial.intermediate_values, None]
        y += [*trial.intermediate_values.values(), None]
        place = place_label(trial.user_attrs["index"])  # whole names would be half of a large study's bytes
        text += [place] * len(trial.intermediate_values) + [""]
    return _trace(x, y, mode="lines", line=line, text=text)


def _ends(trials: Sequence[FrozenTrial], marker: Chart) -> Chart:
    ends = [list(trial.intermediate_values.items())[-1] for trial in trials]
    names = [trial.user_attrs["trial_id"] for trial in trials]
    return _trace(
        [epoch for epoch, _ in ends], [value for _, value in ends], mode="markers", marker=marker, text=names
    )


def _trace(x: Any, y: Any, **rest: Any) -> Chart:
    return {"type": "scatter", "x": shortened(x), "y": shortened(y), "showlegend": False, **rest}


def _cutoffs(tuning: Tuning, stratum: Stratum) -> list[Chart]:
    judged = judgements(tuning.results, stratum)
    if judged.empty:
        return []
    last = judged.groupby("rung_epoch")["cutoff"].last()
    line = {"color": GREY, "width": 1.5, "dash": "dash"}
    return [_trace(last.index.tolist(), last.tolist(), mode="lines", line=line, text="cut-off")]


def _winner(tuning: Tuning, stratum: Stratum, colour: str) -> list[Chart]:
    won = tuning.results.winners.get(stratum.key)
    for trial in tuning.strata[stratum].get_trials(deepcopy=False) if won else ():
        if won and trial.user_attrs["trial_id"] == won.trial_id and "best_epoch" in trial.user_attrs:
            epoch = trial.user_attrs["best_epoch"]
            marker = {"symbol": "star", "size": 15, "color": colour}
            best = trial.intermediate_values[epoch]
            return [_trace([epoch], [best], mode="markers", marker=marker, text=[won.trial_id])]
    return []


# --- When each trial trained

STATES = {
    TrialState.COMPLETE: ("ran in full", BLUE),
    TrialState.PRUNED: ("stopped", ORANGE),
    TrialState.FAIL: ("failed", VERMILLION),
    TrialState.RUNNING: ("running", GREEN),
    TrialState.WAITING: ("waiting", NO_DATA),
}


def draw_timeline(tuning: Tuning) -> CaptionedFigure | None:
    """Draw each trial from when it found a place to when it was over."""
    chart = plain(visualization.plot_timeline(tuning.everything))
    names = names_of(tuning.everything)
    data = []
    for trace in chart["data"]:
        if not trace.get("y"):
            continue
        state, colour = STATES[TrialState[trace["name"]]]
        bar = {key: trace[key] for key in ("type", "orientation", "y", "textposition")}
        bar["base"] = [begun[:19].replace("T", " ") for begun in trace["base"]]
        bar["x"] = list(map(round, trace["x"]))
        bar["text"] = [names[number] for number in trace["y"]]
        look = {"name": state, "marker": {"color": colour}, "hovertemplate": "%{text}<br>from %{base}"}
        data.append({**bar, **look})
    if not data:
        return None
    chart["layout"]["xaxis"]["title"]["text"] = ""
    chart["layout"]["yaxis"]["title"]["text"] = "trial, in the order of their start"
    states = [trial.state for trial in tuning.everything.get_trials(deepcopy=False)]
    told = joined([f"{states.count(state)} {word}" for state, (word, _) in STATES.items() if state in states])
    return captioned(
        "timeline",
        "When each trial trained",
        [Cell("", {**chart, "data": data}, 0)],
        row_px=420,
        legend=True,
        caption=(
            "Each bar is a trial, all seeds included, from when it first found a place to when it was over, "
            "with what it waited at rungs. Where bars are short and far apart, machines stood idle."
        ),
        alt=f"When each trial trained: {told}.",
    )
