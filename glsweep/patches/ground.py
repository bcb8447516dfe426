"""Ground: where scenes and patches lie on one common map, and which pieces of it each split may use."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from pyproj import CRS, Transformer
from shapely import MultiPolygon, Polygon

from glsweep.config.data_card import SPLITS, Region, Split, SplitName
from glsweep.errors import DataError
from glsweep.geodesy import lengths_m
from glsweep.patches.windows import GroundStrip, SummedArea
from glsweep.scenes.polygons import ground_outside, read_region, untouched_pixels
from glsweep.scenes.scene import SceneEntry, row_strips

Points = npt.NDArray[np.float64]
Polygons = npt.NDArray[np.object_]

EDGE_PIECES = 64
"""A straight edge is bent by a change of map; so many pieces follow the bend."""
CORNERS_AT_ONCE = 2**19
"""Corners of pixels that are brought to another map at once."""


def footprint(entry: SceneEntry, crs: CRS) -> Polygon:
    """Return the scene's outline in `crs`.

    Raises
    ------
    DataError
        When the outline cannot be expressed in `crs`.
    """
    outline = entry.ground()
    transform = _to_crs(entry, crs)
    if transform is None:
        return outline
    moved = shapely.transform(shapely.segmentize(outline, outline.length / 4 / EDGE_PIECES), transform)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise DataError(
            f"{entry.header.path}: cannot be placed in the first scene's map ({crs.name}); "
            "reproject the scenes to one projection"
        )
    return moved


def lines_within(entry: SceneEntry, outline: Polygon | MultiPolygon, crs: CRS) -> Polygons:
    """Return the parts of the scene's lines that lie within `outline`, both in `crs`, as geometries."""
    transform = _to_crs(entry, crs)
    lines = np.array(entry.lines, dtype=object)
    moved = lines if transform is None else shapely.transform(lines, transform)
    parts = shapely.get_parts(shapely.intersection(moved, outline))
    return np.asarray(parts[shapely.length(parts) > 0])


def window_outlines(
    entry: SceneEntry, rows: npt.ArrayLike, cols: npt.ArrayLike, size_px: int, crs: CRS
) -> Polygons:
    """Return the outlines in `crs` of the windows whose upper left pixels are (`rows`, `cols`), (N,)."""
    row, col = np.asarray(rows), np.asarray(cols)
    far_row, far_col = row + size_px, col + size_px
    corners = np.column_stack([col, row, far_col, row, far_col, far_row, col, far_row]).reshape(-1, 2)
    return np.asarray(shapely.polygons(_to_map(entry, corners, crs).reshape(-1, 4, 2)))


class WindowOrigins:
    """At which upper left pixels a window lies wholly within `strip` and `within` (None: anywhere).

    Its shape is (rows - size_px + 1, cols - size_px + 1) of the scene's, and empty when the scene is smaller
    than a window.
    """

    def __init__(
        self,
        entry: SceneEntry,
        size_px: int,
        crs: CRS,
        *,
        strip: GroundStrip | None = None,
        within: Polygon | MultiPolygon | None = None,
    ) -> None:
        rows, cols = entry.shape
        self.shape = (max(0, rows - size_px + 1), max(0, cols - size_px + 1))
        self._entry, self._size_px, self._crs, self._strip = entry, size_px, crs, strip
        self._outside: list[Polygon] | None = None
        if within is not None:
            own = in_own_map(entry, within, crs)
            self._outside = ground_outside(own, entry.shape, entry.header.transform)

    def rows(self, top: int, bottom: int) -> npt.NDArray[np.bool_]:
        """Return the rows from `top` to before `bottom`, those that there are."""
        n, cols = self._size_px, self._entry.shape[1]
        origins = np.ones((max(0, min(bottom, self.shape[0]) - top), self.shape[1]), np.bool_)
        if 0 in origins.shape:
            return origins
        if self._strip is not None:
            corners = self._corners_in(self._strip, top, len(origins) + n)
            origins &= corners[:-n, :-n] & corners[n:, :-n] & corners[:-n, n:] & corners[n:, n:]
        if self._outside is not None:
            transform = self._entry.header.transform @ Affine.translation(0, top)
            inside = untouched_pixels(self._outside, (len(origins) + n - 1, cols), transform)
            origins &= SummedArea(~inside).in_windows(n) == 0
        return origins

    def _corners_in(self, strip: GroundStrip, top: int, rows: int) -> npt.NDArray[np.bool_]:
        """Return which corners of pixels lie in a strip of ground, (rows, cols + 1)."""
        cols = self._entry.shape[1] + 1
        within = np.empty((rows, cols), np.bool_)
        for part in row_strips(rows, cols, most_px=CORNERS_AT_ONCE):
            row, col = np.indices((part.rows, cols)).reshape(2, -1)
            corners = _to_map(self._entry, np.column_stack([col, row + part.row + top]), self._crs)
            along = corners[:, strip.axis].reshape(part.rows, cols)
            within[part.row : part.row + part.rows] = (along >= strip.low) & (along <= strip.high)
        return within


def in_own_map(entry: SceneEntry, ground: Polygon | MultiPolygon, crs: CRS) -> Polygon | MultiPolygon:
    """Return ground of the common map in the scene's own, a pixel smaller where the two maps differ."""
    own = common_map(entry)
    if own == crs:
        return ground
    transformer = Transformer.from_crs(crs, own, always_xy=True)
    fine = shapely.segmentize(ground, entry.posting_m * EDGE_PIECES)
    moved = shapely.transform(fine, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])))
    return shapely.make_valid(moved).buffer(-entry.posting_m)


def shared_pairs(left: Polygons, right: Polygons, least_area_m2: float) -> npt.NDArray[np.int64]:
    """Return the pairs (of `left`, of `right`), (N, 2), that share more than `least_area_m2`."""
    pairs = shapely.STRtree(right).query(left, predicate="intersects").T
    areas = shapely.area(shapely.intersection(left[pairs[:, 0]], right[pairs[:, 1]]))
    return np.asarray(pairs[areas > least_area_m2])


def assert_no_shared_ground(
    outlines: Mapping[str, Polygons], names: Mapping[str, list[str]], *, posting_m: float
) -> int:
    """Prove that no patch of one split shares ground with a patch of another.

    Parameters
    ----------
    outlines : mapping of str to array of Polygon
        The patches' outlines by split, in one map.
    names : mapping of str to list of str
        Each patch's name in an error.
    posting_m : float
        Side of a pixel in metres; a thousandth of a pixel's area is taken for rounding.

    Returns
    -------
    int
        The number of pairs of patches that the proof covers.

    Raises
    ------
    DataError
        When a pair shares ground.
    """
    pairs = 0
    for one, other in itertools.combinations(outlines, 2):
        shared = shared_pairs(outlines[one], outlines[other], negligible_area_m2(posting_m))
        if len(shared):
            first, second = shared[0]
            raise DataError(
                f"{names[one][first]} ({one}) and {names[other][second]} ({other}) share ground; "
                "use `split: {rule: block}` in the data card"
            )
        pairs += len(outlines[one]) * len(outlines[other])
    return pairs


def negligible_area_m2(posting_m: float) -> float:
    """Return the area that is taken for rounding: a thousandth of a pixel's."""
    return posting_m**2 / 1000


def common_map(entry: SceneEntry) -> CRS:
    """Return the map of `entry`, in which all ground is compared."""
    return CRS.from_user_input(entry.header.crs)


def _to_map(entry: SceneEntry, corners: npt.NDArray[Any], crs: CRS) -> Points:
    """Map (col, row) corners (N, 2) of `entry` to (x, y) in `crs`, (N, 2)."""
    t = entry.header.transform
    linear = np.array([[t.a, t.b], [t.d, t.e]])
    points: Points = corners @ linear.T + (t.c, t.f)
    transform = _to_crs(entry, crs)
    return points if transform is None else transform(points)


def _to_crs(entry: SceneEntry, crs: CRS) -> Callable[[Any], Points] | None:
    source = common_map(entry)
    if source == crs:
        return None
    transformer = Transformer.from_crs(source, crs, always_xy=True)
    return lambda points: np.column_stack(transformer.transform(points[:, 0], points[:, 1]))


# --- Pieces of ground


@dataclass(frozen=True)
class PieceOfGround:
    """The part of one scene from which one split draws its patches.

    Attributes
    ----------
    entry : SceneEntry
        The scene.
    split : str or None
        None when patches are shared out after drawing (rule `patch`).
    outline : Polygon
        The piece's ground, in the split's map.
    strip : GroundStrip or None
        Strip in which a patch must lie wholly; None: anywhere in the scene.
    within : Polygon or None
        The same for ground of another form, in the split's map.
    line_m : float
        Length of line in the piece, in metres on the ground.
    """

    entry: SceneEntry
    split: SplitName | None
    outline: Polygon | MultiPolygon
    strip: GroundStrip | None
    line_m: float
    within: Polygon | MultiPolygon | None = None

    def clipped_to(self, outline: Polygon | MultiPolygon, crs: CRS) -> "PieceOfGround":
        """Return the part of the piece whose patches lie within `outline`."""
        return replace(self, outline=outline, within=outline, line_m=_line_m(self.entry, outline, crs))


def whole_piece(
    entry: SceneEntry,
    split: SplitName | None,
    outline: Polygon | MultiPolygon,
    strip: GroundStrip | None,
    crs: CRS,
) -> PieceOfGround:
    """Return a piece with the length of line in it."""
    return PieceOfGround(entry, split, outline, strip, _line_m(entry, outline, crs))


def _line_m(entry: SceneEntry, outline: Polygon | MultiPolygon, crs: CRS) -> float:
    lines = lines_within(entry, outline, crs)
    return float(lengths_m(lines, crs if entry.header.is_placed else None).sum())


# --- Ground that is held out for a split

PRECEDENCE: tuple[SplitName | None, ...] = ("test", "val", "train", None)
"""Which split keeps ground that several claim."""


def hold_out(
    pieces: Sequence[PieceOfGround], split: Split, crs: CRS
) -> tuple[list[PieceOfGround], list[PieceOfGround], set[SplitName]]:
    """Separate the scenes that regions or a column assign to a split from the rest.

    Returns
    -------
    tuple
        The pieces that are held out, with their split; those that are not; the splits that are
        filled by the former.

    Raises
    ------
    DataError
        When a region holds no scene, or a scene has no split in the column.
    """
    if split.rule == "column":
        return _by_column(pieces), [], set(SPLITS)
    held: list[PieceOfGround] = []
    rest = list(pieces)
    # Each takes from what those before it left, so the order in the card must not matter.
    for region in sorted(split.regions, key=lambda region: PRECEDENCE.index(region.split)):
        chosen, rest = _take_region(region, rest, crs)
        if not chosen:
            left = " that others leave" if held else ""
            raise DataError(
                f"{pieces[0].entry.header.path.parent}: the region {_title(region)} holds no scene with a "
                f"line{left}; mend split.regions in the data card"
            )
        held += chosen
    return held, rest, {region.split for region in split.regions}


def _take_region(
    region: Region, rest: Sequence[PieceOfGround], crs: CRS
) -> tuple[list[PieceOfGround], list[PieceOfGround]]:
    """Return what of `rest` lies in the region, and what does not."""
    if region.polygons is None:
        named = {p.entry.name for p in rest if any(fnmatchcase(p.entry.name, s) for s in region.scenes)}
        # Scenes of a group stay together; ground that they share is settled by `without_claimed_ground`.
        groups = {p.entry.group for p in rest if p.entry.name in named} - {None}

        def is_taken(piece: PieceOfGround) -> bool:
            return piece.entry.name in named or piece.entry.group in groups

        taken = [replace(piece, split=region.split) for piece in rest if is_taken(piece)]
        return taken, [piece for piece in rest if not is_taken(piece)]
    ground = read_region(region, crs)
    inside, outside = [], []
    for piece in rest:
        common = piece.outline.intersection(ground)
        if common.area <= negligible_area_m2(piece.entry.posting_m):
            outside.append(piece)
            continue
        inside.append(replace(piece.clipped_to(common, crs), split=region.split))
        left = piece.outline.difference(ground)
        if left.area > negligible_area_m2(piece.entry.posting_m):
            outside.append(piece.clipped_to(left, crs))
    return inside, outside


def _by_column(pieces: Sequence[PieceOfGround]) -> list[PieceOfGround]:
    without = [piece.entry.name for piece in pieces if piece.entry.split is None]
    if without:
        raise DataError(
            f"{pieces[0].entry.header.path.parent}: the file of lines names no split for scene {without[0]} "
            f"(and {len(without) - 1} more); fill the column or use `rule: scene`"
        )
    return [replace(piece, split=piece.entry.split) for piece in pieces]


def without_claimed_ground(pieces: Sequence[PieceOfGround], crs: CRS) -> list[PieceOfGround]:
    """Take from each piece the ground that a split of higher precedence claims.

    Patches of what is left lie wholly in it, so that no two splits share ground.
    """
    ordered = sorted(pieces, key=lambda piece: PRECEDENCE.index(piece.split))
    outlines = np.array([piece.outline for piece in ordered], dtype=object)
    tree = shapely.STRtree(outlines)
    kept = []
    for number, piece in enumerate(ordered):
        over = [
            int(i)
            for i in tree.query(piece.outline, predicate="intersects")
            if i < number and ordered[int(i)].split != piece.split
        ]
        negligible_m2 = negligible_area_m2(piece.entry.posting_m)
        claimed = shapely.union_all(outlines[over])
        if claimed.intersection(piece.outline).area <= negligible_m2:
            kept.append(piece)
            continue
        left = piece.outline.difference(claimed)
        if left.area > negligible_m2:
            kept.append(piece.clipped_to(left, crs))
    return kept


def _title(region: Region) -> str:
    return ", ".join(region.scenes) if region.polygons is None else f"{region.polygons}"
