"""Curves without a threshold, figures apart, and what each of them means."""

from dataclasses import replace

import pytest

from glsweep.config.trial import Stratum
from glsweep.report.figures.thresholds import draw_precision_recall, draw_reliability
from glsweep.report.results import read_results
from glsweep.report.table import GROUPS, interval_over
from glsweep.study.artifacts import read_artifact
from glsweep.study.evaluation_artifacts import StudyTable

STRATA = (Stratum("unet", 128), Stratum("unetpp", 128))


def test_the_page_has_both_plates_with_their_definitions_one_click_away(reported):
    page = reported.report_html.read_text()
    for name in ("precision-recall", "reliability"):
        assert f'id="{name}"' in page
        assert (reported.figures / f"{name}.png").stat().st_size > 10_000
    for anchor in ("average-precision", "reliability", "calibration-error", "micro", "apart"):
        assert f'href="#def-{anchor}"' in page
        assert f'id="def-{anchor}"' in page


def test_each_curve_is_named_with_its_area_and_passes_its_threshold(make_study):
    results = read_results(make_study("named", strata=STRATA, repeats=1))
    plate = draw_precision_recall(results)
    axes = plate.figure.axes[0]
    named = {line.get_label(): line for line in axes.lines if "area" in line.get_label()}
    dots = [line for line in axes.lines if line.get_linestyle() == "None"]
    members = results.curves.members
    assert len(named) == len(dots) == len(members)
    for member, (label, line), dot in zip(members, named.items(), dots, strict=True):
        curve = member.precision_recall
        assert label.endswith(f"{curve.area:.3f}")
        assert dot.get_xdata() == pytest.approx([curve.at_tau.recall])
        gap = abs(line.get_xdata() - dot.get_xdata()[0]) + abs(line.get_ydata() - dot.get_ydata()[0])
        assert gap.min() < 0.05, "the dot lies on the curve"
    dashes = [line.get_linestyle() for line in named.values()]
    assert len(set(dashes)) == len(dashes), "told apart in grey print too"


def with_curves(results, *members):
    return replace(results, curves=results.curves.model_copy(update={"members": members}))


def test_bins_with_hardly_a_pixel_are_not_drawn(make_study):
    results = read_results(make_study("few", strata=STRATA[:1], repeats=1))
    (member,) = results.curves.members
    pixels = [3 if n == 4 else count for n, count in enumerate(member.reliability.pixels)]
    reliability = member.reliability.model_copy(update={"pixels": pixels})
    few = member.model_copy(update={"reliability": reliability})
    before = sum(count >= 50 for count in pixels)
    results = with_curves(results, few)
    lines = [line for line in draw_reliability(results).figure.axes[0].lines if line.get_marker() in "os"]
    assert [len(line.get_xdata()) for line in lines] == [before, before]


def test_a_member_without_measured_probabilities_is_said_to_have_none(make_study):
    results = read_results(make_study("without", strata=STRATA, repeats=1))
    figure = draw_reliability(with_curves(results, *results.curves.members[:-1])).figure
    assert "was not measured" in [text.get_text() for axes in figure.axes for text in axes.texts]


def test_the_page_says_what_the_intervals_are_over(reported):
    assert "bootstrap over scenes: patches of one scene overlap" in reported.report_html.read_text()
    table = read_artifact(reported.table_json, StudyTable)
    assert interval_over(table) == "scenes"
    first = table.rows[0].model_copy(update={"interval_over": "patches"})
    assert interval_over(table.model_copy(update={"rows": (first, *table.rows[1:])})) == "patches"


def test_every_figure_apart_stands_in_the_page(reported):
    page, table = reported.report_html.read_text(), read_artifact(reported.table_json, StudyTable)
    shown = page.split('id="apart"')[1].split("</table>")[0]
    for row in table.rows:
        for group in GROUPS:
            for column in group.columns:
                assert f">{column.text_of(row)}<" in shown
