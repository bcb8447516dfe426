"""What a value or a name is called in MLflow."""

import math
import re
from collections.abc import Mapping
from enum import Enum


def parameter_label(value: object) -> str:
    """Return the text under which a parameter's value is shown.

    MLflow's parallel coordinates drop a run that lacks a selected parameter, so that None has
    a label too.

    Parameters
    ----------
    value : object
        None, a number, a string, or a tuple or list of them.

    Returns
    -------
    str
        `none`, `true`, `0.0001`, `unet`, or `0.1,0.2,0.3,0.4` for a tuple.
    """
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case float():
            return format(value, ".12g")
        case Enum():
            return parameter_label(value.value)
        case tuple() | list():
            return ",".join(map(parameter_label, value)) or "none"
        case _:
            return str(value)


def metric_name(name: str) -> str:
    """Return `name` as MLflow accepts it: `@` becomes `_at_`, any other strange sign `_`."""
    return re.sub(r"[^\w\-. :/]", "_", name.replace("@", "_at_"), flags=re.ASCII)


def metric_value(value: float) -> float:
    """Return `value`, or NaN where it is infinite.

    MLflow's SQL stores keep an infinity as 1.8e308, which ruins the scale of every chart;
    NaN they keep as such.
    """
    return float(value) if math.isfinite(value) else math.nan


def metrics(figures: Mapping[str, float]) -> dict[str, float]:
    """Return `figures` with names and values as MLflow takes them."""
    return {metric_name(name): metric_value(value) for name, value in figures.items()}


def tags(values: Mapping[str, object]) -> dict[str, str]:
    """Return `values` as tags: a name without a dot goes under `glsweep.`."""
    return {
        name if "." in name else f"glsweep.{name}": parameter_label(value) for name, value in values.items()
    }
