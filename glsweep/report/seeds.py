"""The spread over seeds: what the same configuration reaches when only its seed differs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glsweep.config.trial import Stratum
from glsweep.report.results import Results
from glsweep.training.report import HIGHER_IS_BETTER

CLEAR = 2.0  # standard errors that a lead must exceed to count as one


@dataclass(frozen=True)
class SeedRow:
    """One configuration with the best figures of its seeds that ran in full."""

    configuration: str
    values: npt.NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean over seeds, which ranks the configuration."""
        return float(self.values.mean())

    @property
    def spread(self) -> float | None:
        """Sample standard deviation over seeds; None with one."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Lead:
    """How far a stratum's winner is ahead of the next configuration.

    `difference` is that of the means, positive, in the figure that ranks; `error` its standard
    error from the spread over seeds, pooled over all configurations of the stratum.
    """

    stratum: Stratum
    winner: str
    second: str
    difference: float
    error: float

    @property
    def is_clear(self) -> bool:
        """Whether the lead exceeds what seeds alone bring about."""
        return self.difference > CLEAR * self.error


def seed_rows(results: Results, stratum: Stratum) -> list[SeedRow]:
    """Return the configurations of a stratum that ran in full, the best first."""
    trials = results.trials_of(stratum)
    completed = trials[trials["outcome"] == "completed"].sort_values(["index", "replicate"])
    rows = [
        SeedRow(str(name), mine["best"].to_numpy(dtype=float))
        for name, mine in completed.groupby("configuration", sort=False)
    ]
    sign = -1.0 if HIGHER_IS_BETTER[results.config.space.search.rank_by] else 1.0
    return sorted(rows, key=lambda row: sign * row.mean)


def pooled_spread(rows: list[SeedRow]) -> float | None:
    """Return the standard deviation over seeds, pooled over configurations; None without any repeated."""
    repeated = [row.values for row in rows if len(row.values) > 1]
    if not repeated:
        return None
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in repeated)
    return float(np.sqrt(squares / sum(len(values) - 1 for values in repeated)))


def leads(results: Results) -> Iterator[Lead]:
    """Yield the lead of each stratum in which two configurations ran in full and seeds were repeated."""
    for stratum in results.trial_strata:
        rows = seed_rows(results, stratum)
        spread = pooled_spread(rows)
        if len(rows) < 2 or spread is None:
            continue
        first, second = rows[:2]
        error = spread * float(np.sqrt(1 / len(first.values) + 1 / len(second.values)))
        difference = abs(first.mean - second.mean)
        yield Lead(stratum, first.configuration, second.configuration, difference, error)
