"""The trials as the page's data."""

import json

import pytest
from synthetic_study import running, write_study

from glsweep.config.trial import Stratum
from glsweep.report.results import read_results
from glsweep.report.trials import trial_data
from glsweep.sweep.records import read_records


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    strata = (Stratum("unet", 128), Stratum("unet", 256), Stratum("unetpp", 128))
    return read_results(write_study(tmp_path_factory.mktemp("trials") / "study", strata=strata, repeats=1))


@pytest.fixture(scope="module")
def data(results):
    winners = {key: winner.trial_id for key, winner in results.winners.items()}
    found = trial_data(results.records, results.config.space.search, winners)
    return json.loads(json.dumps(found, allow_nan=False))


def rows_of(data):
    return [dict(zip(data["columns"], values, strict=True)) for values in data["trials"]]


def test_every_trial_is_there_with_what_the_table_of_trials_says_of_it(results, data):
    expected = results.trials.set_index("trial_id")
    rows = rows_of(data)
    assert [row["id"] for row in rows] == list(expected.index)
    for row in rows:
        trial = expected.loc[row["id"]]
        assert data["strata"][row["stratum"]]["title"] == Stratum.parse(trial["stratum"]).title
        assert row["outcome"] == trial["outcome"]
        assert row["epochs"] == trial["epochs"] == len(row["curve"])
        assert row["reason"] == trial["reason"]
        if row["epochs"]:
            assert row["best"] == pytest.approx(trial["best"], rel=1e-3)
            assert row["curve"][row["bestEpoch"] - 1] == row["best"] == max(row["curve"])


def test_parameters_are_those_in_which_trials_differ_and_the_others_are_told_once(results, data):
    names = [one["name"] for one in data["parameters"]]
    expected = [name for name in results.parameter_columns if results.trials[name].nunique() > 1]
    assert set(names) == set(expected) | {"base_width"} - set(data["common"])
    assert data["common"]["weight_decay"] == "1e-05"
    assert not set(names) & set(data["common"])
    by_name = {one["name"]: one for one in data["parameters"]}
    assert by_name["learning_rate"]["isLog"]
    assert not by_name["bce_weight"]["isLog"]
    assert by_name["fp_weight"]["isTied"]
    assert not by_name["fn_weight"]["isTied"]


def test_strata_of_one_colour_differ_in_shape_and_name_their_winner(results, data):
    looks = [(one["colour"], one["shape"]) for one in data["strata"]]
    assert len(set(looks)) == len(looks)
    assert {one["winner"] for one in data["strata"]} == {w.trial_id for w in results.winners.values()}


def test_a_trial_that_is_not_over_says_so(make_study, tmp_path):
    study, _ = running(make_study(strata=(Stratum("unet", 128),), repeats=2), tmp_path / "running")
    records = read_records(study.ledger_jsonl)
    last = next(iter(records.unended.values()))
    outcomes = {
        row["id"]: row["outcome"] for row in rows_of(trial_data(records, study.config.space.search, {}))
    }
    assert outcomes[last.trial.trial_id] == "waiting"
    last.node = "node-7"
    outcomes = {
        row["id"]: row["outcome"] for row in rows_of(trial_data(records, study.config.space.search, {}))
    }
    assert outcomes[last.trial.trial_id] in ("running", "waiting")
