"""What each choice of a dimension does to the metric of trials, all else alike, with seeds and intervals.

Trials that differ in one dimension alone form a *block*. Within a block choices are compared with the first
one; the mean over blocks is the effect. By how much trials of one block and choice differ, from seed to seed,
says how large an effect chance alone would make (a two-way layout with repeated measurements and a pooled
variance; Montgomery, Design and Analysis of Experiments, section 5.3).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

import numpy as np
from rich.table import Table
from rich.text import Text
from scipy.stats import t as students_t

from glsweep.config.dimension import Dimension, as_tuples, exists_with, parameters_of, set_by
from glsweep.config.labels import parameter_label
from glsweep.config.own_parameters import NAMING_PARAMETERS
from glsweep.config.space import HIGHER_IS_BETTER, Metric, SearchSpace
from glsweep.config.trial import PARAMETERS_OF_BUILT_IN_LOSS, TrialParameters, canonical
from glsweep.errors import ConfigError
from glsweep.report import DASH, short
from glsweep.sweep.records import SweepRecords, TrialRecord

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Effect:
    """One choice of a dimension, compared with the first one.

    Attributes
    ----------
    choice : str
        Its label.
    trials : int
        Trials that ran in full with it.
    mean : float
        Mean of their best metric.
    best_epoch : float
        Mean of the epochs at which it was reached.
    lost : float
        How much worse the metric was, on average, after the last epoch: what training too long costs.
    difference, low, high : float or None
        Effect against the first choice, with its interval; None of the first, without a common block, and
        the interval without repeated seeds. The intervals of all choices hold together in 95 of 100 sweeps
        (Bonferroni).
    """

    choice: str
    trials: int
    mean: float
    best_epoch: float
    lost: float
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def is_told_apart(self) -> bool:
        """Whether the difference from the first choice is more than seeds explain."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True)
class Chosen:
    """A trial that ran in full: its block, the number of its choice, and how it went."""

    block: str
    choice: int
    best: float
    best_epoch: int
    last: float


def effects_of(name: str, space: SearchSpace, records: SweepRecords) -> list[Effect]:
    """Return the effect of each choice of a dimension, in the order in which the space names them.

    Parameters
    ----------
    name : str
        Of a dimension with choices.
    space : SearchSpace
        Says how trials are ranked.
    records : SweepRecords
        Of the sweep. Trials that were stopped count for nothing: where a rule stops the weak early, only the
        lucky ones of a weak choice run in full, so that effects come out too small.

    Raises
    ------
    ConfigError
        When there is no such dimension, it is a range, or no trial of it ran in full.
    """
    dimension = space.dimensions.get(name)
    if dimension is None or dimension.choices is None:
        known = ", ".join(with_several_choices(space)) or "none"
        raise ConfigError(f"--of {name}: is no dimension with choices; here are {known}")
    metric = space.search.rank_by
    chosen = list(_chosen(name, space, records.trials.values(), metric))
    if not chosen:
        raise ConfigError(f"--of {name}: no trial of it has run in full yet; wait for the sweep")
    present = sorted({one.choice for one in chosen})
    labels = labels_of_choices(dimension)
    sign = 1 if HIGHER_IS_BETTER[metric] else -1
    compared = _compared(chosen, present)
    return [
        Effect(
            choice=labels[choice],
            trials=len(own),
            mean=fmean(one.best for one in own),
            best_epoch=fmean(one.best_epoch for one in own),
            lost=fmean(sign * (one.best - one.last) for one in own),
            **compared.get(choice, {}),
        )
        for choice in present
        for own in [[one for one in chosen if one.choice == choice]]
    ]


def with_several_choices(space: SearchSpace) -> list[str]:
    """Return the dimensions of which choices can be compared, in the space's order."""
    return [name for name, dimension in space.dimensions.items() if len(dimension.choices or ()) > 1]


def labels_of_choices(dimension: Dimension) -> list[str]:
    """Return what people call the choices of a dimension."""
    if dimension.labels is not None:
        return list(dimension.labels)
    return [short(parameter_label(as_tuples(choice))) for choice in dimension.choices or ()]


def _chosen(name: str, space: SearchSpace, trials: Iterable[TrialRecord], metric: Metric) -> Iterator[Chosen]:
    dimension = space.dimensions[name]
    settings = [
        {key: as_tuples(value) for key, value in set_by(name, dimension, number).items()}
        for number in range(len(dimension.choices or ()))
    ]
    apart = parameters_of(name, dimension) | _depending_on(name, space.dimensions)
    for record in trials:
        best = record.best(metric)
        own = record.trial.parameters.by_name
        if record.outcome != "completed" or best is None or not exists_with(dimension, own):
            continue
        numbers = [n for n, values in enumerate(settings) if values.items() <= own.items()]
        if len(numbers) == 1:
            epoch, value = best
            block = _block(record.trial.parameters, apart)
            yield Chosen(block, numbers[0], value, epoch, record.epochs[record.reached][metric])


def _depending_on(name: str, dimensions: Mapping[str, Dimension]) -> set[str]:
    """Return the parameters that exist, or have their default, with some choices of a dimension alone."""
    own = parameters_of(name, dimensions[name])
    found = {
        parameter
        for other, dimension in dimensions.items()
        if own & {canonical(key) for key in dimension.when}
        for parameter in parameters_of(other, dimension)
    }
    found |= set(PARAMETERS_OF_BUILT_IN_LOSS) if "loss" in own else set()
    return found | ({"base_width", "ds_weights"} if "architecture" in own else set())


def _block(parameters: TrialParameters, apart: set[str]) -> str:
    owners_differ = bool(apart & set(NAMING_PARAMETERS))
    kept = {
        key: value
        for key, value in parameters.by_name.items()
        if key not in apart and not (owners_differ and "." in key)
    }
    return json.dumps(kept, sort_keys=True, default=list)


def _compared(chosen: Sequence[Chosen], present: Sequence[int]) -> dict[int, dict[str, float | None]]:
    """Return each choice's difference from the first one, with its interval."""
    cells = {key: [one.best for one in group] for key, group in groupby(sorted(chosen, key=_cell), key=_cell)}
    repeated = sum(len(values) - 1 for values in cells.values())
    squares = sum(float(np.var(values)) * len(values) for values in cells.values())
    first, *others = present
    found: dict[int, dict[str, float | None]] = {}
    for choice in others:
        blocks = [block for block, number in cells if number == choice and (block, first) in cells]
        if not blocks:
            continue
        pairs = [(cells[block, choice], cells[block, first]) for block in blocks]
        difference = fmean(fmean(own) - fmean(reference) for own, reference in pairs)
        found[choice] = {"difference": difference}
        if repeated:
            error = np.sqrt(
                squares / repeated * sum(1 / len(own) + 1 / len(reference) for own, reference in pairs)
            ) / len(pairs)
            reach = float(error * students_t.ppf(1 - (1 - CONFIDENCE) / 2 / len(others), repeated))
            found[choice] |= {"low": difference - reach, "high": difference + reach}
    return found


def _cell(one: Chosen) -> tuple[str, int]:
    return one.block, one.choice


# --- For a terminal


def effects_table(name: str, effects: Sequence[Effect], *, rank_by: Metric) -> Table:
    """Return the effects of a dimension's choices for a terminal."""
    table = Table(
        title=f"{name}: {rank_by} of trials that ran in full, on validation",
        caption=f"Difference from the first choice, all else alike, with the {CONFIDENCE:.0%} interval of "
        "seeds (for all choices at once). Lost: how much worse the last epoch was than the best.",
        box=None,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
    for heading in ("choice", "trials", "mean", "difference", "interval", "", "best epoch", "lost"):
        table.add_column(heading, justify="left" if heading in ("choice", "") else "right")
    for effect in effects:
        unknown = effect.low is None or effect.high is None
        table.add_row(
            Text(effect.choice),
            str(effect.trials),
            f"{effect.mean:.3f}",
            DASH if effect.difference is None else f"{effect.difference:+.3f}",
            DASH if unknown else f"{effect.low:+.3f} to {effect.high:+.3f}",
            "" if unknown else "told apart" if effect.is_told_apart else "not told apart",
            f"{effect.best_epoch:.1f}",
            f"{effect.lost:.3f}",
        )
    return table
