"""How far to one side of the true line lines are drawn: along the middle of a band, and along its ridge.

First of bands whose ridge is known, as wide and as askew as a network's answers, straight and curved, with
and without noise: the mean offset and its root mean square. Then of what a network draws in simulated scenes
that it has not seen: the median offset of each scene, positive seaward, and its mean over scenes.

Run: `python benchmarks/line_bias.py [--model MEMBER] [--card CARD.yaml] [--scenes 24]` (some minutes).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
import tyro
from rich.console import Console
from rich.table import Table
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree
from scipy.special import expit, logit
from shapely import LineString

from glsweep.config.data_card import Simulation
from glsweep.evaluate.patches import interval, resampled
from glsweep.prediction import DrawingOptions
from glsweep.prediction.blend import Member, predict_strips
from glsweep.prediction.command import open_drawing
from glsweep.prediction.drawing import Drawing
from glsweep.randomness import generator_for
from glsweep.scenes.cards import load_card
from glsweep.scenes.scene import Scene
from glsweep.simulation import simulate_scene
from glsweep.simulation.outlines import draw_outline
from glsweep.vectorize.centre_lines import centre_lines
from glsweep.vectorize.outlines import Floats, Tile, outlines, points_along
from glsweep.vectorize.ridge import on_ridge

Values = npt.NDArray[np.float64]

STEP_PX = 0.25
FARTHEST_M = 500.0
"""A drawn line that is farther off is another one."""
ORIGIN_XY_M = (-1_500_000.0, -700_000.0)


@dataclass(frozen=True)
class Options:
    """What is drawn by whom."""

    model: str | None = None
    """A member; the network in the package unless named."""
    card: Path = Path("datasets/embedded.yaml")
    """A data card with `simulation:`, or one of several such parts."""
    scenes: int = 24
    """Of each part; 0 measures bands alone."""
    seed: int = 77
    """Of the scenes; another than any that was trained with."""


class InMemory:
    """A probability (rows, cols) in memory."""

    def __init__(self, probability: npt.NDArray[np.floating]) -> None:
        self._bands = probability[None].astype(np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._bands.shape[1], self._bands.shape[2]

    def read(self, tile: Tile) -> Floats:
        """Return a rectangle."""
        return self._bands[:, tile.row : tile.row + tile.rows, tile.col : tile.col + tile.cols]


def both_ways(probability: npt.NDArray[np.floating], tau: float, bridge_px: float) -> list[list[LineString]]:
    """Return the middles of a probability's bands, and their ridges."""
    grid = InMemory(probability)
    middles = centre_lines(outlines(grid, tau), grid, bridge_px=bridge_px)
    return [middles, on_ridge(middles, grid, tau)]


def points_of(lines: Sequence[LineString]) -> Values:
    """Return points every `STEP_PX` along lines."""
    every = [points_along(line, np.arange(STEP_PX / 2, line.length, STEP_PX)) for line in lines]
    return np.concatenate(every) if every else np.empty((0, 2))


# --- Bands of which the ridge is known

SHAPE = (160, 220)
BORDER_PX = 12
CENTRES = np.indices(SHAPE)[::-1].reshape(2, -1).T + 0.5
TAU = 0.5
PROFILES = {
    "Gaussian, .9 high": lambda across: 0.9 * np.exp(-(across**2) * np.log(0.9 / TAU)),
    "parabola of logits": lambda across: expit(2.5 * (1 - across**2)),
    "saturated": lambda across: expit(8 * (1 - across**2)),
    "cusp of logits": lambda across: expit(4 * (1 - np.abs(across))),
}
"""Given the distance from the ridge in half widths of its side: .5 at 1."""
WIDTHS_PX = (3.0, 5.0, 7.0)
ASKEW = (1.0, 2.0, 3.0)
"""How many times wider a band is on one side than on the other."""
NOISE = (0.0, 0.5)
"""Standard deviation of logits."""
NOISE_PX = 1.2


def true_lines() -> list[LineString]:
    """Return straight lines at four angles and two sinuous ones."""
    lines = []
    for degrees, down in ((0, 0.25), (7, 0.0), (33, 0.4), (45, -0.3)):
        way = 400 * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
        middle = np.array([110.2, 80.3 + down])
        lines.append(LineString([middle - way, middle + way]))
    x = np.linspace(-60, 300, 2000)
    for height_px, bend_px in ((14, 24), (8, 10)):
        lines.append(LineString(np.column_stack([x, 80.3 + height_px * np.sin(x / bend_px)])))
    return lines


class TrueLine:
    """A line to which the offset of any point is known, positive to its right in an image."""

    def __init__(self, line: LineString) -> None:
        self._points = points_along(line, np.arange(0, line.length, 0.05))
        self._along = np.gradient(self._points, axis=0)
        self._tree = cKDTree(self._points)

    def offsets_px(self, points: Values) -> Values:
        """Return the offset of each point (N, 2)."""
        away_px, at = self._tree.query(points)
        beside, along = points - self._points[at], self._along[at]
        return np.asarray(away_px * np.sign(along[:, 0] * beside[:, 1] - along[:, 1] * beside[:, 0]))


def band(offset_px: Values, profile: str, width_px: float, askew: float, noise: float, seed: int) -> Values:
    """Return the probability of a band `askew` times wider to the right than to the left."""
    left_px = width_px / (1 + askew)
    across = np.where(offset_px < 0, offset_px / left_px, offset_px / (width_px - left_px))
    probability = np.clip(PROFILES[profile](across), 1e-7, 1 - 1e-7)
    field = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), NOISE_PX)
    return np.asarray(expit(logit(probability) + noise * field / field.std()))


def measure_bands() -> Table:
    """Return the mean offset and its root mean square of middles and ridges, over all lines and widths."""
    table = Table(
        "profile", "wider by", "noise", "middle: bias px", "RMS", "ridge: bias px", "largest", "RMS"
    )
    known = [TrueLine(line) for line in true_lines()]
    across = [line.offsets_px(CENTRES).reshape(SHAPE) for line in known]
    for profile, askew, noise in itertools.product(PROFILES, ASKEW, NOISE):
        found: list[list[tuple[float, float]]] = [[], []]
        for seed, (at, width_px) in enumerate(itertools.product(range(len(known)), WIDTHS_PX)):
            drawn = both_ways(band(across[at], profile, width_px, askew, noise, seed), TAU, 5.0)
            for own, lines in zip(found, drawn, strict=True):
                points = points_of(lines)
                inside = np.all((points > BORDER_PX) & (points < np.array(SHAPE[::-1]) - BORDER_PX), axis=1)
                offset = known[at].offsets_px(points[inside])
                offset = offset[np.abs(offset) < max(WIDTHS_PX)]
                own.append((float(offset.mean()), float(np.sqrt((offset**2).mean()))))
        middle, ridge = (np.array(own) for own in found)
        cells = (*middle.mean(axis=0), ridge[:, 0].mean(), np.abs(ridge[:, 0]).max(), ridge[:, 1].mean())
        table.add_row(profile, f"{askew:g}", f"{noise:g}", *(f"{value:.2f}" for value in cells))
    return table


# --- What a network draws in simulated scenes


def probability_of(scene: Scene, members: Sequence[Member], how: Drawing) -> npt.NDArray[np.float32]:
    """Return the mean probability of members on a scene in memory, NaN without data."""
    strips = predict_strips(
        lambda row, rows: scene.interferogram[row : row + rows],
        scene.shape,
        members,
        window_px=how.window_px,
        overlap=how.overlap,
        turned=how.turned,
        device=how.device,
    )
    probability = np.concatenate([strip.probability.mean(axis=0) for strip in strips])
    probability[~scene.valid] = np.nan
    return probability


def offsets_m(
    settings: Simulation, seed: int, number: int, members: list[Member], how: Drawing
) -> list[Values]:
    """Return the offsets of a scene's lines where they are near a true one, of middles and of ridges."""
    name = f"bias{number}"
    scene = simulate_scene(settings, seed=seed, name=name, origin_xy_m=ORIGIN_XY_M)
    probability = probability_of(scene, members, how)
    seaward_px = draw_outline(
        scene.shape, settings.posting_m, generator_for(seed, name, "outline")
    ).seaward_px
    back = ~scene.transform
    true_px = [
        shapely.transform(line, lambda xy: np.column_stack(back @ (xy[:, 0], xy[:, 1])))
        for line in scene.lines
    ]
    true = points_of(true_px)
    found = []
    for lines in both_ways(probability, how.tau, how.bridge_m / settings.posting_m):
        points = points_of([line for line in lines if line.length * settings.posting_m >= how.shortest_m])
        away_px, at = cKDTree(true).query(points) if len(true) else (np.full(len(points), np.inf), None)
        near = away_px * settings.posting_m <= FARTHEST_M
        drawn_at, true_at = (
            map_coordinates(seaward_px, xy.T[::-1] - 0.5, order=1, mode="nearest")
            for xy in (points[near], true[at[near]] if near.any() else points[near])
        )
        found.append(settings.posting_m * away_px[near] * np.sign(drawn_at - true_at))
    return found


def measure_scenes(part: str, settings: Simulation, options: Options) -> Table:
    """Return the offsets of middles and ridges in fresh scenes."""
    console = Console(quiet=True)
    models = (options.model,) if options.model else ()
    members, how = open_drawing(DrawingOptions(model=models), console)
    table = Table(f"{part}, tau {how.tau:g}", "scenes", "near km", "median m, seaward", "95 %", "|median| m")
    every = [offsets_m(settings, options.seed, number, members, how) for number in range(options.scenes)]
    for way, by_scene in zip(("middle", "ridge"), zip(*every, strict=True), strict=True):
        drawn = [own for own in by_scene if len(own)]
        if not drawn:
            table.add_row(way, "0", "0", "-", "-", "-")
            continue
        medians = np.array([np.median(own) for own in drawn])
        sums = resampled(np.column_stack([medians, np.ones(len(medians))]), generator_for(0, "bootstrap"))
        ends = interval(sums[:, 0] / sums[:, 1])
        pooled = np.concatenate(drawn)
        table.add_row(
            way,
            f"{len(drawn)}",
            f"{len(pooled) * STEP_PX * settings.posting_m / 1000:.0f}",
            f"{medians.mean():.0f}",
            f"{ends[0]:.0f} to {ends[1]:.0f}" if ends else "-",
            f"{np.median(np.abs(pooled)):.0f}",
        )
    return table


def main(options: Options) -> None:
    """Measure bands, then scenes of each part of the card."""
    console = Console(width=110)
    console.print(measure_bands())
    if options.scenes:
        for part in load_card(options.card).data_sets:
            if part.simulation is None:
                raise SystemExit(f"{options.card}: {part.name} has no `simulation:`, so no true lines")
            console.print(measure_scenes(part.name, part.simulation, options))


if __name__ == "__main__":
    main(tyro.cli(Options))
