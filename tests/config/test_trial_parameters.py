import pytest
from pydantic import ValidationError

from glsweep.config.trial import Stratum, TrialParameters

VALUES = {
    "architecture": "unet",
    "patch_size_px": 128,
    "fn_weight": 0.7,
    "fp_weight": 0.3,
    "gamma": 1.33,
    "bce_weight": 0.2,
    "learning_rate": 1e-4,
    "weight_decay": 1e-5,
    "batch_size": 25,
    "gradient_clip": 1.0,
    "channels": ("real", "imag"),
    "augmentation": [],
}
RAMP = (0.1, 0.2, 0.3, 0.4)


@pytest.mark.parametrize(("architecture", "width"), [("unet", 4), ("attention_unet", 4), ("unetpp", 32)])
def test_a_width_left_out_is_the_published_one(architecture, width):
    assert TrialParameters(**{**VALUES, "architecture": architecture}).base_width == width
    assert TrialParameters(**{**VALUES, "architecture": architecture, "base_width": None}).base_width == width
    assert TrialParameters(**{**VALUES, "architecture": architecture, "base_width": 6}).base_width == 6


@pytest.mark.parametrize("architecture", ["unet", "attention_unet"])
def test_deep_supervision_is_refused_where_there_is_one_head(architecture):
    with pytest.raises(ValidationError, match="ds_weights exist for unetpp only"):
        TrialParameters(**{**VALUES, "architecture": architecture, "ds_weights": RAMP})
    assert TrialParameters(**{**VALUES, "architecture": architecture, "ds_weights": None}).ds_weights is None


def test_deep_supervision_weighs_the_four_heads_of_unetpp():
    unetpp = {**VALUES, "architecture": "unetpp"}
    assert TrialParameters(**{**unetpp, "ds_weights": list(RAMP)}).ds_weights == RAMP
    for bad in ((0, 0, 0, 0), (-0.1, 0.4, 0.4, 0.3), (0.5, 0.5)):
        with pytest.raises(ValidationError, match="ds_weights"):
            TrialParameters(**{**unetpp, "ds_weights": bad})


@pytest.mark.parametrize("depth", [1, 2, 3, 4, None])
def test_deep_supervision_has_a_weight_for_each_head_of_the_depth(depth):
    own = {} if depth is None else {"unetpp.depth": depth}
    of = {**VALUES, "architecture": "unetpp", **own}
    heads = depth or 4
    for count in range(1, 5):
        weights = [1.0] * count
        if count == heads:
            assert TrialParameters(**of, ds_weights=weights).model_dump()["ds_weights"] == tuple(weights)
        else:
            told = rf"must be {heads}, one for each head .*`unetpp.depth` {heads} \(there are {count}\)"
            with pytest.raises(ValidationError, match=told):
                TrialParameters(**of, ds_weights=weights)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patch_size_px", 100),
        ("patch_size_px", 8),
        ("architecture", "vnet"),
        ("bce_weight", 1.1),
        ("gamma", 0),
        ("fn_weight", float("nan")),
        ("base_width", 3),
        ("channels", ()),
        ("channels", ("real", "colour")),
        ("learning_rate", "fast"),
        ("augmentation", ("blur",)),
        ("momentum", 0.9),
    ],
)
def test_a_value_that_cannot_be_trained_with_is_refused(name, value):
    with pytest.raises(ValidationError, match=name):
        TrialParameters(**{**VALUES, name: value})


def test_both_tversky_weights_must_not_be_0():
    with pytest.raises(ValidationError, match="must not both be 0"):
        TrialParameters(**{**VALUES, "fn_weight": 0, "fp_weight": 0})


def test_a_stratum_is_an_architecture_at_a_patch_size():
    assert TrialParameters(**VALUES).stratum == Stratum("unet", 128)
    assert Stratum("unetpp", 256).key == "unetpp-256"
    assert Stratum("unetpp", 256).title == "U-Net++ 256"


def test_a_stratum_is_found_again_by_its_key():
    for stratum in (Stratum("unet", 64), Stratum("attention_unet", 256)):
        assert Stratum.parse(stratum.key) == stratum


def test_labels_left_out_are_not_written_and_those_given_are():
    plain = TrialParameters(**VALUES)
    assert not {key for key in plain.model_dump() if key.startswith("label")}
    own = {"label": "soft", "label_width_m": 150.0, "label_smoothing": 0.05}
    given = TrialParameters(**VALUES, **own)
    assert own.items() <= given.model_dump().items()
    assert TrialParameters.model_validate_json(given.model_dump_json()) == given


@pytest.mark.parametrize(
    "label",
    [
        {"label": "soft"},
        {"label": "bresenham", "label_width_m": 100.0},
        {"label_width_m": 100.0},
        {"label": "buffered", "label_width_m": 0.0},
        {"label_smoothing": 0.5},
        {"label": "wide"},
    ],
)
def test_a_label_without_its_width_or_a_width_without_its_label_is_refused(label):
    with pytest.raises(ValidationError, match="label"):
        TrialParameters(**VALUES, **label)
