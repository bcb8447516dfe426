"""Scenes without labels in memory: the part that is worked on, and what a teacher is sure of there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, label
from skimage.morphology import skeletonize

from glsweep.config.trial import FilterName
from glsweep.prediction.blend import Member, SceneInput, fit_to, predict_strips
from glsweep.prediction.drawing import Drawing
from glsweep.scenes.raster import RasterHeader

Floats = npt.NDArray[np.float32]

TOLERANCE_M = 200.0
LARGEST_PX = 512
"""Longest side of the part of a scene that is worked on, so that memory and time are bounded."""
CELL_PX = 64
TEACHER_FILTERS: tuple[FilterName, ...] = ("raw", "boxcar3")
SURE, SURELY_NOT = 0.8, 0.2
"""From which probability on a teacher is sure of a line, and below which of none."""


class LinePixels(NamedTuple):
    """Lines one pixel wide, and the pixels around them, (rows, cols).

    Attributes
    ----------
    lines, surroundings : bool array (rows, cols)
        The lines, and all within `TOLERANCE_M` of them.
    """

    lines: npt.NDArray[np.bool_]
    surroundings: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ScenePart:
    """A scene, or the part of a large one where most is found.

    Attributes
    ----------
    name : str
    signal : complex64 array (rows, cols)
        At the network's posting; 0 where there is no data.
    posting_m : float
        That of the signal.
    """

    name: str
    signal: npt.NDArray[np.complex64]
    posting_m: float

    def probability(
        self,
        member: Member,
        drawing: Drawing,
        *,
        filters: Sequence[FilterName] = ("raw",),
        turned: bool = False,
    ) -> Floats:
        """Return a member's probability, (rows, cols), NaN where there is no data."""
        strips = predict_strips(
            lambda row, rows: self.signal[row : row + rows],
            (self.signal.shape[0], self.signal.shape[1]),
            [member],
            window_px=drawing.window_px,
            overlap=drawing.overlap,
            turned=turned,
            device=drawing.device,
            filters=filters,
        )
        found = np.concatenate([strip.probability[0] for strip in strips])
        return np.where(self.signal != 0, found, np.nan).astype(np.float32)

    def line_pixels(self, probability: Floats, tau: float, shortest_m: float) -> LinePixels:
        """Return the middle lines of where the probability (rows, cols) is `tau` or more.

        Whether lines agree is seen in pixels too, which are found far faster than vectors.
        """
        thin = skeletonize(np.nan_to_num(probability) >= tau)  # type: ignore[no-untyped-call]
        pieces, _ = label(thin, np.ones((3, 3)))
        length_m = np.bincount(pieces.ravel()) * self.posting_m
        lines = thin & (length_m >= shortest_m)[pieces]
        if not lines.any():
            return LinePixels(lines, lines)
        return LinePixels(lines, distance_transform_edt(~lines) * self.posting_m <= TOLERANCE_M)


@dataclass(frozen=True)
class TaughtScene:
    """A part of a scene and what the teacher says of it: the mean over filters and turns.

    Attributes
    ----------
    part : ScenePart
    target : int8 array (rows, cols)
        1 where the teacher is sure of a line, 0 where it is sure of none, -1 elsewhere and without data.
    sure, possible : LinePixels
        What it draws at `SURE`, and at `SURELY_NOT`.
    """

    part: ScenePart
    target: npt.NDArray[np.int8]
    sure: LinePixels
    possible: LinePixels


def read_part(header: RasterHeader, member: Member, drawing: Drawing) -> ScenePart:
    """Read a scene, or of a large one the part in which the member finds most.

    Raises
    ------
    DataError
        When its posting does not fit the member, or its pixels cannot be read.
    """
    scene = fit_to(header, [member])
    rows, cols = (min(side, LARGEST_PX) for side in scene.shape)
    top, left = (0, 0) if (rows, cols) == scene.shape else _busiest(scene, member, drawing)
    return ScenePart(
        header.name,
        scene.read_rows(top, rows)[:, left : left + cols],
        scene.looks * header.posting_m,
    )


def _busiest(scene: SceneInput, member: Member, drawing: Drawing) -> tuple[int, int]:
    """Return the first row and column of the part with the largest sum of probabilities."""
    cells = np.zeros([-(-side // CELL_PX) + 1 for side in scene.shape])
    for strip in predict_strips(
        scene.read_rows,
        scene.shape,
        [member],
        window_px=drawing.window_px,
        overlap=drawing.overlap,
        turned=False,
        device=drawing.device,
    ):
        probability = strip.probability[0]
        row, col = (np.arange(side) // CELL_PX for side in probability.shape)
        np.add.at(cells, ((strip.row + np.arange(len(row)))[:, None] // CELL_PX, col), probability)
    total = np.pad(cells, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    down, across = (max(1, min(LARGEST_PX, side) // CELL_PX) for side in scene.shape)
    within = total[down:, across:] - total[:-down, across:] - total[down:, :-across] + total[:-down, :-across]
    best = np.unravel_index(np.argmax(within), within.shape)
    top, left = (
        min(int(cell) * CELL_PX, max(0, side - LARGEST_PX))
        for cell, side in zip(best, scene.shape, strict=True)
    )
    return top, left


def taught(part: ScenePart, teacher: Member, drawing: Drawing) -> TaughtScene:
    """Let the teacher look at a part, filtered and turned in all ways."""
    probability = part.probability(teacher, drawing, filters=TEACHER_FILTERS, turned=True)
    target = np.full(probability.shape, -1, np.int8)
    target[probability >= SURE] = 1
    target[probability < SURELY_NOT] = 0
    sure, possible = (part.line_pixels(probability, tau, drawing.shortest_m) for tau in (SURE, SURELY_NOT))
    return TaughtScene(part, target, sure, possible)
