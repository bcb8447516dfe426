"""What a scene's pixels say, read a band of rows at a time."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import shapely

from glsweep.check.findings import SceneFindings, Thumbnail
from glsweep.config.data_card import LineRule
from glsweep.scenes.scene_entry import BAND_PX, SceneEntry
from glsweep.scenes.source import Window
from glsweep.scenes.statistics import COHERENCE_BOX_PX, local_coherence

THUMBNAIL_PX = 256
COHERENCE_BINS = 1000


def describe_pixels(entry: SceneEntry, found: SceneFindings, rule: LineRule) -> None:
    """Read all pixels of a scene and enter what they say in `found`.

    Raises
    ------
    DataError
        When the raster cannot be read to its end, or holds no data.
    """
    step = max(1, -(-max(entry.shape) // THUMBNAIL_PX))
    valid: list[npt.NDArray[np.bool_]] = []
    phases: list[npt.NDArray[np.float32]] = []
    counts = np.zeros(COHERENCE_BINS, np.int64)
    for band in _bands(entry.shape):
        pixels = entry.read_pixels(band)
        here = pixels != 0
        valid.append(here)
        coherence = local_coherence(pixels)
        counts += np.histogram(coherence[np.isfinite(coherence)], COHERENCE_BINS, (0, 1))[0]
        phase_rad = np.where(here, np.angle(pixels), np.nan).astype(np.float32)
        phases.append(phase_rad[-band.row % step :: step, ::step])
    has_data = np.concatenate(valid)
    found.valid_share = float(has_data.mean())
    found.coherence = _median(counts)
    line = entry.line_mask(rule) > 0
    found.line_without_data = float((line & ~has_data).sum() / max(1, line.sum()))
    to_thumbnail = ~entry.header.transform
    lines_px = [
        np.column_stack(to_thumbnail @ tuple(shapely.get_coordinates(line).T)) / step for line in entry.lines
    ]
    found.thumbnail = Thumbnail(np.concatenate(phases), lines_px)


def _bands(shape: tuple[int, int]) -> Iterator[Window]:
    rows, cols = shape
    height = max(COHERENCE_BOX_PX, BAND_PX // cols)
    for top in range(0, rows, height):
        yield Window(top, 0, min(height, rows - top), cols)


def _median(counts: npt.NDArray[np.int64]) -> float | None:
    if not counts.sum():
        return None
    return float(np.searchsorted(counts.cumsum(), counts.sum() / 2)) / COHERENCE_BINS
