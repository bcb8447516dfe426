"""How little a network minds what the processor filtered with: the same scenes, filtered in every way.

Scenes are simulated after a data card, drawn at the network's own threshold, and measured against their true
lines, raw and filtered. The largest difference of the relaxed F1 says how much the filter decides.

Run: `python benchmarks/filters.py` (15 s a scene; `--model FOLDER`, `--card CARD.yaml`, `--scenes N`)
"""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import tyro
from rich.console import Console
from rich.table import Column, Table

import glsweep
from glsweep.config.trial import FilterName
from glsweep.errors import ConfigError
from glsweep.scenes.cards import load_data
from glsweep.simulation import simulate_data

TOLERANCES_M = (200, 500)
ALONE: tuple[FilterName, ...] = (
    "raw",
    "boxcar3",
    "boxcar5",
    "goldstein.3",
    "goldstein.6",
    "goldstein.9",
    "multilooked",
)
MEAN: tuple[FilterName, ...] = ("raw", "boxcar3")


@dataclass(frozen=True)
class Options:
    """What is drawn with what."""

    model: tuple[str, ...] = ()
    """Members' folders; the network in the package unless named."""
    card: Path = Path("datasets/embedded/real.yaml")
    """A data card with `simulation:`."""
    scenes: int = 12
    seed: int = 1000
    """Not one that networks were trained with."""


def main(options: Options) -> None:
    """Simulate, draw and measure, and print a row a filter."""
    console = Console()
    settings = load_data((options.card,)).simulation
    if settings is None:
        raise ConfigError(f"{options.card}: simulates nothing; name a card with `simulation:`")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "scenes"
        simulate_data(settings.model_copy(update={"scenes": options.scenes}), folder, seed=options.seed)
        found = {
            filters: glsweep.score(folder, model=options.model, filters=filters).iloc[-1]
            for filters in [*((name,) for name in ALONE), MEAN]
        }
    console.print(f"{options.scenes} scenes of {options.card}, seed {options.seed}")
    console.print(_table(found))
    for tolerance_m in TOLERANCES_M:
        f1 = {name: relaxed_f1(found[(name,)], tolerance_m) for name in ALONE}
        one, other = max(combinations(ALONE, 2), key=lambda pair: abs(f1[pair[0]] - f1[pair[1]]))
        console.print(
            f"within {tolerance_m} m the F1 of {one} and {other} differs most: {abs(f1[one] - f1[other]):.3f}"
        )


def relaxed_f1(row: "pd.Series[float]", tolerance_m: int) -> float:
    """Return the harmonic mean of completeness and correctness, 0 where nothing was drawn."""
    found, right = row[f"completeness_{tolerance_m}"], row[f"correctness_{tolerance_m}"]
    return float(2 * found * right / (found + right)) if found + right > 0 else 0.0


def _table(found: "dict[tuple[FilterName, ...], pd.Series[float]]") -> Table:
    titles = [f"{what} {t} m" for t in TOLERANCES_M for what in ("F1", "found", "right")]
    table = Table(Column("filter", no_wrap=True), "drawn km", *titles)
    for filters, row in found.items():
        values = [
            value
            for t in TOLERANCES_M
            for value in (relaxed_f1(row, t), row[f"completeness_{t}"], row[f"correctness_{t}"])
        ]
        name = " + ".join(filters)
        table.add_row(name, f"{row['lines_km']:.0f}", *(f"{value:.3f}" for value in values))
    return table


if __name__ == "__main__":
    main(tyro.cli(Options))
