"""Leak-proof splits: ground is shared out first, and patches are drawn within it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS
from shapely import Polygon

from glsweep.config.split import SPLITS, Split, SplitName
from glsweep.errors import DataError
from glsweep.patches.assignment import share_groups
from glsweep.patches.ground import common_map, footprint, lines_within
from glsweep.patches.strips import Strip, cut_at_quantiles
from glsweep.randomness import generator_for
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
    line_m : float
        Length of line in the piece, in metres.
    """

    entry: SceneEntry
    split: SplitName | None
    outline: Polygon
    strip: Strip | None
    line_m: float


@dataclass(frozen=True)
class GroundSplit:
    """Which ground belongs to which split, the same for all patch sizes.

    Attributes
    ----------
    rule : str
        The rule that was used, which may differ from the one asked for.
    reason : str
        Why this rule, for people.
    crs : CRS
        The map in which ground is compared: the first scene's.
    pieces : tuple of Piece
        All ground from which patches are drawn.
    """

    rule: Literal["scene", "block", "patch"]
    reason: str
    crs: CRS
    pieces: tuple[Piece, ...]

    def findings(self) -> dict[str, object]:
        """Return the split as a summary that JSON can hold."""
        return {
            "rule": self.rule,
            "reason": self.reason,
            "leak_proof": self.rule != "patch",
            "scenes": {s: sorted(p.entry.name for p in self._of(s)) for s in SPLITS},
            "line_km": {s: round(sum(p.line_m for p in self._of(s)) / 1e3, 3) for s in SPLITS},
        }

    def _of(self, split: SplitName) -> list[Piece]:
        return [piece for piece in self.pieces if piece.split in (split, None)]


def split_ground(
    entries: Sequence[SceneEntry], split: Split, *, largest_patch_px: int, seed: int
) -> GroundSplit:
    """Share the ground of annotated scenes out between training, validation and test.

    `scene`: scenes whose footprints overlap form a group, and whole groups are assigned so that
    the shares of line length come closest to the fractions. `block`, also taken when fewer than
    three groups hold a line: three strips across the longer axis of the lines' extent, cut at
    quantiles of line length, in an order drawn with the seed. `patch`: the ground is not split.
    The patch size decides nothing here; a size that cannot fit is refused early.

    Parameters
    ----------
    entries : sequence of SceneEntry
        Scenes with at least one line.
    split : Split
        The rule asked for and the fractions.
    largest_patch_px : int
        The largest patch of the study.
    seed : int
        The study's seed.

    Raises
    ------
    DataError
        When a patch is larger than every scene, or than a block.
    """
    _check_size(entries, largest_patch_px)
    crs = common_map(entries[0])
    whole = [_piece(entry, None, footprint(entry, crs), None, crs) for entry in entries]
    if split.rule == "patch":
        reason = "as published: overlapping patches leak between splits"
        return GroundSplit("patch", reason, crs, tuple(whole))
    groups = group_overlapping([piece.outline for piece in whole])
    lengths = np.bincount(groups, [piece.line_m for piece in whole]).astype(np.float64)
    with_line = int(np.count_nonzero(lengths))
    fractions = np.array([split.train, split.val, split.test])
    generator = generator_for(seed, "split")
    if split.rule == "scene" and with_line >= len(SPLITS):
        assigned = share_groups(lengths, fractions, generator)[groups]
        pieces = [replace(p, split=SPLITS[i]) for p, i in zip(whole, assigned, strict=True)]
        return GroundSplit("scene", f"{with_line} groups of scenes that share no ground", crs, tuple(pieces))
    order = generator.permutation(len(SPLITS))
    lines = np.concatenate([lines_within(piece.entry, piece.outline, crs) for piece in whole])
    cut = cut_at_quantiles(lines, fractions[order].tolist())
    strips = {SPLITS[i]: strip for i, strip in zip(order, cut, strict=True)}
    _check_strips(strips, whole, largest_patch_px)
    reason = "as asked" if split.rule == "block" else _few_groups(with_line)
    return GroundSplit("block", reason, crs, tuple(_cut(whole, strips, crs)))


def _few_groups(with_line: int) -> str:
    return f"rule `scene` needs {len(SPLITS)} groups of scenes that share no ground, there are {with_line}"


def group_overlapping(outlines: Sequence[Polygon]) -> npt.NDArray[np.int64]:
    """Number the connected components of outlines that share ground, (N,)."""
    polygons = np.array(outlines, dtype=object)
    parents = list(range(len(polygons)))

    def root(i: int) -> int:
        while parents[i] != i:
            i = parents[i]
        return i

    for one, other in shapely.STRtree(polygons).query(polygons, predicate="intersects").T:
        if shapely.area(shapely.intersection(polygons[one], polygons[other])) > 0:
            parents[root(one)] = root(other)
    return np.asarray(np.unique([root(i) for i in range(len(polygons))], return_inverse=True)[1])


def _piece(
    entry: SceneEntry, split: SplitName | None, outline: Polygon, strip: Strip | None, crs: CRS
) -> Piece:
    length_m = float(shapely.length(lines_within(entry, outline, crs)).sum())
    return Piece(entry, split, outline, strip, length_m)


def _cut(whole: Sequence[Piece], strips: Mapping[SplitName, Strip], crs: CRS) -> list[Piece]:
    pieces = []
    for name in SPLITS:
        for piece in whole:
            outline = strips[name].clip(piece.outline)
            if outline.area > 0:
                pieces.append(_piece(piece.entry, name, outline, strips[name], crs))
    return pieces


def _check_size(entries: Sequence[SceneEntry], largest_patch_px: int) -> None:
    largest = max(entries, key=lambda entry: min(entry.shape))
    if min(largest.shape) < largest_patch_px:
        rows, cols = largest.shape
        raise DataError(
            f"{largest.header.path}: patch_size_px {largest_patch_px} is larger than scene {largest.name} "
            f"({rows} x {cols}), and no other scene is larger; use smaller patches"
        )


def _check_strips(strips: Mapping[SplitName, Strip], whole: Sequence[Piece], largest_patch_px: int) -> None:
    first = whole[0].entry
    patch_m = largest_patch_px * first.posting_m
    for name, strip in strips.items():
        width_m = strip.width_m([piece.outline for piece in whole])
        if width_m < patch_m:
            raise DataError(
                f"{first.header.path.parent}: the block for {name} is {width_m / 1e3:.1f} km wide, "
                f"a patch of {largest_patch_px} px {patch_m / 1e3:.1f} km; use smaller patches, "
                "add scenes, or accept leaks with `split: {rule: patch}`"
            )
