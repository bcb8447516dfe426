"""The scenes of a data card, joined to their lines; pixels are read when asked for."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely import LineString, Polygon

from glsweep.config.data_card import DataCard, LineRule
from glsweep.config.split import SplitName
from glsweep.errors import DataError
from glsweep.scenes.lines import LineFile, read_lines
from glsweep.scenes.raster import RasterHeader, Window, read_header, read_interferogram
from glsweep.scenes.rasterize import line_mask
from glsweep.scenes.scene import Scene

POSTING_TOLERANCE = 0.01


@dataclass(frozen=True)
class SceneEntry:
    """One scene on disk, with its lines but without its pixels.

    Attributes
    ----------
    header : RasterHeader
        The raster.
    lines : tuple of LineString
        Lines in the raster's CRS; they may leave its footprint.
    rows_without_geometry : int
        Rows of the line file that name this scene and hold no line.
    has_row : bool
        Whether the line file names this scene at all.
    data_set : str
        Name of the data card that the scene is from.
    test_only : bool
        Whether the scene must not be trained on.
    group : str or None
        Scenes of one group are never parted, such as the tiles of one interferogram.
    split : str or None
        The split that the file of lines names, where the card says that it does.
    """

    header: RasterHeader
    lines: tuple[LineString, ...]
    rows_without_geometry: int
    has_row: bool
    data_set: str = ""
    test_only: bool = False
    group: str | None = None
    split: SplitName | None = None

    @property
    def name(self) -> str:
        """The raster's stem."""
        return self.header.name

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.header.shape

    @property
    def posting_m(self) -> float:
        """Side of a pixel in metres."""
        return self.header.posting_m

    @property
    def line_km(self) -> float:
        """Length of line within the footprint, in kilometres."""
        within = shapely.intersection(list(self.lines), self.ground())
        return float(shapely.length(within).sum()) / 1000

    def ground(self) -> Polygon:
        """Return the whole footprint in the scene's own CRS."""
        return self.header.footprint

    def read_pixels(self, window: Window | None = None) -> npt.NDArray[np.complex64]:
        """Read one window, or the whole, as complex64 (rows, cols); 0 where there is no data."""
        return read_interferogram(self.header.path, window)

    def valid(self) -> npt.NDArray[np.bool_]:
        """Return the pixels that hold data, (rows, cols), without holding all values at once."""
        return np.asarray(self.read_pixels() != 0)

    def line_mask(self, rule: LineRule) -> npt.NDArray[np.uint8]:
        """Return 1 on the line and 0 elsewhere, (rows, cols)."""
        return line_mask(self.lines, self.shape, self.header.transform, rule)

    def read(self) -> Scene:
        """Read the pixels.

        Raises
        ------
        DataError
            When the raster cannot be read or holds no data.
        """
        interferogram = read_interferogram(self.header.path)
        return Scene(self.name, interferogram, self.header.transform, self.header.crs, self.lines)


@dataclass(frozen=True)
class Catalogue:
    """All scenes of a data card, sorted by name.

    Attributes
    ----------
    root : Path
        The folder that the card's layout starts from.
    entries : tuple of SceneEntry
        At least one, all of one posting.
    line_rows : int
        Rows of the line file.
    rows_without_scene : dict of str to int
        Rows that name a scene of which there is no raster; "" for rows that name none.
    """

    root: Path
    entries: tuple[SceneEntry, ...]
    line_rows: int
    rows_without_scene: dict[str, int]

    @property
    def posting_m(self) -> float:
        """Side of a pixel in metres, which all scenes share."""
        return self.entries[0].posting_m

    def findings(self) -> dict[str, Any]:
        """Return what was found, ready for JSON: counts, and the names behind each count."""
        null_rows = {e.name: e.rows_without_geometry for e in self.entries if e.rows_without_geometry}
        return {
            "scenes": len(self.entries),
            "posting_m": self.posting_m,
            "line_rows": self.line_rows,
            "rows_without_geometry": sum(null_rows.values()),
            "rows_without_geometry_by_scene": null_rows,
            "rows_without_scene": dict(self.rows_without_scene),
            "scenes_without_row": [e.name for e in self.entries if not e.has_row],
            "scenes_without_line": [e.name for e in self.entries if not e.lines],
            "scenes_with_lines_outside_only": [e.name for e in self.entries if e.lines and e.line_km == 0],
            "by_scene": {e.name: _facts(e) for e in self.entries},
        }


def open_catalogue(root: Path, card: DataCard) -> Catalogue:
    """Read the headers of all scenes and the file of lines, and join them by name.

    Scenes without a line, rows without a geometry and rows without a scene are counted in
    `Catalogue.findings`; they are no error.

    Raises
    ------
    DataError
        When no raster matches, two have one name, postings differ from each other or from the
        card's, a file cannot be used, or no line touches the scene that it belongs to.
    """
    headers = _headers(root, card)
    _check_postings(headers, card)
    file = read_lines(root / (card.layout.lines or ""), card.layout.scene_column or "")
    names = {h.name for h in headers}
    _check_names(file, names, card)
    entries = tuple(
        SceneEntry(
            header=header,
            lines=file.of(header.name, header.crs),
            rows_without_geometry=file.rows_without_geometry.get(header.name, 0),
            has_row=header.name in file.rows_by_scene,
        )
        for header in headers
    )
    if all(entry.line_km == 0 for entry in entries):
        raise DataError(
            f"{file.path}: none of its lines touches the scene that it names; "
            "check the CRS of the lines and of the rasters"
        )
    return Catalogue(
        root=root,
        entries=entries,
        line_rows=sum(file.rows_by_scene.values()),
        rows_without_scene={n: k for n, k in sorted(file.rows_by_scene.items()) if n not in names},
    )


def _headers(root: Path, card: DataCard) -> list[RasterHeader]:
    paths = sorted((p for p in root.glob(card.layout.rasters) if p.is_file()), key=lambda p: p.stem)
    if not paths:
        raise DataError(
            f"{root}: no raster matches {card.layout.rasters}; name the folder that holds the scenes, "
            "or mend layout.rasters in the data card"
        )
    name, count = Counter(p.stem for p in paths).most_common(1)[0]
    if count > 1:
        twins = ", ".join(str(p.relative_to(root)) for p in paths if p.stem == name)
        raise DataError(f"{root}: {count} scenes have the name {name} ({twins}); rename all but one")
    return [read_header(path) for path in paths]


def _check_postings(headers: list[RasterHeader], card: DataCard) -> None:
    first = headers[0]
    wanted_m = card.posting_m or first.posting_m
    source = "the data card says" if card.posting_m else f"{first.path.name} has"
    for header in headers:
        if abs(header.posting_m - wanted_m) > POSTING_TOLERANCE * wanted_m:
            raise DataError(
                f"{header.path}: its posting is {header.posting_m:g} m, {source} {wanted_m:g} m; "
                "resample it (gdalwarp -tr) or mend the data card"
            )


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


def _facts(entry: SceneEntry) -> dict[str, Any]:
    rows, cols = entry.shape
    return {
        "rows": rows,
        "cols": cols,
        "posting_m": entry.posting_m,
        "crs": entry.header.crs.to_string(),
        "lines": len(entry.lines),
        "line_km": round(entry.line_km, 3),
    }
