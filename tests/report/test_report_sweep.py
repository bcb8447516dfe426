import csv
from itertools import pairwise

import numpy as np
import pytest
from synthetic_study import ASHA, MEDIAN, NONE
from synthetic_sweep import EPOCH_S

from glsweep.config.stopping import Asha, Median, NoStopping
from glsweep.config.trial import Stratum
from glsweep.errors import StudyError
from glsweep.report.figures import house_style
from glsweep.report.figures.learning_curves import draw_seeds
from glsweep.report.page import write_report
from glsweep.report.results import read_results
from glsweep.report.study_facts import data_facts, setup_facts
from glsweep.report.sweep_facts import (
    SeedRow,
    judgements,
    leads,
    outcome_rows,
    pooled_spread,
    rule_words,
    rung_rows,
    saving_words,
    seed_rows,
    winner_rows,
)
from glsweep.report.verdict import cautions
from glsweep.sweep.rungs import SeedScores

ONE = (Stratum("unet", 32),)
TWO = (Stratum("unet", 32), Stratum("unetpp", 32))


def cautions_of(results):
    return cautions(results, data_facts(results.data))


@pytest.mark.parametrize("rank_by", ["relaxed_f1", "val_loss"])
@pytest.mark.parametrize("scheduler", [ASHA, MEDIAN], ids=["asha", "median"])
def test_a_trial_goes_on_when_it_reaches_the_cut_off_of_its_time(make_study, scheduler, rank_by):
    results = read_results(make_study(strata=TWO, scheduler=scheduler, rank_by=rank_by))
    for stratum in TWO:
        made = judgements(results, stratum)
        reaches = (
            made["value"] <= made["cutoff"] if rank_by == "val_loss" else made["value"] >= made["cutoff"]
        )
        assert (reaches == made["went_on"]).all()
        for _, rung in made.groupby("rung_epoch"):
            assert rung["index"].is_monotonic_increasing


@pytest.mark.parametrize("scheduler", [ASHA, MEDIAN], ids=["asha", "median"])
def test_rungs_and_outcomes_tell_of_the_same_trials(make_study, scheduler):
    results = read_results(make_study(strata=TWO, scheduler=scheduler, replicates=2))
    rows = rung_rows(results)
    for outcome in outcome_rows(results):
        mine = [row for row in rows if row.title == outcome.title]
        assert {row.epoch: row.stopped for row in mine if row.stopped} == outcome.stopped
        assert all(before.went_on >= after.judged for before, after in pairwise(mine))


def test_the_rule_is_told_in_words():
    assert rule_words(Median(grace_epochs=1)) == "the better half goes on"
    assert rule_words(NoStopping()) == ""
    assert "1 in 4" in rule_words(Asha(grace_epochs=1, reduction_factor=4))


def test_without_early_stopping_there_are_no_rungs_and_nothing_is_saved(make_study):
    results = read_results(make_study(strata=ONE, scheduler=NONE))
    assert rung_rows(results) == []
    rows = outcome_rows(results)
    assert [row.cost for row in rows] == [1.0]
    assert saving_words(rows) == ""


@pytest.mark.parametrize("replicates", [1, 3])
def test_what_stopping_saved_is_what_the_stopped_trials_would_have_run(make_study, replicates):
    results = read_results(make_study(strata=ONE, replicates=replicates, failures=False))
    (row,) = outcome_rows(results)
    configurations = results.trials["configuration"].nunique()
    assert row.full_epochs == configurations * replicates * 9
    assert row.trained_s + row.saved_s == pytest.approx(row.full_epochs * EPOCH_S)
    assert f"spent {row.epochs:,} of {row.full_epochs:,} epochs" in saving_words([row])


def test_stops_at_many_rungs_are_told_together(make_study):
    results = read_results(make_study(strata=ONE, scheduler=MEDIAN, repeats=12))
    (row,) = outcome_rows(results)
    first, last = min(row.stopped), max(row.stopped)
    assert row.stopped_words == f"{sum(row.stopped.values())} stopped at epochs {first} to {last}"


def test_configurations_are_ranked_by_the_mean_of_their_seeds(make_study):
    results = read_results(make_study(strata=TWO, replicates=3))
    for stratum in TWO:
        rows = seed_rows(results, stratum)
        assert all(len(row.values) == 3 for row in rows)
        assert [row.mean for row in rows] == sorted((row.mean for row in rows), reverse=True)
        won = results.winners[stratum.key]
        assert rows[0].configuration == won.trial_id
        assert (rows[0].mean, rows[0].scores.spread) == pytest.approx((won.value, won.spread))
    assert [row.seeds for row in winner_rows(results)] == [3, 3]
    with house_style():
        plate = draw_seeds(results)
    assert "up to 3 seeds" in plate.caption
    assert f"best mean {rows[0].mean:.3f}" in plate.alt


def test_the_spread_is_pooled_over_configurations_with_several_seeds():
    seeds = {"a": (1.0, 3.0), "b": (5.0,), "c": (0.0, 1.0, 2.0)}
    rows = [SeedRow(name, SeedScores(values)) for name, values in seeds.items()]
    spread = pooled_spread(rows)
    assert (spread.sd, spread.freedom) == (pytest.approx(np.sqrt((2 + 2) / (1 + 2))), 1 + 2)
    assert pooled_spread(rows[1:2]) is None
    assert rows[1].scores.spread is None


def test_a_lead_within_the_noise_of_seeds_is_a_caution(make_study):
    results = read_results(make_study(strata=ONE, replicates=3))
    first, second = seed_rows(results, ONE[0])[:2]

    def shift(configuration, by):
        for record in results.records.trials.values():
            if record.trial.configuration == configuration:
                epoch, value = record.bests["relaxed_f1"]
                record.bests["relaxed_f1"] = epoch, value + by

    for gap, unclear in ((0.001, True), (0.5, False)):
        change = first.mean - gap - seed_rows(results, ONE[0])[1].mean
        shift(second.configuration, change if gap == 0.001 else -0.5)
        for other, _scores in results.seed_scores():
            if other.trial.configuration not in (first.configuration, second.configuration):
                shift(other.trial.configuration, -0.6)
        (lead,) = leads(results)
        assert lead.is_clear is not unclear
        told = [text for text in cautions_of(results) if "which of them is better may be chance" in text]
        assert bool(told) is unclear
    assert not any("with one seed" in text for text in cautions_of(results))


def test_one_seed_is_a_caution_and_has_no_figure(make_study):
    results = read_results(make_study(strata=ONE, repeats=1))
    assert draw_seeds(results) is None
    assert list(leads(results)) == []
    assert any("Each configuration ran with one seed" in text for text in cautions_of(results))


def test_trials_that_ran_out_of_memory_are_named(make_study):
    results = read_results(make_study(strata=ONE, repeats=2))
    assert not any("Memory ran out" in text for text in cautions_of(results))
    named = results.trials["trial_id"].iloc[:2].tolist()
    epochs = results.history.epochs
    epochs.loc[epochs["trial_id"].isin(named), "micro_batch"] = 4
    (told,) = [text for text in cautions_of(results) if "Memory ran out" in text]
    assert f"in 2 trials, which went on with parts of a batch: {named[0]} (4 of 16) and {named[1]}" in told


def test_the_settings_of_any_search_are_in_words(make_study):
    config = make_study(strata=ONE, repeats=1).config
    search = config.space.search.model_copy(update={"sampler": "tpe", "parallel": 4, "replicates": 3})
    space = config.space.model_copy(
        update={
            "search": search.model_copy(update={"scheduler": Median(grace_epochs=2), "first": ({"a": 1},)})
        }
    )
    facts = setup_facts(config.model_copy(update={"space": space}))["Search"]
    assert "all but the last 4" in facts["sampler"]
    assert facts["budget of the sweep"] == "200 configurations"
    assert facts["tried first"] == "a 1"
    assert facts["seeds"] == "3 seeds for each configuration that runs in full"
    assert "median rule" in facts["early stopping"]


def test_a_table_of_trials_without_a_column_is_refused_with_the_remedy(make_study):
    study = make_study(strata=ONE, repeats=1)
    with study.trials_csv.open(newline="") as file:
        rows = [{k: v for k, v in row.items() if k != "replicate"} for row in csv.DictReader(file)]
    with study.trials_csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(StudyError, match=r"has no column 'replicate'; delete .*stages and run"):
        read_results(study)


def test_the_page_shows_the_sweep_in_its_order(make_study):
    study = make_study(strata=(Stratum("unetpp", 32),), repeats=1, replicates=2, failures=False)
    write_report(study)
    html = study.report_html.read_text(encoding="utf-8")
    order = [
        "outcomes",
        "saving",
        "winners",
        "intermediate-values",
        "rung-table",
        "sweep-progress",
        "importance",
        "seeds",
    ]
    places = [html.index(f'id="{name}"') for name in order]
    assert places == sorted(places)
    assert "proceedings.mlr.press/v32/hutter14" in html
