"""A scene as the networks know scenes: at their posting, a strip at a time."""

import math
from dataclasses import dataclass

from affine import Affine

from glsweep.errors import DataError
from glsweep.predict.members import SAME
from glsweep.predict.network import Member
from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.resample import Interferogram, multilook
from glsweep.scenes.source import Window


@dataclass(frozen=True)
class SceneInput:
    """A scene, averaged to the posting that the networks were trained at.

    Attributes
    ----------
    header : RasterHeader
        The raster.
    looks : int
        Pixels of the raster, in each axis, to one of this.
    """

    header: RasterHeader
    looks: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns after averaging; what is left of an incomplete pixel is dropped."""
        rows, cols = self.header.shape
        return rows // self.looks, cols // self.looks

    @property
    def transform(self) -> Affine:
        """From (col, row) pixel corners to map coordinates."""
        return self.header.transform @ Affine.scale(self.looks)

    def read_rows(self, row: int, rows: int) -> Interferogram:
        """Read whole rows, (rows, cols); 0 where there is no data."""
        n, cols = self.looks, self.shape[1]
        values = self.header.read(Window(row * n, 0, rows * n, cols * n))
        return values if n == 1 else multilook(values, n)


def fit_to(header: RasterHeader, members: list[Member]) -> SceneInput:
    """Return the scene at the members' posting.

    Raises
    ------
    DataError
        When its posting is neither theirs nor a whole part of it, or it has no place on a map.
    """
    wanted_m = members[0].card.posting_m
    looks = round(wanted_m / header.posting_m)
    if looks < 1 or not math.isclose(looks * header.posting_m, wanted_m, rel_tol=SAME):
        raise DataError(
            f"{header.path}: its posting is {header.posting_m:g} m, and {members[0].name} was trained at "
            f"{wanted_m:g} m; give a scene at that posting or at a whole part of it, or train at this one"
        )
    if min(header.shape) < looks:
        raise DataError(f"{header.path}: is smaller than one pixel of {wanted_m:g} m; give a larger scene")
    return SceneInput(header, looks)
