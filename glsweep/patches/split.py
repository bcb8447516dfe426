"""Leak-proof splits: ground is shared out first, and patches are drawn within it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS
from shapely import Polygon

from glsweep.config.data_card import SPLITS, Split, SplitName
from glsweep.errors import DataError
from glsweep.patches.ground import (
    PieceOfGround,
    common_map,
    footprint,
    hold_out,
    lines_within,
    whole_piece,
    without_claimed_ground,
)
from glsweep.patches.windows import GroundStrip, cut_at_quantiles
from glsweep.randomness import generator_for
from glsweep.scenes.scene import SceneEntry
from glsweep.study.artifacts import SplitFindings

EXACT_GROUPS = 10
ORDERS = 64
"""Random orders tried where the assignments are too many to be searched."""


def assign_groups(
    lengths: npt.NDArray[np.float64], fractions: npt.NDArray[np.float64], generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Assign groups to splits so that the shares of length come closest to `fractions`.

    Closest by the sum of squared differences, among the assignments that give every split a
    group with a line. All are searched up to ten groups; beyond, the best of several greedy
    assignments in random order is taken. Ties are broken by `generator`.

    Parameters
    ----------
    lengths : float array (groups,)
        Length of line in each group; at least as many are above 0 as there are splits.
    fractions : float array (splits,)
        Shares to be approached; they sum to 1.
    generator : numpy Generator
        Source of randomness.

    Returns
    -------
    int array (groups,)
        The index of each group's split.
    """
    count, splits = len(lengths), len(fractions)
    if count <= EXACT_GROUPS:
        assignments = np.indices((splits,) * count).reshape(count, -1).T
    else:
        assignments = np.stack([_greedy(lengths, fractions, generator) for _ in range(ORDERS)])
    loads = np.stack([(assignments == split) @ lengths for split in range(splits)], axis=1)
    misfit = ((loads / lengths.sum() - fractions) ** 2).sum(axis=1)
    misfit[(loads == 0).any(axis=1)] = np.inf
    best = np.flatnonzero(misfit <= misfit.min() + 1e-12)
    return np.asarray(assignments[generator.choice(best)])


def _greedy(
    lengths: npt.NDArray[np.float64], fractions: npt.NDArray[np.float64], generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Give each group, in random order, to the split that lacks most; no split stays empty."""
    lacking = fractions * lengths.sum()
    empty = np.ones(len(fractions), np.bool_)
    assigned = np.zeros(len(lengths), np.int64)
    order = generator.permutation(len(lengths))
    left_with_line = np.count_nonzero(lengths)
    for group in order:
        must_fill = lengths[group] > 0 and left_with_line == np.count_nonzero(empty)
        split = int(np.argmax(np.where(empty, lacking, -np.inf) if must_fill else lacking))
        assigned[group] = split
        lacking[split] -= lengths[group]
        if lengths[group] > 0:
            empty[split] = False
            left_with_line -= 1
    return assigned


def apportion(total: int, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Share `total` out in proportion to `weights` (N,) by largest remainders; the parts sum to it.

    All zero weights get nothing.
    """
    if weights.sum() == 0:
        return np.zeros(len(weights), np.int64)
    exact = total * weights / weights.sum()
    parts = np.floor(exact).astype(np.int64)
    largest = np.argsort(parts - exact, kind="stable")[: total - parts.sum()]
    parts[largest] += 1
    return np.asarray(parts)


# --- The split of a study's ground


@dataclass(frozen=True)
class GroundSplit:
    """Which ground belongs to which split, the same for all patch sizes.

    Attributes
    ----------
    rule : str
        The rule that was used, which may differ from the one requested.
    reason : str
        Why this rule, in words.
    crs : CRS
        The map in which ground is compared: the first scene's.
    pieces : tuple of PieceOfGround
        All ground from which patches are drawn.
    """

    rule: Literal["scene", "block", "region", "column", "patch"]
    reason: str
    crs: CRS
    pieces: tuple[PieceOfGround, ...]

    def findings(self) -> SplitFindings:
        """Return what the summary says of the split."""
        return SplitFindings(
            rule=self.rule,
            reason=self.reason,
            leak_proof=self.rule != "patch",
            scenes={s: tuple(sorted(p.entry.name for p in self._of(s))) for s in SPLITS},
            line_km={s: round(sum(p.line_m for p in self._of(s)) / 1e3, 3) for s in SPLITS},
        )

    def _of(self, split: SplitName) -> list[PieceOfGround]:
        return [piece for piece in self.pieces if piece.split in (split, None)]


def split_ground(
    entries: Sequence[SceneEntry], split: Split, *, largest_patch_px: int, seed: int
) -> GroundSplit:
    """Share the ground of annotated scenes out between training, validation and test.

    `scene`: scenes whose footprints overlap, or that are of one group, stay together, and groups
    are assigned so that the shares of line length come closest to the fractions. `block`, also
    taken when fewer groups than splits hold a line: strips across the longer axis of the lines'
    extent, cut at quantiles of line length, in an order drawn with the seed, with a buffer left
    unused at each cut. `region`, `column`: what they hold out goes to its split, the rest is shared
    by scene. `patch`: the ground is not split. Scenes that are for test alone are test ground under
    every rule. Ground that several splits claim goes to test before validation before training.
    The patch size decides the default buffer alone; a size that cannot fit is refused early.

    Parameters
    ----------
    entries : sequence of SceneEntry
        Scenes with at least one line.
    split : Split
        The requested rule and the fractions.
    largest_patch_px : int
        The largest patch of the study.
    seed : int
        The study's seed.

    Raises
    ------
    DataError
        When a patch is larger than every scene, or than a block, or a split is left without ground.
    """
    _check_size(entries, largest_patch_px)
    crs = common_map(entries[0])
    whole = [whole_piece(entry, None, footprint(entry, crs), None, crs) for entry in entries]
    shared_out = [piece for piece in whole if not piece.entry.test_only]
    test_only = [replace(piece, split="test") for piece in whole if piece.entry.test_only]
    if not shared_out:
        raise DataError(f"{entries[0].header.path.parent}: no scene with a line may be trained on; add some")
    held, rest, held_splits = hold_out(shared_out, split, crs)
    rule, reason = split.rule, REASONS.get(split.rule, "")
    if rest and split.rule != "patch":
        shares = {name: getattr(split, name) for name in SPLITS if name not in held_splits}
        shared = _share_ground(rest, split, shares, crs, largest_patch_px=largest_patch_px, seed=seed)
        rest, reason = shared.pieces, "; ".join(filter(None, [reason, shared.reason]))
        rule = rule if held_splits else shared.rule
    pieces = without_claimed_ground([*held, *rest, *test_only], crs)
    _check_every_split(pieces, split.rule)
    return GroundSplit(rule, reason, crs, tuple(pieces))


REASONS = {
    "patch": "as published: overlapping patches leak between splits",
    "region": "regions are held out",
    "column": "as the file of lines says",
}


class _Shared(NamedTuple):
    """Pieces that were shared out, by which rule and why."""

    pieces: list[PieceOfGround]
    rule: Literal["scene", "block"]
    reason: str


def _share_ground(
    whole: Sequence[PieceOfGround],
    split: Split,
    shares: Mapping[SplitName, float],
    crs: CRS,
    *,
    largest_patch_px: int,
    seed: int,
) -> _Shared:
    """Share whole scenes out among the splits of `shares`, or cut the ground into blocks."""
    names = list(shares)
    if len(names) <= 1:
        return _Shared([replace(p, split=name) for p in whole for name in names], "scene", "")
    fractions = np.array(list(shares.values())) / sum(shares.values())
    groups = group_scenes(whole)
    lengths = np.bincount(groups, [piece.line_m for piece in whole]).astype(np.float64)
    with_line = int(np.count_nonzero(lengths))
    generator = generator_for(seed, "split")
    if split.rule != "block" and with_line >= len(names):
        assigned = assign_groups(lengths, fractions, generator)[groups]
        pieces = [replace(p, split=names[i]) for p, i in zip(whole, assigned, strict=True)]
        return _Shared(pieces, "scene", f"{with_line} groups of scenes that share no ground")
    order = generator.permutation(len(names))
    lines = np.concatenate([lines_within(piece.entry, piece.outline, crs) for piece in whole])
    cut = cut_at_quantiles(lines, fractions[order].tolist())
    buffer_px = largest_patch_px if split.buffer_px is None else split.buffer_px
    buffer_m = buffer_px * whole[0].entry.posting_m
    strips = {names[i]: strip.narrowed(buffer_m / 2) for i, strip in zip(order, cut, strict=True)}
    _check_strips(strips, whole, largest_patch_px)
    reason = "" if split.rule == "block" else f"{_few_groups(with_line, len(names))}; "
    reason += f"blocks with {buffer_m / 1000:g} km left unused between them"
    return _Shared(_cut_pieces(whole, strips, crs), "block", reason)


def _few_groups(with_line: int, needed: int) -> str:
    return f"rule `scene` needs {needed} groups of scenes that share no ground, there are {with_line}"


def group_scenes(whole: Sequence[PieceOfGround]) -> npt.NDArray[np.int64]:
    """Number the scenes that must stay together, (N,): they share ground, or belong to one group."""
    groups = group_overlapping([piece.outline for piece in whole])
    first: dict[str, int] = {}
    for number, piece in enumerate(whole):
        name = piece.entry.group
        if name is not None:
            groups[groups == groups[number]] = groups[first.setdefault(name, number)]
    return np.asarray(np.unique(groups, return_inverse=True)[1])


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


def _cut_pieces(
    whole: Sequence[PieceOfGround], strips: Mapping[SplitName, GroundStrip], crs: CRS
) -> list[PieceOfGround]:
    pieces = []
    for name in strips:
        for piece in whole:
            outline = strips[name].clip(piece.outline)
            if outline.area > 0:
                pieces.append(whole_piece(piece.entry, name, outline, strips[name], crs))
    return pieces


def _check_size(entries: Sequence[SceneEntry], largest_patch_px: int) -> None:
    largest = max(entries, key=lambda entry: min(entry.shape))
    if min(largest.shape) < largest_patch_px:
        rows, cols = largest.shape
        raise DataError(
            f"{largest.header.path}: patch_size_px {largest_patch_px} is larger than scene {largest.name} "
            f"({rows} x {cols}), and no other scene is larger; use smaller patches"
        )


def _check_strips(
    strips: Mapping[SplitName, GroundStrip], whole: Sequence[PieceOfGround], largest_patch_px: int
) -> None:
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


def _check_every_split(pieces: Sequence[PieceOfGround], rule: str) -> None:
    """Make sure that each split has a line, unless patches are shared out later."""
    for name in SPLITS if rule != "patch" else ():
        if not any(piece.line_m > 0 for piece in pieces if piece.split == name):
            raise DataError(
                f"{pieces[0].entry.header.path.parent}: rule `{rule}` leaves no line for {name}; "
                "mend `split` in the data card"
            )
