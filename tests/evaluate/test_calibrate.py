"""Thresholds are chosen on validation, and what the table says is of test patches at those thresholds."""

import pytest
from drawn_truth import DRAWN_AT, GRID, STRATUM, write_study
from made_artifacts import winner

from glsweep.config.trial import Stratum
from glsweep.evaluate import evaluate
from glsweep.nets.member import load_card_of, write_card
from glsweep.retrain import calibrate
from glsweep.study.artifacts import ThresholdCurves, Winners, read_artifact, write_artifact
from glsweep.study.evaluation_artifacts import StudyTable


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    study = write_study(tmp_path_factory.mktemp("drawn"))
    return study, calibrate(study)


def row_of(table, kind):
    return next(row for row in (*table.rows, *table.baselines) if row.kind == kind)


def test_a_members_threshold_is_chosen_on_validation(calibrated):
    study, summary = calibrated
    assert DRAWN_AT["val"] != DRAWN_AT["test"] != DRAWN_AT["train"]
    tau = pytest.approx(DRAWN_AT["val"], abs=1e-4)
    curve = read_artifact(study.calibration_json, ThresholdCurves).by_stratum[STRATUM.key]
    chosen = summary.chosen[STRATUM.key]
    assert curve.tau == chosen.tau == load_card_of(study.member(STRATUM)).tau == tau
    assert curve.thresholds == pytest.approx(GRID, abs=1e-4)
    assert curve.values[GRID.index(DRAWN_AT["val"])] == max(curve.values) == 1
    assert not chosen.on_grid_edge


def test_the_table_scores_test_patches_at_the_threshold_of_the_card(calibrated):
    study, _ = calibrated
    evaluate(study)
    table = read_artifact(study.table_json, StudyTable)
    member, untrained = row_of(table, "network"), row_of(table, "untrained")
    assert member.tau == load_card_of(study.member(STRATUM)).tau
    assert 0 < member.dice < 0.999
    # The member is the untrained network, so the same must have been chosen, on the same patches.
    for name in ("tau", "dice", "relaxed_f1", "parameters"):
        assert getattr(untrained, name) == getattr(member, name), name
    assert row_of(table, "phase_gradient").title == f"Phase gradient {STRATUM.patch_size_px}"
    card = load_card_of(study.member(STRATUM))
    write_card(study.member(STRATUM), card.model_copy(update={"tau": DRAWN_AT["test"]}))
    evaluate(study)
    again = read_artifact(study.table_json, StudyTable)
    assert row_of(again, "network").dice == row_of(again, "network").relaxed_f1 == 1
    assert row_of(again, "untrained").tau == pytest.approx(DRAWN_AT["val"], abs=1e-4)


def test_a_member_that_cannot_be_read_stops_no_other(calibrated):
    study, summary = calibrated
    won, missing = read_artifact(study.winners_json, Winners), "attention_unet-32"
    more = {missing: winner(Stratum.parse(missing)), **won.by_stratum}
    write_artifact(study.winners_json, Winners(by_stratum=more))
    again = calibrate(study)
    write_artifact(study.winners_json, won)
    assert again.chosen == summary.chosen
    assert list(again.failed) == [missing]
    assert (again.failed[missing].stratum, again.failed[missing].stage) == (missing, "calibrate")
    assert summary.failed == {}
