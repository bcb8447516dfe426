"""Which lines belong to which scene: by name, by place, or pixel by pixel."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import shapely

from glsweep.config.data_card import DataCard
from glsweep.config.split import SPLIT_WORDS, SplitName
from glsweep.errors import ConfigError, DataError
from glsweep.scenes.lines import LineFile
from glsweep.scenes.masks import lines_through, mask_path, read_mask
from glsweep.scenes.npz_scene import NpzHeader
from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.scene_entry import SceneEntry


def draw_from_file(
    headers: Sequence[RasterHeader], file: LineFile, card: DataCard
) -> tuple[list[SceneEntry], dict[str, int]]:
    """Give each scene its lines of a vector file.

    Returns
    -------
    tuple
        The scenes, and the number of rows that name a scene of which there is no raster, by name.

    Raises
    ------
    DataError
        When no row belongs to a scene or none has a geometry, or a scene's rows name several splits
        or an unknown one.
    """
    if card.layout.scene_column is None:
        return [_touched(header, file, card) for header in headers], {}
    names = {header.name for header in headers}
    _check_names(file, names, card)
    entries = [
        SceneEntry(
            header=header,
            lines=file.of(header.name, header.crs),
            rows_without_geometry=file.rows_without_geometry.get(header.name, 0),
            has_row=header.name in file.rows_by_scene,
            data_set=card.name,
            group=_group(header.name, card),
            split=_split(file, header.name, file.splits_by_scene.get(header.name, frozenset())),
        )
        for header in headers
    ]
    return entries, {name: k for name, k in sorted(file.rows_by_scene.items()) if name not in names}


def draw_from_pixels(headers: Sequence[RasterHeader], root: Path, card: DataCard) -> list[SceneEntry]:
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
            lines = lines_through(read_mask(path, header.shape), header.transform)
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
        name: tuple(line for line in file.of(name, header.crs) if shapely.intersects(line, footprint))
        for name in file.by_scene
    }
    found = frozenset(name for name, lines in touching.items() if lines)
    return SceneEntry(
        header=header,
        lines=tuple(line for lines in touching.values() for line in lines),
        rows_without_geometry=0,
        has_row=bool(found),
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
    matching = names & set(file.rows_by_scene)
    if not matching:
        named = next(iter(file.rows_by_scene), None)
        told = "holds no rows" if named is None else f"its column {card.layout.scene_column} holds {named!r}"
        raise DataError(
            f"{file.path}: no row belongs to a scene ({told}, a scene is named {min(names)!r}); "
            "name the right column as layout.scene_column in a data card"
        )
    if not any(file.by_scene[name] for name in matching):
        raise DataError(f"{file.path}: no row of a scene has a geometry; draw at least one line")
