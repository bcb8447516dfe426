"""A study shows itself in notebooks: its verdict, its table and what is to come, whatever is there of it."""

import time

import pytest
from made_configs import study_config

from glsweep.opened_study import OpenedStudy
from glsweep.study import create_study
from glsweep.study.artifacts import ReportSummary, read_artifact
from glsweep.study.evaluation_artifacts import StudyTable


def test_a_finished_study_shows_its_verdict_and_its_table(make_study):
    study = make_study()
    verdict = "128 px: <nothing> separates them"
    study.finish(
        "report", 1, ReportSummary(report="report.html", figures=0, headlines=(verdict,), cautions=())
    )
    opened = OpenedStudy(study)
    opened._repr_html_()
    begun_s = time.perf_counter()
    html = opened._repr_html_()
    assert time.perf_counter() - begun_s < 1
    rows = sorted(read_artifact(study.table_json, StudyTable).rows, key=lambda row: -row.relaxed_f1)
    for size in {row.patch_size_px for row in rows}:
        places = [html.index(f">{row.title}<") for row in rows if row.patch_size_px == size]
        assert places == sorted(places)
    assert f"{rows[0].relaxed_f1:.3f}" in html and "95 % interval" in html
    assert "&lt;nothing&gt; separates" in html and "<nothing>" not in html


def test_a_study_that_has_not_begun_says_what_comes_next(tmp_path):
    opened = OpenedStudy(create_study(tmp_path / "new", study_config()))
    assert "its sweep has not begun; next comes" in opened._repr_html_()
    assert repr(opened).startswith(f"OpenedStudy({str(tmp_path / 'new')!r}: ") and len(repr(opened)) < 300


def test_a_table_that_cannot_be_read_is_named_and_raises_nothing(make_study):
    study = make_study()
    study.table_json.write_text("{")
    html = OpenedStudy(study)._repr_html_()
    assert "table.json" in html and "<table>" not in html


@pytest.mark.parametrize("stage", ["retrain", "evaluate"])
def test_an_unfinished_study_says_where_it_is(make_study, stage):
    study = make_study()
    study.stage_record(stage).unlink()
    study.table_json.unlink()
    assert f"not finished; next comes {stage}" in OpenedStudy(study)._repr_html_()
