"""How near simulated scenes come to real Sentinel-1 double differences, figure by figure.

Two tables. The first has the local phase coherence in 5 x 5 px, pooled over all pixels and near the
lines. The second follows the normals of the lines, seaward positive: medians and quartiles of coherence and
of fringe frequency (cycles a pixel across the line), of all normals and of those whose landward side is
coherent. The real ones are of 471 normals to 31 lines that analysts drew in Sentinel-1 scenes of Getz, at
100 m. Named below: where simulated medians differ most from the real ones, up to +6 px; and in how many
scenes the sea side stays incoherent.

Run: `python benchmarks/realism.py --card datasets/embedded/wide.yaml` (24 scenes: a minute on one core;
`--sheet FILE.png` draws the first eight; without `--card`, `simulation` with its defaults).
"""

import math
import os
from collections.abc import Iterator, Sequence
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
from glsweep.scenes.cards import load_card
from glsweep.scenes.masks import line_mask
from glsweep.scenes.profiles import NormalProfiles, in_pixels, normal_profiles, window_of
from glsweep.scenes.resample import local_coherence
from glsweep.scenes.scene import Scene
from glsweep.simulation import simulate_scene

PERCENTILES = (5, 25, 50, 75, 95)
REAL_PERCENTILES = (0.07, 0.19, 0.40, 0.82, 0.96)
NEAR_PX = 3
PATCH_PX = 256
ORIGIN_XY_M = (-1_500_000.0, -700_000.0)

SPACING_PX = 8.0
OFFSETS_PX = (-24, -16, -12, -8, -6, -4, -2, 0, 2, 4, 8, 12, 16, 24)
LANDWARD_PX, LEAST_COHERENCE = (-16, -12, -8), 0.5
"""A normal's landward side is coherent if its mean coherence at these offsets is at least this."""
AT_SEA_PX, INCOHERENT = (20, 28), 0.25
"""A belt stays incoherent if the median coherence of its scene's normals in this range is below this."""
TOLERANCES = {"coherence": 0.1, "frequency": 0.05}
UP_TO_PX = 6
NAMED = 12

Rows = dict[str, tuple[float, ...]]
# fmt: off
REAL: dict[str, Rows] = {
    "all": {
        "coherence": (.72, .75, .69, .58, .49, .38, .26, .19, .16, .15, .15, .15, .14, .13),
        "frequency": (.010, .012, .015, .020, .029, .059, .132, .209, .256, .319, .291, .316, .299, .222),
    },
    "landward side coherent": {
        "coherence": (.78, .87, .84, .75, .64, .46, .27, .19, .16, .13, .14, .14, .14, .13),
        "coherence, 25 %": (.43, .57, .68, .58, .42, .24, .17, .11, .11, .09, .09, .09, .08, .08),
        "coherence, 75 %": (.96, .95, .94, .91, .85, .71, .48, .28, .21, .20, .20, .22, .21, .24),
        "frequency": (.008, .012, .013, .016, .027, .060, .128, .208, .262, .322, .290, .314, .289, .226),
        "frequency, 25 %": (.00, .01, .01, .01, .01, .03, .09, .16, .21, .22, .15, .20, .15, .12),
        "frequency, 75 %": (.02, .02, .02, .03, .05, .09, .18, .29, .36, .40, .40, .41, .35, .32),
    },
}
# fmt: on
REAL_SHARE_COHERENT = 308 / 471
REAL_SHARE_INCOHERENT = 0.5


@dataclass(frozen=True)
class Options:
    """What is simulated."""

    card: Path | None = None
    """A data card with `simulation`, of which all but the number of scenes is taken."""
    scenes: int = 24
    side_px: int = 512
    seed: int = 0
    sheet: Path | None = None
    """A picture of the first eight scenes."""

    def settings(self) -> Simulation:
        """Return what decides the scenes."""
        card = None if self.card is None else load_card(self.card)
        settings = Simulation() if card is None else card.simulation
        if settings is None:
            raise SystemExit(f"{self.card}: is no card of simulated scenes; name one with `simulation`")
        return settings.model_copy(update={"rows": self.side_px, "cols": self.side_px})


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
    profiles : list of NormalProfiles
        Along the normals of each line.
    """

    coherence: npt.NDArray[np.float32]
    near: npt.NDArray[np.float32]
    line_shares: list[float]
    empty_shares: list[float]
    profiles: list[NormalProfiles]

    @property
    def stays_incoherent(self) -> bool:
        """Whether nothing is seen seaward of the belt."""
        at_sea = [
            one.coherence[:, (one.offsets_px >= AT_SEA_PX[0]) & (one.offsets_px <= AT_SEA_PX[1])].ravel()
            for one in self.profiles
        ]
        return bool(np.nanmedian(np.concatenate(at_sea)) < INCOHERENT)


def scene_of(settings: Simulation, seed: int, number: int) -> Scene:
    """Simulate one scene."""
    return simulate_scene(settings, seed=seed, name=f"real{number}", origin_xy_m=ORIGIN_XY_M)


def measure(settings: Simulation, seed: int, number: int) -> Measured:
    """Simulate one scene and measure it."""
    scene = scene_of(settings, seed, number)
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
    read = window_of(scene.interferogram)
    along = [in_pixels(one, scene.transform) for one in scene.lines]
    profiles = [normal_profiles(read, scene.shape, one, spacing_px=SPACING_PX) for one in along]
    return Measured(coherence[known], coherence[near], lines, empty, [one for one in profiles if one])


def main(options: Options) -> None:
    """Simulate, measure, and print what is simulated beside what is real."""
    settings = options.settings()
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        count = options.scenes
        scenes = list(pool.map(measure, [settings] * count, [options.seed] * count, range(count)))
    console = Console(width=130)
    console.print(pixel_table(scenes))
    print_profiles(scenes, console)
    console.print(
        f"{options.scenes} scenes of {options.side_px} px, {options.card or 'Simulation()'}, "
        f"seed {options.seed}; numpy {version('numpy')}"
    )
    if options.sheet is not None:
        draw(settings, options.seed, options.sheet)


def pixel_table(scenes: Sequence[Measured]) -> Table:
    """Compare coherence over all pixels, and what patches hold."""
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
    return table


# --- Along the normals


def print_profiles(scenes: Sequence[Measured], console: Console) -> None:
    """Compare the profiles along the lines' normals, and name where they differ most."""
    profiles = [one for scene in scenes for one in scene.profiles]
    at = np.searchsorted(profiles[0].offsets_px, OFFSETS_PX)
    values = {
        "coherence": np.concatenate([one.coherence for one in profiles])[:, at],
        "frequency": np.abs(np.concatenate([one.frequency for one in profiles]))[:, at],
    }
    landward = values["coherence"][:, [OFFSETS_PX.index(px) for px in LANDWARD_PX]]
    coherent = landward.mean(axis=1) >= LEAST_COHERENCE
    table = Table("px from the line, seaward positive", *map(str, OFFSETS_PX), padding=(0, 0, 0, 1))
    differences: list[tuple[float, str]] = []
    for of, kept in (("all", np.ones_like(coherent)), ("landward side coherent", coherent)):
        table.add_section()
        table.add_row(f"[bold]{of}")
        for row, real in REAL[of].items():
            kind, _, quartile = row.partition(", ")
            found = np.nanpercentile(values[kind][kept], float(quartile.removesuffix(" %") or 50), axis=0)
            table.add_row(f"{row}: simulated", *map("{:.2f}".format, found))
            table.add_row("real", *map("{:.2f}".format, real), style="dim")
            if not quartile:
                differences += _differences(kind, of, found, real)
    console.print(table)
    for _, difference in sorted(differences, reverse=True)[:NAMED]:
        console.print(difference)
    if not differences:
        console.print(f"All medians up to {UP_TO_PX:+d} px agree with the real ones.")
    console.print(
        f"landward side coherent: {coherent.mean():.0%} of {len(coherent)} normals, "
        f"real {REAL_SHARE_COHERENT:.0%}"
    )
    stay = float(np.mean([scene.stays_incoherent for scene in scenes if scene.profiles]))
    console.print(
        f"belts that stay incoherent for more than {OFFSETS_PX[-1]} px seaward: {stay:.0%} of the scenes "
        f"(the others recover), real about {REAL_SHARE_INCOHERENT:.0%}"
    )


def _differences(
    kind: str, of: str, found: npt.NDArray[np.float64], real: tuple[float, ...]
) -> Iterator[tuple[float, str]]:
    """Yield each place where medians differ by more than the tolerance, and by how many tolerances."""
    for px, one, other in zip(OFFSETS_PX, found, real, strict=True):
        tolerances = abs(one - other) / TOLERANCES[kind]
        if px <= UP_TO_PX and tolerances > 1:
            yield tolerances, f"[red]differs[/] {kind} at {px:d} px ({of}): {one:.2f}, real {other:.2f}"


def draw(settings: Simulation, seed: int, path: Path) -> None:
    """Draw the first eight scenes: wrapped phase with the lines."""
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    for number, axes in enumerate(figure.subplots(2, 4).ravel()):
        scene = scene_of(settings, seed, number)
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
