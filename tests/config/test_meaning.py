"""What a search space cannot mean is refused in one line, which names the line of the file."""

import re

import pytest
from made_artifacts import winner
from made_configs import SPACE, changed, write_yaml

from glsweep.config.settings import load_yaml
from glsweep.config.space import load_space
from glsweep.errors import ConfigError
from glsweep.retrain import plan_member
from glsweep.study import Study
from glsweep.study.configuration import StudyConfig

BASE = """\
name: small
dimensions:
  architecture: {choices: [unet, unetpp]}
  patch_size_px: {choices: [32, 64]}
  bce_weight: {choices: [0.2, 0.35]}
  # here
fixed:
  channels: [real, imag]
  fn_weight: 0.7
  fp_weight: 0.3
  gamma: 1.33
  base_width: 2
  learning_rate: 1.0e-3
  weight_decay: 1.0e-5
  batch_size: 4
  gradient_clip: 1.0
  augmentation: []
patches: {rule: balanced, with_line: 8, without_line: 4, valid_share: 0.2, near_share: 0.5}
search:
  sampler: grid
  epochs: 4
  rank_by: relaxed_f1
  tolerance_m: 200.0
  scheduler:
    name: asha
    grace_epochs: 1
    reduction_factor: 2
resources:
  cpus: 1
  gpus: 0
retraining:
  epochs: 9
  patience: 2
  monitor: val_loss
calibration: {lowest: 0.1, highest: 0.9, count: 17, criterion: dice}
"""
HERE = "  # here\n"


def load(tmp_path, *changes):
    text = BASE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "space.yaml"
    path.write_text(text)
    return load_space(path)


def refusal(tmp_path, *changes):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, *changes)
    message = str(caught.value)
    assert "\n" not in message
    line, fault = re.fullmatch(rf"{tmp_path}/space\.yaml: line (\d+): (.*)", message).groups()
    return (tmp_path / "space.yaml").read_text().splitlines()[int(line) - 1].strip(), fault


RATE = "learning_rate: {low: 1.0e-4, high: 1.0e-2"
FREE = ("  learning_rate: 1.0e-3\n", "")


@pytest.mark.parametrize(
    ("dimension", "line", "told"),
    [
        (
            "gamma: {choices: [1, 2]}",
            "gamma: 1.33",
            "fixed.gamma: is set by the dimension gamma in every trial",
        ),
        (
            "alpha: {choices: [0.6]}",
            "fn_weight: 0.7",
            "fixed.fn_weight: is set by the dimension alpha in every",
        ),
        (
            "patch_size: 32",
            "patch_size: 32",
            "dimensions.patch_size: sets patch_size_px, which patch_size_px sets",
        ),
        (
            "pair:\n    keys: [bce_weight, gamma]\n    choices: [[0.1, 2]]",
            "pair:",
            "dimensions.pair: sets bce_weight, which bce_weight sets too",
        ),
        (
            "pair:\n    keys: [alpha, fn_weight]\n    choices: [[0.1, 2]]",
            "keys: [alpha, fn_weight]",
            "dimensions.pair.keys: alpha and fn_weight set one parameter",
        ),
        (
            "ds_weights:\n    choices:\n      - [1, 0, 0, 0]\n      - [1.0, 0, 0, 0]",
            "- [1.0, 0, 0, 0]",
            "there twice",
        ),
        (
            "gamma: {choices: [1, 2, 1.0]}",
            "gamma: {choices: [1, 2, 1.0]}",
            "gamma.choices.2: 1.0 is there twice",
        ),
        ("gamma:\n    choices:\n    - 1\n    - '2'", "- '2'", "choices.1: '2' is a text, and gamma a number"),
        (
            "gamma: {choices: [true, false]}",
            "gamma: {choices: [true, false]}",
            "is not a matter of true or false",
        ),
        ("batch_size: {choices: [1, 2.5]}", "batch_size: {choices: [1, 2.5]}", "(it is 2.5)"),
        ("gamma: {low: 1, high: 2}", "gamma: {low: 1, high: 2}", "dimensions.gamma: a range needs `grid`"),
        ("gamma: {low: 1, high: 2, step: 0.3}", "gamma: {low: 1, high: 2, step: 0.3}", "make it 1.9 or 2.2"),
        (
            "gamma: {low: 1, high: 2, step: 1.0e-4}",
            "gamma: {low: 1, high: 2, step: 1.0e-4}",
            "has 10,001 values",
        ),
        (
            "batch_size: {low: 2.5, high: 4}",
            "batch_size: {low: 2.5, high: 4}",
            "low: input should be a valid integer",
        ),
        (
            "batch_size: {low: 2, high: 4, step: 0.5}",
            "batch_size: {low: 2, high: 4, step: 0.5}",
            "step: should be",
        ),
        (
            "gamma: {low: 0, high: 8, step: 1}",
            "gamma: {low: 0, high: 8, step: 1}",
            "low: input should be greater",
        ),
        (
            "precision: {low: 0, high: 1}",
            "precision: {low: 0, high: 1}",
            "low: input should be 'auto', 'float32'",
        ),
        (
            "base_width: {low: 3, high: 8}",
            "base_width: {low: 3, high: 8}",
            "low: input should be a multiple of 2 (it is 3.0)",
        ),
        (
            "gamma: {low: 1, high: 7, step: 3, log: true}",
            "gamma: {low: 1, high: 7, step: 3, log: true}",
            "multiple of 3",
        ),
        (
            "gamma:\n    low: 1\n    high: 2\n    grid: [1, 3]",
            "grid: [1, 3]",
            "grid.1: 3 lies outside 1 to 2",
        ),
        ("gamma:\n    low: 1\n    high: 2\n    grid: [1, 1.0]", "grid: [1, 1.0]", "grid.1: 1 is there twice"),
        (
            "gamma: {low: 1, high: 2, grid: [1.2], step: 0.5}",
            "gamma: {low: 1, high: 2, grid: [1.2], step: 0.5}",
            "make it 1 or 1.5",
        ),
        (
            "gamma: {low: 1, high: 2, grid: [1], labels: [a]}",
            "gamma: {low: 1, high: 2, grid: [1], labels: [a]}",
            "`labels` belong to",
        ),
        (
            "gamma: {choices: [1, 2], labels: [a, a]}",
            "gamma: {choices: [1, 2], labels: [a, a]}",
            "the label 'a' is there twice",
        ),
        ("gamma: [1, 2]", "gamma: [1, 2]", "write `choices: [...]` for what is tried in turn"),
        ("gamma: {value: 1, choices: [2]}", "gamma: {value: 1, choices: [2]}", "give one of `choices`"),
        ("gamma: {permutations: 3}", "gamma: {permutations: 3}", "should be a list of 2 to 6 values"),
        ("gamma:", "gamma:", "dimensions.gamma: "),
    ],
)
def test_a_dimension_that_cannot_mean_what_it_says_is_refused(tmp_path, dimension, line, told):
    found, fault = refusal(tmp_path, (HERE, f"  {dimension}\n"))
    assert found == line
    assert told in fault


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("{architecture: attention_unet}", "can never be met (architecture is unet or unetpp)"),
        (
            "{architecture: unetpp, patch_size_px: 128}",
            "can never be met (architecture is unet or unetpp, patch_s",
        ),
        ('{patch_size_px: "32"}', "when.patch_size_px: '32' is a text, and patch_size_px a number"),
        ('{patch_size: [64, "32"]}', "when.patch_size: '32' is a text, and patch_size_px a number"),
        ("{patch_size: true}", "when.patch_size: input should be a multiple of 16 (it is True)"),
        (
            "{architecture: 3}",
            "when.architecture: input should be 'unet', 'attention_unet', 'unetpp', ",
        ),
        ("{bce_weight: 0.3}", "can never be met (bce_weight is 0.2 or 0.35)"),
        ("{wide: 4, architecture: unet}", "can never be met"),
    ],
)
def test_a_condition_that_no_combination_meets_is_refused(tmp_path, when, told):
    widths = "wide: {keys: [base_width], choices: [[4]], when: {architecture: unetpp}}"
    when = when.replace("wide", "base_width")
    line = f"when: {when}"
    found, fault = refusal(
        tmp_path, (HERE, f"  {widths}\n  gamma:\n    choices: [1]\n    {line}\n"), ("  gamma: 1.33\n", "")
    )
    assert found == line
    assert fault.startswith("dimensions.gamma.when")
    assert told in fault


def test_conditions_are_followed_one_upon_another(tmp_path):
    chain = (
        "  base_width: {choices: [4, 8], when: {architecture: unet}}\n"
        "  gamma: {choices: [1, 2], when: {base_width: 8, patch_size: 64}}\n"
        "  batch_size: {choices: [2], when: {gamma: 2, architecture: ARCHITECTURE}}\n"
    )
    load(tmp_path, (HERE, chain.replace("ARCHITECTURE", "unet")))
    found, fault = refusal(tmp_path, (HERE, chain.replace("ARCHITECTURE", "unetpp")))
    assert found.startswith("batch_size")
    assert "can never be met (gamma is 1 or 2, architecture is unet or unetpp)" in fault


def test_a_number_drawn_from_a_range_meets_no_condition_and_a_point_of_a_lattice_does(tmp_path):
    drawn = ("sampler: grid", "sampler: random\n  budget: {trials: 9}")
    conditioned = "  gamma: {choices: [1], when: {batch_size: 3}}\n"
    load(
        tmp_path, (HERE, "  batch_size: {low: 2, high: 4}\n" + conditioned), ("  batch_size: 4\n", ""), drawn
    )
    rate = "  learning_rate: {low: 0.001, high: 0.1}\n  gamma: {choices: [1], when: {learning_rate: 0.01}}\n"
    _, fault = refusal(tmp_path, (HERE, rate), FREE, drawn)
    assert "can never be met (learning_rate is another number)" in fault
    on_grid = rate.replace("high: 0.1}", "high: 0.1, grid: [0.01, 0.02]}")
    load(tmp_path, (HERE, on_grid), FREE)


def test_dimensions_that_never_exist_together_may_set_one_parameter_and_the_fixed_one_is_for_the_others(
    tmp_path,
):
    widths = (
        "  base_width: {choices: [4], when: {architecture: unet, patch_size: 32}}\n"
        "  wider: {keys: [base_width], choices: [[8]], when: {patch_size: 64}}\n"
    )
    load(tmp_path, (HERE, widths))
    _, fault = refusal(
        tmp_path, (HERE, widths.replace("architecture: unet, patch_size: 32", "architecture: unet"))
    )
    assert fault.startswith("dimensions.wider: sets base_width, which base_width sets too")
    _, fault = refusal(tmp_path, (HERE, widths.replace("architecture: unet, ", "")))
    assert fault.startswith("fixed.base_width: is set by the dimensions base_width and wider in every trial")


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("grace_epochs: 1", "grace_epochs: 4", "grace_epochs: 4", "4 is not below the 4 epochs of a trial"),
        (
            "name: asha\n    grace_epochs: 1\n    reduction_factor: 2",
            "name: median\n    grace_epochs: 9",
            "grace_epochs: 9",
            "9 is not below",
        ),
        ("  gpus: 0\n", "  gpus: 0\n  cuda_graphs: true\n", "cuda_graphs: true", "`gpus` is 0"),
        (
            "  epochs: 4\n",
            "  epochs: 4\n  parallel: 3\n",
            "parallel: 3",
            "`parallel` goes with `sampler: tpe`",
        ),
        (
            "  fn_weight: 0.7\n",
            "  fn_weight: 0.7\n  alpha: 0.7\n",
            "alpha: 0.7",
            "fn_weight and alpha set one",
        ),
        ("  batch_size: 4\n", '  batch_size: "4"\n', 'batch_size: "4"', "fixed.batch_size: '4' is a text"),
        ("  monitor: val_loss\n", "  monitor: val_loss\n  batch_sise: 4\n", "batch_sise: 4", "unknown key"),
        ("  sampler: grid\n", "  sampler: random\n", "sampler: random", "needs a `budget`"),
        ("  patience: 2\n", "", "retraining:", "retraining.patience: is missing"),
    ],
)
def test_a_setting_without_effect_is_refused(tmp_path, old, new, line, told):
    found, fault = refusal(tmp_path, (old, new))
    assert found == line
    assert told in fault


def test_a_number_of_trials_that_train_together_is_for_a_grid_that_is_known(tmp_path):
    together = ("  gpus: 0\n", "  gpus: 0\n  cohort: 4\n")
    load(tmp_path, together)
    for budget in ("sampler: grid\n  budget: {hours: 3}", "sampler: random\n  budget: {trials: 3}"):
        found, fault = refusal(tmp_path, together, ("sampler: grid", budget))
        assert (found, fault[:17]) == ("cohort: 4", "resources.cohort:")


@pytest.mark.parametrize(
    "of", ["{choices: [1, 2]}", "{keys: [batch_size, gradient_clip], choices: [[1, 2]]}"]
)
def test_what_is_searched_cannot_be_set_for_retraining_too(tmp_path, of):
    searched = (HERE, f"  batch_size: {of}\n")
    free = ("  batch_size: 4\n  gradient_clip: 1.0\n", "" if "keys" in of else "  gradient_clip: 1.0\n")
    load(tmp_path, searched, free)
    found, fault = refusal(
        tmp_path, searched, free, ("  monitor: val_loss\n", "  monitor: val_loss\n  batch_size: 25\n")
    )
    assert found == "batch_size: 25"
    assert fault.startswith("retraining.batch_size: is searched by the dimension batch_size; remove it here")


def test_a_member_has_what_its_winner_won_with_unless_retraining_says_otherwise_and_that_is_told(tmp_path):
    given = ("  monitor: val_loss\n", "  monitor: val_loss\n  batch_size: 25\n  weight_decay: 1.0e-5\n")
    for changes, overrides in (((), {}), ((given,), {"batch_size": ("4", "25")})):
        loaded = load(tmp_path, *changes)
        assert loaded.retraining_overrides == overrides
        assert [remark for remark in loaded.remarks if "25" in remark] == [
            f"retraining: {name} is {new}, in the trials {old}" for name, (old, new) in overrides.items()
        ]
        study = Study(tmp_path, StudyConfig.model_construct(space=loaded))
        won = {
            **SPACE["fixed"],
            "architecture": "unet",
            "patch_size_px": 32,
            "bce_weight": 0.2,
            "gradient_clip": 0.1,
        }
        member = plan_member(study, 0, "unet-32", winner(parameters=won)).parameters
        assert (member.batch_size, member.gradient_clip) == (25 if overrides else 4, 0.1)


def test_a_patience_that_ends_nothing_is_told(tmp_path):
    assert load(tmp_path).remarks == ()
    (remark,) = load(tmp_path, ("patience: 2", "patience: 9")).remarks
    assert remark == "retraining: a patience of 9 ends nothing within 9 epochs"


def test_a_study_of_before_goes_on_though_a_file_like_it_would_be_refused(tmp_path):
    value = changed(SPACE, "dimensions.learning_rate", {"choices": [0.1, 0.1]})
    frozen = {"name": "old", "seed": 0, "card": {"name": "sim", "simulation": {"scenes": 3}}, "space": value}
    old = load_yaml(write_yaml(tmp_path / "study.yaml", frozen), StudyConfig)
    assert old.space.retraining_overrides["learning_rate"] == ("as searched", "0.001")
    with pytest.raises(
        ConfigError, match=r"space\.yaml: line \d+: dimensions\.learning_rate\.choices\.1: 0\.1 is "
    ):
        load_space(write_yaml(tmp_path / "space.yaml", value))


def test_a_fault_in_a_study_is_found_below_its_space(tmp_path):
    frozen = {
        "name": "old",
        "seed": 0,
        "card": {"name": "sim", "simulation": {}},
        "space": {**SPACE, "search": 3},
    }
    path = write_yaml(tmp_path / "study.yaml", frozen)
    with pytest.raises(ConfigError) as caught:
        load_yaml(path, StudyConfig)
    line = int(re.search(r"line (\d+): space\.search: ", str(caught.value))[1])
    assert path.read_text().splitlines()[line - 1].strip() == "search: 3"


def test_a_parameter_that_no_rule_narrows_may_be_fixed(tmp_path):
    path = write_yaml(tmp_path / "space.yaml", changed(SPACE, "fixed.precision", "float32"))
    assert load_space(path).fixed["precision"] == "float32"


def test_a_rule_that_compares_all_trials_at_once_is_for_plans_that_know_them(tmp_path):
    halving = ("    name: asha\n", "    name: halving\n")
    load(tmp_path, halving)
    for search in (
        "sampler: random\n  budget: {trials: 9}",
        "sampler: tpe\n  parallel: 2\n  budget: {trials: 9}",
        "sampler: grid\n  budget: {epochs: 40}",
        "sampler: grid\n  budget: {hours: 1}",
        "sampler: my_samplers:Sampler",
    ):
        line, fault = refusal(tmp_path, halving, ("sampler: grid", search))
        assert line == "name: halving"
        assert "compares all trials of a grid at once" in fault
    load(tmp_path, halving, ("sampler: grid", "sampler: grid\n  budget: {trials: 9}"))
