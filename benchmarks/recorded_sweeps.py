"""Sweeps that were really trained, kept as one table each, on which rules and samplers are replayed.

    python benchmarks/recorded_sweeps.py STUDY benchmarks/recorded_grid.csv.gz

makes the table of a study's sweep: one row for each epoch of each trial that ran in full, with the
parameters in which trials differ.
"""

import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tyro

from glsweep.config.trial import TrialParameters
from glsweep.files import replacing
from glsweep.randomness import generator_for
from glsweep.search.plan import PlannedTrial
from glsweep.study import open_study
from glsweep.sweep.records import read_records

FIGURE = "relaxed_f1"
DIGITS = 4


def labels(parameters: TrialParameters) -> dict[str, str]:
    """Return every parameter as text, as it stands in a table."""
    return {name: str(value) for name, value in parameters.by_name.items()}


def frame(study_folder: Path) -> pd.DataFrame:
    """Return a study's sweep as a table."""
    records = read_records(open_study(study_folder).ledger_jsonl)
    rows = [
        {
            **labels(record.trial.parameters),
            "configuration": record.trial.index,
            "replicate": record.trial.replicate,
            "epoch": epoch,
            FIGURE: round(record.epochs[epoch][FIGURE], DIGITS),
        }
        for record in sorted(records.trials.values(), key=lambda one: (one.trial.index, one.trial.replicate))
        if record.outcome == "completed"
        for epoch in sorted(record.epochs)
    ]
    table = pd.DataFrame(rows)
    return table.loc[:, (table.nunique() > 1) | table.columns.isin(["configuration", "replicate"])]


@dataclass(frozen=True)
class Recorded:
    """A recorded grid: the learning curves (seeds, epochs) of each configuration, by its parameters."""

    columns: tuple[str, ...]
    curves: Mapping[tuple[str, ...], np.ndarray]

    def of(self, trial: PlannedTrial) -> np.ndarray:
        """Return the curves of a planned trial's configuration."""
        known = labels(trial.parameters)
        return self.curves[tuple(known[name] for name in self.columns)]

    def drawn(self, trial: PlannedTrial, number: int) -> tuple[np.ndarray, float]:
        """Return the curve of a seed that is drawn, and what the other seeds come to, on average."""
        curves = self.of(trial)
        seed = int(generator_for(number, "seed", trial.trial_id).integers(len(curves)))
        return curves[seed], float(np.delete(curves, seed, axis=0).max(axis=1).mean())


def read_recorded(path: Path) -> Recorded:
    """Read a table that this script has made; of every configuration as many seeds as all of them have."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    columns = tuple(table.columns[: list(table.columns).index("configuration")])
    table = table.astype({"replicate": int, "epoch": int, FIGURE: float})
    grouped = table.groupby(list(columns), dropna=False)
    seeds = int(grouped["replicate"].nunique().min())
    curves = {
        key: of_one.pivot(index="replicate", columns="epoch", values=FIGURE).to_numpy()[:seeds]
        for key, of_one in grouped
    }
    return Recorded(columns, curves)


def main(study: tyro.conf.Positional[Path], table: tyro.conf.Positional[Path]) -> None:
    """Write the table of a study's sweep."""
    text = io.StringIO()
    frame(study).to_csv(text, index=False)
    with replacing(table) as temporary:
        temporary.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
