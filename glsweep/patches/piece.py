"""A piece of ground: the part of one scene from which one split draws its patches."""

from dataclasses import dataclass, replace

from pyproj import CRS
from shapely import MultiPolygon, Polygon

from glsweep.config.split import SplitName
from glsweep.geodesy import lengths_m
from glsweep.patches.ground import lines_within
from glsweep.patches.strips import Strip
from glsweep.scenes.scene_entry import SceneEntry


@dataclass(frozen=True)
class Piece:
    """The part of one scene from which one split draws its patches.

    Attributes
    ----------
    entry : SceneEntry
        The scene.
    split : str or None
        None when patches are shared out after drawing (rule `patch`).
    outline : Polygon
        The piece's ground, in the split's map.
    strip : Strip or None
        Within which a patch must lie wholly; None: anywhere in the scene.
    within : Polygon or None
        The same for ground of another form, in the split's map.
    line_m : float
        Length of line in the piece, in metres on the ground.
    """

    entry: SceneEntry
    split: SplitName | None
    outline: Polygon | MultiPolygon
    strip: Strip | None
    line_m: float
    within: Polygon | MultiPolygon | None = None

    def on(self, outline: Polygon | MultiPolygon, crs: CRS) -> "Piece":
        """Return the part of the piece whose patches lie within `outline`."""
        return replace(self, outline=outline, within=outline, line_m=_line_m(self.entry, outline, crs))


def whole_piece(
    entry: SceneEntry,
    split: SplitName | None,
    outline: Polygon | MultiPolygon,
    strip: Strip | None,
    crs: CRS,
) -> Piece:
    """Return a piece with the length of line in it."""
    return Piece(entry, split, outline, strip, _line_m(entry, outline, crs))


def _line_m(entry: SceneEntry, outline: Polygon | MultiPolygon, crs: CRS) -> float:
    lines = lines_within(entry, outline, crs)
    return float(lengths_m(lines, crs if entry.header.is_placed else None).sum())
