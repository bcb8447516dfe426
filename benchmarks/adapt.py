"""What adapting without labels brings on scenes whose lines are known: relaxed F1 before and after.

`adapt` sees the interferograms alone. Afterwards all scenes are measured against their lines, those that it
was fitted to apart from those that it held out.

Run: `python benchmarks/adapt.py --data FOLDER` (some minutes; `--model MEMBER`, `--steps N`, `--seed N`)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import tyro
from rich.console import Console
from rich.table import Column, Table

import glsweep
from glsweep.adaptation import adapt_member, print_adapted
from glsweep.adaptation.fit import STEPS
from glsweep.patches.prepare import annotated_scenes
from glsweep.scenes.cards import load_data
from glsweep.scenes.catalogue import open_catalogue

TOLERANCES_M = (200, 500)


@dataclass(frozen=True)
class Options:
    """What is adapted to what."""

    data: Path
    """A folder of scenes with their lines."""
    model: str | None = None
    """The network in the package unless named."""
    steps: int = STEPS
    seed: int = 0


def main(options: Options) -> None:
    """Adapt, and print a row for each network and each kind of scene."""
    console = Console()
    entries, _ = annotated_scenes(open_catalogue(options.data, load_data((options.data,))))
    paths = [entry.header.path for entry in entries]
    with TemporaryDirectory() as temporary:
        found = adapt_member(
            paths,
            Path(temporary) / "member",
            console,
            model=options.model,
            steps=options.steps,
            seed=options.seed,
        )
        print_adapted(found, console)
        was, alone = found.as_it_was.tau, found.threshold_alone.tau
        networks = {"as it was": (options.model, was), "new threshold": (options.model, alone)}
        if found.folder is not None:
            networks["fitted"] = str(found.folder), found.fitted.tau
        table = Table(Column("network", no_wrap=True), "scenes", *(f"F1 {t} m" for t in TOLERANCES_M), "km")
        for name, (model, tau) in networks.items():
            scored = glsweep.score(options.data, model=() if model is None else model, tau=tau)
            for kind, names in (("fitted to", found.fitted_to), ("held out", found.held_out)):
                table.add_row(f"{name}, {tau:g}", kind, *pooled(scored, names))
    console.print(table)


def pooled(scored: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """Return the relaxed F1 at each tolerance, and what is drawn, of these scenes together."""
    rows = scored[scored["name"].isin(list(names))]
    cells = []
    for tolerance_m in TOLERANCES_M:
        found_km = (rows[f"completeness_{tolerance_m}"] * rows["reference_km"]).sum()
        right_km = (rows[f"correctness_{tolerance_m}"] * rows["lines_km"]).sum()
        found, right = found_km / rows["reference_km"].sum(), right_km / max(rows["lines_km"].sum(), 1e-9)
        cells.append(f"{2 * found * right / max(found + right, 1e-9):.3f}")
    return [*cells, f"{rows['lines_km'].sum():.0f}"]


if __name__ == "__main__":
    main(tyro.cli(Options))
