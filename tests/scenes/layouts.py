"""Every layout of the field, written with plain rasterio: one row of `LAYOUTS` a layout."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from shapely import LineString

from glsweep.config.data_card import DataCard, Layout

POLAR = CRS.from_epsg(3031)
NORTH_UP = Affine(100, 0, -1_000_000, 0, -100, 500_000)
SOUTH_UP = Affine(100, 0, -1_000_000, 0, 100, 500_000)
TURNED = Affine.translation(1e6, 2e5) @ Affine.rotation(30) @ Affine.scale(100, -100)


@dataclass(frozen=True)
class Made:
    """What was written: the card to read it with, and what must come back."""

    card: DataCard
    interferogram: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class Place:
    """Where a scene lies."""

    transform: Affine = NORTH_UP
    crs: CRS = POLAR


def interferogram(shape: tuple[int, int] = (48, 80), seed: int = 0) -> np.ndarray:
    """Random phases of random magnitude within (0, 1), with a slanted collar without data."""
    generator = np.random.default_rng(seed)
    phase_rad = generator.uniform(-np.pi, np.pi, shape)
    values = (generator.uniform(0.1, 0.9, shape) * np.exp(1j * phase_rad)).astype(np.complex64)
    row, col = np.indices(shape)
    values[col + 0.4 * row < 12] = 0
    return values


def line_pixels(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """The (row, col) of pixels that a line's vertices are the centres of: every row, slanted."""
    rows, cols = shape
    return [(row, int(cols * 0.4) + row // 3) for row in range(2, rows - 2)]


def write_raster(path: Path, bands: np.ndarray, place: Place | None, **options: object) -> None:
    """Write bands (B, rows, cols) as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    where = {} if place is None else {"transform": place.transform, "crs": place.crs}
    size = {"count": len(bands), "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver="GTiff", **size, **where, **options) as file:
            file.write(bands)


def write_line(path: Path, name: str, place: Place, shape: tuple[int, int], **columns: str) -> None:
    """Write one line through the centres of `line_pixels`."""
    centres = [place.transform @ (col + 0.5, row + 0.5) for row, col in line_pixels(shape)]
    table = gpd.GeoDataFrame(
        {"source_file": [f"{name}.shp"], **{key: [value] for key, value in columns.items()}},
        geometry=[LineString(centres)],
        crs=place.crs.to_wkt(),
    )
    table.to_file(path)


def expected_mask(shape: tuple[int, int]) -> np.ndarray:
    """The pixels of the line alone."""
    mask = np.zeros(shape, np.uint8)
    mask[tuple(np.transpose(line_pixels(shape)))] = 1
    return mask


def _drawn(root: Path, bands: np.ndarray, place: Place, kind: str, **options: object) -> DataCard:
    write_raster(root / "DInSAR" / "a.tif", bands, place, **options)
    root.joinpath("lines.gpkg").unlink(missing_ok=True)
    write_line(root / "lines.gpkg", "a", place, bands.shape[1:])
    return DataCard(name="made", root=root, layout=Layout(lines="lines.gpkg", bands=kind))


def _study(root: Path, values: np.ndarray, place: Place) -> Made:
    bands = np.stack([values.real, values.imag])
    return Made(_drawn(root, bands, place, "auto", nodata=0), values, expected_mask(values.shape))


def _complex(root: Path, values: np.ndarray, place: Place) -> Made:
    marked = np.where(values == 0, np.complex64(complex(np.nan, np.nan)), values)
    return Made(_drawn(root, marked[None], place, "auto"), values, expected_mask(values.shape))


def _phase(root: Path, values: np.ndarray, place: Place) -> Made:
    phase_rad = np.where(values == 0, np.nan, np.angle(values)).astype(np.float32)
    unit = np.divide(values, np.abs(values), out=np.zeros_like(values), where=values != 0)
    return Made(_drawn(root, phase_rad[None], place, "auto"), unit, expected_mask(values.shape))


def _tagged_phase(root: Path, values: np.ndarray, place: Place) -> Made:
    made = _phase(root, values, place)
    phase_rad = np.where(values == 0, -9999, np.angle(values)).astype(np.float32)
    return Made(
        _drawn(root, phase_rad[None], place, "wrapped_phase", nodata=-9999), made.interferogram, made.mask
    )


def _unwrapped(root: Path, values: np.ndarray, place: Place) -> Made:
    made = _phase(root, values, place)
    fringes = 2 * np.pi * np.random.default_rng(1).integers(-5, 6, values.shape)
    phase_rad = np.where(values == 0, 0, np.angle(values) + fringes).astype(np.float32)
    return Made(
        _drawn(root, phase_rad[None], place, "unwrapped_phase", nodata=0), made.interferogram, made.mask
    )


def _phase_coherence(root: Path, values: np.ndarray, place: Place) -> Made:
    bands = np.stack([np.angle(values), np.abs(values)]).astype(np.float32)
    return Made(_drawn(root, bands, place, "auto"), values, expected_mask(values.shape))


def _tile_with_mask(root: Path, values: np.ndarray, place: Place) -> Made:
    mask = expected_mask(values.shape)
    write_raster(root / "coco1_2-3_4_x1.tif", values[None], place)
    write_raster(root / "delineation1_2-3_4_x1.tif", 255 * mask[None], place)
    layout = Layout(
        rasters="coco*.tif", lines=None, masks="delineation*.tif", group_pattern=r"coco(.+)_x\d+$"
    )
    return Made(DataCard(name="made", root=root, layout=layout, posting_m=100), values, mask)


def _tile_without_place(root: Path, values: np.ndarray, _place: Place) -> Made:
    made = _tile_with_mask(root, values, _place)
    write_raster(root / "coco1_2-3_4_x1.tif", values[None], None)
    return made


def _npz(root: Path, values: np.ndarray, _place: Place) -> Made:
    mask, size = expected_mask(values.shape), 16
    for row in range(0, values.shape[0], size):
        for col in range(0, values.shape[1], size):
            part = np.s_[row : row + size, col : col + size]
            np.savez(
                root / f"scene_b_x{col}_y{row}_s{size}.npz",
                image=np.stack([values[part].real, values[part].imag]),
                mask=mask[part][None],
            )
    layout = Layout(rasters="*.npz", bands="npz", lines=None)
    return Made(DataCard(name="made", root=root, layout=layout, posting_m=100), values, mask)


Writer = Callable[[Path, np.ndarray, Place], Made]

LAYOUTS: dict[str, Writer] = {
    "real and imaginary": _study,
    "complex": _complex,
    "wrapped phase": _phase,
    "wrapped phase with a tag": _tagged_phase,
    "unwrapped phase": _unwrapped,
    "phase and coherence": _phase_coherence,
    "tile with mask": _tile_with_mask,
    "tile without a place": _tile_without_place,
    "npz patches": _npz,
}
PLACELESS = {"tile without a place", "npz patches"}
