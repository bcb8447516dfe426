"""Corrections of labels: the verdicts that an analyst wrote into `review.gpkg`, and what follows from them.

| verdict | what becomes of the scene's labels |
|---|---|
| `line` | the line as it stands in the row is a label; where it was moved, it replaces what was found |
| `no line` | what lies along the line as it stands in the row is no label |
| `unsure` | the same, and nobody can tell: it is neither trained on nor judged, as `layout.unsure` |

Rows without a verdict change nothing. A row that an analyst added has no line as it was found.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyproj
import shapely
from shapely import LineString, MultiLineString
from shapely.geometry.base import BaseGeometry

from glsweep.config.data_card import DataCard
from glsweep.errors import DataError
from glsweep.geodesy import earth_centred, lengths_m, reproject
from glsweep.scenes.names import cell_text, scene_name
from glsweep.scenes.scene import SceneEntry
from glsweep.scenes.vector_file import VectorLayer, layer_names, open_layer

Verdict = Literal["line", "no line", "unsure"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

SCENE, VERDICT, COMMENT, AS_FOUND = "scene", "verdict", "comment", "as_found"
SAME_M = 1.0
"""What was cut out of a label and saved lies no farther from it."""
WKT_DIGITS = 3
SRID = "SRID="


@dataclass(frozen=True)
class Correction:
    """A row with a verdict.

    Attributes
    ----------
    where : str
        The file and its row, for messages.
    scene : str
        As the row names it.
    verdict : str
        One of `VERDICTS`.
    line : MultiLineString
        As it stands in the row.
    crs : pyproj CRS
        Its map.
    as_found : LineString or None
        What the row held when it was written, in `found_crs`; None in a row that an analyst added.
    found_crs : pyproj CRS
        The map of that.
    """

    where: str
    scene: str
    verdict: Verdict
    line: MultiLineString
    crs: pyproj.CRS
    as_found: LineString | None
    found_crs: pyproj.CRS

    def content(self) -> tuple[str, ...]:
        """Return all that decides what becomes of the labels."""
        found = "" if self.as_found is None else self.as_found.wkt
        return self.scene, self.verdict, self.line.wkt, self.crs.to_wkt(), found, self.found_crs.to_wkt()


def read_corrections(path: Path) -> list[Correction]:
    """Return the rows with a verdict of a file such as `review.gpkg`, of all its layers.

    Raises
    ------
    DataError
        When the file cannot be read or has no such columns, or a row's verdict is unknown or has no line.
    """
    layers = [open_layer(path, name) for name in layer_names(path)]
    reviewed = [layer for layer in layers if {SCENE, VERDICT} <= set(layer.columns)]
    if not reviewed:
        raise DataError(
            f"{path}: has no columns {SCENE!r} and {VERDICT!r}, so it holds no corrections; name a corrected "
            "review.gpkg as layout.corrections, or leave the key out"
        )
    return [found for layer in reviewed for found in _read_layer(layer, several=len(layers) > 1)]


def _read_layer(layer: VectorLayer, *, several: bool) -> Iterator[Correction]:
    source = f"{layer.path}: layer {layer.name}" if several else str(layer.path)
    cells, lines = layer.read(name for name in (SCENE, VERDICT, AS_FOUND) if name in layer.columns)
    texts = cells.get(AS_FOUND, [None] * len(lines))
    for row, (scene, cell, text, line) in enumerate(
        zip(cells[SCENE], cells[VERDICT], texts, lines, strict=True)
    ):
        where = f"{source}: row {row}"
        verdict = _verdict(cell, where)
        if verdict is not None:
            drawn, crs = _lines_of(line, where), layer.crs
            as_found, found_crs = _from_text(cell_text(text), crs, where)
            if as_found is not None and _are_same(drawn, crs, as_found, found_crs):
                # On another map, into which the file was exported, the line is straight elsewhere.
                drawn, crs = MultiLineString([as_found]), found_crs
            yield Correction(where, cell_text(scene), verdict, drawn, crs, as_found, found_crs)


def corrections_hash(corrections: Sequence[Correction]) -> str:
    """Return 10 hexadecimal digits that change with any verdict and its line; "" without a verdict."""
    content = sorted(one.content() for one in corrections)
    return hashlib.sha256(repr(content).encode()).hexdigest()[:10] if content else ""


def is_edited(path: Path) -> bool:
    """Whether somebody wrote into a file, moved or added a line, or it cannot be told."""
    try:
        return any(_layer_is_edited(open_layer(path, name)) for name in layer_names(path))
    except DataError:
        return True


def _layer_is_edited(layer: VectorLayer) -> bool:
    if not {VERDICT, COMMENT, AS_FOUND} <= set(layer.columns):
        return True
    cells, lines = layer.read([VERDICT, COMMENT, AS_FOUND])
    if any(cell_text(cell) for name in (VERDICT, COMMENT) for cell in cells[name]):
        return True
    for text, line in zip(cells[AS_FOUND], lines, strict=True):
        as_found, crs = _from_text(cell_text(text), layer.crs, str(layer.path))
        if line is None or as_found is None or not _are_same(line, layer.crs, as_found, crs):
            return True
    return False


def as_text(line: LineString, crs: pyproj.CRS) -> str:
    """Return a line as the column `as_found` holds it: well-known text, with its map's code."""
    code = crs.to_epsg()
    text = shapely.to_wkt(line, rounding_precision=WKT_DIGITS)
    return f"{SRID}{code};{text}" if code else text


def _from_text(text: str, crs: pyproj.CRS, where: str) -> tuple[LineString | None, pyproj.CRS]:
    if not text:
        return None, crs
    code, _, line = text.rpartition(";")
    try:
        return shapely.from_wkt(line), pyproj.CRS.from_epsg(int(code.removeprefix(SRID))) if code else crs
    except (shapely.errors.GEOSException, ValueError, pyproj.exceptions.CRSError) as error:
        raise DataError(
            f"{where}: its {AS_FOUND} {text[:40]!r} is no line as text; put back what was, or empty it"
        ) from error


def _are_same(line: BaseGeometry, crs: pyproj.CRS, other: BaseGeometry, other_crs: pyproj.CRS) -> bool:
    """Whether two lines have the same vertices on Earth."""
    own, others = (
        earth_centred(shapely.get_coordinates(one), map_) for one, map_ in ((line, crs), (other, other_crs))
    )
    return own.shape == others.shape and bool((np.linalg.norm(own - others, axis=1) <= SAME_M).all())


def _verdict(cell: Any, where: str) -> Verdict | None:
    text = cell_text(cell)
    if not text:
        return None
    for verdict in VERDICTS:
        if text.lower() == verdict:
            return verdict
    known = ", ".join(map(repr, VERDICTS))
    raise DataError(f"{where}: its {VERDICT} is {text!r}; write one of {known}, or leave it empty")


def _lines_of(geometry: BaseGeometry | None, where: str) -> MultiLineString:
    flat = [] if geometry is None else shapely.get_parts(shapely.force_2d(geometry)).tolist()
    lines = [part for part in flat if isinstance(part, LineString) and part.length > 0]
    if not lines or len(lines) < len(flat) or not np.isfinite(shapely.get_coordinates(lines)).all():
        raise DataError(f"{where}: has a {VERDICT} and no line; draw it, or empty the {VERDICT}")
    return MultiLineString(lines)


# --- From verdicts to labels


def with_corrections(
    entries: Sequence[SceneEntry], root: Path, card: DataCard
) -> tuple[list[SceneEntry], list[str]]:
    """Give each scene the labels that follow from the card's corrections, and say what became of them.

    Rows of another data set, whose scenes are named `other/scene`, are left to that one's card.

    Raises
    ------
    DataError
        When a row's scene is not there, no row is of this data set, or the verdicts are others than those
        with which the study began.
    """
    if card.layout.corrections is None:
        return list(entries), []
    path = root / card.layout.corrections
    corrections = read_corrections(path)
    began_with = card.layout.corrections_hash
    if began_with is not None and corrections_hash(corrections) != began_with:
        raise DataError(
            f"{path}: its verdicts are others than those with which the study began; put back the file as it "
            "was, or begin another study with --data and another --study"
        )
    by_name = {scene_name(entry.header.name): number for number, entry in enumerate(entries)}
    corrected, applied = list(entries), 0
    for one in corrections:
        data_set, _, _ = one.scene.rpartition("/")
        if data_set not in ("", card.name):
            continue
        number = by_name.get(scene_name(one.scene))
        if number is None:
            raise DataError(
                f"{one.where}: there is no scene {one.scene!r} in {root} (such as {min(by_name)!r}); mend "
                "its name, or empty the verdict"
            )
        corrected[number] = _corrected(corrected[number], one, card)
        applied += 1
    if corrections and not applied:
        raise DataError(
            f"{path}: none of its verdicts is on a scene of the data set {card.name} (the first is on "
            f"{corrections[0].scene!r}); name the data set before the slash, or leave it out"
        )
    return corrected, [_remark(path, entries, corrected, applied)]


def _corrected(entry: SceneEntry, one: Correction, card: DataCard) -> SceneEntry:
    here = _on_map(list(one.line.geoms), one.crs, entry, one.where)
    found = [] if one.as_found is None else _on_map([one.as_found], one.found_crs, entry, one.where)
    # An analyst who follows a label by hand does not meet it within a metre.
    reach_m = SAME_M if found else entry.posting_m
    if one.verdict != "line":
        lines = _without(entry.lines, here, reach_m)
        unsure = (*entry.unsure, *(here if one.verdict == "unsure" else ()))
        within_m = card.layout.unsure_within_m if unsure else entry.unsure_within_m
        return replace(entry, lines=lines, unsure=unsure, unsure_within_m=within_m)
    was_moved = bool(found) and not shapely.covers(
        shapely.buffer(shapely.union_all(found), SAME_M), shapely.union_all(here)
    )
    lines = _without(entry.lines, found, SAME_M) if was_moved else entry.lines
    return replace(entry, lines=(*lines, *_without(here, lines, SAME_M)), has_row=True)


def _on_map(lines: list[LineString], crs: pyproj.CRS, entry: SceneEntry, where: str) -> list[LineString]:
    there: list[LineString] = reproject(lines, crs, pyproj.CRS.from_wkt(entry.header.crs.to_wkt())).tolist()
    if not shapely.intersects(shapely.union_all(there), entry.ground()):
        raise DataError(
            f"{where}: its line does not touch its scene {entry.header.name}; mend the line, or name the "
            "scene on which it lies"
        )
    return there


def _without(
    lines: Sequence[LineString], others: Sequence[LineString], reach_m: float
) -> tuple[LineString, ...]:
    """Return what of lines does not run along others; what crosses them stays but for twice the reach."""
    if not lines or not others:
        return tuple(lines)
    near = shapely.buffer(shapely.union_all(list(others)), reach_m, cap_style="flat")
    left = shapely.get_parts(shapely.difference(list(lines), near))
    return tuple(left[shapely.length(left) > SAME_M].tolist())


def _remark(path: Path, before: Sequence[SceneEntry], after: Sequence[SceneEntry], applied: int) -> str:
    if not applied:
        return f"{path.name}: has no verdict yet and corrects nothing"
    pairs = list(zip(before, after, strict=True))
    added_km = sum(_apart_km(new.lines, old.lines, new) for old, new in pairs)
    removed_km = sum(_apart_km(old.lines, new.lines, new) for old, new in pairs)
    unsure_km = sum(_apart_km(new.unsure, old.unsure, new) for old, new in pairs)
    return (
        f"{path.name}: {applied} {'verdict' if applied == 1 else 'verdicts'} applied: {added_km:.1f} km of "
        f"line added, {removed_km:.1f} km taken out, {unsure_km:.1f} km of which nobody can tell"
    )


def _apart_km(lines: Sequence[LineString], others: Sequence[LineString], entry: SceneEntry) -> float:
    return float(lengths_m(_without(lines, others, SAME_M), entry.map_crs).sum()) / 1000
