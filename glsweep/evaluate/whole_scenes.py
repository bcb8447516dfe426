"""Members on whole held-out scenes, in metres: where patch sizes meet on the same ground."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import shapely
import torch
from shapely import LineString, MultiPolygon, Polygon

from glsweep.config.trial import Stratum
from glsweep.evaluate.error_map import keep_errors
from glsweep.evaluate.line_scores import intervals, line_scores
from glsweep.files import replacing, write_json
from glsweep.metrics.lines import TOLERANCES_M, LineDistances, line_distances
from glsweep.nets.member import load_member, weights_hash
from glsweep.patches.ground import in_own_map
from glsweep.patches.survey import survey
from glsweep.predict.network import Member
from glsweep.predict.scene import Drawing, predict_scene
from glsweep.scenes.lines_on_data import lines_on_data
from glsweep.scenes.probability import opened_probability
from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.scene_entry import SceneEntry
from glsweep.study import Study
from glsweep.sweep.failures import Failures, kept_apart
from glsweep.vectorize.drawn import draw_lines

WINDOW_PX = 256
"""Side of the windows of every member, whatever patches it was trained on."""
SHORTEST_M, BRIDGE_M = 1000.0, 500.0
CURVE_TAUS = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class TestScene:
    """A scene of which all or a part is test ground.

    Attributes
    ----------
    entry : SceneEntry
        The scene.
    ground : Polygon
        Its test ground, in its own map.
    reference : list of LineString
        The true lines on that ground, where there is data.
    """

    entry: SceneEntry
    ground: Polygon | MultiPolygon
    reference: list[LineString]

    @property
    def farthest_m(self) -> float:
        """The scene's diagonal, which a missed scene costs."""
        return math.hypot(*self.entry.shape) * self.entry.posting_m

    def distances(self, lines: Sequence[LineString]) -> LineDistances:
        """Measure lines on the test ground against the true ones."""
        parts = shapely.get_parts(shapely.intersection(np.array(lines, dtype=object), self.ground))
        own = [part for part in parts.tolist() if part.geom_type == "LineString" and part.length > 0]
        return line_distances(own, self.reference, crs=self.entry.map_crs, farthest_m=self.farthest_m)


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
        scenes and a curve over thresholds, and the figures of each scene.
    """
    sizes_px = sorted({stratum.patch_size_px for stratum in strata})
    scenes = list(_test_scenes(study, sizes_px))
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


def _test_scenes(study: Study, sizes_px: list[int]) -> Iterator[TestScene]:
    ground = survey(study, sizes_px).ground
    if ground.rule == "patch":
        return
    by_scene: dict[str, list[Polygon | MultiPolygon]] = {}
    entries: dict[str, SceneEntry] = {}
    for piece in ground.pieces:
        entry, header = piece.entry, piece.entry.header
        if piece.split == "test" and isinstance(header, RasterHeader) and header.is_placed:
            entries[entry.name] = entry
            by_scene.setdefault(entry.name, []).append(in_own_map(entry, piece.outline, ground.crs))
    for name, outlines in by_scene.items():
        entry, own = entries[name], shapely.union_all(outlines)
        seen = lines_on_data(entry.lines, entry.valid(), entry.header.transform)
        parts = shapely.get_parts(shapely.intersection(np.array(seen, dtype=object), own))
        reference = [part for part in parts.tolist() if part.geom_type == "LineString" and part.length > 0]
        yield TestScene(entry, own, reference)


def _member_scores(study: Study, stratum: Stratum, scenes: Sequence[TestScene]) -> dict[str, Any]:
    folder = study.member(stratum)
    network, card = load_member(folder)
    assert card.tau is not None, "calibrated before it is evaluated"
    member = Member(stratum.key, network, card, weights_hash(folder))
    drawing = Drawing(
        window_px=WINDOW_PX,
        overlap=0.5,
        turned=False,
        tau=card.tau,
        shortest_m=SHORTEST_M,
        bridge_m=BRIDGE_M,
        formats=("gpkg",),
        device=torch.device("cpu"),
    )
    maps = study.maps / stratum.key
    drawn = [_draw(scene, member, drawing, maps) for scene in scenes]
    groups = []
    for data_set in dict.fromkeys(scene.entry.data_set for scene in scenes):
        own = [one for scene, one in zip(scenes, drawn, strict=True) if scene.entry.data_set == data_set]
        groups.append({"data_set": data_set, **_pooled(own, study.config.seed)})
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


def _draw(scene: TestScene, member: Member, drawing: Drawing, folder: Path) -> Drawn:
    header = scene.entry.header
    assert isinstance(header, RasterHeader)
    predicted = predict_scene(header, [member], drawing, folder, lambda _share: None)
    distances = scene.distances([one.line for one in predicted.lines])
    keep_errors(folder / f"{header.name}-errors.npz", scene.entry, distances)
    return Drawn(distances, _curve(scene, predicted.files[0]))


def _pooled(drawn: Sequence[Drawn], seed: int) -> dict[str, Any]:
    measured = [one.distances for one in drawn]
    curves = zip(*(one.curve for one in drawn), strict=True)
    return {
        "scenes": len(drawn),
        "pooled": line_scores(LineDistances.pooled(measured)),
        "intervals": intervals(measured, seed=seed),
        "curve": [
            {"tau": tau, **line_scores(LineDistances.pooled(at_tau))}
            for tau, at_tau in zip(CURVE_TAUS, curves, strict=True)
        ],
    }


def _curve(scene: TestScene, probability: Path) -> list[LineDistances]:
    """Draw the scene at every threshold of the curve."""
    transform = scene.entry.header.transform
    with opened_probability(probability) as grid:
        drawn = [
            draw_lines(grid, transform, tau=tau, shortest_m=SHORTEST_M, bridge_m=BRIDGE_M)
            for tau in CURVE_TAUS
        ]
    return [scene.distances([one.line for one in lines]) for lines in drawn]
