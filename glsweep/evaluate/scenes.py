"""Members on whole test scenes, in metres, where networks of all patch sizes meet on the same ground."""

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from glsweep.config.trial import Stratum
from glsweep.evaluate.map_project import write_map_project
from glsweep.evaluate.patches import FEWEST_SCENES, interval, resampled
from glsweep.files import replacing
from glsweep.metrics.lines import TOLERANCES_M, LineDistances
from glsweep.metrics.reliability import PiecesInBand
from glsweep.nets.member import LineUncertainty, ModelCard, load_member, weights_hash
from glsweep.prediction.blend import Member
from glsweep.prediction.drawing import Drawing
from glsweep.prediction.scene import predict_scene
from glsweep.prediction.split_scenes import (
    BRIDGE_M,
    SHORTEST_M,
    WINDOW_PX,
    SplitScene,
    drawing_of_study,
    split_scenes,
)
from glsweep.progress import advance, track
from glsweep.randomness import generator_for
from glsweep.scenes.lines import lines_on_data
from glsweep.scenes.probability import open_probability
from glsweep.scenes.scene import SceneEntry
from glsweep.scenes.source import Window
from glsweep.study import Study
from glsweep.study.artifacts import write_artifact
from glsweep.study.evaluation_artifacts import (
    BandMetrics,
    BandsHeld,
    LineIntervals,
    LineMetrics,
    LinesAtTau,
    LinesOnDataSet,
    LinesOnScene,
    MemberLines,
    PooledLines,
    StatedBandMetrics,
    StudyLines,
)
from glsweep.sweep.outcomes import Failures, recorded_failure
from glsweep.vectorize import draw_lines


def line_scores(distances: LineDistances) -> LineMetrics:
    """Return every metric of one scene or of several pooled; None where there is nothing to measure."""
    return LineMetrics.model_validate(
        {
            "lines_km": distances.drawn_km,
            "reference_km": distances.reference_km,
            "mean_m": _known(distances.mean_m()),
            "median_m": _known(distances.median_m()),
            "mad_m": _known(distances.mad_m()),
            **{f"completeness_{t:g}": _known(distances.completeness(t)) for t in TOLERANCES_M},
            **{f"correctness_{t:g}": _known(distances.correctness(t)) for t in TOLERANCES_M},
            **{f"false_km_{t:g}": distances.false_km(t) for t in TOLERANCES_M},
        }
    )


def intervals(by_scene: Sequence[LineDistances], *, seed: int) -> LineIntervals:
    """Return 95 % bootstrap intervals over scenes of the pooled metrics, None with too few scenes.

    Scenes are what is drawn anew, not points along a line: neighbouring points err alike.
    """
    shares = [f"{name}_{t:g}" for name in ("completeness", "correctness") for t in TOLERANCES_M]
    names = ["mean_m", *shares]
    if len(by_scene) < FEWEST_SCENES:
        return LineIntervals()
    sums = np.array([_sums(scene) for scene in by_scene])
    drawn = resampled(sums, generator_for(seed, "bootstrap of scenes"))
    drawn_m, drawn_sum, reference_m, reference_sum, *within = drawn.T
    count = len(TOLERANCES_M)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = [
            (drawn_sum / drawn_m + reference_sum / reference_m) / 2,
            *(found / reference_m for found in within[:count]),
            *(right / drawn_m for right in within[count:]),
        ]
    return LineIntervals(**{name: interval(value) for name, value in zip(names, values, strict=True)})


def bands_held(
    by_scene: Sequence[PiecesInBand], uncertainty: LineUncertainty | None, *, unknown_because: str, seed: int
) -> BandsHeld:
    """Return what share of the true line near drawn ones lies within their bands, and as stated.

    Metrics of no line, and intervals of too few scenes, are None.
    """
    drawn = [one for one in by_scene if len(one.length_m)]
    stated = None
    if uncertainty:
        held = _held(drawn, uncertainty.factor, seed)
        stated = StatedBandMetrics(**held.model_dump(), share=uncertainty.share)
    return BandsHeld(
        km=sum(float(one.length_m.sum()) for one in drawn) / 1000,
        scenes=len(drawn),
        band=_held(drawn, 1.0, seed),
        uncertainty=stated,
        unknown_because=unknown_because,
    )


def _held(by_scene: Sequence[PiecesInBand], factor: float, seed: int) -> BandMetrics:
    if not by_scene:
        return BandMetrics(held=None, low=None, high=None, mean_m=None)
    sums = np.array(
        [
            (
                one.length_m[one.held(factor)].sum(),
                one.length_m.sum(),
                (one.length_m * one.half_width_m).sum(),
            )
            for one in by_scene
        ]
    )
    low, high = None, None
    if len(by_scene) >= FEWEST_SCENES:
        drawn = resampled(sums, generator_for(seed, "bootstrap of scenes"))
        low, high = interval(drawn[:, 0] / drawn[:, 1]) or (None, None)
    held_m, near_m, width_m2 = sums.sum(axis=0)
    return BandMetrics(
        held=float(held_m / near_m), low=low, high=high, mean_m=float(factor * width_m2 / near_m)
    )


def _sums(scene: LineDistances) -> list[float]:
    """Return what the pooled metrics are quotients of."""
    return [
        scene.drawn_length_m.sum(),
        (scene.drawn_m * scene.drawn_length_m).sum(),
        scene.reference_length_m.sum(),
        (scene.reference_m * scene.reference_length_m).sum(),
        *(scene.reference_length_m[scene.reference_m <= t].sum() for t in TOLERANCES_M),
        *(scene.drawn_length_m[scene.drawn_m <= t].sum() for t in TOLERANCES_M),
    ]


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


# --- What a map of errors is drawn from

LONGEST_PX = 500


def save_errors(path: Path, entry: SceneEntry, distances: LineDistances) -> None:
    """Keep a scene's phase, coarsely, and where the pieces of both sides lie and how far off.

    Holds phase_rad (rows, cols), NaN without data; size_km (height, width); for drawn and for
    reference lines their pieces' x and y in kilometres from the upper left corner (N, 2), y
    downwards, and distance to the other side in metres (N,).
    """
    pieces: dict[str, npt.NDArray[np.float32]] = {}
    for side, xy_m, distance_m in (
        ("drawn", distances.drawn_xy, distances.drawn_m),
        ("reference", distances.reference_xy, distances.reference_m),
    ):
        col, row = ~entry.header.transform @ (xy_m[:, 0], xy_m[:, 1])
        pieces[f"{side}_km"] = (np.column_stack([col, row]) * entry.posting_m / 1000).astype(np.float32)
        pieces[f"{side}_m"] = distance_m.astype(np.float32)
    size_km = np.array(entry.shape) * entry.posting_m / 1000
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            phase_rad=_coarse_phase_rad(entry),
            size_km=size_km,
            drawn_km=pieces["drawn_km"],
            drawn_m=pieces["drawn_m"],
            reference_km=pieces["reference_km"],
            reference_m=pieces["reference_m"],
        )


def _coarse_phase_rad(entry: SceneEntry) -> npt.NDArray[np.float32]:
    """Return every n-th pixel's phase, `LONGEST_PX` at most along each side."""
    rows, cols = entry.shape
    step = math.ceil(max(rows, cols) / LONGEST_PX)
    lines = [entry.read_pixels(Window(row, 0, 1, cols))[0, ::step] for row in range(0, rows, step)]
    values = np.stack(lines)
    return np.where(values != 0, np.angle(values), np.nan).astype(np.float32)


# --- Each member on each scene

CURVE_TAUS = (0.1, 0.3, 0.5, 0.7, 0.9)


def evaluate_scenes(
    study: Study, strata: Sequence[Stratum], failed: Failures | None = None
) -> StudyLines | None:
    """Let each member draw every test scene, and write lines, maps and metrics.

    A member that cannot do so joins those that `failed`, and has no metrics.

    Nothing is done where test ground is no part of a map: patches shared out at random, patches
    without a place.
    """
    scenes = split_scenes(study, "test")
    if not scenes:
        return None
    members: list[MemberLines] = []
    failed = {} if failed is None else failed
    for stratum in track(strata, "networks", "drawing whole scenes"):
        with recorded_failure(failed, study, "evaluate", stratum.key):
            members.append(_member_scores(study, stratum, scenes))
    found = StudyLines(
        tolerances_m=TOLERANCES_M,
        shortest_m=SHORTEST_M,
        bridge_m=BRIDGE_M,
        window_px=WINDOW_PX,
        members=tuple(members),
        second_analyst=tuple(_second_analyst(scenes, study.config.seed)),
    )
    write_artifact(study.lines_json, found)
    if members:
        write_map_project(study, scenes, members)
    rows = [{"member": one.title, **scene.model_dump()} for one in members for scene in one.scenes]
    with replacing(study.lines_csv) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
    return found


def _member_scores(study: Study, stratum: Stratum, scenes: Sequence[SplitScene]) -> MemberLines:
    folder = study.member(stratum)
    network, card = load_member(folder)
    member, drawing = Member(stratum.key, network, card, weights_hash(folder)), drawing_of_study(card)
    maps = study.maps / stratum.key
    drawn = [_draw(scene, member, drawing, maps) for scene in track(scenes, "scenes")]
    groups: list[LinesOnDataSet] = []
    for data_set in dict.fromkeys(scene.entry.data_set for scene in scenes):
        own = [one for scene, one in zip(scenes, drawn, strict=True) if scene.entry.data_set == data_set]
        groups.append(_pooled(data_set, own, card, study.config.seed))
    return MemberLines(
        stratum=stratum.key,
        title=stratum.title,
        architecture=stratum.architecture,
        tau=drawing.tau,
        data_sets=tuple(groups),
        scenes=tuple(_on_scene(scene, one) for scene, one in zip(scenes, drawn, strict=True)),
    )


def _second_analyst(scenes: Sequence[SplitScene], seed: int) -> Iterator[PooledLines]:
    """Measure another analyst's lines as a member's, where there is data, on the scenes that have them."""
    by_data_set: dict[str, list[LineDistances]] = {}
    for scene in scenes:
        entry = scene.entry
        if entry.second_analyst is not None:
            seen = lines_on_data(entry.second_analyst, entry.valid(), scene.header.transform)
            by_data_set.setdefault(entry.data_set, []).append(scene.distances(seen))
    for data_set, measured in by_data_set.items():
        yield PooledLines(
            data_set=data_set,
            scenes=len(measured),
            pooled=line_scores(LineDistances.pooled(measured)),
            intervals=intervals(measured, seed=seed),
        )


def _on_scene(scene: SplitScene, drawn: "MeasuredLines") -> LinesOnScene:
    return LinesOnScene(
        scene=scene.entry.name,
        data_set=scene.entry.data_set,
        errors=f"{scene.entry.header.name}-errors.npz",
        **line_scores(drawn.distances).model_dump(),
    )


class MeasuredLines(NamedTuple):
    """A member's lines on a scene, measured at its own threshold and at every one of the curve."""

    distances: LineDistances
    curve: list[LineDistances]
    pieces: PiecesInBand


def _draw(scene: SplitScene, member: Member, drawing: Drawing, folder: Path) -> MeasuredLines:
    header = scene.header
    # Relative to the map, so that a study may be moved together with its scenes.
    noted_as = os.path.relpath(header.path, folder)
    predicted = predict_scene(header, [member], drawing, folder, advance, noted_as=noted_as)
    distances = scene.distances([one.line for one in predicted.lines])
    save_errors(folder / f"{header.name}-errors.npz", scene.entry, distances)
    return MeasuredLines(distances, _curve(scene, predicted.files[0]), scene.pieces_in_band(predicted.lines))


def _pooled(data_set: str, drawn: Sequence[MeasuredLines], card: ModelCard, seed: int) -> LinesOnDataSet:
    measured = [one.distances for one in drawn]
    curves = zip(*(one.curve for one in drawn), strict=True)
    return LinesOnDataSet(
        data_set=data_set,
        scenes=len(drawn),
        pooled=line_scores(LineDistances.pooled(measured)),
        intervals=intervals(measured, seed=seed),
        bands=bands_held(
            [one.pieces for one in drawn],
            card.uncertainty,
            unknown_because=card.uncertainty_unknown,
            seed=seed,
        ),
        curve=tuple(
            LinesAtTau(tau=tau, **line_scores(LineDistances.pooled(at_tau)).model_dump())
            for tau, at_tau in zip(CURVE_TAUS, curves, strict=True)
        ),
    )


def _curve(scene: SplitScene, probability: Path) -> list[LineDistances]:
    """Draw the scene at every threshold of the curve."""
    transform = scene.entry.header.transform
    with open_probability(probability) as grid:
        drawn = [
            draw_lines(grid, transform, tau=tau, shortest_m=SHORTEST_M, bridge_m=BRIDGE_M)
            for tau in CURVE_TAUS
        ]
    return [scene.distances([one.line for one in lines]) for lines in drawn]
