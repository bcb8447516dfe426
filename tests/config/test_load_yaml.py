import re

import pytest
from made_configs import CARD, REMOVED, SPACE, changed, write_yaml

from glsweep.config.data_card import DataCard
from glsweep.config.settings import load_yaml
from glsweep.config.space import SearchSpace, load_space
from glsweep.errors import ConfigError
from glsweep.scenes.cards import load_card


def refusal(path, load=load_space):
    """The message with which `path` is refused, after the file and the line."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return re.sub(r"^line \d+: ", "", message.removeprefix(f"{path}: "))


def refused_space(tmp_path, key, to):
    return refusal(write_yaml(tmp_path / "space.yaml", changed(SPACE, key, to)))


@pytest.mark.parametrize(
    ("key", "known"),
    [
        (
            "tittle",
            "calibration, dimensions, fixed, name, patches, resources, retraining, search, start, title",
        ),
        (
            "search.epoch",
            "budget, epochs, first, parallel, rank_by, replicates, sampler, scheduler, tolerance_m",
        ),
        (
            "dimensions.bce_weight.choises",
            "choices, grid, high, keys, labels, log, low, permutations, step, value, when",
        ),
        ("calibration.thresholds", "as_good_within, count, criterion, highest, lowest, temperature"),
    ],
)
def test_an_unknown_key_is_told_with_the_known_ones(tmp_path, key, known):
    assert refused_space(tmp_path, key, 3) == f"{key}: unknown key; known here: {known}"


@pytest.mark.parametrize(
    ("scheduler", "known"),
    [
        (
            {"name": "asha", "grace_epochs": 1, "reduction_factor": 2, "graze": 1},
            "grace_epochs, name, reduction_factor",
        ),
        ({"name": "none", "graze": 1}, "name"),
    ],
)
def test_an_unknown_key_of_a_scheduler_is_told_with_those_of_that_scheduler(tmp_path, scheduler, known):
    message = refused_space(tmp_path, "search.scheduler", scheduler)
    assert message.endswith(f"graze: unknown key; known here: {known}")


def test_an_unknown_key_is_told_inside_an_optional_part(tmp_path):
    path = write_yaml(tmp_path / "card.yaml", changed(CARD, "simulation.scene", 3))
    message = refusal(path, load_card)
    assert message == (
        "simulation.scene: unknown key; known here: cols, crs, disturbances, filtered_share, line, lines, "
        "looks, noise, posting_m, rows, scenes, tides, wavelength_m"
    )


def test_a_misspelt_key_is_told_before_the_missing_one(tmp_path):
    misspelt = changed(changed(SPACE, "search.epochs", REMOVED), "search.epoch", 3)
    message = refusal(write_yaml(tmp_path / "space.yaml", misspelt))
    assert message.startswith("search.epoch: unknown key; known here: budget, epochs, ")
    assert message.endswith("(and 1 more)")


@pytest.mark.parametrize(
    ("key", "to", "quoted"),
    [
        ("search.epochs", -3, "-3"),
        ("search.epochs", [3], "[3]"),
        ("search.rank_by", "beauty", "'beauty'"),
        ("patches.valid_share", 1.5, "1.5"),
        ("resources.gpus", "many", "'many'"),
        ("retraining.learning_rate", float("nan"), "nan"),
        ("dimensions.bce_weight.choices", 0.2, "0.2"),
        ("name", "a b", "'a b'"),
    ],
)
def test_a_bad_value_is_quoted_beside_its_key(tmp_path, key, to, quoted):
    message = refused_space(tmp_path, key, to)
    assert message.startswith(f"{key}: ")
    assert message.endswith(f"(it is {quoted})")


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ({"name": "ahsa", "grace_epochs": 1}, ["'ahsa'", "'asha', 'halving', 'median', 'none'"]),
        ({"grace_epochs": 1}, ["'name'"]),
        ("asha", ["(it is 'asha')"]),
    ],
)
def test_an_unknown_scheduler_is_told_with_the_known_ones(tmp_path, to, words):
    message = refused_space(tmp_path, "search.scheduler", to)
    assert message.startswith("search.scheduler: ")
    assert all(word in message for word in words)


def test_a_missing_key_is_named(tmp_path):
    assert (
        refused_space(tmp_path, "retraining.patience", REMOVED) == "retraining.patience: is missing; add it"
    )


def test_several_errors_are_counted_in_one_line(tmp_path):
    bad = changed(changed(SPACE, "search.epochs", 0), "resources.cpus", 0)
    assert refusal(write_yaml(tmp_path / "space.yaml", bad)).endswith("(it is 0) (and 1 more)")


def test_a_long_value_is_shortened(tmp_path):
    assert len(refused_space(tmp_path, "search.epochs", list(range(1000)))) < 200


@pytest.mark.parametrize(
    "text",
    ["name: [1, 2", "a: b: c", "name: *nobody", "a: 1\n---\na: 2", "\x00"],
)
def test_what_is_not_yaml_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    assert "is not valid YAML (" in refusal(path)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    assert refusal(path).startswith("the file: ")


def test_a_missing_file_a_folder_and_a_binary_file_cannot_be_read(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\xd8")
    for path in (tmp_path / "nowhere.yaml", tmp_path, tmp_path / "binary.yaml"):
        assert refusal(path).startswith("cannot be read (")


def test_a_number_without_a_dot_before_its_exponent_is_a_number(tmp_path):
    path = write_yaml(tmp_path / "space.yaml", SPACE)
    path.write_text(path.read_text().replace("learning_rate: 0.001", "learning_rate: 1e-4"))
    assert load_space(path).retraining.learning_rate == 1e-4


def test_ranges_and_grids_read_such_numbers_too(tmp_path):
    path = tmp_path / "space.yaml"
    write_yaml(path, changed(SPACE, "dimensions.bce_weight", "RANGE"))
    path.write_text(path.read_text().replace("RANGE", "{low: 1e-5, high: 1e-2, log: true, grid: [1e-4]}"))
    dimension = load_space(path).dimensions["bce_weight"]
    assert (dimension.low, dimension.high, dimension.grid) == (1e-5, 1e-2, (1e-4,))


@pytest.mark.parametrize(
    ("dimension", "words"),
    [
        ({}, "either `choices` or `low` and `high`"),
        ({"choices": [1], "low": 0, "high": 1}, "either `choices` or `low` and `high`"),
        ({"choices": []}, "at least 1"),
        ({"low": 1}, "`low` must lie below `high`"),
        ({"low": 2, "high": 1}, "`low` must lie below `high`"),
        ({"low": 0, "high": 1, "log": True}, "`low` must be positive"),
        ({"choices": [1], "log": True}, "belong to a range"),
        ({"choices": [1, 2], "labels": ["one"]}, "2 choices need 2 labels"),
        ({"choices": [[1, 2]], "keys": ["a", "b", "c"]}, "a list of 3 values"),
        ({"choices": [1], "keys": ["a"]}, "a list of 1 values"),
    ],
)
def test_a_dimension_that_makes_no_sense_is_refused(tmp_path, dimension, words):
    message = refused_space(tmp_path, "dimensions.bce_weight", dimension)
    assert message.startswith("dimensions.bce_weight")
    assert words in message


@pytest.mark.parametrize(
    ("key", "to", "words"),
    [
        ("search.sampler", "random", "`sampler: random` needs a `budget` of trials, epochs or hours"),
        ("search.sampler", "tpe", "`sampler: tpe` needs a `budget` of trials, epochs or hours"),
        ("search.parallel", 4, "`parallel` goes with `sampler: tpe`, and only with it"),
        ("search.budget", {"epochs": 3}, "`budget.epochs` must suffice for one configuration: 4"),
        ("calibration.lowest", 0.95, "`lowest` must lie below `highest`"),
        ("dimensions", {}, "at least 1"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path, key, to, words):
    assert words in refused_space(tmp_path, key, to)


def test_the_hash_of_the_contents_changes_with_any_value():
    hashes = {SearchSpace.model_validate(SPACE).content_hash()}
    changes = {
        "name": "other",
        "dimensions.bce_weight.choices": [0.2, 0.36],
        "fixed.augmentation": ["dihedral"],
        "patches.with_line": 9,
        "search.scheduler": {"name": "none"},
        "search.budget": {"hours": 2},
        "search.first": [{"bce_weight": 0.2}],
        "resources.gpus": 0.5,
        "calibration.count": 18,
    }
    hashes |= {SearchSpace.model_validate(changed(SPACE, k, v)).content_hash() for k, v in changes.items()}
    assert len(hashes) == 1 + len(changes)
    assert all(len(h) == 10 and int(h, 16) >= 0 for h in hashes)


def test_the_hash_does_not_depend_on_the_file_or_the_order_of_keys(tmp_path):
    forward = load_yaml(write_yaml(tmp_path / "a.yaml", CARD), DataCard)
    backward = load_yaml(write_yaml(tmp_path / "b.yaml", dict(reversed(CARD.items()))), DataCard)
    assert forward.content_hash() == backward.content_hash()


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        SearchSpace.model_validate(SPACE).name = "other"


def test_tpe_needs_to_know_how_many_run_at_once(tmp_path):
    search = {**SPACE["search"], "sampler": "tpe", "budget": {"trials": 9}}
    assert "`parallel` goes with `sampler: tpe`" in refused_space(tmp_path, "search", search)
    path = write_yaml(tmp_path / "tpe.yaml", changed(SPACE, "search", {**search, "parallel": 2}))
    assert load_space(path).search.parallel == 2


@pytest.mark.parametrize(
    ("budget", "key"), [({"trials": 0}, "trials"), ({"hours": 0}, "hours"), ({"epochs": 1.5}, "epochs")]
)
def test_a_budget_of_nothing_is_refused(tmp_path, budget, key):
    assert refused_space(tmp_path, "search.budget", budget).startswith(f"search.budget.{key}: ")


def test_retraining_keeps_the_optimiser_of_the_winner_unless_it_names_one(tmp_path):
    path = write_yaml(tmp_path / "space.yaml", changed(SPACE, "retraining.learning_rate", REMOVED))
    assert load_space(path).retraining.learning_rate is None
