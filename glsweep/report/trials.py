"""Every trial of a sweep as data for the page, which sorts, filters and draws it."""

from collections.abc import Mapping, Sequence
from typing import Any

from glsweep.config.labels import parameter_label
from glsweep.config.space import HIGHER_IS_BETTER, Search
from glsweep.config.trial import ParameterValue, Stratum, TrialParameters
from glsweep.registry import ARCHITECTURES
from glsweep.report import METRIC_WORDS
from glsweep.report.figures import architecture_colour
from glsweep.sweep.overview import trial_state
from glsweep.sweep.records import SweepRecords, TrialRecord
from glsweep.sweep.rungs import rung_epochs

STATE_WORDS = {
    "done": "completed",
    "in_line": "waiting",
    "at_rung": "waiting at a rung",
    "crashed": "crashed",
}
COLUMNS = (
    "id",
    "stratum",
    "outcome",
    "best",
    "bestEpoch",
    "epochs",
    "seconds",
    "replicate",
    "seed",
    "node",
    "reason",
    "parameters",
    "curve",
)
LOG_DECADES = 1.5
"""A parameter whose positive values span more decades than this is drawn on a logarithmic axis."""


def trial_data(records: SweepRecords, search: Search, winners: Mapping[str, str]) -> dict[str, Any]:
    """Return all trials that were begun, in the sweep's order, for `pages/trials.js`.

    Parameters
    ----------
    records : SweepRecords
        What is known of them.
    search : Search
        What ranks, a trial's full budget, and the rungs.
    winners : mapping
        From a stratum's key to the winner's trial_id; empty while the sweep runs.

    Returns
    -------
    dict
        Plain JSON: `trials` has a list a trial, of what `columns` names. A trial's `parameters` are the
        values of those that differ between trials, which `parameters` names; `common` holds the others. A
        `curve` has the metric of each epoch from the first, null where one is missing.
    """
    trials = sorted(records.trials.values(), key=lambda r: (r.trial.index, r.trial.replicate))
    strata = sorted({record.trial.stratum for record in trials}, key=_rank)
    names = _parameter_names(trials)
    values = {name: [record.trial.parameters.by_name.get(name) for record in trials] for name in names}
    differing = [name for name in names if len(set(values[name])) > 1]
    tied = _tied({name: values[name] for name in differing})
    rungs = rung_epochs(search.scheduler, search.epochs)
    return {
        "metric": {"name": METRIC_WORDS[search.rank_by], "higherIsBetter": HIGHER_IS_BETTER[search.rank_by]},
        "epochs": search.epochs,
        "rungs": list(rungs),
        "strata": _strata(strata, winners),
        "parameters": [{**_parameter(name, values[name]), "isTied": name in tied} for name in differing],
        "common": {name: parameter_label(values[name][0]) for name in names if name not in differing},
        "columns": list(COLUMNS),
        "trials": [
            _trial(record, search, rungs, strata, [_shown(values[name][place]) for name in differing])
            for place, record in enumerate(trials)
        ],
    }


def _rank(stratum: Stratum) -> tuple[int, Any]:
    return stratum.patch_size_px, ARCHITECTURES.rank(stratum.architecture)


def _parameter_names(trials: Sequence[TrialRecord]) -> list[str]:
    """Return the names of all parameters but the stratum's, own ones last."""
    named = [name for name in TrialParameters.model_fields if name not in {*Stratum._fields, "own"}]
    own = sorted({name for record in trials for name in record.trial.parameters.own})
    return [*named, *own]


def _strata(strata: Sequence[Stratum], winners: Mapping[str, str]) -> list[dict[str, Any]]:
    """Describe each stratum; those of one colour have shapes of their own, numbered from 0."""
    found: list[dict[str, Any]] = []
    for stratum in strata:
        colour = architecture_colour(stratum.architecture)
        shape = sum(other["colour"] == colour for other in found)
        winner = winners.get(stratum.key)
        words = {"title": stratum.title, "key": stratum.key}
        found.append({**words, "colour": colour, "shape": shape, "winner": winner})
    return found


def _tied(values: Mapping[str, Sequence[ParameterValue]]) -> set[str]:
    """Return the parameters that say no more than another one: both always change together."""
    seen: set[tuple[int, ...]] = set()
    tied = set()
    # The one that each trial has, such as `loss`, says more than those that depend on it.
    for name in sorted(values, key=lambda name: None in values[name]):
        numbers: dict[ParameterValue, int] = {}
        pattern = tuple(numbers.setdefault(value, len(numbers)) for value in values[name])
        # Where no value comes twice, as in draws from a range, nothing says that two are tied.
        if pattern in seen and len(numbers) < len(pattern):
            tied.add(name)
        seen.add(pattern)
    return tied


def _parameter(name: str, values: Sequence[ParameterValue]) -> dict[str, Any]:
    """Say how a parameter's axis is to be drawn."""
    given = [value for value in values if value is not None]
    numbers = [value for value in given if isinstance(value, int | float) and not isinstance(value, bool)]
    is_number = len(numbers) == len(given)
    spans = is_number and min(numbers) > 0 and max(numbers) > min(numbers) * 10**LOG_DECADES
    return {"name": name, "isNumber": is_number, "isLog": spans}


def _trial(
    record: TrialRecord,
    search: Search,
    rungs: tuple[int, ...],
    strata: Sequence[Stratum],
    parameters: list[str | float | None],
) -> list[Any]:
    best = record.best(search.rank_by)
    state = trial_state(record, rungs)
    epochs, last = record.epochs, max(record.epochs, default=0)
    curve = [_rounded(epochs[n][search.rank_by]) if n in epochs else None for n in range(1, last + 1)]
    return [
        record.trial.trial_id,
        strata.index(record.trial.stratum),
        STATE_WORDS.get(state, state),
        _rounded(best[1]) if best else None,
        best[0] if best else None,
        len(epochs),
        round(record.trained_s, 1),
        record.trial.replicate,
        str(record.trial.seed),  # more digits than a number has in JavaScript
        f"{record.last_node}, {record.device}" if record.last_node else "",
        record.reason,
        parameters,
        curve,
    ]


def _shown(value: ParameterValue) -> str | float | None:
    """Return a number as it is, to six digits, and all else as its label."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None if value is None else parameter_label(value)
    return value if isinstance(value, int) else float(f"{value:.6g}")


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
