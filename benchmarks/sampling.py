"""Drawing 5,000 patches of 256 px from eight scenes of 2,000 x 2,000: both rules, and the published loop.

The loop is what the published pipelines do: a uniform position, a look at its pixels, keep or drop,
again. It never ends where the rule has no room for as many patches as are asked for, so it is stopped
after a hundred tries for each of them. `faster` is the loop's time over a rule's, for all that each
drew; `for each` is the same for one patch.

Run: `python benchmarks/sampling.py` (some ten minutes, most of them the loop).
"""

import os
import statistics
import tempfile
import time
import tracemalloc
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import tyro
from measured import Measured, MeasuredFile, add
from rich.console import Console
from rich.table import Table

from glsweep.config.data_card import DataCard, Simulation
from glsweep.config.patches import PatchSettings
from glsweep.patches.index import draw_index, largest_overlap
from glsweep.patches.split import split_ground
from glsweep.scenes.cards import card_for_folder
from glsweep.scenes.catalogue import open_catalogue
from glsweep.scenes.scene import SceneEntry
from glsweep.simulation import simulate_data

PUBLISHED = {"box_px": 31, "box_coverage": 200, "fresh_share": 0.4, "fresh_coverage": 3}


@dataclass(frozen=True)
class Options:
    """What is drawn."""

    scenes: int = 8
    side_px: int = 2000
    patch_px: int = 256
    with_line: int = 4000
    without_line: int = 1000
    repetitions: int = 3
    tries: int = 100
    """Positions that the loop may try for each patch that is asked for."""
    measured: MeasuredFile = None


def rejection_loop(
    entries: list[SceneEntry], options: Options, rule: PatchSettings, generator: np.random.Generator
) -> pd.DataFrame:
    """Draw as published, one position at a time."""
    size, half, box = options.patch_px, options.patch_px // 2, PUBLISHED["box_px"]
    kept: list[tuple[str, int, int, bool]] = []
    for entry in entries:
        mask, valid = entry.line_mask("all_touched"), entry.valid()
        coverage = np.zeros(entry.shape, np.int32)
        left = {
            True: options.with_line // len(entries),
            False: options.without_line // len(entries),
        }
        for _ in range(options.tries * sum(left.values())):
            if not any(left.values()):
                break
            row, col = (int(generator.integers(side - size + 1)) for side in entry.shape)
            window = np.s_[row : row + size, col : col + size]
            if valid[window].mean() < rule.valid_share:
                continue
            has_line = bool((mask[window] & valid[window]).any())
            centre = coverage[row + half - box // 2 :, col + half - box // 2 :][:box, :box]
            is_fresh = (
                centre.sum() <= PUBLISHED["box_coverage"]
                or (coverage[window] < PUBLISHED["fresh_coverage"]).mean() >= PUBLISHED["fresh_share"]
            )
            if left[has_line] and is_fresh:
                coverage[window] += 1
                left[has_line] -= 1
                kept.append((entry.name, row, col, has_line))
    index = pd.DataFrame(kept, columns=["scene", "row", "col", "has_line"])
    return index.assign(split="train")


def draw(entries: list[SceneEntry], card: DataCard, rule: PatchSettings, size_px: int) -> pd.DataFrame:
    """Draw through the package, as the stage `prepare` does, on ground of one split."""
    ground = split_ground(entries, card.split, largest_patch_px=size_px, seed=0)
    return draw_index(ground, card, rule, [size_px], seed=0)[size_px]


def evenness(entries: list[SceneEntry], index: pd.DataFrame, size_px: int) -> tuple[float, float]:
    """Return the share of line pixels that a patch holds, and the spread of how many hold each.

    The spread is the standard deviation over the mean: 0 is even.
    """
    times: list[npt.NDArray[np.int32]] = []
    for entry in entries:
        coverage = np.zeros(entry.shape, np.int32)
        for row, col in index.loc[index["scene"] == entry.name, ["row", "col"]].to_numpy():
            coverage[row : row + size_px, col : col + size_px] += 1
        times.append(coverage[(entry.line_mask("all_touched") > 0) & entry.valid()])
    held = np.concatenate(times)
    return float((held > 0).mean()), float(held.std() / held.mean())


def peak_mb(entries: list[SceneEntry], card: DataCard, rule: PatchSettings, size_px: int) -> float:
    """Return the most memory that drawing holds at a time, in MB."""
    tracemalloc.start()
    draw(entries, card, rule, size_px)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main(options: Options) -> None:
    """Draw by the loop and by both rules, and print what each gave and took."""
    common = {"with_line": options.with_line, "without_line": options.without_line, "valid_share": 0.2}
    rules = {
        "published": PatchSettings.model_validate({**common, **PUBLISHED}),
        "balanced": PatchSettings.model_validate({**common, "rule": "balanced", "near_share": 0.5}),
    }
    table = Table(
        "", "patches", "s", "patches/s", "faster", "for each", "line held", "spread", "largest overlap"
    )
    console = Console(width=110)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "scenes"
        simulation = Simulation(scenes=options.scenes, rows=options.side_px, cols=options.side_px)
        simulate_data(simulation, root, seed=0)
        # One split, so that the quotas are those of the loop.
        card = card_for_folder(root)
        card = card.model_copy(update={"split": card.split.model_copy(update={"rule": "patch"})})
        entries = list(open_catalogue(root, card).entries)
        loop_s, loop_patches = 0.0, 0
        for name in ("loop", *rules):
            taken_s = []
            for repetition in range(options.repetitions):
                begun = time.perf_counter()
                if name == "loop":
                    generator = np.random.default_rng(repetition)
                    index = rejection_loop(entries, options, rules["published"], generator)
                else:
                    index = draw(entries, card, rules[name], options.patch_px)
                taken_s.append(time.perf_counter() - begun)
            median_s = statistics.median(taken_s)
            loop_s = loop_s or median_s
            loop_patches = loop_patches or len(index)
            held, spread = evenness(entries, index, options.patch_px)
            overlap = max(largest_overlap(index.assign(split="train"), options.patch_px).values())
            table.add_row(
                name,
                f"{len(index)}",
                f"{median_s:.2f}",
                f"{len(index) / median_s:.0f}",
                f"{loop_s / median_s:.1f}",
                f"{loop_s / median_s * len(index) / loop_patches:.1f}",
                f"{held:.1%}",
                f"{spread:.2f}",
                f"{overlap:.1%}",
            )
            if name == "balanced":
                one = loop_s / median_s * len(index) / loop_patches
                add([Measured("drawing of a patch", "published loop", one, at_least=100)], options.measured)
        console.print(table)
        counts = [n for n in (2, 4, 8) if n <= len(entries)]
        peaks = [peak_mb(entries[:n], card, rules["balanced"], options.patch_px) for n in counts]
        told = ", ".join(f"{n} scenes {peak:.0f} MB" for n, peak in zip(counts, peaks, strict=True))
        console.print(f"most memory held while drawing by the balanced rule: {told}")
    console.print(f"numpy {version('numpy')}, {os.cpu_count()} cores, {os.uname().machine}")


if __name__ == "__main__":
    main(tyro.cli(Options))
