"""The page's table and figures of whole scenes in metres."""

import html
import io
from dataclasses import replace

import pytest
from rich.console import Console
from synthetic_lines import LEARNT, WHY_NOT, add_lines

from glsweep.config.trial import Stratum
from glsweep.evaluate.scenes import bands_held
from glsweep.report.page import write_report
from glsweep.report.results import read_results
from glsweep.report.scene_tables import best_member, console_line_table, line_rows

STRATA = (Stratum("unet", 128), Stratum("unetpp", 128))


def test_a_study_without_whole_test_scenes_has_no_such_section(reported):
    assert 'id="lines"' not in reported.report_html.read_text()
    assert line_rows(None) == []
    assert best_member([]) is None


def test_the_page_has_the_table_in_metres_maps_and_curves(make_study):
    study = add_lines(make_study("lines", strata=STRATA, repeats=1), STRATA)
    write_report(study)
    page = study.report_html.read_text()
    assert 'id="lines"' in page
    assert 'href="#def-line-mean"' in page
    assert 'id="def-line-mean"' in page, "each figure's definition is one click away"
    rows = line_rows(read_results(study).lines)
    for row in rows:
        assert f">{row.pooled.mean_m:.0f}<" in page
        assert f"{row.pooled.completeness_200:.0%}" in page
        assert f"{row.title} on sim: {row.uncertainty()}." in html.unescape(page)
    for name in ("line-maps", "line-curves"):
        assert f'id="{name}"' in page
        assert (study.figures / f"{name}.png").stat().st_size > 10_000


def test_what_the_uncertainty_held_is_told_in_words_and_why_it_is_empty(make_study):
    study = add_lines(make_study("bands", strata=STRATA, repeats=1), STRATA)
    known, unknown = (row.uncertainty() for row in line_rows(read_results(study).lines))
    # The first member's lines lie 60, 90, 120 and 150 m off, less by the slope, and are held within 110 m.
    assert known.startswith("68% bands, 110 m to either side on average, hold 50% (0%")
    assert known.endswith(") of the true line (4 scenes)")
    assert unknown.startswith(f"uncert_m is empty: {WHY_NOT}. Within half the band's width, 100 m on average")


def test_of_few_scenes_or_none_no_more_is_said_than_is_known(make_study):
    study = add_lines(make_study("few", strata=STRATA[:1], repeats=1), STRATA[:1], scenes=2)
    (row,) = line_rows(read_results(study).lines)
    assert row.uncertainty().endswith("hold 100% of the true line (2 scenes)"), "no interval"
    nothing = replace(row, bands=bands_held([], LEARNT, unknown_because="", seed=0))
    assert nothing.uncertainty() == "no line was drawn near a true one"


def test_the_best_member_is_that_which_misses_and_invents_least(make_study):
    study = add_lines(make_study("best", strata=STRATA, repeats=1), STRATA)
    rows = line_rows(read_results(study).lines)
    assert best_member(rows) == "unet-128"
    assert rows[0].f1 > rows[1].f1


def test_data_sets_stand_apart(make_study):
    study = add_lines(make_study("two", strata=STRATA, repeats=1), STRATA, data_sets=("sim", "getz"))
    write_report(study)
    rows = line_rows(read_results(study).lines)
    assert [row.data_set for row in rows] == ["sim", "sim", "getz", "getz"]
    text = io.StringIO()
    Console(file=text, width=110).print(console_line_table(rows))
    assert "U-Net 128 on sim" in text.getvalue()
    assert "U-Net++ 128 on getz" in text.getvalue()


@pytest.mark.parametrize("scenes", [1, 2])
def test_too_few_scenes_have_no_interval(make_study, scenes):
    study = add_lines(make_study("few", strata=STRATA[:1], repeats=1), STRATA[:1], scenes=scenes)
    (row,) = line_rows(read_results(study).lines)
    assert row.interval("mean_m", "{:.0f}") == ""
    write_report(study)
