"""What the bands of a raster mean, and how they become one complex value a pixel."""

import math
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from rasterio import DatasetReader
from rasterio.enums import MaskFlags

from glsweep.config.data_card import Bands
from glsweep.errors import DataError

Kind = Literal["complex", "real_imaginary", "wrapped_phase", "unwrapped_phase", "phase_coherence"]
Array = npt.NDArray[np.float32]

FLOAT_TYPES = {"float32", "float64"}
BAND_COUNTS: dict[Kind, int] = {
    "complex": 1,
    "real_imaginary": 2,
    "wrapped_phase": 1,
    "unwrapped_phase": 1,
    "phase_coherence": 2,
}
SAMPLE_PX = 512
"""A raster whose kind is in doubt is looked at in so many rows and columns."""
SLACK_RAD = 1e-3
LOWEST_COHERENCE = 1e-3
"""Magnitude where the coherence is 0 but the phase is known: 0 would say that there is no data."""

PHASE_WORDS, COHERENCE_WORDS = ("phase", "phi", "phs"), ("coh", "corr")
REAL_WORDS, IMAGINARY_WORDS = ("real", "in-phase", "cos"), ("imag", "quadrature", "sin")


def find_kind(dataset: DatasetReader, path: Path, asked: Bands) -> Kind:
    """Tell what the bands hold: as the data card says, or by their number, names and values.

    One float band is wrapped phase when its values lie within (-pi, pi] and leave [0, 1]. Two are
    phase and coherence when they are named so, or when the first lies within (-pi, pi] and passes
    1 while the second is never negative and never above 1, which no imaginary part is; otherwise
    they are real and imaginary part.

    Raises
    ------
    DataError
        When the bands are none of these, contradict `asked`, or stand in the wrong order.
    """
    types = list(dataset.dtypes)
    is_complex = len(types) == 1 and types[0].startswith("complex")
    if not is_complex and not set(types) <= FLOAT_TYPES:
        raise DataError(
            f"{path}: has {len(types)} band(s) of type {', '.join(types)}; give floats: radians for a "
            "phase, or real and imaginary part (gdal_translate -ot Float32, with -scale where integers "
            "stand for them)"
        )
    if asked in get_args(Kind):
        kind: Kind = asked  # type: ignore[assignment]
        if len(types) != BAND_COUNTS[kind] or is_complex != (kind == "complex"):
            raise DataError(
                f"{path}: has {len(types)} band(s) of type {', '.join(types)}, the data card says {kind}; "
                "mend layout.bands"
            )
        check_values(sample_values(dataset), kind, path)
        return kind
    if is_complex:
        return "complex"
    if len(types) == 1:
        return _kind_of_one(dataset, path)
    if len(types) == 2:
        return _kind_of_two(dataset, path)
    raise DataError(
        f"{path}: has {len(types)} bands; give one complex band, two float bands (real, imaginary), a "
        "wrapped phase, or phase and coherence"
    )


def _kind_of_one(dataset: DatasetReader, path: Path) -> Kind:
    (values,) = sample_values(dataset)
    known = values[np.isfinite(values)]
    if not len(known):
        raise DataError(f"{path}: its one float band holds no data; remove the file")
    told = f"{path}: has one float band, whose values lie between {_span(known)}"
    if np.abs(known).max() > math.pi + SLACK_RAD:
        raise DataError(
            f"{told}: an unwrapped phase; say `bands: unwrapped_phase` in the data card's layout to have it "
            "wrapped, if it is in radians"
        )
    if known.min() >= 0 and known.max() <= 1:
        raise DataError(
            f"{path}: has one float band, whose values lie between {known.min():.4g} and {known.max():.4g}: "
            "coherence or amplitude, not a phase; name the rasters of the phase"
        )
    return "wrapped_phase"


def _kind_of_two(dataset: DatasetReader, path: Path) -> Kind:
    names = [(text or "").lower() for text in dataset.descriptions]
    named = tuple(_meaning(name) for name in names)
    if named == ("phase", "coherence"):
        check_values(sample_values(dataset), "phase_coherence", path)
        return "phase_coherence"
    if named == ("real", "imaginary"):
        return "real_imaginary"
    first, second = sample_values(dataset)
    swapped = named in {("coherence", "phase"), ("imaginary", "real")}
    if swapped or (_is_coherence(first) and _is_phase(second)):
        told = f" ({names[0]}, {names[1]})" if swapped else " (coherence before phase, by their values)"
        raise DataError(
            f"{path}: its bands are swapped{told}; write them in the order phase, coherence or real, "
            "imaginary (gdal_translate -b 2 -b 1)"
        )
    if any(named) and None not in named:
        raise DataError(
            f"{path}: its bands are described as {names[0]}, {names[1]}; give phase and coherence, or real "
            "and imaginary part"
        )
    return "phase_coherence" if _is_phase(first) and _is_coherence(second) else "real_imaginary"


def _meaning(name: str) -> str | None:
    for meaning, words in {
        "coherence": COHERENCE_WORDS,
        "phase": PHASE_WORDS,
        "imaginary": IMAGINARY_WORDS,
        "real": REAL_WORDS,
    }.items():
        if any(word in name for word in words):
            return meaning
    return None


def _is_coherence(values: Array) -> bool:
    known = values[np.isfinite(values)]
    return bool(len(known) and known.min() >= 0 and 0 < known.max() <= 1 + SLACK_RAD)


def _is_phase(values: Array) -> bool:
    known = values[np.isfinite(values)]
    return bool(len(known) and known.min() < 0 and 1 < np.abs(known).max() <= math.pi + SLACK_RAD)


def sample_values(dataset: DatasetReader) -> Array:
    """Read the bands coarsely, (bands, rows, cols), NaN where there is no data."""
    shape = tuple(min(SAMPLE_PX, n) for n in dataset.shape)
    values = dataset.read(out_shape=(dataset.count, *shape))
    if np.iscomplexobj(values):
        values = np.concatenate([values.real, values.imag])
    nodata = dataset.nodata
    sampled = values.astype(np.float64)
    if nodata is not None and np.isfinite(nodata):
        sampled[values == np.asarray(nodata).astype(values.dtype)] = np.nan
    sampled[~np.isfinite(sampled)] = np.nan
    return np.asarray(sampled, dtype=np.float32)


def check_values(values: Array, kind: Kind, path: Path) -> None:
    """Make sure that values (bands, rows, cols) can be what `kind` says.

    Raises
    ------
    DataError
        When a phase that should be wrapped passes pi, or a coherence leaves [0, 1].
    """
    if kind in ("wrapped_phase", "phase_coherence"):
        phase = values[0][np.isfinite(values[0])]
        if len(phase) and np.abs(phase).max() > math.pi + SLACK_RAD:
            raise DataError(
                f"{path}: its phase lies between {_span(phase)}, so it is not wrapped to (-pi, pi]; say "
                "`bands: unwrapped_phase` in the data card's layout, or wrap it"
            )
    if kind == "phase_coherence":
        coherence = values[1][np.isfinite(values[1])]
        if len(coherence) and (coherence.min() < 0 or coherence.max() > 1 + SLACK_RAD):
            raise DataError(
                f"{path}: its coherence lies between {_span(coherence).removesuffix(' rad')}, not 0 and 1; "
                "are the bands swapped?"
            )


def to_complex(bands: npt.NDArray[np.generic], kind: Kind, nodata: float | None) -> npt.NDArray[np.complex64]:
    """Join bands (B, rows, cols) to one complex value a pixel, 0 where there is no data.

    No data is where a band is NaN, infinite, or equal to a tagged value other than 0, and where
    all bands are 0 (real and imaginary part, or phase and coherence: one alone may be 0; a phase
    alone is 0 only where nothing was measured, unless another value is tagged).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        parts = np.concatenate([bands.real, bands.imag]) if kind == "complex" else bands
        missing = ~np.isfinite(parts).all(axis=0)
        tagged = nodata is not None and np.isfinite(nodata) and nodata != 0
        if tagged:
            missing |= (parts == np.asarray(nodata).astype(parts.dtype)).any(axis=0)
        values = parts.astype(np.float32)
        missing |= ~np.isfinite(values).all(axis=0)
    if not (tagged and kind in ("wrapped_phase", "unwrapped_phase")):
        missing |= (values == 0).all(axis=0)
    joined = np.empty(missing.shape, dtype=np.complex64)
    if kind in ("complex", "real_imaginary"):
        joined.real, joined.imag = values
    else:
        phase_rad = np.where(missing, 0, values[0])
        strength = np.maximum(values[1], LOWEST_COHERENCE) if kind == "phase_coherence" else np.float32(1)
        joined.real, joined.imag = strength * np.cos(phase_rad), strength * np.sin(phase_rad)
    joined[missing] = 0
    return joined


def without_masked(
    dataset: DatasetReader, joined: npt.NDArray[np.complex64], window: object
) -> npt.NDArray[np.complex64]:
    """Return the pixels with those set to 0 that a mask within the file marks as invalid."""
    if any(MaskFlags.per_dataset in flags for flags in dataset.mask_flag_enums):
        joined[dataset.dataset_mask(window=window) == 0] = 0
    return joined


def _span(values: Array) -> str:
    return f"{values.min():.4g} and {values.max():.4g} rad"
