"""What `check` has found, scene by scene and for the data as a whole."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glsweep.scenes.bending import Bending
from glsweep.scenes.reading import Reading
from glsweep.scenes.source import BandFacts


class SceneNote(NamedTuple):
    """What to mind of a scene, though it can be used.

    Attributes
    ----------
    kind : str
        A few words for the contact sheet, the same for all scenes to which it applies.
    text : str
        What was found, and the likely reason.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Thumbnail:
    """A scene small enough for a contact sheet.

    Attributes
    ----------
    phase_rad : float32 array (rows, cols)
        Wrapped phase at every `step`-th pixel, NaN where there is no data.
    is_flat : bool array (rows, cols)
        Where the phase is the same in all pixels around.
    step : int
        Pixels of the scene to one of the thumbnail.
    lines_px : list of float array (N, 2)
        Lines as (col, row) in the thumbnail's pixels.
    odd_lines : set of int
        Numbers of those that lie elsewhere than most of the data set's.
    """

    phase_rad: npt.NDArray[np.float32]
    is_flat: npt.NDArray[np.bool_]
    step: int = 1
    lines_px: list[npt.NDArray[np.float64]] = field(default_factory=list)
    odd_lines: set[int] = field(default_factory=set)


class SceneMeasurements(NamedTuple):
    """What a scene's pixels say.

    Attributes
    ----------
    valid_px : int
        Pixels that hold data.
    valid_share : float
        Their share of all pixels.
    hole_share : float
        Pixels without data that have data on all four sides, as a share of those with data.
    coherence : float or None
        Median of the local coherence (see `local_coherence`); None where no 5 x 5 box is whole.
    step_cycles : float
        Mean difference in phase between neighbours, in cycles.
    grain : float
        How the second difference of phase across one pixel compares with that across two: near 1 where
        noise is independent from pixel to pixel, less where it was averaged, filtered or interpolated.
    circle_share : float
        Share of the circle that the phases fill.
    flat_share : float
        Share of the pixels with data around which the phase is the same everywhere.
    repeat_share : float
        Share of the pairs of neighbours, outside such areas, that have exactly the same phase.
    magnitude : float
        Median.
    """

    valid_px: int
    valid_share: float
    hole_share: float
    coherence: float | None
    step_cycles: float
    grain: float
    circle_share: float
    flat_share: float
    repeat_share: float
    magnitude: float


@dataclass
class SceneFindings:
    """One scene: a row of the table.

    Attributes
    ----------
    name, shape, crs, posting : str
        As the header has them; empty where unknown.
    kind : str
        What is read, where it is not a raster with bands.
    bands : tuple of BandFacts
        What the file says of its bands.
    reading : Reading or None
        How they are read.
    measured : SceneMeasurements or None
        What the pixels say; None where they could not be read.
    line_km : float
        Length of line within the scene.
    line_without_data : float
        Share of the line's pixels where there is no data.
    rows_dropped : int
        Rows of the file of lines that name the scene and hold no line.
    faults : list of str
        Why the scene cannot be used.
    notes : list of SceneNote
        What to mind, though it can be.
    thumbnail : Thumbnail or None
        The scene for the contact sheet.
    bendings : list of Bending or None
        How ice bends beside each of its lines; None where there is no data.
    """

    name: str
    shape: str = ""
    crs: str = ""
    posting: str = ""
    kind: str = ""
    bands: tuple[BandFacts, ...] = ()
    reading: Reading | None = None
    measured: SceneMeasurements | None = None
    line_km: float = 0.0
    line_without_data: float = 0.0
    rows_dropped: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[SceneNote] = field(default_factory=list)
    thumbnail: Thumbnail | None = None
    bendings: list[Bending | None] = field(default_factory=list)


@dataclass
class Findings:
    """All scenes, and what holds for the data as a whole.

    Attributes
    ----------
    source : Path
        What was checked.
    scenes : list of SceneFindings
        By name.
    passed_over : list of str
        Files that are not used, each with the reason.
    others : list of str
        What the files beside the rasters are, where no study can use the folder as it is.
    faults : list of str
        What a study of this data would stop at, with its remedy.
    notes : list of str
        What to mind, though a study would run.
    """

    source: Path
    scenes: list[SceneFindings] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_usable(self) -> bool:
        """Whether a study of this data would run."""
        return not self.faults and not any(scene.faults for scene in self.scenes)
