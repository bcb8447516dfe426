"""Geometries from well-known binary, those included that GEOS refuses: lines of one point, open rings."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
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
    """Reads a geometry after the other from `binary`; both the ISO and the older flags of dimensions."""

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
