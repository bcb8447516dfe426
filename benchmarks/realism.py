"""How near simulated scenes come to real Sentinel-1 double differences, figure by figure.

The right column is what real scenes with hand-drawn lines show: local phase coherence in 5 x 5 px, pooled
over all pixels, and near the lines. The left one is measured here, over scenes of several seeds.

Run: `python benchmarks/realism.py` (some minutes; `--sheet FILE.png` draws the first scenes).
"""

import math
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tyro
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from scipy.ndimage import distance_transform_edt

from glsweep.config.data_card import Simulation
from glsweep.scenes.masks import line_mask
from glsweep.scenes.resample import local_coherence
from glsweep.scenes.scene import Scene
from glsweep.simulation import simulate_scene

PERCENTILES = (5, 25, 50, 75, 95)
REAL_PERCENTILES = (0.07, 0.19, 0.40, 0.82, 0.96)
NEAR_PX = 3
PATCH_PX = 256
ORIGIN_XY_M = (-1_500_000.0, -700_000.0)


@dataclass(frozen=True)
class Options:
    """What is simulated."""

    scenes: int = 24
    side_px: int = 512
    seed: int = 0
    wavelength_m: float = 0.0555
    sheet: Path | None = None
    """A picture of the first eight scenes."""


@dataclass(frozen=True)
class Measured:
    """One scene's figures.

    Attributes
    ----------
    coherence, near : float array
        Local phase coherence of all pixels, and of those within `NEAR_PX` of a line.
    line_shares : list of float
        Share of line pixels of each patch that holds a line.
    empty_shares : list of float
        Share of each patch without data.
    """

    coherence: npt.NDArray[np.float32]
    near: npt.NDArray[np.float32]
    line_shares: list[float]
    empty_shares: list[float]


def scene_of(options: Options, number: int) -> Scene:
    """Simulate one scene."""
    settings = Simulation(rows=options.side_px, cols=options.side_px, wavelength_m=options.wavelength_m)
    return simulate_scene(settings, seed=options.seed, name=f"real{number}", origin_xy_m=ORIGIN_XY_M)


def measure(options: Options, number: int) -> Measured:
    """Simulate one scene and measure it."""
    scene = scene_of(options, number)
    line = line_mask(scene.lines, scene.shape, scene.transform, "all_touched") > 0
    coherence = local_coherence(scene.interferogram)
    known = np.isfinite(coherence)
    near = (np.asarray(distance_transform_edt(~line)) <= NEAR_PX) & known & line.any()
    lines, empty = [], []
    for row in range(0, scene.shape[0] - PATCH_PX + 1, PATCH_PX // 2):
        for col in range(0, scene.shape[1] - PATCH_PX + 1, PATCH_PX // 2):
            window = np.s_[row : row + PATCH_PX, col : col + PATCH_PX]
            empty.append(float(1 - scene.valid[window].mean()))
            if line[window].any():
                lines.append(float(line[window].mean()))
    return Measured(coherence[known], coherence[near], lines, empty)


def main(options: Options) -> None:
    """Simulate, measure, and print both columns."""
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        scenes = list(pool.map(measure, [options] * options.scenes, range(options.scenes)))
    coherence = np.concatenate([scene.coherence for scene in scenes])
    near = np.concatenate([scene.near for scene in scenes])
    lines = np.concatenate([scene.line_shares for scene in scenes])
    empty = np.concatenate([scene.empty_shares for scene in scenes])
    table = Table("local phase coherence, 5 x 5 px", "simulated", "real")
    for percentile, real in zip(PERCENTILES, REAL_PERCENTILES, strict=True):
        found = np.percentile(coherence, percentile)
        table.add_row(f"percentile {percentile}", f"{found:.2f}", f"{real:.2f}")
    table.add_row("share below .3", f"{(coherence < 0.3).mean():.0%}", "41%")
    table.add_row("share above .8", f"{(coherence > 0.8).mean():.0%}", "27%")
    table.add_row(f"median within {NEAR_PX} px of the line", f"{np.median(near):.2f}", "0.20")
    table.add_section()
    title = f"line pixels of a {PATCH_PX} px patch, 5 to 95 %"
    low, high = np.percentile(lines, [5, 95])
    table.add_row(title, f"{low:.2%} to {high:.2%}", "0.02% to 1%")
    table.add_row("patches with a collar", f"{(empty > 0.01).mean():.0%}", "many")
    table.add_row("emptiest patch", f"{empty.max():.0%}", "nearly 100%")
    console = Console(width=100)
    console.print(table)
    console.print(
        f"{options.scenes} scenes of {options.side_px} px, seed {options.seed}; numpy {version('numpy')}"
    )
    if options.sheet is not None:
        draw(options, options.sheet)


def draw(options: Options, path: Path) -> None:
    """Draw the first eight scenes: wrapped phase with the lines."""
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    for number, axes in enumerate(figure.subplots(2, 4).ravel()):
        scene = scene_of(options, number)
        phase_rad = np.where(scene.valid, np.angle(scene.interferogram), np.nan)
        axes.imshow(phase_rad, cmap="twilight_shifted", vmin=-math.pi, vmax=math.pi, interpolation="nearest")
        for line in scene.lines:
            col, row = ~scene.transform @ tuple(np.array(line.coords).T)
            axes.plot(col - 0.5, row - 0.5, color="white", linewidth=2.2)
            axes.plot(col - 0.5, row - 0.5, color="black", linewidth=1.0)
        axes.set(xlim=(0, scene.shape[1]), ylim=(scene.shape[0], 0))
        axes.axis("off")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(tyro.cli(Options))
