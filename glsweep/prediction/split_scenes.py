"""Whole scenes of a split, drawn and measured, for calibration and evaluation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
import torch
from pyproj import CRS
from shapely import LineString, MultiPolygon, Polygon

from glsweep.config.data_card import SplitName
from glsweep.config.trial import FilterName
from glsweep.metrics.lines import LineDistances, line_distances, piece_distances
from glsweep.metrics.reliability import NEAR_M, SHARE, PiecesInBand, factor_that_holds
from glsweep.nets.member import LineUncertainty, ModelCard
from glsweep.patches.ground import in_own_map
from glsweep.patches.prepare import survey
from glsweep.prediction.blend import Member
from glsweep.prediction.drawing import Drawing
from glsweep.prediction.scene import draw_scene
from glsweep.progress import track
from glsweep.scenes.lines import lines_on_data, lines_to_judge
from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.scene import SceneEntry
from glsweep.study import Study
from glsweep.study.artifacts import DataSummary, read_artifact
from glsweep.vectorize import DrawnLine

WINDOW_PX = 256
"""Side of the windows of every member, whatever patches it was trained on."""
SHORTEST_M, BRIDGE_M = 1000.0, 500.0


@dataclass(frozen=True)
class SplitScene:
    """A scene of which all or a part is ground of a split.

    Attributes
    ----------
    entry : SceneEntry
        The scene.
    header : RasterHeader
        Its raster, which has a place on a map.
    ground : Polygon or MultiPolygon
        The split's ground, in the scene's own map.
    reference : list of LineString
        The true lines on that ground, where there is data.
    """

    entry: SceneEntry
    header: RasterHeader
    ground: Polygon | MultiPolygon
    reference: list[LineString]

    @property
    def farthest_m(self) -> float:
        """The scene's diagonal, which a missed scene costs."""
        return math.hypot(*self.entry.shape) * self.entry.posting_m

    def distances(self, lines: Sequence[LineString]) -> LineDistances:
        """Measure lines on the split's ground against the true ones, but where nobody can tell."""
        own = self.judged(lines)
        return line_distances(own, self.reference, crs=self.entry.map_crs, farthest_m=self.farthest_m)

    def judged(self, lines: Sequence[LineString]) -> list[LineString]:
        """Return the parts of lines on the split's ground, but where nobody can tell."""
        entry = self.entry
        known = lines_to_judge(lines, self.reference, entry.unsure, entry.unsure_within_m)
        return _within(known, self.ground)[0]

    def pieces_in_band(self, lines: Sequence[DrawnLine]) -> PiecesInBand:
        """Return the pieces of the true line on the split's ground that lie near a drawn one."""
        return true_pieces(lines, self.reference, self.entry.map_crs)


def true_pieces(lines: Sequence[DrawnLine], reference: Sequence[LineString], crs: CRS | None) -> PiecesInBand:
    """Return the pieces of the true line near drawn ones, each with the half width of the nearest one."""
    own = [one.line for one in lines]
    pieces = piece_distances(reference, own, crs=crs)
    near = pieces.distance_m <= NEAR_M
    length_m, distance_m, xy = (of[near] for of in (pieces.length_m, pieces.distance_m, pieces.middle_xy))
    nearest = shapely.STRtree(own).nearest(shapely.points(xy)) if near.any() else np.empty(0, np.int64)
    half_width_m = np.array([one.half_width_m for one in lines], np.float64)
    return PiecesInBand(length_m, distance_m, half_width_m[nearest])


def drawing_of_study(card: ModelCard) -> Drawing:
    """Return how a study's members draw whole scenes, each at its own threshold."""
    assert card.tau is not None, "calibrated before it draws"
    return Drawing(
        window_px=WINDOW_PX,
        overlap=0.5,
        turned=False,
        tau=card.tau,
        shortest_m=SHORTEST_M,
        bridge_m=BRIDGE_M,
        formats=("gpkg",),
        device=torch.device("cpu"),
        uncertainty=card.uncertainty,
    )


def split_scenes(study: Study, split: SplitName) -> list[SplitScene]:
    """Return the scenes of which a split has ground.

    None where its ground is no part of a map: patches shared out at random, patches without a place.

    Parameters
    ----------
    study : Study
        Whose patches are prepared.
    split : str
        "train", "val" or "test".
    """
    # The ground was split for all patch sizes, also those of which no member came to be.
    sizes_px = sorted(read_artifact(study.data_json, DataSummary).patches)
    ground = survey(study, sizes_px).ground
    if ground.rule == "patch":
        return []
    by_scene: dict[str, list[Polygon | MultiPolygon]] = {}
    entries: dict[str, tuple[SceneEntry, RasterHeader]] = {}
    for piece in ground.pieces:
        entry, header = piece.entry, piece.entry.header
        if piece.split == split and isinstance(header, RasterHeader) and header.is_placed:
            entries[entry.name] = entry, header
            by_scene.setdefault(entry.name, []).append(in_own_map(entry, piece.outline, ground.crs))
    found = []
    for name, outlines in by_scene.items():
        (entry, header), own = entries[name], shapely.union_all(outlines)
        seen = lines_on_data(entry.lines, entry.valid(), header.transform)
        found.append(SplitScene(entry, header, own, _within(seen, own)[0]))
    return found


def _within(
    lines: Sequence[LineString], ground: Polygon | MultiPolygon
) -> tuple[list[LineString], npt.NDArray[np.int64]]:
    """Return the parts of lines on some ground, and of each part the number of its line."""
    cut = shapely.intersection(np.array(lines, dtype=object), ground)
    parts, line = shapely.get_parts(cut, return_index=True)
    is_line = (shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING) & (shapely.length(parts) > 0)
    return parts[is_line].tolist(), line[is_line]


# --- The uncertainty of drawn lines in metres, learnt on validation scenes


def learn_uncertainty(
    member: Member, scenes: Sequence[SplitScene], folder: Path
) -> tuple[LineUncertainty | None, str]:
    """Let a member draw the validation scenes, and learn how far the true lines lie from its own.

    Parameters
    ----------
    member : Member
        With its threshold, on the CPU.
    scenes : sequence of SplitScene
        Those of validation.
    folder : Path
        Where there is room for a scene's probability meanwhile.

    Returns
    -------
    LineUncertainty or None, str
        None where too few scenes, or too different ones, have lines near a true one; the text says which.

    Raises
    ------
    DataError
        When a scene cannot be read.
    """
    drawing = drawing_of_study(member.card)
    found = [
        one.pieces_in_band(draw_scene(one.header, member, drawing, folder)) for one in track(scenes, "scenes")
    ]
    learnt = factor_that_holds(found)
    if learnt.value is None:
        return None, learnt.unknown_because
    uncertainty = LineUncertainty(
        factor=learnt.value,
        share=SHARE,
        near_m=NEAR_M,
        tau=drawing.tau,
        km=sum(float(one.length_m.sum()) for one in found) / 1000,
        scenes=learnt.scenes,
    )
    return uncertainty, ""


def uncertainty_of(
    members: Sequence[Member], *, tau: float, turned: bool, filters: Sequence[FilterName] = ("raw",)
) -> LineUncertainty | None:
    """Return what makes metres of the width of bands that are drawn so.

    None where nobody has measured such bands: those of several members' mean, of turned copies, of filtered
    phase, or at another threshold than that of the validation.
    """
    uncertainty = members[0].card.uncertainty
    as_learnt = len(members) == 1 and not turned and tuple(filters) == ("raw",)
    if not as_learnt or uncertainty is None or uncertainty.tau != tau:
        return None
    return uncertainty
