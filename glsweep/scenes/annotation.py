"""Which lines belong to which scene: by name, by place, file by file, or pixel by pixel."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import shapely

from glsweep.config.data_card import SPLIT_WORDS, DataCard, SplitName
from glsweep.errors import ConfigError, DataError
from glsweep.scenes.lines import LineFile, read_lines
from glsweep.scenes.masks import lines_through, mask_path, read_mask
from glsweep.scenes.names import cell_text, name_mismatch, scene_name
from glsweep.scenes.npz_scene import NpzHeader
from glsweep.scenes.polygons import read_grounded
from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.raster_files import matching_paths
from glsweep.scenes.scene import SceneEntry
from glsweep.scenes.vector_file import LAYER_MARK

SCENE_WILDCARD = "*"
"""In the pattern of the files of lines, it stands for the scene's name: each scene has a file."""


class Annotation(NamedTuple):
    """The scenes with their lines, and what was noticed on the way.

    Attributes
    ----------
    entries : list of SceneEntry
        The scenes.
    rows : int
        Rows of lines, or scenes with a mask.
    rows_without_scene : dict of str to int
        Rows that name a scene without a raster, by name.
    remarks : tuple of str
        What in a file of lines was not taken as it stands, one sentence each.
    """

    entries: list[SceneEntry]
    rows: int
    rows_without_scene: dict[str, int]
    remarks: tuple[str, ...] = ()


def annotate_from_vectors(headers: Sequence[RasterHeader], root: Path, card: DataCard) -> Annotation:
    """Give each scene its lines from the card's vector file, or from a file of its own.

    Raises
    ------
    DataError
        When a file cannot be used, no row or file belongs to a scene or none has a geometry, or a
        scene's rows name several splits or an unknown one.
    """
    lines = str(card.layout.lines)
    if SCENE_WILDCARD in lines:
        return _annotate_from_files(headers, files_by_scene(root, lines), root / lines, card)
    file = read_lines(root / lines, card.layout.scene_column, card.split.column)
    annotation = _annotate_from_file(headers, file, card)
    if card.layout.unsure is not None:
        annotation = _with_unsure(annotation, root, card)
    if card.layout.second_analyst is not None:
        annotation = _with_second_analyst(annotation, root, card)
    return annotation


def _with_unsure(annotation: Annotation, root: Path, card: DataCard) -> Annotation:
    """Give each scene the lines of which nobody can tell whether they run there."""
    column = card.layout.scene_column
    file = read_lines(root / str(card.layout.unsure), column)
    entries = []
    for entry in annotation.entries:
        names = [scene_name(entry.header.name)] if column else list(file.by_scene)
        unsure = (line for name in names for line in file.lines_of(name, entry.header.crs))
        entries.append(replace(entry, unsure=tuple(unsure), unsure_within_m=card.layout.unsure_within_m))
    return annotation._replace(entries=entries)


def _with_second_analyst(annotation: Annotation, root: Path, card: DataCard) -> Annotation:
    """Give each scene that another analyst has looked at that analyst's lines, which may be none."""
    column = card.layout.scene_column
    file = read_lines(root / str(card.layout.second_analyst), column)
    entries = []
    for entry in annotation.entries:
        names = [scene_name(entry.header.name)] if column else list(file.by_scene)
        lines = tuple(line for name in names for line in file.lines_of(name, entry.header.crs))
        if column is None:
            lines = tuple(line for line in lines if shapely.intersects(line, entry.ground()))
        has_looked = names[0] in file.rows_by_scene if column else bool(lines)
        entries.append(replace(entry, second_analyst=lines if has_looked else None))
    return annotation._replace(entries=entries)


def with_zones(entries: Sequence[SceneEntry], root: Path, card: DataCard) -> list[SceneEntry]:
    """Give each scene the polygons of grounded ice, in its raster's CRS, where the card names them."""
    if card.layout.grounded is None:
        return list(entries)
    path = root / card.layout.grounded
    by_crs = {crs: read_grounded(path, crs) for crs in {entry.header.crs for entry in entries}}
    return [replace(entry, grounded=by_crs[entry.header.crs]) for entry in entries]


def files_by_scene(root: Path, lines: str) -> dict[str, Path]:
    """Return the files of lines that a pattern finds, by the scene that stands where its `*` does.

    Letters match in either case.

    Raises
    ------
    DataError
        When there is more than the one `*`, or not in the file's name, or a scene has two files.
    """
    text, mark, layer = lines.partition(LAYER_MARK)
    pattern = root / text
    before, _, after = pattern.name.partition(SCENE_WILDCARD)
    if SCENE_WILDCARD in after or SCENE_WILDCARD not in pattern.name or SCENE_WILDCARD in str(pattern.parent):
        raise DataError(
            f"{pattern}: is no pattern of files; write one `*`, in the file's name, for the scene"
        )
    found: dict[str, Path] = {}
    for path in matching_paths(pattern.parent, pattern.name):
        if path.name.startswith("."):  # macOS writes `._a.shp` beside `a.shp` on foreign disks
            continue
        name = cell_text(path.name[len(before) : len(path.name) - len(after)])
        if name in found:
            raise DataError(
                f"{path}: is a second file of lines of scene {name}, beside {found[name].name}; "
                "keep one of them"
            )
        found[name] = path.with_name(f"{path.name}{mark}{layer}")
    return found


def _annotate_from_files(
    headers: Sequence[RasterHeader], paths: Mapping[str, Path], pattern: Path, card: DataCard
) -> Annotation:
    names = {scene_name(header.name) for header in headers}
    if not names & set(paths):
        example = f"there is {min(paths)!r}" if paths else "there is none"
        raise DataError(
            f"{pattern}: no file belongs to a scene ({example}, a scene is named {min(names)!r}); "
            "rename the files, or mend layout.lines in the data card, where `*` stands for the scene's name"
        )
    entries, rows, remarks = [], 0, list[str]()
    for header in headers:
        name = scene_name(header.name)
        bare = SceneEntry(header, (), 0, has_row=False, data_set=card.name, group=_group(header.name, card))
        if name not in paths:
            entries.append(bare)
            continue
        file = read_lines(paths[name], None, card.split.column)
        lines = tuple(line for value in file.by_scene for line in file.lines_of(value, header.crs))
        splits = frozenset(value for value, own in file.by_scene.items() if own and value)
        entries.append(
            replace(
                bare,
                lines=lines,
                rows_without_geometry=sum(file.rows_without_geometry.values()),
                has_row=True,
                split=_split(file, header.name, splits),
            )
        )
        rows += sum(file.rows_by_scene.values())
        remarks += _named_remarks(file)
    rows_without_scene = dict.fromkeys(sorted(set(paths) - names), 1)
    return Annotation(entries, rows, rows_without_scene, tuple(remarks))


def _annotate_from_file(headers: Sequence[RasterHeader], file: LineFile, card: DataCard) -> Annotation:
    """Give each scene its lines from one file.

    Raises
    ------
    DataError
        When no row belongs to a scene or none has a geometry, or a scene's rows name several splits
        or an unknown one.
    """
    rows = sum(file.rows_by_scene.values())
    if card.layout.scene_column is None:
        return Annotation(
            [_touched(header, file, card) for header in headers], rows, {}, _named_remarks(file)
        )
    names = {scene_name(header.name) for header in headers}
    _check_names(file, names, card)
    entries = [
        SceneEntry(
            header=header,
            lines=file.lines_of(name, header.crs),
            rows_without_geometry=file.rows_without_geometry.get(name, 0),
            has_row=name in file.rows_by_scene,
            data_set=card.name,
            group=_group(header.name, card),
            split=_split(file, header.name, file.splits_by_scene.get(name, frozenset())),
        )
        for header in headers
        for name in [scene_name(header.name)]
    ]
    rows_without_scene = {name: k for name, k in sorted(file.rows_by_scene.items()) if name not in names}
    near = _near_names(file, names, str(card.layout.scene_column))
    return Annotation(entries, rows, rows_without_scene, (*_named_remarks(file), *near))


def annotate_from_masks(headers: Sequence[RasterHeader], root: Path, card: DataCard) -> list[SceneEntry]:
    """Give each scene the lines of its mask, or of its patches' masks.

    Raises
    ------
    DataError
        When no scene has a mask, or a mask does not fit its scene.
    """
    entries = []
    for header in headers:
        path = (
            None
            if card.layout.masks is None
            else mask_path(root, header.path, card.layout.rasters, card.layout.masks)
        )
        bare = SceneEntry(header, (), 0, has_row=False, data_set=card.name, group=_group(header.name, card))
        if isinstance(header, NpzHeader):
            lines = lines_through(header.read_mask(), header.transform)
        elif path is not None:
            lines = lines_through(read_mask(path, header), header.transform)
        else:
            entries.append(bare)
            continue
        entries.append(replace(bare, lines=lines, has_row=True, mask_path=path))
    if not any(entry.has_row for entry in entries):
        raise DataError(
            f"{root}: no raster has a mask {card.layout.masks} (such as for {headers[0].path.name}); "
            "mend layout.masks in the data card"
        )
    return entries


def _touched(header: RasterHeader, file: LineFile, card: DataCard) -> SceneEntry:
    """Return the scene with all lines that touch it."""
    footprint = header.footprint
    touching = {
        name: tuple(line for line in file.lines_of(name, header.crs) if shapely.intersects(line, footprint))
        for name in file.by_scene
    }
    found = frozenset(name for name, lines in touching.items() if lines and name)
    return SceneEntry(
        header=header,
        lines=tuple(line for lines in touching.values() for line in lines),
        rows_without_geometry=0,
        has_row=any(touching.values()),
        data_set=card.name,
        group=_group(header.name, card),
        split=None if card.split.column is None else _split(file, header.name, found),
    )


def _group(name: str, card: DataCard) -> str | None:
    """Return the text by which scenes stay together.

    Raises
    ------
    ConfigError
        When the card's pattern is no regular expression with a group.
    """
    if card.layout.group_pattern is None:
        return None
    try:
        pattern = re.compile(card.layout.group_pattern)
    except re.error as error:
        raise ConfigError(
            f"data card {card.name}: layout.group_pattern: {card.layout.group_pattern!r} is no regular "
            f"expression ({error}); mend it"
        ) from error
    if pattern.groups == 0:
        raise ConfigError(
            f"data card {card.name}: layout.group_pattern: {card.layout.group_pattern!r} has no group; put "
            "what the scenes of one group share in round brackets"
        )
    match = pattern.match(name)
    return f"{card.name}/{match[1] if match else name}"


def _split(file: LineFile, scene: str, values: frozenset[str]) -> SplitName | None:
    splits = set()
    for value in values:
        word = value.strip().lower()
        if word not in SPLIT_WORDS:
            known = ", ".join(sorted(SPLIT_WORDS))
            raise DataError(
                f"{file.path}: scene {scene} has the split {value!r}; known are {known}; mend the column"
            )
        splits.add(SPLIT_WORDS[word])
    if len(splits) > 1:
        raise DataError(
            f"{file.path}: rows of scene {scene} name the splits {', '.join(sorted(splits))}; "
            "a scene belongs to one, mend the column or use `rule: scene`"
        )
    return splits.pop() if splits else None


def _check_names(file: LineFile, names: set[str], card: DataCard) -> None:
    column = str(card.layout.scene_column)
    matched = names & set(file.rows_by_scene)
    if not matched:
        named = sorted(filter(None, file.rows_by_scene))
        fault = f"its column {column} is empty" if file.rows_by_scene else "holds no rows"
        remedy = "name the right column as layout.scene_column in a data card"
        if named:
            near = name_mismatch(names, named, column)
            one, other = (near.one, near.other) if near else (min(names), named[0])
            fault = f"its column {column} holds {other!r}, a scene is named {one!r}"
            remedy = near.explanation if near else remedy
        raise DataError(f"{file.path}: no row belongs to a scene ({fault}); {remedy}")
    if not any(file.by_scene[name] for name in matched):
        raise DataError(f"{file.path}: no row of a scene has a geometry; draw at least one line")


def _near_names(file: LineFile, names: set[str], column: str) -> list[str]:
    """Return a remark on scenes that have no line because they are spelt differently."""
    near = name_mismatch(names - set(file.rows_by_scene), set(file.rows_by_scene) - names, column)
    if near is None:
        return []
    return [
        f"{file.path.name}: {near.other!r} names no scene, though there is {near.one!r}: {near.explanation}"
    ]


def _named_remarks(file: LineFile) -> tuple[str, ...]:
    return tuple(f"{file.path.name}: {remark}" for remark in file.remarks)
