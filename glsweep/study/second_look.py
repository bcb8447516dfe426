"""`second_look.json`: the lines that are worth a second look, most rewarding first."""

from typing import Literal

from glsweep.config.data_card import SplitName
from glsweep.config.settings import Settings
from glsweep.study.artifacts import Artifact

DoubtKind = Literal["missed", "unlabelled"]


class DoubtfulLine(Settings):
    """A row of `review.gpkg`; see `glsweep.evaluate.second_look` for what it measures.

    `x` and `y` are its middle in metres of the scene's map `crs`, `lon` and `lat` the same in degrees;
    `distance_m` is None where the scene has no line at all on the other side; `thumbnail` is a file in the
    folder `review`, "" where none was drawn.
    """

    rank: int
    kind: DoubtKind
    scene: str
    split: SplitName
    dates: str
    length_m: float
    confidence: float
    distance_m: float | None
    x: float
    y: float
    crs: str
    lon: float
    lat: float
    thumbnail: str = ""


class SecondLook(Artifact):
    """`second_look.json`: what members and labels disagree on, and by which rules it was found.

    `members` are the keys of their strata, the best one's first; `far_m`, `agree_m` and `shortest_m` are the
    distances by which lines count as missed or unlabelled, and the length from which they do.
    """

    written_by = "evaluate"

    members: tuple[str, ...]
    splits: tuple[SplitName, ...]
    scenes: int
    far_m: float
    agree_m: float
    shortest_m: float
    kept_as: str = ""
    doubts: tuple[DoubtfulLine, ...]
