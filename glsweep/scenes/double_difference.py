"""The double difference of two interferograms: the product of one with the other's conjugate."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from glsweep.errors import DataError
from glsweep.scenes.raster import RasterHeader, interferogram_writer
from glsweep.scenes.resample import Interferogram, Resampled, TargetGrid, common_grid, resampled
from glsweep.scenes.source import Window

Strength = Literal["coherence", "amplitude", "none"]

STRIP_PX = 2**21
"""Pixels of a raster that are read at once where the grids agree."""
TILE_PX = 512
"""Side of the square that is interpolated at once, where the maps differ."""
OVERSHOOT = 1.05
OVERSHOT_SHARE = 1e-3
"""A resampled coherence exceeds 1 a little, here and there; an amplitude has no upper bound."""
SAME_MAGNITUDE = 1e-3


class Magnitude(NamedTuple):
    """What the magnitude of a raster's values is.

    Attributes
    ----------
    strength : str
        "none" where it is 1 everywhere, which is how a phase alone is read.
    largest : float
    """

    strength: Strength
    largest: float


@dataclass(frozen=True)
class DoubleDifference:
    """Two rasters on the ground that they share, whose difference is to be taken.

    Attributes
    ----------
    first, second : Resampled
        As they are read on the grid.
    grid : TargetGrid
        That of the result.
    magnitudes : tuple of Magnitude
        What the magnitudes of the two are.
    """

    first: Resampled
    second: Resampled
    grid: TargetGrid
    magnitudes: tuple[Magnitude, Magnitude]

    def write(self, path: Path, tags: Mapping[str, str]) -> float:
        """Write the difference in the study layout, whole or not at all.

        Returns
        -------
        float
            The share of pixels with data.

        Raises
        ------
        DataError
            When no pixel holds data in both, or one of the rasters cannot be read.
        """
        shape, transform, crs = self.grid
        count = 0
        with interferogram_writer(path, shape, transform, crs, tags) as write:
            for window in self._windows():
                values = double_difference(self.first.read(window), self.second.read(window), self.magnitudes)
                count += int(np.count_nonzero(values))
                write(window, values)
            if not count:
                raise DataError(
                    f"{self.first.header.path}: shares ground with {self.second.header.path}, but no pixel "
                    "that holds data in both; give two interferograms of one place"
                )
        return count / (shape[0] * shape[1])

    def _windows(self) -> Iterator[Window]:
        rows, cols = self.grid.shape
        looks = max(self.first.looks, self.second.looks)
        if self.first.corner is None or self.second.corner is None:
            side = max(1, TILE_PX // looks)
            yield from _tiles((rows, cols), side, side)
        else:
            yield from _tiles((rows, cols), max(1, STRIP_PX // (cols * looks**2)), cols)


def open_difference(first: RasterHeader, second: RasterHeader) -> DoubleDifference:
    """Find the ground that two interferograms share, and how each is to be read there.

    Raises
    ------
    DataError
        When they share no ground, or one cannot be read.
    """
    grid = common_grid(first, second)
    if grid is None:
        raise DataError(
            f"{first.path}: shares no ground with {second.path} ({_place(first)}; {_place(second)}); give "
            "two interferograms of one place"
        )
    return DoubleDifference(
        resampled(first, grid),
        resampled(second, grid),
        grid,
        (_magnitude_of(first), _magnitude_of(second)),
    )


def double_difference(
    first: Interferogram, second: Interferogram, magnitudes: tuple[Magnitude, Magnitude]
) -> Interferogram:
    """Return first * conj(second), with the lower of their magnitudes, where both hold data.

    A coherence is preferred to an amplitude, which does not say how reliable a phase is; where both
    are phases alone the magnitude is 1.

    Parameters
    ----------
    first, second : complex64 array (rows, cols)
        0 where there is no data.
    magnitudes : tuple of Magnitude
        What their magnitudes are.

    Returns
    -------
    complex64 array (rows, cols)
        0 where either holds no data.
    """
    # Products of two singles are exact in doubles, so that a raster's difference to itself has phase 0.
    product = first.astype(np.complex128) * second.astype(np.complex128).conj()
    size = np.abs(product)
    kept = kept_strength(magnitudes)
    sizes = [
        np.abs(values).astype(np.float64)
        for values, magnitude in zip((first, second), magnitudes, strict=True)
        if magnitude.strength == kept
    ]
    strength: npt.NDArray[np.float64] = np.ones(size.shape) if kept == "none" else np.minimum.reduce(sizes)
    if kept == "coherence":
        strength = np.minimum(strength, 1)
    has_data = size > 0
    return np.where(has_data, product * (strength / np.where(has_data, size, 1)), 0).astype(np.complex64)


def kept_strength(magnitudes: tuple[Magnitude, Magnitude]) -> Strength:
    """Return what the magnitude of the difference is: the best known of the two."""
    found = {magnitude.strength for magnitude in magnitudes}
    order: tuple[Strength, ...] = ("coherence", "amplitude", "none")
    return next(strength for strength in order if strength in found)


def _magnitude_of(header: RasterHeader) -> Magnitude:
    """Look at every pixel, since a part may hold other values."""
    with_data = beyond = other = 0
    largest = 0.0
    rows, cols = header.shape
    for window in _tiles((rows, cols), max(1, STRIP_PX // cols), cols):
        size = np.abs(header.read(window))
        size = size[size > 0]
        with_data += len(size)
        beyond += int(np.count_nonzero(size > OVERSHOOT))
        other += int(np.count_nonzero(np.abs(size - 1) > SAME_MAGNITUDE))
        largest = max(largest, float(size.max(initial=0)))
    if not with_data:
        raise DataError(f"{header.path}: all {rows * cols} pixels are without data; give another file")
    if not other:
        return Magnitude("none", largest)
    return Magnitude("amplitude" if beyond > OVERSHOT_SHARE * with_data else "coherence", largest)


def _tiles(shape: tuple[int, int], rows: int, cols: int) -> Iterator[Window]:
    for row in range(0, shape[0], rows):
        for col in range(0, shape[1], cols):
            yield Window(row, col, min(rows, shape[0] - row), min(cols, shape[1] - col))


def _place(header: RasterHeader) -> str:
    code = header.crs.to_epsg()
    left, bottom, right, top = header.footprint.bounds
    return (
        f"{f'EPSG:{code}' if code else 'a CRS without a code'}, x {left:.0f} to {right:.0f}, "
        f"y {bottom:.0f} to {top:.0f} m"
    )
