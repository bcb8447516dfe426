"""What may change in a study, key by key."""

from pathlib import Path

import pytest
from made_configs import CARD, REMOVED, SPACE, changed, study_config

from glsweep.config.data_card import DataCard
from glsweep.study.configuration import STAGES, StudyConfig, changes_between, extended_configuration

FROM_SWEEP = STAGES[STAGES.index("sweep") :]
REAL = {"name": "real", "root": "/data/real"}
TEST = {"name": "away", "root": "/data/away"}


def told(old: StudyConfig, new: StudyConfig) -> dict[str, tuple[bool, tuple[str, ...]]]:
    return {change.key: (change.is_possible, change.stale) for change in changes_between(old, new)}


def with_range(**dimension: object) -> StudyConfig:
    dimensions = {**SPACE["dimensions"], "learning_rate": dimension}
    fixed = changed(SPACE["fixed"], "learning_rate", REMOVED)
    search = {**SPACE["search"], "sampler": "random", "budget": {"trials": 9}}
    return study_config(dimensions=dimensions, fixed=fixed, search=search)


@pytest.mark.parametrize(
    ("key", "to", "stale"),
    [
        ("title", "Other words", ("report",)),
        ("name", "other", ("report",)),
        ("resources.cpus", 2, ()),
        ("resources.cohort", 3, ()),
        ("calibration.count", 9, ("calibrate", "evaluate", "report")),
        ("retraining.patience", 7, ("retrain", "calibrate", "evaluate", "report")),
        ("retraining.seeds", 3, ("retrain", "calibrate", "evaluate", "report")),
        ("search.budget", {"hours": 3.0}, FROM_SWEEP),
        ("search.first", [{"bce_weight": 0.2}], FROM_SWEEP),
        ("search.epochs", 9, FROM_SWEEP),
        ("search.replicates", 3, FROM_SWEEP),
        ("dimensions.bce_weight.choices", [0.5, 0.35, 0.2], FROM_SWEEP),
    ],
)
def test_a_setting_may_change_and_what_follows_from_it_is_done_again(key, to, stale):
    new = study_config(**{key.replace(".", "__"): to})
    found = told(study_config(), new)
    assert found
    assert all(can for can, _ in found.values())
    assert {stage for _, stages in found.values() for stage in stages} == set(stale)


@pytest.mark.parametrize(
    ("key", "to", "named"),
    [
        ("fixed.gamma", 1.0, "space.fixed.gamma"),
        ("search.rank_by", "dice", "space.search.rank_by"),
        ("search.tolerance_m", 100.0, "space.search.tolerance_m"),
        ("search.scheduler", {"name": "none"}, "space.search.scheduler.name"),
        ("patches.with_line", 9, "space.patches.with_line"),
        ("dimensions.ds_weights.when", {"bce_weight": 0.2}, "space.dimensions.ds_weights.when"),
    ],
)
def test_what_would_make_trials_incomparable_is_named_and_not_possible(key, to, named):
    found = told(study_config(), study_config(**{key.replace(".", "__"): to}))
    assert not found[named][0]


def test_every_key_that_differs_is_named():
    found = told(study_config(), study_config(seed=4, fixed__gamma=1.0, patches__with_line=9))
    assert {"seed", "space.fixed.gamma", "space.patches.with_line"} <= found.keys()


def test_the_order_of_choices_says_nothing():
    assert not told(study_config(), study_config(dimensions__bce_weight__choices=[0.35, 0.2]))


def test_what_was_fixed_may_become_a_choice_of_several_but_not_another():
    def searched(*rates):
        dimensions = {**SPACE["dimensions"], "learning_rate": {"choices": list(rates)}}
        return study_config(dimensions=dimensions, fixed=changed(SPACE["fixed"], "learning_rate", REMOVED))

    (more,) = changes_between(study_config(), searched(1.0e-3, 1.0e-2))
    assert (more.key, more.is_possible, more.stale) == ("space.dimensions.learning_rate", True, FROM_SWEEP)
    assert not all(c.is_possible for c in changes_between(study_config(), searched(1.0e-2, 1.0e-1)))
    # And back again: a study keeps what it has tried.
    assert (
        extended_configuration(searched(1.0e-3, 1.0e-2), study_config()).space
        == searched(1.0e-3, 1.0e-2).space
    )


def test_a_range_grows_at_both_ends_and_stays_as_wide_as_it_was():
    old, wide = with_range(low=1e-3, high=1e-2, log=True), with_range(low=1e-4, high=1e-1, log=True)
    assert set(told(old, wide)) == {
        "space.dimensions.learning_rate.low",
        "space.dimensions.learning_rate.high",
    }
    assert all(can for can, _ in told(old, wide).values())
    assert extended_configuration(wide, old) == wide
    assert not told(old, with_range(low=1e-3, high=1e-2))["space.dimensions.learning_rate.log"][0]


def test_further_choices_come_behind_those_that_are_there():
    asked = study_config(
        dimensions__bce_weight={"choices": [0.9, 0.35], "labels": ["most", "some"]}, search__epochs=2
    )
    merged = extended_configuration(study_config(), asked)
    bce = merged.space.dimensions["bce_weight"]
    assert bce.choices == (0.2, 0.35, 0.9)
    assert bce.labels == ("0.2", "some", "most")
    assert merged.space.search.epochs == SPACE["search"]["epochs"]
    kept = {change.key for change in changes_between(merged, asked)}
    assert {"space.dimensions.bce_weight.choices", "space.search.epochs"} <= kept


def test_test_data_may_join_and_leave_while_training_data_may_not():
    alone, other = study_config(card=REAL), study_config(card=TEST)
    joined = study_config(card={"name": "both", "parts": [REAL, {**TEST, "test_only": True}]})
    trained = study_config(card={"name": "both", "parts": [REAL, TEST]})
    again = ("simulate", "prepare", "evaluate", "report")
    assert told(alone, joined) == {"test data": (True, again)}
    assert told(joined, alone) == {"test data": (True, again)}
    assert not all(can for can, _ in told(alone, trained).values())
    assert all(can for can, _ in told(alone, study_config(card={**REAL, "name": "renamed"})).values())
    assert told(alone, other).keys() == {"card.name", "card.root"}


def test_scenes_may_lie_elsewhere_and_be_told_of_in_other_words():
    moved = study_config(card={**REAL, "root": "/elsewhere", "citation": "Someone 2020"})
    assert told(study_config(card=REAL), moved) == {
        "card.root": (True, ()),
        "card.citation": (True, ("report",)),
    }


def test_the_hash_of_a_card_follows_from_all_but_text_and_place():
    card = DataCard.model_validate(REAL)
    same = card.model_copy(update={"title": "T", "source": "S", "root": Path("/elsewhere")})
    assert same.content_hash() == card.content_hash()
    for change in ({"name": "x"}, {"posting_m": 50.0}, {"label": "bresenham"}):
        assert card.model_copy(update=change).content_hash() != card.content_hash()


def test_paths_are_told_from_the_study_and_found_again():
    card = {
        "name": "real",
        "root": "/data/real",
        "split": {"rule": "region", "regions": [{"split": "test", "polygons": "/data/test.gpkg"}]},
    }
    config = study_config(card={"name": "both", "parts": [card, CARD]})
    here = config.with_relative_paths(Path("/data/studies/one"))
    assert here.card.parts[0].root == Path("../../real")
    assert here.card.parts[0].split.regions[0].polygons == Path("../../test.gpkg")
    assert here.with_absolute_paths(Path("/data/studies/one")) == config
    # Both moved together.
    assert here.with_absolute_paths(Path("/disk/studies/one")).card.parts[0].root == Path("/disk/real")


def test_a_dimension_that_is_left_out_at_its_own_value_stays():
    dimensions = {name: of for name, of in SPACE["dimensions"].items() if name != "ds_weights"}
    assert (
        extended_configuration(study_config(), study_config(dimensions=dimensions)).space
        == study_config().space
    )


def test_a_study_whose_members_are_single_networks_is_written_as_before_there_were_several():
    single, several = study_config(retraining__seeds=1), study_config(retraining__seeds=3)
    assert single.model_dump_json() == study_config().model_dump_json()
    assert "seeds" not in single.model_dump()["space"]["retraining"]
    assert several.model_dump()["space"]["retraining"]["seeds"] == 3
    assert repr(several.space.retraining) == repr(single.space.retraining)
