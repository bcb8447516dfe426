"""Members on whole held-out scenes, in metres: where patch sizes meet on the same ground."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from glsweep.config.trial import Stratum
from glsweep.evaluate.error_map import keep_errors
from glsweep.evaluate.line_scores import bands_held, intervals, line_scores
from glsweep.files import replacing, write_json
from glsweep.metrics.line_uncertainty import PiecesInBand
from glsweep.metrics.lines import TOLERANCES_M, LineDistances
from glsweep.nets.member import ModelCard, load_member, weights_hash
from glsweep.predict.network import Member
from glsweep.predict.scene import Drawing, predict_scene
from glsweep.predict.split_scenes import (
    BRIDGE_M,
    SHORTEST_M,
    WINDOW_PX,
    SplitScene,
    drawing_of_study,
    split_scenes,
)
from glsweep.scenes.probability import opened_probability
from glsweep.study import Study
from glsweep.sweep.failures import Failures, kept_apart
from glsweep.vectorize.drawn import draw_lines

CURVE_TAUS = (0.1, 0.3, 0.5, 0.7, 0.9)


def evaluate_scenes(
    study: Study, strata: Sequence[Stratum], failed: Failures | None = None
) -> dict[str, Any] | None:
    """Let each member draw every test scene, and write lines, maps and figures.

    A member that cannot do so joins those that `failed`, and has no figures.

    Nothing is done where test ground is no part of a map: patches shared out at random, patches
    without a place.

    Returns
    -------
    dict or None
        What `study.lines_json` holds: for each member and data set pooled figures with intervals over
        scenes, how often the truth lay within the bands, and a curve over thresholds; and the
        figures of each scene.
    """
    scenes = split_scenes(study, "test")
    if not scenes:
        return None
    members: list[dict[str, Any]] = []
    failed = {} if failed is None else failed
    for stratum in strata:
        with kept_apart(failed, study, "evaluate", stratum.key):
            members.append(_member_scores(study, stratum, scenes))
    found = {
        "tolerances_m": list(TOLERANCES_M),
        "shortest_m": SHORTEST_M,
        "bridge_m": BRIDGE_M,
        "window_px": WINDOW_PX,
        "members": members,
    }
    write_json(study.lines_json, found)
    rows = [{"member": member["title"], **scene} for member in members for scene in member["scenes"]]
    with replacing(study.lines_csv) as beside:
        pd.DataFrame(rows).to_csv(beside, index=False)
    return found


def _member_scores(study: Study, stratum: Stratum, scenes: Sequence[SplitScene]) -> dict[str, Any]:
    folder = study.member(stratum)
    network, card = load_member(folder)
    member, drawing = Member(stratum.key, network, card, weights_hash(folder)), drawing_of_study(card)
    maps = study.maps / stratum.key
    drawn = [_draw(scene, member, drawing, maps) for scene in scenes]
    groups = []
    for data_set in dict.fromkeys(scene.entry.data_set for scene in scenes):
        own = [one for scene, one in zip(scenes, drawn, strict=True) if scene.entry.data_set == data_set]
        groups.append({"data_set": data_set, **_pooled(own, card, study.config.seed)})
    return {
        "stratum": stratum.key,
        "title": stratum.title,
        "architecture": stratum.architecture,
        "tau": card.tau,
        "data_sets": groups,
        "scenes": [
            {
                "scene": scene.entry.name,
                "data_set": scene.entry.data_set,
                "errors": f"{scene.entry.header.name}-errors.npz",
                **line_scores(one.distances),
            }
            for scene, one in zip(scenes, drawn, strict=True)
        ],
    }


class Drawn(NamedTuple):
    """A member's lines on a scene, measured at its own threshold and at every one of the curve."""

    distances: LineDistances
    curve: list[LineDistances]
    pieces: PiecesInBand


def _draw(scene: SplitScene, member: Member, drawing: Drawing, folder: Path) -> Drawn:
    header = scene.header
    # From the map on: a study that is moved with its scenes names no place that it has left.
    told_as = os.path.relpath(header.path, folder)
    predicted = predict_scene(header, [member], drawing, folder, lambda _share: None, told_as=told_as)
    distances = scene.distances([one.line for one in predicted.lines])
    keep_errors(folder / f"{header.name}-errors.npz", scene.entry, distances)
    return Drawn(distances, _curve(scene, predicted.files[0]), scene.pieces_in_band(predicted.lines))


def _pooled(drawn: Sequence[Drawn], card: ModelCard, seed: int) -> dict[str, Any]:
    measured = [one.distances for one in drawn]
    curves = zip(*(one.curve for one in drawn), strict=True)
    return {
        "scenes": len(drawn),
        "pooled": line_scores(LineDistances.pooled(measured)),
        "intervals": intervals(measured, seed=seed),
        "bands": bands_held(
            [one.pieces for one in drawn],
            card.uncertainty,
            unknown_because=card.uncertainty_unknown,
            seed=seed,
        ),
        "curve": [
            {"tau": tau, **line_scores(LineDistances.pooled(at_tau))}
            for tau, at_tau in zip(CURVE_TAUS, curves, strict=True)
        ],
    }


def _curve(scene: SplitScene, probability: Path) -> list[LineDistances]:
    """Draw the scene at every threshold of the curve."""
    transform = scene.entry.header.transform
    with opened_probability(probability) as grid:
        drawn = [
            draw_lines(grid, transform, tau=tau, shortest_m=SHORTEST_M, bridge_m=BRIDGE_M)
            for tau in CURVE_TAUS
        ]
    return [scene.distances([one.line for one in lines]) for lines in drawn]
