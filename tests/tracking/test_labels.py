import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glsweep.config.labels import parameter_label
from glsweep.tracking.address import as_tags, metric_name, metric_value


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (None, "none"),
        (True, "true"),
        (25, "25"),
        (1e-4, "0.0001"),
        (0.1 + 0.2, "0.3"),
        ("unetpp", "unetpp"),
        ((0.1, 0.2, 0.3, 0.4), "0.1,0.2,0.3,0.4"),
        (["real", "imag"], "real,imag"),
        ((), "none"),
    ],
)
def test_every_value_of_a_parameter_has_a_label(value, label):
    assert parameter_label(value) == label


@given(st.floats(min_value=1e-8, max_value=1e8))
def test_a_number_can_be_read_back_from_its_label(value):
    assert float(parameter_label(value)) == pytest.approx(value, rel=1e-11)


@given(st.text(min_size=1))
def test_a_metric_name_holds_only_what_mlflow_takes(name):
    assert re.fullmatch(r"[A-Za-z0-9_\-. :/]+", metric_name(name))


def test_a_tolerance_in_a_metric_name_stays_readable():
    assert metric_name("relaxed_f1@200m") == "relaxed_f1_at_200m"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_becomes_nan(value):
    assert math.isnan(metric_value(value))


def test_tags_without_a_dot_are_put_under_the_projects_name():
    assert as_tags({"stratum": "unet-128", "mlflow.note.content": "x"}) == {
        "glsweep.stratum": "unet-128",
        "mlflow.note.content": "x",
    }
