"""What Optuna draws of a sweep: the same trials as in the ledger, small, and without colours of its own."""

import json
import math

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial
from synthetic_study import MEDIAN, NONE, write_study

from glsweep.config.trial import Stratum
from glsweep.report.figures import house_style, png_bytes
from glsweep.report.figures.composed import Cell, composed, plain, shortened
from glsweep.report.figures.courses import draw_intermediate_values
from glsweep.report.figures.importance import draw_importance
from glsweep.report.figures.parameters import draw_contours
from glsweep.report.figures.sweep import draw_tuning
from glsweep.report.importance import importance_panels
from glsweep.report.results import read_results
from glsweep.report.tuning import Tuning
from glsweep.sweep.optuna_study import in_memory
from glsweep.sweep.rungs import SeedScores

TWO = (Stratum("unet", 32), Stratum("unetpp", 32))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A sweep without early stopping, with two seeds a configuration, and its figures."""
    folder = tmp_path_factory.mktemp("tuning") / "study"
    results = read_results(write_study(folder, strata=TWO, scheduler=NONE, replicates=2, repeats=2))
    panels = importance_panels(results)
    tuning = Tuning.of(results, panels)
    with house_style():
        figures = {figure.name: figure for figure in draw_tuning(tuning)}
        figures["importance"] = draw_importance(results, panels)
        pngs = {name: png_bytes(figure.figure) for name, figure in figures.items()}
    return results, tuning, figures, pngs


def dots(figure):
    """Every dot with a name, as name, x and y."""
    return [
        (name, x, y)
        for trace in figure.interactive["data"]
        if "markers" in trace.get("mode", "")
        for name, x, y in zip(trace["text"], trace["x"], trace["y"], strict=True)
    ]


def test_all_is_drawn_for_the_page_and_for_paper(drawn):
    _, _, figures, pngs = drawn
    names = ["intermediate-values", "optimization-history", "distributions", "slices", "ranks"]
    assert list(figures) == [*names, "parallel-coordinates", "timeline", "importance"]
    assert all(png.startswith(b"\x89PNG") for png in pngs.values())
    assert all(figure.caption.endswith(".") and figure.alt.endswith(".") for figure in figures.values())


def test_charts_are_plain_json_of_short_numbers_that_leave_text_and_background_to_the_page(drawn):
    for figure in drawn[2].values():
        text = json.dumps(figure.interactive, allow_nan=False)
        assert not {"template", "title", "font", "bgcolor"} & figure.interactive["layout"].keys()
        assert figure.interactive["layout"]["paper_bgcolor"] == "rgba(0, 0, 0, 0)"
        assert "bdata" not in text
        assert "undefined" not in text
        assert all(len(f"{number:.15g}") <= 12 for number in numbers_in(figure.interactive["data"]))


def numbers_in(value):
    if isinstance(value, dict):
        return [number for inner in value.values() for number in numbers_in(inner)]
    if isinstance(value, list):
        return [number for inner in value for number in numbers_in(inner)]
    return [value] if isinstance(value, float) else []


def test_a_configuration_stands_once_with_the_mean_of_its_seeds(drawn):
    results, tuning, figures, _ = drawn
    means = {
        first.trial.trial_id: SeedScores.of(results.records.seeds_of(first), "relaxed_f1").mean
        for firsts in results.records.strata.values()
        for first in firsts
        if first.outcome == "completed"
    }
    assert len({math.floor(1e9 * mean) for mean in means.values()}) == len(means)
    found = {name: y for name, _, y in dots(figures["optimization-history"])}
    assert found.keys() == means.keys()
    assert all(found[name] == pytest.approx(mean, rel=1e-3) for name, mean in means.items())
    values = {t.user_attrs["trial_id"]: t.value for s in tuning.strata.values() for t in s.trials if t.value}
    assert values == means


def test_slices_show_every_parameter_at_what_each_configuration_had(drawn):
    results, tuning, figures, _ = drawn
    layout, data = figures["slices"].interactive["layout"], figures["slices"].interactive["data"]
    titles = [layout[f"{trace['xaxis'][0]}axis{trace['xaxis'][1:]}"]["title"]["text"] for trace in data]
    assert titles == [*tuning.ranked[TWO[0]], *tuning.ranked[TWO[1]]]
    assert set(tuning.ranked[TWO[1]]) == {"ftl", "bce_weight", "ds_weights", "learning_rate"}
    for title, trace in zip(titles, data, strict=True):
        for name, x in zip(trace["text"], trace["x"], strict=True):
            own = results.records.firsts[int(name)].trial.parameters
            if title == "learning_rate":
                assert x == pytest.approx(own.learning_rate, rel=1e-3)
            if title == "ftl":
                assert x == f"{own.fn_weight:g} / {own.fp_weight:g} / {own.gamma:g}"


def test_the_timeline_holds_every_seed_of_every_configuration(drawn):
    results, _, figures, _ = drawn
    bars = [name for trace in figures["timeline"].interactive["data"] for name in trace["text"]]
    assert sorted(bars) == sorted(results.records.trials)


@pytest.mark.parametrize("rank_by", ["relaxed_f1", "val_loss"])
def test_curves_end_where_trials_were_stopped_and_cutoffs_and_winners_are_marked(make_study, rank_by):
    results = read_results(make_study(strata=TWO, scheduler=MEDIAN, rank_by=rank_by, replicates=2, repeats=2))
    tuning = Tuning.of(results, [])
    with house_style():
        figure = draw_intermediate_values(tuning)
    assert "the better half goes on" in figure.caption
    assert "the mean of its seeds" in figure.caption
    stopped = {
        name: (record.reached, record.epochs[record.reached][rank_by])
        for name, record in results.records.trials.items()
        if record.outcome == "stopped"
    }
    found = {name: (x, pytest.approx(y, rel=1e-3)) for name, x, y in dots(figure)}
    assert {name: found[name] for name in stopped} == stopped
    assert {won.trial_id for won in results.winners.values()} <= found.keys()
    judged = results.history.judged.groupby("rung_epoch")["cutoff"].last()
    lines = [trace for trace in figure.interactive["data"] if trace.get("text") == "cut-off"]
    assert len(lines) == len(TWO)
    assert all(set(line["x"]) <= set(judged.index) for line in lines)
    curves = [trace for trace in figure.interactive["data"] if trace["mode"] == "lines"]
    assert len(curves) < 10, "one trace a trial would halt a browser"


def test_where_hardly_a_trial_ran_in_full_what_compares_parameters_is_left_out(make_study):
    results = read_results(make_study(strata=TWO[:1], repeats=1, scheduler=NONE, failures=False))
    for record in list(results.records.trials.values())[2:]:
        record.outcome = "stopped"
    with house_style():
        names = [figure.name for figure in draw_tuning(Tuning.of(results, []))]
    assert names == ["intermediate-values", "timeline"]


def test_a_sweep_of_which_nothing_ran_in_full_is_drawn_as_far_as_it_goes(make_study):
    results = read_results(make_study(strata=TWO[:1], repeats=1, failures=False))
    for record in results.records.trials.values():
        record.outcome, record.epochs = "failed", {}
        record.bests = {}
    with house_style():
        names = [figure.name for figure in draw_tuning(Tuning.of(results, []))]
    assert names == ["timeline"]


def test_contours_lie_on_the_plane_on_which_the_values_lie(drawn):
    results, tuning, figures, _ = drawn
    assert "contours" not in figures, "the learning rate is the only number of which there are three"
    rate, width = FloatDistribution(1e-4, 1e-2, log=True), FloatDistribution(0, 1)
    rng = np.random.default_rng(1)
    rates, widths = 10 ** rng.uniform(-4, -2, 40), rng.uniform(0, 1, 40)
    trials = [
        create_trial(
            value=0.1 * math.log10(a) + 0.2 * b,
            params={"rate": a, "width": b},
            distributions={"rate": rate, "width": width},
            user_attrs={"trial_id": f"{number:04d}", "index": number},
        )
        for number, (a, b) in enumerate(zip(rates, widths, strict=True))
    ]
    study = in_memory(trials, "relaxed_f1")
    of = Tuning(results, {TWO[0]: study}, tuning.everything, {TWO[0]: ["rate", "width"]})
    with house_style():
        figure = draw_contours(of)
        png_bytes(figure.figure)
    area, points = figure.interactive["data"]
    found = [
        (z, 0.1 * math.log10(x) + 0.2 * y)
        for row, y in zip(area["z"], area["y"], strict=True)
        for z, x in zip(row, area["x"], strict=True)
        if z is not None
    ]
    assert len(found) > 200
    assert np.ptp(np.array(found), axis=1).max() < 1e-3
    assert sorted(zip(points["text"], points["x"], strict=True)) == [
        (trial.user_attrs["trial_id"], pytest.approx(trial.params["rate"], rel=1e-3)) for trial in trials
    ]


def test_numbers_keep_four_digits_and_arrays_become_lists():
    import plotly.graph_objects as go

    assert shortened({"a": np.array([1.234567, 2.0, np.nan]), "b": (np.int64(3), "c")}) == {
        "a": [1.235, 2, None],
        "b": [3, "c"],
    }
    figure = go.Figure(go.Scatter(x=np.arange(3), y=np.array([[1.0, 2.0, 1 / 3]])[0]), {"title": "Mine"})
    assert plain(figure) == {
        "data": [{"type": "scatter", "x": [0, 1, 2], "y": [1, 2, 0.3333]}],
        "layout": {},
    }


def test_composed_charts_keep_their_traces_on_axes_of_their_own():
    def chart(value):
        data = [
            {"type": "scatter", "x": [1], "y": [value], "xaxis": name, "yaxis": name.replace("x", "y")}
            for name in ("x", "x2")
        ]
        left, right = {"domain": [0, 0.4]}, {"domain": [0.6, 1]}
        return {"data": data, "layout": {"xaxis": left, "xaxis2": right, "yaxis2": {"matches": "y"}}}

    whole = composed([Cell("above", chart(1), 0), Cell("below", chart(2), 1)])
    assert [(trace["y"], trace["xaxis"]) for trace in whole["data"]] == [
        ([1], "x"),
        ([1], "x2"),
        ([2], "x3"),
        ([2], "x4"),
    ]
    layout = whole["layout"]
    assert layout["yaxis4"]["matches"] == "y3"
    assert layout["xaxis4"]["anchor"] == "y4"
    assert layout["yaxis"]["domain"][0] > layout["yaxis3"]["domain"][1]
    assert layout["xaxis2"]["domain"] == layout["xaxis4"]["domain"] == [0.6, 1]
    assert [word["text"] for word in layout["annotations"]] == ["<b>above</b>", "<b>below</b>"]
    narrow = layout["meta"]["narrow"]
    bottoms, tops = zip(*(narrow[f"yaxis{n}"]["domain"] for n in ("", 2, 3, 4)), strict=True)
    assert all(upper > lower for upper, lower in zip(bottoms, tops[1:], strict=False))
    assert [word["y"] for word in narrow["annotations"]] == [tops[0], tops[2]]
    assert narrow["height"] == 2 * layout["height"]
