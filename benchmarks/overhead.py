"""What the platform costs: the demo's sweep against a bare loop on the same trials, and where it goes.

    python benchmarks/overhead.py [--repetitions 1] [--ways alone file] [--epochs 6]

Both sides train every trial in full (no early stopping) on the same prepared patches with the same seeds,
side by side on the same cores, one thread a process, each from a cold start of the interpreter. The sweep is
`python -m glsweep.run sweep` with all that belongs to it: Ray, a checkpoint each epoch, the ledger, MLflow.
The bare loop (bare_loop.py) only trains. `alone` trains each trial by itself, as the loop does; `file` trains
together what the search space lets train together, which saves the loop's own time. Their order changes from
repetition to repetition.

Seconds of the processors are those of all processes, looked at ten times a second; beside other work they are
steadier than the wall time. The second table times each part by itself (overhead_parts.py): how often the
sweep has it, what it costs, and what that comes to. They overlap, so that the wall times do not add up.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import tyro
import yaml
from measured import Measured, MeasuredFile, add
from process_tree import KINDS, Usage, usage_of

from glsweep.config import DEMO_CARD, DEMO_SPACE

HERE = Path(__file__).parent
Way = Literal["alone", "file"]
PARTS = ("ray", "checkpoints", "reports", "driver", "mlflow")
# Started and ended as the command does it, without what lies between.
COMMAND = (
    "import gc, glsweep.run as run; gc.set_threshold(run.OBJECTS_BETWEEN_COLLECTIONS); "
    "import glsweep.stages, glsweep.sweep.engine; gc.freeze()"
)
LOOP = "import bare_loop"


@dataclass
class Options:
    """What is trained, and how often."""

    space: Path = DEMO_SPACE
    data: Path = DEMO_CARD
    epochs: int | None = None
    """Of each trial; None for as many as the search space says."""
    ways: tuple[Way, ...] = ("alone", "file")
    repetitions: int = 1
    workers: int = os.cpu_count() or 1
    """Trials side by side in the bare loop; the sweep takes as many as there are cores."""
    parts: bool = True
    """Time each part by itself too."""
    measured: MeasuredFile = None


def main(options: Options) -> None:
    with tempfile.TemporaryDirectory(prefix="glsweep-overhead-") as folder:
        root = Path(folder)
        studies = {way: prepare(root / way, way, options) for way in options.ways}
        runs: list[dict[str, Usage]] = []
        for repetition in range(options.repetitions):
            names = ["bare", *options.ways]
            runs.append({})
            for name in names if repetition % 2 == 0 else reversed(names):
                study = studies[options.ways[0] if name == "bare" else name]
                runs[-1][name] = one_run(name, study, root / f"{name}-{repetition}", options)
        print_runs(runs)
        if options.parts:
            print_parts(root / f"{options.ways[0]}-0", options)
    print(f"Python {sys.version.split()[0]}, torch {version('torch')}, ray {version('ray')}, ", end="")
    print(f"mlflow {version('mlflow')}, {os.cpu_count()} cores, {os.uname().machine}")
    found = [
        Measured(f"demo's sweep, {TITLES[way]}", "bare loop", median_ratio(runs, way), at_most=1.1)
        for way in options.ways
    ]
    add(found, options.measured)


# --- Both sides

TITLES = {"bare": "bare loop", "alone": "each trial by itself", "file": "trained together as the file lets"}


def prepare(folder: Path, way: Way, options: Options) -> Path:
    """Make a study whose patches are ready, in which every trial runs in full."""
    folder.mkdir()
    space: dict[str, Any] = yaml.safe_load(options.space.read_text(encoding="utf-8"))
    space["search"] |= {"scheduler": {"name": "none"}, "replicates": 1}
    space["search"]["epochs"] = options.epochs or space["search"]["epochs"]
    if way == "alone":
        space["resources"]["cohort"] = 1
    space_yaml = folder / "space.yaml"
    space_yaml.write_text(yaml.safe_dump(space, sort_keys=False), encoding="utf-8")
    given = ("--data", options.data, "--space", space_yaml, "--study", folder / "study")
    usage_of("-m", "glsweep.run", "prepare", *given)
    return folder / "study"


def one_run(name: str, study: Path, copy: Path, options: Options) -> Usage:
    """Train all trials of a study: in the bare loop, or in a sweep of a copy of it."""
    if name == "bare":
        return usage_of(HERE / "bare_loop.py", study, options.workers)
    shutil.copytree(study, copy)
    return usage_of("-m", "glsweep.run", "sweep", "--study", copy)


def median_ratio(runs: list[dict[str, Usage]], way: str) -> float:
    return statistics.median(run[way].wall_s / run["bare"].wall_s for run in runs)


def print_runs(runs: list[dict[str, Usage]]) -> None:
    """Print wall time and processor seconds of every run, by what used them."""
    kinds = ["the command", *dict.fromkeys(KINDS.values()), "others"]
    print(f"| | wall (s) | ratio | processors (s) | ratio | {' | '.join(kinds)} |")
    print("|---|---|---|---|---|" + "---|" * len(kinds))
    for run in runs:
        for name in ("bare", *(way for way in run if way != "bare")):
            used, bare = run[name], run["bare"]
            shares = " | ".join(f"{used.by_kind_s.get(kind, 0.0):.1f}" for kind in kinds)
            print(
                f"| {TITLES[name]} | {used.wall_s:.1f} | {used.wall_s / bare.wall_s:.3f} "
                f"| {used.cpu_s:.1f} | {used.cpu_s / bare.cpu_s:.3f} | {shares} |"
            )


# --- Where it goes


def print_parts(study: Path, options: Options) -> None:
    """Print what each part costs by itself, and what that comes to in the study's sweep."""
    print("\n| part | times | wall (ms) | processors (ms) | in all (s) |\n|---|---|---|---|---|")
    for row in parts(study, options):
        in_all_s = row["times"] * row["cpu_s"]
        print(
            f"| {row['part']} | {row['times']} | {1000 * row['wall_s']:.1f} | {1000 * row['cpu_s']:.1f} "
            f"| {in_all_s:.2f} |",
            flush=True,
        )


def parts(study: Path, options: Options) -> Iterator[dict[str, Any]]:
    """Yield the rows: the command's own start and end first, then the others, each in its own process."""
    for part, times, code in (
        ("start, imports and end of the command", 1, COMMAND),
        ("of a process of the bare loop, for comparison", options.workers + 1, LOOP),
    ):
        used = usage_of("-c", f"import sys; sys.path.insert(0, {str(HERE)!r}); {code}")
        yield {"part": part, "times": times, "wall_s": used.wall_s, "cpu_s": used.cpu_s}
    for name in PARTS:
        for line in usage_of(HERE / "overhead_parts.py", name, study).printed.splitlines():
            yield json.loads(line)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
