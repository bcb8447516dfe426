"""Thresholds are chosen on validation, and what the table says is of test patches at those thresholds."""

import pytest
from drawn_truth import DRAWN_AT, GRID, STRATUM, write_study

from glsweep.evaluate import evaluate
from glsweep.files import read_json, write_json
from glsweep.nets.member import load_card_of, write_card
from glsweep.retrain import calibrate


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    study = write_study(tmp_path_factory.mktemp("drawn"))
    return study, calibrate(study)


def row_of(table, kind):
    return next(row for row in [*table["rows"], *table["baselines"]] if row["kind"] == kind)


def test_a_members_threshold_is_chosen_on_validation(calibrated):
    study, summary = calibrated
    assert DRAWN_AT["val"] != DRAWN_AT["test"] != DRAWN_AT["train"]
    tau = pytest.approx(DRAWN_AT["val"], abs=1e-4)
    curve = read_json(study.calibration_json)[STRATUM.key]
    chosen = summary["chosen"][STRATUM.key]
    assert curve["tau"] == chosen["tau"] == load_card_of(study.member(STRATUM)).tau == tau
    assert curve["thresholds"] == pytest.approx(GRID, abs=1e-4)
    assert curve["values"][GRID.index(DRAWN_AT["val"])] == max(curve["values"]) == 1
    assert not chosen["on_grid_edge"]


def test_the_table_scores_test_patches_at_the_threshold_of_the_card(calibrated):
    study, _ = calibrated
    evaluate(study)
    table = read_json(study.table_json)
    member, untrained = row_of(table, "network"), row_of(table, "untrained")
    assert member["tau"] == load_card_of(study.member(STRATUM)).tau
    assert 0 < member["dice"] < 0.999
    # The member is the untrained network, so the same must have been chosen, on the same patches.
    for name in ("tau", "dice", "relaxed_f1", "parameters"):
        assert untrained[name] == member[name], name
    card = load_card_of(study.member(STRATUM))
    write_card(study.member(STRATUM), card.model_copy(update={"tau": DRAWN_AT["test"]}))
    evaluate(study)
    again = read_json(study.table_json)
    assert row_of(again, "network")["dice"] == row_of(again, "network")["relaxed_f1"] == 1
    assert row_of(again, "untrained")["tau"] == pytest.approx(DRAWN_AT["val"], abs=1e-4)


def test_a_member_that_cannot_be_read_stops_no_other(calibrated):
    study, summary = calibrated
    won, missing = read_json(study.winners_json), "attention_unet-32"
    write_json(study.winners_json, {missing: {}, **won})
    again = calibrate(study)
    write_json(study.winners_json, won)
    assert again["chosen"] == summary["chosen"]
    assert list(again["failed"]) == [missing]
    assert (again["failed"][missing]["stratum"], again["failed"][missing]["stage"]) == (missing, "calibrate")
    assert summary["failed"] == {}
