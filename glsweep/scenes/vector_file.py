"""One layer of a vector file: its CRS, its columns, its geometries, and whether the file is whole."""

import json
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyogrio
import pyproj
import shapely
from shapely import GeometryCollection, LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from glsweep.errors import DataError

POINT, LINE, POLYGON, COLLECTIONS = 1, 2, 3, (4, 5, 6, 7)
RING_POINTS = 4
"""What GEOS asks of a ring, its end included."""
HAS_Z, HAS_M, HAS_SRID = 0x80000000, 0x40000000, 0x20000000


def read_geometries(wkb: Iterable[bytes | None], source: object) -> list[BaseGeometry | None]:
    """Return the geometry of each row, None where it has none.

    Programs write lines of one point, and rings that are not closed, for which GEOS has no
    geometry. Of these a line of one point is empty, and a ring is closed, or a line where it has
    too few points.

    Raises
    ------
    DataError
        When a geometry cannot be understood; the message names its row, counted from 0.
    """
    binary = list(wkb)
    with np.errstate(invalid="ignore"):  # a vertex that is not a number is for the caller to judge
        geometries = shapely.from_wkb(np.array(binary, dtype=object), on_invalid="ignore")
    found: list[BaseGeometry | None] = []
    for row, (bytes_, geometry) in enumerate(zip(binary, geometries, strict=True)):
        if geometry is not None or bytes_ is None:
            found.append(geometry)
            continue
        try:
            found.append(_Reader(bytes(bytes_)).geometry())
        except (struct.error, ValueError) as error:
            raise DataError(
                f"{source}: row {row}: its geometry cannot be understood ({error}); draw it anew or "
                "delete the row"
            ) from error
    return found


@dataclass
class _Reader:
    """Reads WKB geometries one after another; knows both the ISO and the older flags of dimensions."""

    binary: bytes
    at: int = 0

    def geometry(self) -> BaseGeometry:
        order = "<" if self._take("B", "<") else ">"
        code = self._take("I", order)
        if code & HAS_SRID:
            self._take("I", order)
        kind, dimensions = (code & 0xFFFF) % 1000, (code & 0xFFFF) // 1000
        size = 2 + (dimensions in (1, 3)) + (dimensions in (2, 3)) + bool(code & HAS_Z) + bool(code & HAS_M)
        if kind == POINT:
            return Point(self._points(1, size, order)[0])
        if kind == LINE:
            return _line(self._points(self._take("I", order), size, order))
        if kind == POLYGON:
            rings = [self._points(self._take("I", order), size, order) for _ in range(self._take("I", order))]
            return _polygon(rings)
        if kind in COLLECTIONS:
            return GeometryCollection([self.geometry() for _ in range(self._take("I", order))])
        raise ValueError(f"it is of kind {kind}")

    def _take(self, form: str, order: str) -> int:
        (value,) = struct.unpack_from(order + form, self.binary, self.at)
        self.at += struct.calcsize(order + form)
        return int(value)

    def _points(self, count: int, size: int, order: str) -> npt.NDArray[np.float64]:
        values = np.frombuffer(self.binary, f"{order}f8", count * size, self.at)
        self.at += values.nbytes
        return values.reshape(count, size)[:, :2].astype(np.float64)


def _line(points: npt.NDArray[np.float64]) -> LineString:
    return LineString(points if len(points) > 1 else [])


def _polygon(rings: list[npt.NDArray[np.float64]]) -> BaseGeometry:
    closed = [
        ring if len(ring) == 0 or (ring[0] == ring[-1]).all() else np.vstack([ring, ring[:1]])
        for ring in rings
    ]
    if all(len(ring) >= RING_POINTS for ring in closed):
        return Polygon(closed[0], closed[1:]) if closed else Polygon()
    return GeometryCollection([_line(ring) for ring in closed])


# --- A layer, and checks that its file is whole

T = TypeVar("T")

SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj")
SHAPEFILE_NAME_LENGTH = 10
LAYER_MARK = "|"
QGIS_LAYER, QGIS_KIND, QGIS_FILTER = "layername=", "geometrytype=", "subset="
LINES_OF_JSON, XML = frozenset({"GeoJSONSeq"}), frozenset({"GML", "KML", "LIBKML", "GPX"})
RECORD_MARK, BYTE_ORDER_MARK, HEAD = b"\x1e", b"\xef\xbb\xbf", 4096
LFS_POINTER = b"version https://git-lfs"
LEAST_INEXACT = 2.0**53
"""From here on several integers are one float64."""
FALLBACK_ENCODING = "ISO-8859-1"
"""It gives every byte a letter."""


@dataclass(frozen=True)
class VectorLayer:
    """A layer whose header was read, but none of its rows.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        The layer.
    crs : pyproj CRS
        Of degrees or of a map; nothing else is opened.
    columns : tuple of str
        Names of the columns, that of the geometry left out.
    """

    path: Path
    name: str
    crs: pyproj.CRS
    columns: tuple[str, ...]

    def column(self, name: str) -> str | None:
        """Return the column called `name`, in a shapefile cut to ten letters; None if there is none."""
        if name not in self.columns and self.path.suffix.lower() == ".shp":
            name = name[:SHAPEFILE_NAME_LENGTH]
        return name if name in self.columns else None

    def read(self, columns: Iterable[str] = ()) -> tuple[dict[str, list[Any]], list[BaseGeometry | None]]:
        """Return the cells of some columns and the geometry of every row, None where it has none.

        Raises
        ------
        DataError
            When the file is cut, a text is in another encoding than the file says, or a geometry
            cannot be understood.
        """
        requested = list(dict.fromkeys(columns))

        def read(encoding: str | None) -> Any:
            return pyogrio.raw.read(
                self.path, layer=self.name, columns=requested, datetime_as_string=True, encoding=encoding
            )

        (meta, _, wkb, values), is_as_declared = _decoded(read, self.path)
        cells = {
            str(name): self._as_typed(str(name), column, dtype)
            for name, dtype, column in zip(meta["fields"], meta["dtypes"], values, strict=True)
        }
        if not is_as_declared:
            self._check_plain(cells)
        return cells, read_geometries(wkb, self.path)

    def _as_typed(self, name: str, column: npt.NDArray[Any], dtype: str) -> list[Any]:
        """Return the cells in their own type: one null makes a column of booleans or integers floats."""
        if column.dtype.kind != "f":
            return list(column)
        if dtype == "bool":
            return [None if np.isnan(value) else bool(value) for value in column]
        is_unsafe = np.isfinite(column) & (np.abs(column) >= LEAST_INEXACT)
        if not is_unsafe.any():
            return list(column)
        if dtype == "int64":
            _, table = pyogrio.raw.read_arrow(self.path, layer=self.name, columns=[name], read_geometry=False)
            return list(table.column(name).to_pylist())
        row = int(np.flatnonzero(is_unsafe)[0])
        raise DataError(
            f"{self.path}: row {row}: the number in its column {name} ({column[row]:.17g}) has more "
            "digits than the file keeps, so different ones may have become one; write the column as text"
        )

    def _check_plain(self, cells: dict[str, list[Any]]) -> None:
        """Make sure that no text depends on the encoding, which the file declares wrongly."""
        for name, column in cells.items():
            for row, cell in enumerate(column):
                if isinstance(cell, str) and not cell.isascii():
                    remedy = (
                        f"write the right one, such as {FALLBACK_ENCODING}, into {self.path.stem}.cpg"
                        if self.path.suffix.lower() == ".shp"
                        else "save it anew as UTF-8"
                    )
                    raise DataError(
                        f"{self.path}: row {row}: the text in its column {name} is not in the encoding that "
                        f"the file names (as {FALLBACK_ENCODING} it reads {cell!r}); {remedy}"
                    )


def split_layer(source: Path) -> tuple[Path, str | None]:
    """Split `file.gpkg|layer` into the file and its layer, None where no layer is named.

    What QGIS shows as a layer's source (`file.gpkg|layername=lines|geometrytype=LineString`) is
    understood too.

    Raises
    ------
    DataError
        When QGIS shows only a part of the rows.
    """
    path, *parts = str(source).split(LAYER_MARK)
    if any(part.lower().startswith(QGIS_FILTER) for part in parts):
        raise DataError(
            f"{path}: what is named of it has a filter ({QGIS_FILTER}), which is not applied; export the "
            "filtered layer in QGIS, and name that file"
        )
    if not parts or source.exists():
        return source, None
    named = [part.removeprefix(QGIS_LAYER) for part in parts if not part.startswith(QGIS_KIND)]
    return Path(path), named[0] if named else None


def open_layer(
    source: Path, layer: str | None = None, *, holds: str = "lines", option: str = "--layer"
) -> VectorLayer:
    """Open the one layer of a file that has geometries, or the one that is named.

    Parameters
    ----------
    source : Path
        A file that GDAL reads; `file.gpkg|layer` names the layer.
    layer : str or None
        The layer, which goes before that of `source`.
    holds, option : str
        What the file is to hold, and the option that names a layer, "" if there is none, for messages.

    Raises
    ------
    DataError
        When the file is not there, is cut or cannot be read, has no such layer or several of which
        none is named, or its CRS is unknown.
    """
    path, named = split_layer(source)
    _check_whole(path, holds)
    name = _layer_name(path, layer or named, holds, option)
    info, _ = _decoded(lambda encoding: pyogrio.read_info(path, layer=name, encoding=encoding), path, holds)
    _check_end(path, info["driver"])
    return VectorLayer(path, name, _declared_crs(info["crs"], path), tuple(map(str, info["fields"])))


def layer_names(path: Path, *, holds: str = "lines") -> list[str]:
    """Return the layers of a file that have geometries.

    Raises
    ------
    DataError
        When the file is not there, is cut or cannot be read.
    """
    _check_whole(path, holds)
    return list(_geometry_kinds(path, holds))


def _geometry_kinds(path: Path, holds: str) -> dict[str, str]:
    """Return the kind of geometry of each layer that has one."""
    listed, _ = _decoded(lambda _: pyogrio.list_layers(path), path, holds)
    # QGIS keeps its styles as a layer without geometry beside the lines.
    return {str(name): str(kind) for name, kind in listed if kind is not None}


def _layer_name(path: Path, named: str | None, holds: str, option: str) -> str:
    layers = _geometry_kinds(path, holds)
    found = ", ".join(layers) or "none"
    if named is not None:
        if named not in layers:
            raise DataError(f"{path}: has no layer {named!r}; its layers are {found}; name one of them")
        return named
    drawn = [name for name, kind in layers.items() if "Point" not in kind] or list(layers)
    if not drawn:
        raise DataError(f"{path}: needs one layer of {holds}, has none; obtain it again or name another file")
    if len(drawn) > 1:
        by_name = f"{path.name}{LAYER_MARK}{drawn[0]}"
        example = f"{option} {drawn[0]}, or {by_name} in a data card" if option else by_name
        raise DataError(
            f"{path}: needs one layer of {holds}, has {', '.join(drawn)}; name one, such as {example}"
        )
    return drawn[0]


def _decoded(read: Callable[[str | None], T], path: Path, holds: str = "lines") -> tuple[T, bool]:
    """Return what is read, and whether its texts are in the encoding that the file declares."""
    # Without a .cpg a shapefile is Latin-1 by its rule, and UTF-8 where all of it can be read so.
    is_undeclared = path.suffix.lower() == ".shp" and not any(
        path.with_suffix(suffix).exists() for suffix in (".cpg", ".CPG")
    )
    try:
        for encoding in ("UTF-8", None) if is_undeclared else (None,):
            try:
                return read(encoding), True
            except UnicodeDecodeError:
                continue
        return read(FALLBACK_ENCODING), False
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read as {holds} ({reason}); obtain it again") from error


def _declared_crs(declared: str | None, path: Path) -> pyproj.CRS:
    """Return the CRS; one that does not say where on Earth its coordinates are is none."""
    reason = ""
    if declared is not None:
        try:
            crs = pyproj.CRS.from_user_input(declared)
        except pyproj.exceptions.CRSError:
            reason = "what it names as such cannot be understood; "
        else:
            # GeoPackage has a code for degrees of an unknown datum, which GDAL calls undefined.
            if (crs.is_geographic or crs.is_projected) and not crs.name.lower().startswith("undefined"):
                return crs
            reason = f"{crs.name!r} is of no place on Earth; "
    raise DataError(
        f"{path}: has no CRS; {reason}assign the one it was drawn in, such as: "
        f"ogr2ogr -a_srs EPSG:3031 mended.gpkg {path.name}"
    )


def _check_whole(path: Path, holds: str) -> None:
    """Make sure that a file is there and complete, which GDAL does not always check."""
    if path.is_dir() and path.suffix.lower() != ".gdb":
        raise DataError(f"{path}: is a folder; name the file of {holds} in it")
    if not path.exists():
        raise DataError(f"{path}: there is no such file of {holds}; add it or mend its name")
    if path.is_dir():
        return
    parts = [path]
    if path.suffix.lower() == ".shp":
        siblings = [p for p in path.parent.iterdir() if p.stem == path.stem]
        parts = [p for p in siblings if p.suffix.lower() in SHAPEFILE_PARTS]
        if ".shx" not in {p.suffix.lower() for p in parts}:
            raise DataError(f"{path}: its .shx is not there; copy {', '.join(SHAPEFILE_PARTS)} together")
    for part in parts:
        with part.open("rb") as file:
            head = file.read(100)
        if head.startswith(LFS_POINTER):
            raise DataError(
                f"{part}: is a git-lfs pointer and not the file itself; fetch it with: git lfs pull"
            )
        size, whole = part.stat().st_size, _declared_size(part.suffix.lower(), head)
        if size < whole:
            raise DataError(
                f"{part}: is cut: it has {size} bytes and says that it has {whole}; obtain it again"
            )


def _check_end(path: Path, driver: str) -> None:
    """Make sure that a text file has its end: GDAL reads one that is cut as far as it goes."""
    if driver not in LINES_OF_JSON | XML:
        return
    text = path.read_bytes().strip()
    if driver in LINES_OF_JSON:
        is_whole = _is_json(text.rpartition(RECORD_MARK if RECORD_MARK in text else b"\n")[2])
    else:
        root = re.search(rb"<([A-Za-z_][\w:.-]*)", re.sub(rb"<!--.*?-->", b"", text[:HEAD], flags=re.DOTALL))
        # Others than plain ones are packed (.kmz), or of two bytes a letter.
        is_whole = (
            root is None or b"</" + root[1] in text[-HEAD:] or not text.startswith((b"<", BYTE_ORDER_MARK))
        )
    if not is_whole:
        raise DataError(f"{path}: is cut: its last row or tag has no end; obtain it again")


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _declared_size(suffix: str, head: bytes) -> int:
    """Return the bytes that a file has as its header says; 0 where it does not say."""
    if suffix in (".shp", ".shx") and len(head) >= 28:
        return 2 * int(struct.unpack_from(">i", head, 24)[0])
    if suffix == ".dbf" and len(head) >= 12:
        rows, header, row = struct.unpack_from("<IHH", head, 4)
        return int(header + rows * row)
    if head.startswith(b"SQLite format 3\0") and head[24:28] == head[92:96]:
        page, pages = struct.unpack_from(">H", head, 16)[0], struct.unpack_from(">I", head, 28)[0]
        return int((65536 if page == 1 else page) * pages)
    return 0
