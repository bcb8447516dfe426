"""The dimensions that trials differ in, as axes for figures and columns for tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from glsweep.config.dimension import Dimension
from glsweep.config.space import SearchSpace
from glsweep.config.trial import canonical
from glsweep.report.words import short

MOST_CATEGORIES = 9
SHOWN_AS_STRATUM = {"architecture", "patch_size_px"}


@dataclass(frozen=True)
class Axis:
    """One axis of the parallel coordinates, from 0 (bottom) to 1 (top).

    Attributes
    ----------
    title : str
        Name of the dimension.
    positions : float array (N,)
        Where each trial crosses it.
    ticks : tuple of (float, str)
        Positions with their labels.
    room : float
        Height over which trials of one position may be spread; 0 on a continuous axis.
    """

    title: str
    positions: npt.NDArray[np.float64]
    ticks: tuple[tuple[float, str], ...]
    room: float


def parameters_of(name: str, dimension: Dimension) -> list[str]:
    """Return the parameters that a dimension sets, under their own names."""
    return [canonical(key) for key in dimension.keys or (name,)]


def title_of(name: str, dimension: Dimension) -> str:
    """Return what a dimension is called: its own name where it ties parameters, else the parameter's.

    So several dimensions that set one parameter, under different conditions, are one axis.
    """
    parameters = parameters_of(name, dimension)
    return parameters[0] if len(parameters) == 1 else name


def tied_columns(space: SearchSpace, columns: Sequence[str]) -> dict[str, list[str]]:
    """Group parameter columns into dimensions: tied parameters make one, named by their dimension."""
    groups: dict[str, list[str]] = {}
    for name, dimension in space.dimensions.items():
        present = [key for key in parameters_of(name, dimension) if key in columns]
        if present:
            groups[title_of(name, dimension)] = present
    grouped = {column for group in groups.values() for column in group}
    return {**groups, **{column: [column] for column in columns if column not in grouped}}


def varying(trials: pd.DataFrame, groups: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the groups in which `trials` differ."""
    return {name: group for name, group in groups.items() if len(trials[group].drop_duplicates()) > 1}


def labels_of(trials: pd.DataFrame, group: Sequence[str]) -> pd.Series:
    """Return one label a trial, such as `0.7 / 0.3 / 1.33` for tied parameters."""
    return trials[list(group)].astype(str).map(short).agg(" / ".join, axis=1)


def axis_for(title: str, labels: pd.Series, *, log: bool) -> Axis:
    """Place labels on an axis: few or wordy ones as categories, many numbers on a scale."""
    numbers = pd.to_numeric(labels, errors="coerce")
    distinct = labels.nunique()
    if numbers.notna().all() and distinct > MOST_CATEGORIES:
        return _scale(title, numbers.to_numpy(dtype=float), log=log)
    return _categories(title, labels)


def _scale(title: str, numbers: npt.NDArray[np.float64], *, log: bool) -> Axis:
    values = np.log10(numbers) if log and (numbers > 0).all() else numbers
    low, high = values.min(), values.max()
    positions = (values - low) / (high - low)
    nearest = [int(np.abs(positions - place).argmin()) for place in (0, 0.5, 1)]
    ticks = tuple((float(positions[i]), f"{numbers[i]:.2g}") for i in dict.fromkeys(nearest))
    return Axis(title, positions, ticks, room=0.0)


def _categories(title: str, labels: pd.Series) -> Axis:
    names = sorted(labels.unique(), key=_numeric_first)
    places = (np.arange(len(names)) + 0.5) / len(names)
    position_of = dict(zip(names, places, strict=True))
    positions = labels.map(position_of).to_numpy(dtype=float)
    return Axis(title, positions, tuple(zip(map(float, places), names, strict=True)), room=0.6 / len(names))


def _numeric_first(label: str) -> tuple[bool, float, str]:
    number = pd.to_numeric(label, errors="coerce")
    return (bool(pd.isna(number)), 0.0 if pd.isna(number) else float(number), label)
