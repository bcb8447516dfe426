"""How much of the true line lies within `uncert_m` in scenes that nobody calibrated on, region by region.

Simulated scenes of several regions, the parts of a data card, are drawn once by a member; of each its pieces
in bands are kept in a folder. Then scenes are shared out at random, again and again: some calibrate a factor,
all others are its test. Calibrated is on scenes of the region itself, on as many of all regions together, or
on as many of the other regions; measured is the share of the true line near drawn ones, and beside it that of
drawn lines near true ones.

Run: `python benchmarks/line_coverage.py [--model MEMBER] [--card CARD.yaml] [--figure FILE.png]`
(about a second a scene; those in `--cache` are not drawn again).
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyproj
import tyro
from line_bias import ORIGIN_XY_M, InMemory, probability_of
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from shapely import LineString

from glsweep.config.data_card import Simulation
from glsweep.metrics.lines import piece_distances
from glsweep.metrics.reliability import (
    FEWEST_SCENES,
    HELD_WITHIN,
    LARGEST_ERROR,
    NEAR_M,
    SHARE,
    PiecesInBand,
    conformal_factor,
    share_error,
)
from glsweep.prediction import DrawingOptions
from glsweep.prediction.blend import Member
from glsweep.prediction.command import open_drawing
from glsweep.prediction.drawing import Drawing
from glsweep.prediction.split_scenes import true_pieces
from glsweep.randomness import generator_for
from glsweep.scenes.cards import load_card
from glsweep.simulation import simulate_scene
from glsweep.vectorize import DrawnLine, draw_lines


@dataclass(frozen=True)
class Options:
    """What is drawn by whom, and how it is shared out."""

    model: str | None = None
    """A member; the network in the package unless named."""
    card: Path = Path("datasets/embedded.yaml")
    """A data card with `simulation:` in each part."""
    scenes: int = 190
    """Of each region."""
    seed: int = 4100
    """Of the scenes; another than any that was trained with."""
    cache: Path = Path(tempfile.gettempdir()) / "glsweep-coverage"
    """Folder of drawn scenes; one for each member."""
    drawings: int = 100
    """How often scenes are shared out."""
    figure: Path | None = None
    """Where the figure goes."""


class Drawn(NamedTuple):
    """Pieces of a scene in both directions: of the true line, and of the drawn ones."""

    true: PiecesInBand
    drawn: PiecesInBand


# --- Scenes

EVERY = 5
"""One piece in so many is kept, for its neighbours too: they are 20 m long and err alike."""


def draw_region(name: str, settings: Simulation, options: Options) -> list[Drawn]:
    """Return a region's scenes in which something was drawn near a true line."""
    models = (options.model,) if options.model else ()
    members, how = open_drawing(DrawingOptions(model=models), Console(quiet=True))
    options.cache.mkdir(parents=True, exist_ok=True)
    found = []
    for number in range(options.scenes):
        path = options.cache / f"{name}-{options.seed}-{number:03d}.npz"
        if not path.exists():
            drawn = draw_scene(f"coverage {name} {number}", settings, options.seed, members, how)
            sides = zip(Drawn._fields, drawn, strict=True)
            arrays = {f"{side}_{key}": values for side, of in sides for key, values in of._asdict().items()}
            np.savez(path, **arrays)
        with np.load(path) as kept:
            sides_of = [
                PiecesInBand(*(kept[f"{side}_{key}"][::EVERY] for key in PiecesInBand._fields))
                for side in Drawn._fields
            ]
        found.append(Drawn(*sides_of))
    return [one for one in found if len(one.true.length_m)]


def draw_scene(name: str, settings: Simulation, seed: int, members: list[Member], how: Drawing) -> Drawn:
    """Simulate a scene, draw its lines, and return the pieces near each other."""
    scene = simulate_scene(settings, seed=seed, name=name, origin_xy_m=ORIGIN_XY_M)
    crs = pyproj.CRS.from_wkt(scene.crs.to_wkt())
    lines = draw_lines(
        InMemory(probability_of(scene, members, how)),
        scene.transform,
        crs=crs,
        tau=how.tau,
        shortest_m=how.shortest_m,
        bridge_m=how.bridge_m,
    )
    true = list(scene.lines)
    return Drawn(true_pieces(lines, true, crs), drawn_pieces(lines, true, crs))


def drawn_pieces(lines: Sequence[DrawnLine], true: Sequence[LineString], crs: pyproj.CRS) -> PiecesInBand:
    """Return the other direction: pieces of drawn lines near a true one."""
    pieces = piece_distances([one.line for one in lines], true, crs=crs)
    near = pieces.distance_m <= NEAR_M
    half_width_m = np.array([one.half_width_m for one in lines], np.float64)[pieces.line[near]]
    return PiecesInBand(pieces.length_m[near], pieces.distance_m[near], half_width_m)


# --- Calibrated on some, tested on the others

Values = npt.NDArray[np.float64]
Regions = Mapping[str, Sequence[Drawn]]

WAYS = {
    "own": "the region's own scenes",
    "all": "scenes of all regions",
    "others": "the other regions' scenes",
}
CALIBRATING = (20, 50, 100)
"""Scenes by which a factor is calibrated."""
FEWEST_TESTS = 20


def pooled_factor(by_scene: Sequence[PiecesInBand]) -> float:
    """Return the plain quantile of all pieces together, as if they were independent."""
    pieces = PiecesInBand.pooled(by_scene)
    ratio = pieces.distance_m / np.maximum(pieces.half_width_m, np.finfo(np.float64).tiny)
    return float(np.quantile(ratio, SHARE, weights=pieces.length_m, method="inverted_cdf"))


def held(by_scene: Sequence[PiecesInBand], factor: float) -> float:
    """Return the share of the length that is held."""
    pieces = PiecesInBand.pooled(by_scene)
    return float(pieces.length_m[pieces.held(factor)].sum() / pieces.length_m.sum())


class Coverage(NamedTuple):
    """What factors from so many scenes hold in a region's other scenes, drawing by drawing.

    Attributes
    ----------
    region, calibrated_on : str
        Whose scenes are held, and which of `WAYS` is calibrated on.
    scenes : int
        That calibrate.
    true, drawn, pooled : float64 array (drawings,)
        Share of the true line held by the factor of the package, and of drawn lines; and of the true line
        by the plain quantile of all pieces.
    kept : bool array (drawings,)
        Whether the package would state the factor.
    """

    region: str
    calibrated_on: str
    scenes: int
    true: Values
    drawn: Values
    pooled: Values
    kept: npt.NDArray[np.bool_]


def coverages(regions: Regions, options: Options) -> Iterator[Coverage]:
    """Yield the coverage in each region, for each number of scenes, both ways to calibrate."""
    for scenes in CALIBRATING:
        for calibrated_on in WAYS:
            for region, own in regions.items():
                if len(own) < scenes + FEWEST_TESTS:
                    continue
                generator = generator_for(options.seed, region, calibrated_on, str(scenes))
                rows = [
                    one_drawing(regions, region, calibrated_on, scenes, generator)
                    for _ in range(options.drawings)
                ]
                true, drawn, pooled, kept = (np.array(column) for column in zip(*rows, strict=True))
                yield Coverage(region, calibrated_on, scenes, true, drawn, pooled, kept.astype(bool))


def one_drawing(
    regions: Regions, region: str, calibrated_on: str, scenes: int, generator: np.random.Generator
) -> tuple[float, float, float, bool]:
    """Share the scenes out once: what is held in those of the region that do not calibrate."""
    others = [name for name in regions if name != region]
    names = {"own": [region], "all": [region, *others], "others": others}[calibrated_on]
    calibrating: list[PiecesInBand] = []
    tested = regions[region]
    for number, name in enumerate(names):
        order = generator.permutation(len(regions[name]))
        count = scenes // len(names) + (number < scenes % len(names))
        calibrating += [regions[name][index].true for index in order[:count]]
        if name == region:
            tested = [regions[name][index] for index in order[count:]]
    true = [one.true for one in tested]
    factor = conformal_factor(calibrating)
    return (
        held(true, factor),
        held([one.drawn for one in tested], factor),
        held(true, pooled_factor(calibrating)),
        scenes >= FEWEST_SCENES and share_error(calibrating, factor) <= LARGEST_ERROR,
    )


def tabulated(found: Sequence[Coverage]) -> Table:
    """Return means over drawings, with the range of nine in ten."""
    table = Table(
        "region",
        "calibrated on",
        "scenes",
        "true line held",
        "5 to 95 %",
        "within 5 %",
        "drawn",
        "pooled",
        "kept",
    )
    for one in found:
        low, high = np.quantile(one.true, (0.05, 0.95))
        table.add_row(
            one.region,
            one.calibrated_on,
            f"{one.scenes}",
            f"{one.true.mean():.1%}",
            f"{low:.0%} to {high:.0%}",
            f"{np.mean(np.abs(one.true - SHARE) <= HELD_WITHIN):.0%}",
            f"{one.drawn.mean():.1%}",
            f"{one.pooled.mean():.1%}",
            f"{one.kept.mean():.0%}",
        )
    return table


COLOURS = ("#9ecae1", "#4292c6", "#08306b")


def draw_figure(path: Path, found: Sequence[Coverage]) -> None:
    """Draw what is held in each region, by way and number of scenes, beside what is stated."""
    regions = list(dict.fromkeys(one.region for one in found))
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, len(WAYS), sharex=True, sharey=True)
    for axes, (calibrated_on, scenes_of) in zip(panels, WAYS.items(), strict=True):
        axes.axvspan(100 * (SHARE - HELD_WITHIN), 100 * (SHARE + HELD_WITHIN), color="#e8e8e8", linewidth=0)
        axes.axvline(100 * SHARE, color="#888888", linewidth=1)
        for number, (scenes, colour) in enumerate(zip(CALIBRATING, COLOURS, strict=True)):
            rows = [one for one in found if (one.calibrated_on, one.scenes) == (calibrated_on, scenes)]
            at = [regions.index(one.region) + 0.22 * (number - 1) for one in rows]
            middle = 100 * np.array([one.true.mean() for one in rows])
            ends = 100 * np.array([np.quantile(one.true, (0.05, 0.95)) for one in rows]).T
            away = np.abs(ends - middle)
            axes.errorbar(
                middle, at, xerr=away, fmt="o", color=colour, markersize=5, label=f"{scenes} scenes"
            )
        axes.set_title(f"calibrated on\n{scenes_of}", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("% of the true line held in scenes not calibrated on", fontsize=10)
    panels[0].set_yticks(range(len(regions)), [name.replace("_", " ") for name in regions])
    panels[0].invert_yaxis()
    panels[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=130)


def main(options: Options) -> None:
    """Draw the scenes of each region, share them out, and say what is held."""
    console = Console(width=120)
    regions: dict[str, list[Drawn]] = {}
    for part in load_card(options.card).data_sets:
        if part.simulation is None:
            raise SystemExit(f"{options.card}: {part.name} has no `simulation:`, so no true lines")
        regions[part.name] = draw_region(part.name, part.simulation, options)
        near_km = EVERY * sum(one.true.length_m.sum() for one in regions[part.name]) / 1000
        console.print(
            f"{part.name}: {len(regions[part.name])} scenes, {near_km:.0f} km of true line near drawn ones"
        )
    every = [one.true for region in regions.values() for one in region]
    factor = conformal_factor(every)
    own = ", ".join(f"{held([one.true for one in of], factor):.1%}" for of in regions.values())
    console.print(f"The factor of all {len(every)} scenes is {factor:.4f}; it holds {own} of their own lines")
    found = list(coverages(regions, options))
    console.print(tabulated(found))
    if options.figure:
        draw_figure(options.figure, found)


if __name__ == "__main__":
    main(tyro.cli(Options))
