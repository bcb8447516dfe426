"""What `check` has found, scene by scene and for the data as a whole."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Thumbnail:
    """A scene small enough for a contact sheet.

    Attributes
    ----------
    phase_rad : float32 array (rows, cols)
        Wrapped phase at every `step`-th pixel, NaN where there is no data.
    lines_px : list of float array (N, 2)
        Lines as (col, row) in the thumbnail's pixels.
    """

    phase_rad: npt.NDArray[np.float32]
    lines_px: list[npt.NDArray[np.float64]]


@dataclass
class SceneFindings:
    """One scene: a row of the table.

    Attributes
    ----------
    name, shape, crs, posting, kind : str
        As the header has them; empty where unknown.
    valid_share : float or None
        Share of the pixels that hold data; None where they could not be read.
    coherence : float or None
        Median of the local coherence (see `scenes.statistics`); None where no 5 x 5 box is whole.
    line_km : float
        Length of line within the scene.
    line_without_data : float
        Share of the line's pixels where there is no data.
    rows_dropped : int
        Rows of the file of lines that name the scene and hold no line.
    faults : list of str
        Why the scene cannot be used.
    notes : list of str
        What to mind, though it can be.
    """

    name: str
    shape: str = ""
    crs: str = ""
    posting: str = ""
    kind: str = ""
    valid_share: float | None = None
    coherence: float | None = None
    line_km: float = 0.0
    line_without_data: float = 0.0
    rows_dropped: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    thumbnail: Thumbnail | None = None


@dataclass
class Findings:
    """All scenes, and what holds for the data as a whole.

    Attributes
    ----------
    source : Path
        What was checked.
    scenes : list of SceneFindings
        By name.
    faults : list of str
        What a study of this data would stop at, with its remedy.
    notes : list of str
        What to mind, though a study would run.
    """

    source: Path
    scenes: list[SceneFindings] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_usable(self) -> bool:
        """Whether a study of this data would run."""
        return not self.faults and not any(scene.faults for scene in self.scenes)
