"""How a parameter's value is written: in tables and figures, for MLflow and for Optuna."""

from collections.abc import Sequence
from enum import Enum

Labelled = str | float | Enum | Sequence["Labelled"] | None


def parameter_label(value: Labelled) -> str:
    """Return the text under which a parameter's value is shown.

    MLflow's parallel coordinates drop a run that lacks a selected parameter, so that None has
    a label too.

    Parameters
    ----------
    value : Labelled
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
