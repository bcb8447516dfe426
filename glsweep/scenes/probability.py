"""Probabilities as rasters: written strip by strip, read tile by tile, kept cloud-optimised."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from glsweep.files import replacing

BLOCK_PX = 512
LONG_NAMES = {
    "probability": "probability of a grounding line, mean of the members",
    "spread": "standard deviation of the members' probabilities",
}
"""The bands of what is kept, in their order."""

Floats = npt.NDArray[np.float32]


class ProbabilityRaster:
    """A scene's probability on disk, one band a network, NaN where there is no data.

    Parameters
    ----------
    dataset : rasterio dataset
        Open for reading and writing.
    """

    def __init__(self, dataset: rasterio.io.DatasetWriter) -> None:
        self._dataset = dataset

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self._dataset.shape
        return rows, cols

    def write(self, row: int, probability: Floats, has_data: npt.NDArray[np.bool_]) -> None:
        """Write whole rows, (members, rows, cols), the first of them at `row`."""
        values = np.where(has_data, probability, np.nan).astype(np.float32)
        self._dataset.write(values, window=Window(0, row, values.shape[2], values.shape[1]))

    def read(self, tile: Sequence[int]) -> Floats:
        """Return a rectangle (row, col, rows, cols) of all bands, NaN where there is no data."""
        row, col, rows, cols = tile
        values: Floats = self._dataset.read(window=Window(col, row, cols, rows))
        return values

    def read_coarsely(self, longest_px: int) -> Floats:
        """Return the mean over the bands, (rows, cols) of `longest_px` at most, NaN without data."""
        scale = min(1.0, longest_px / max(self.shape))
        shape = tuple(max(1, round(side * scale)) for side in self.shape)
        values = self._dataset.read(out_shape=(self._dataset.count, *shape))
        return np.asarray(values.mean(axis=0), dtype=np.float32)

    def keep(self, path: Path, tags: Mapping[str, str]) -> None:
        """Write a cloud-optimised GeoTIFF: the members' mean and, of several, their spread.

        Whole or not at all, with overviews; NaN where there is no data. The bands say what they hold
        in the words of the CF conventions, and the file what it is from: `tags`.
        """
        with replacing(path) as beside:
            if self._dataset.count == 1:
                _copy(self._dataset, beside, tags)
            else:
                with self._summed() as summed:
                    _copy(summed, beside, tags)

    @contextmanager
    def _summed(self) -> Iterator[rasterio.io.DatasetWriter]:
        """Yield a raster of two bands beside this one: the members' mean and standard deviation."""
        path = Path(self._dataset.name).with_name("summed.tif")
        with rasterio.open(path, "w+", **{**self._dataset.profile, "count": 2}) as summed:
            for _, window in summed.block_windows(1):
                bands = self._dataset.read(window=window)
                summed.write(np.stack([bands.mean(axis=0), bands.std(axis=0)]), window=window)
            yield summed
        path.unlink()


def _copy(source: rasterio.io.DatasetWriter, target: Path, tags: Mapping[str, str]) -> None:
    source.descriptions = tuple(LONG_NAMES)[: source.count]
    source.units = ("1",) * source.count
    for band, long_name in zip(source.indexes, LONG_NAMES.values(), strict=False):
        source.update_tags(band, long_name=long_name, units="1")
    source.update_tags(**tags)
    rasterio.shutil.copy(
        source,
        target,
        driver="COG",
        compress="deflate",
        predictor="YES",
        blocksize=BLOCK_PX,
        overview_resampling="average",
        num_threads="ALL_CPUS",
    )


@contextmanager
def opened_probability(path: Path) -> Iterator[ProbabilityRaster]:
    """Yield a probability that was kept, to be read."""
    with rasterio.open(path) as dataset:
        yield ProbabilityRaster(dataset)


@contextmanager
def probability_raster(
    folder: Path, shape: tuple[int, int], transform: Affine, crs: CRS, *, members: int
) -> Iterator[ProbabilityRaster]:
    """Yield an empty raster in `folder`, which is removed in the end.

    Parameters
    ----------
    folder : Path
        Where there is room for `members` x rows x cols x 4 bytes.
    shape : tuple of int
        Rows and columns.
    transform : Affine
        From (col, row) pixel corners to map coordinates.
    crs : CRS
        The map's.
    members : int
        Number of bands.
    """
    path = folder / "members.tif"
    profile = {
        "driver": "GTiff",
        "width": shape[1],
        "height": shape[0],
        "count": members,
        "dtype": "float32",
        "nodata": np.nan,
        "crs": crs,
        "transform": transform,
        "tiled": True,
        "blockxsize": BLOCK_PX,
        "blockysize": BLOCK_PX,
        "bigtiff": "if_safer",
    }
    with rasterio.open(path, "w+", **profile) as dataset:
        yield ProbabilityRaster(dataset)
    path.unlink()
