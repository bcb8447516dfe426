"""What a map of errors is drawn from: a scene's phase, and its lines with their distances."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from glsweep.files import replacing
from glsweep.metrics.lines import LineDistances
from glsweep.scenes.scene_entry import SceneEntry
from glsweep.scenes.source import Window

LONGEST_PX = 500


def keep_errors(path: Path, entry: SceneEntry, distances: LineDistances) -> None:
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
    with replacing(path) as beside, beside.open("wb") as file:
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
