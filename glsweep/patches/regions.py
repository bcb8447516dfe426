"""Ground that is held out: scenes and polygons that a split claims, and what is left of the others."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
import shapely
from pyproj import CRS

from glsweep.config.split import SPLITS, Region, Split, SplitName
from glsweep.errors import DataError
from glsweep.patches.ground import negligible_area_m2
from glsweep.patches.piece import Piece
from glsweep.scenes.footprint import read_region

PRECEDENCE: tuple[SplitName | None, ...] = ("test", "val", "train", None)
"""Who keeps ground that several claim."""


def hold_out(own: Sequence[Piece], split: Split, crs: CRS) -> tuple[list[Piece], list[Piece], set[SplitName]]:
    """Part the scenes into what regions or a column give to a split, and the rest.

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
        return _by_column(own), [], set(SPLITS)
    held: list[Piece] = []
    rest = list(own)
    # Each takes what those before it have left, so the order in which they were written must not matter.
    for region in sorted(split.regions, key=lambda region: PRECEDENCE.index(region.split)):
        chosen, rest = _take(region, rest, crs)
        if not chosen:
            left = " that others leave" if held else ""
            raise DataError(
                f"{own[0].entry.header.path.parent}: the region {_title(region)} holds no scene with a line"
                f"{left}; mend split.regions in the data card"
            )
        held += chosen
    return held, rest, {region.split for region in split.regions}


def _take(region: Region, rest: Sequence[Piece], crs: CRS) -> tuple[list[Piece], list[Piece]]:
    """Return what of `rest` lies in the region, and what does not."""
    if region.polygons is None:
        named = {p.entry.name for p in rest if any(fnmatchcase(p.entry.name, s) for s in region.scenes)}
        # Scenes of a group are never parted; ground that they share is settled by `apart`.
        groups = {p.entry.group for p in rest if p.entry.name in named} - {None}

        def is_taken(piece: Piece) -> bool:
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
        inside.append(replace(piece.on(common, crs), split=region.split))
        left = piece.outline.difference(ground)
        if left.area > negligible_area_m2(piece.entry.posting_m):
            outside.append(piece.on(left, crs))
    return inside, outside


def _by_column(own: Sequence[Piece]) -> list[Piece]:
    without = [piece.entry.name for piece in own if piece.entry.split is None]
    if without:
        raise DataError(
            f"{own[0].entry.header.path.parent}: the file of lines names no split for scene {without[0]} "
            f"(and {len(without) - 1} more); fill the column or use `rule: scene`"
        )
    return [replace(piece, split=piece.entry.split) for piece in own]


def apart(pieces: Sequence[Piece], crs: CRS) -> list[Piece]:
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
            kept.append(piece.on(left, crs))
    return kept


def _title(region: Region) -> str:
    return ", ".join(region.scenes) if region.polygons is None else f"{region.polygons}"
