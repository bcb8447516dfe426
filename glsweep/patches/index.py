"""Which windows become patches, and the proof that splits share no ground."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from glsweep.config.data_card import SPLITS, DataCard, LineRule, Split, SplitName
from glsweep.config.patches import PatchSettings
from glsweep.errors import DataError
from glsweep.patches.ground import (
    PieceOfGround,
    Polygons,
    WindowOrigins,
    assert_no_shared_ground,
    negligible_area_m2,
    shared_pairs,
    window_outlines,
)
from glsweep.patches.held_masks import PIXELS_AT_ONCE, PackedMask, SparseMask
from glsweep.patches.sampler import sample_positions
from glsweep.patches.split import GroundSplit, apportion
from glsweep.progress import track
from glsweep.randomness import generator_for
from glsweep.scenes.scene import SceneEntry
from glsweep.study.artifacts import CountsBySplit, GroundProof, PatchCounts


class Quota(NamedTuple):
    """The most patches of one size that a piece of ground may give."""

    with_line: int
    without_line: int


COLUMNS = ("data_set", "scene", "row", "col", "has_line", "valid_share", "split")


def draw_index(
    ground: GroundSplit, card: DataCard, settings: PatchSettings, sizes_px: Sequence[int], *, seed: int
) -> dict[int, pd.DataFrame]:
    """Draw the patches of every size; one scene is held at a time.

    The limits hold for all scenes together: windows with a line are shared among the pieces of
    ground in proportion to their length of line, windows without in proportion to their area.
    Scenes that are for test alone add theirs, as many for a length of line or an area as the
    others, up to the same limits.

    Returns
    -------
    dict of int to DataFrame
        By size, columns data_set, scene, row, col, has_line, valid_share, split.

    Raises
    ------
    DataError
        When a split gets no patch with a line.
    """
    quotas = {size_px: _quotas(ground.pieces, settings, size_px) for size_px in sizes_px}
    rows: dict[int, list[tuple[str | float | None, ...]]] = {size_px: [] for size_px in sizes_px}
    entries = {piece.entry.name: piece.entry for piece in ground.pieces}.values()
    for entry in track(entries, "scenes", "choosing windows"):
        line, valid = _line_and_data(entry, card.line_rule)
        here = [(n, piece) for n, piece in enumerate(ground.pieces) if piece.entry.name == entry.name]
        for (number, piece), size_px in product(here, sizes_px):
            quota = quotas[size_px][number]
            origins = WindowOrigins(entry, size_px, ground.crs, strip=piece.strip, within=piece.within)
            # Not by the data set's name, which is there only once there are several.
            names = (size_px, entry.header.name, str(piece.split))
            drawn = sample_positions(
                line,
                valid,
                origins,
                size_px=size_px,
                settings=settings,
                limit_with_line=quota.with_line,
                limit_without_line=quota.without_line,
                generator=generator_for(seed, "patches", *names),
            )
            rows[size_px] += [(entry.data_set, entry.name, *position, piece.split) for position in drawn]
    indices = {size_px: pd.DataFrame(rows[size_px], columns=list(COLUMNS)) for size_px in sizes_px}
    for size_px, index in indices.items():
        if ground.rule == "patch":
            is_unassigned = index["split"].isna()
            generator = generator_for(seed, "share", size_px)
            index.loc[is_unassigned, "split"] = assign_patches(
                index.loc[is_unassigned, "has_line"], card.split, generator
            )
        _check_lines(index, size_px, ground)
    return indices


def _line_and_data(entry: SceneEntry, rule: LineRule) -> tuple[SparseMask, PackedMask]:
    """Return where a scene's line is, and where there is data, of which some rows are read at a time."""
    valid, rows = PackedMask(entry.shape), entry.line_rows(rule)
    on_line = []
    for strip, has_data in entry.valid_strips(PIXELS_AT_ONCE):
        valid.write(strip.row, has_data)
        mask = rows.rows(strip.row, strip.row + strip.rows) > 0
        on_line.append((strip.row, SparseMask.of(mask)))
    return SparseMask.joined(entry.shape, on_line), valid


def assign_patches(has_line: pd.Series, split: Split, generator: np.random.Generator) -> npt.NDArray[np.str_]:
    """Share patches out at random, those with a line and those without apart (published protocol).

    Parameters
    ----------
    has_line : bool series (N,)
        Whether each patch holds a line.
    split : Split
        The fractions.
    generator : numpy Generator
        Source of randomness.

    Returns
    -------
    str array (N,)
        The split of each patch; each has a patch of each kind if there are three.
    """
    fractions = np.array([split.train, split.val, split.test])
    shared = np.empty(len(has_line), "<U5")
    for kind in (True, False):
        members = np.flatnonzero(has_line.to_numpy(bool) == kind)
        counts = apportion(len(members), fractions)
        if len(members) >= len(SPLITS) and counts.min() == 0:
            counts = 1 + apportion(len(members) - len(SPLITS), fractions)
        shared[members] = generator.permutation(np.repeat(np.array(SPLITS), counts))
    return shared


def counts_by_split(index: pd.DataFrame) -> CountsBySplit:
    """Count the patches of each split, with and without a line."""
    counts: CountsBySplit = {}
    for name in SPLITS:
        has_line = index.loc[index["split"] == name, "has_line"].astype(bool)
        counts[name] = PatchCounts(with_line=int(has_line.sum()), without_line=int((~has_line).sum()))
    return counts


def _quotas(pieces: Sequence[PieceOfGround], settings: PatchSettings, size_px: int) -> list[Quota]:
    fits = np.array([size_px <= min(piece.entry.shape) for piece in pieces])
    is_test_only = np.array([piece.entry.test_only for piece in pieces])
    line = fits * np.array([piece.line_m for piece in pieces])
    area = fits * np.array([piece.outline.area for piece in pieces])
    with_line = _apportion_limit(settings.with_line, line, is_test_only)
    without_line = _apportion_limit(settings.without_line, area, is_test_only)
    return [Quota(*map(int, pair)) for pair in zip(with_line, without_line, strict=True)]


def _apportion_limit(
    limit: int, weights: npt.NDArray[np.float64], is_test_only: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Share `limit` out among the pieces; test-only ones get as much for their weight, in addition."""
    split_weights = weights * ~is_test_only
    test_weights = weights * is_test_only
    density = limit / split_weights.sum() if split_weights.sum() else 0.0
    test_limit = min(limit, round(density * test_weights.sum()))
    return apportion(limit, split_weights) + apportion(test_limit, test_weights)


def _check_lines(index: pd.DataFrame, size_px: int, ground: GroundSplit) -> None:
    for name, counts in counts_by_split(index).items():
        if counts.with_line == 0:
            folder = ground.pieces[0].entry.header.path.parent
            raise DataError(
                f"{folder}: split {name} (rule {ground.rule}) has no patch of {size_px} px with a line; "
                "use smaller patches, a smaller valid_share or more scenes"
            )


# --- The proof, on the map


def prove_ground(
    entries: Sequence[SceneEntry],
    ground: GroundSplit,
    indices: Mapping[int, pd.DataFrame],
    posting_m: float,
) -> GroundProof:
    """Prove for all sizes together that splits share no ground; under rule `patch`, measure how much they do.

    Raises
    ------
    DataError
        When patches of different splits share ground though the rule says that none do.
    """
    outlined = {size: _with_outlines(entries, ground, index, size) for size, index in indices.items()}
    if ground.rule == "patch":
        return GroundProof(leak={size: _leak(index, posting_m) for size, index in outlined.items()})
    every = pd.concat(outlined.values(), ignore_index=True)
    parts = {name: every[every["split"] == name] for name in SPLITS}
    pairs = assert_no_shared_ground(
        {name: _polygons(part) for name, part in parts.items()},
        {name: list(part["label"]) for name, part in parts.items()},
        posting_m=posting_m,
    )
    return GroundProof(pairs_checked=pairs)


def _with_outlines(
    entries: Sequence[SceneEntry], ground: GroundSplit, index: pd.DataFrame, size_px: int
) -> pd.DataFrame:
    """Return split, outline and label of each patch."""
    parts = []
    for entry in entries:
        rows = index[index["scene"] == entry.name]
        outlines = window_outlines(entry, rows["row"], rows["col"], size_px, ground.crs)
        labels = [f"{entry.name} row {r} col {c}" for r, c in zip(rows["row"], rows["col"], strict=True)]
        parts.append(pd.DataFrame({"split": rows["split"].to_numpy(), "outline": outlines, "label": labels}))
    return pd.concat(parts, ignore_index=True)


def _leak(outlined: pd.DataFrame, posting_m: float) -> dict[SplitName, float]:
    by_split = {name: _polygons(outlined[outlined["split"] == name]) for name in SPLITS}
    shares: dict[SplitName, float] = {}
    evaluated: tuple[SplitName, ...] = ("val", "test")
    for name in evaluated:
        pairs = shared_pairs(by_split[name], by_split["train"], negligible_area_m2(posting_m))
        shares[name] = round(len(np.unique(pairs[:, 0])) / max(1, len(by_split[name])), 4)
    return shares


def _polygons(outlined: pd.DataFrame) -> Polygons:
    return np.asarray(outlined["outline"].to_numpy(dtype=object))


# --- The overlap of patches within a split

ROWS_AT_ONCE = 512


def largest_overlap(index: pd.DataFrame, size_px: int) -> dict[SplitName, float]:
    """Return for each split the largest share of pixels that any two of its patches have in common.

    Patches of one scene are compared; patches of different scenes are compared on the map, by
    `prove_ground`.

    Parameters
    ----------
    index : DataFrame
        Columns scene, row, col, split.
    size_px : int
        Side of a patch.
    """
    shares: dict[SplitName, float] = {}
    for split in SPLITS:
        for _scene, rows in index[index["split"] == split].groupby("scene", sort=True):
            found = _largest_share(rows[["row", "col"]].to_numpy(np.int64), size_px)
            shares[split] = max(shares.get(split, 0.0), found)
    return {split: round(share, 4) for split, share in shares.items()}


def _largest_share(corners: npt.NDArray[np.int64], size_px: int) -> float:
    """Compare all pairs of `corners` (N, 2), a few rows at once."""
    largest = 0
    for start in range(0, len(corners), ROWS_AT_ONCE):
        apart = np.abs(corners[start : start + ROWS_AT_ONCE, None] - corners[None, start + 1 :])
        common = np.clip(size_px - apart, 0, None).prod(axis=2)
        # Only pairs with a later patch; a patch has all pixels in common with itself.
        later = np.triu(np.ones(common.shape, bool))
        largest = max(largest, int((common * later).max(initial=0)))
    return largest / size_px**2
