"""Kind 7: what `check` must say of scenes that can be read."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter

from bad_cases.case import (
    Cases,
    Truth,
    card,
    coherence,
    hole,
    lines,
    lines_of_all,
    parts,
    phase_rad,
    raster,
    refused,
    right,
    says,
    values,
    write,
)

CHECK = "check data --sheet sheet.png"
BANDS = f"{CHECK} --bands"
REAL, IMAGINARY = parts()


def of_phase(phase: Any, magnitude: Any = None) -> list[Any]:
    """Return real and imaginary part of a phase in radians, 0 in the collar."""
    pixels = np.where(hole(), 0, (coherence() if magnitude is None else magnitude) * np.exp(1j * phase))
    return [pixels.real, pixels.imag]


def smoothed(size_px: int) -> list[Any]:
    """Return real and imaginary part, averaged over boxes."""
    return [np.where(hole(), 0, uniform_filter(band, size_px)) for band in parts()]


def in_box(value: complex) -> list[Any]:
    """Return real and imaginary part with a box of one value."""
    pixels = values()
    pixels[60:100, 60:110] = value
    return [pixels.real, pixels.imag]


def unminded(folder: Path, told: str) -> str:
    """Make sure that no scene is minded."""
    minded = [line for line in told.splitlines() if line.startswith("mind: s")]
    return f"minds {minded}" if minded else ""


def sheet_and(*words: str) -> Truth:
    """Return a truth about what is printed, with a contact sheet written."""

    def look(folder: Path, told: str) -> str:
        return says(*words)(folder, told) or ("" if (folder / "sheet.png").is_file() else "no sheet")

    return look


def minds(change: Any, *words: str, command: str = CHECK) -> Any:
    """Return a case that `check` must mind of the scene in these words, and of no other."""

    def look(folder: Path, told: str) -> str:
        told_of = [line for line in told.splitlines() if line.startswith("mind: s1: ")]
        others = [f"mind: s{number}: " for number in (0, 2, 3) if f"mind: s{number}: " in told]
        missing = [word for word in words if not any(word in line for line in told_of)]
        return f"does not mind {missing}" if missing else f"minds {others} too" if others else ""

    return right(change, command=command, truth=look)


def refuses(change: Any, *words: str, command: str = CHECK) -> Any:
    """Return a case that `check` must refuse in these words."""
    return refused(change, command=command, truth=sheet_and(*words))


CASES: Cases = {
    "nothing is wrong": right(lambda r: None, command=CHECK, truth=unminded),
    "a phase over a whole turn, too small": minds(
        lambda r: raster(r, *of_phase(phase_rad() / 2 / np.pi)),
        "of the circle",
        "unit",
        command=f"{BANDS} real,imaginary",
    ),
    "degrees as radians": minds(
        lambda r: raster(r, *of_phase(np.rad2deg(phase_rad()))), "near that of noise", "degrees"
    ),
    "averaged over 7 x 7 pixels": minds(
        lambda r: raster(r, *smoothed(7)), "coherence", "too good to be true"
    ),
    "averaged over 3 x 3 pixels": minds(
        lambda r: raster(r, *smoothed(3)), "unlike the other scenes", "averaged"
    ),
    "an amplitude among coherences": minds(
        lambda r: raster(r, 3000 * REAL, 3000 * IMAGINARY), "unlike the other scenes", "amplitude"
    ),
    "a box of one phase": minds(
        lambda r: raster(r, *in_box(0.5 + 0.1j)), "areas of one phase", command=f"{CHECK} --nodata as_tagged"
    ),
    "a hole": minds(lambda r: raster(r, *in_box(0)), "within the scene", "mask"),
    "pixels repeated": minds(
        lambda r: raster(r, *(b[::2, ::2].repeat(2, 0).repeat(2, 1) for b in parts())),
        "exactly the same phase",
    ),
    "hardly any data": minds(
        lambda r: raster(r, *(np.where(np.indices(hole().shape)[0] < 20, b, 0) for b in parts())),
        "of its pixels hold data",
    ),
    "a copy": minds(lambda r: raster(r, values(0).real, values(0).imag), "same pixels as s0"),
    "a copy of opposite sign": minds(
        lambda r: raster(r, values(0).real, -values(0).imag), "opposite sign as s0"
    ),
    "no collar among collars": minds(
        lambda r: raster(r, *(np.where(hole(), b[:, ::-1], b) for b in parts())), "holds data in every pixel"
    ),
    "another reading than the others'": minds(
        lambda r: raster(r, phase_rad(), coherence()), "read as phase, coherence"
    ),
    "a line beyond the data": minds(
        lambda r: raster(r, *(np.where(np.indices(hole().shape)[0] < 60, b, 0) for b in parts())),
        "of its line lies where there is no data",
    ),
    "a refused scene beside good ones": refuses(
        lambda r: raster(r, coherence()), "refused: s1: ", "coherence", "contact sheet of 4 scenes"
    ),
    "several refused, for a reason each": refuses(
        lambda r: (
            raster(r, coherence(), crs=None),
            (r / "DInSAR" / "s2.tif").write_bytes(b""),
            write(r / "DInSAR" / "s3.tif", 9 * phase_rad()),
        ),
        "refused: s1: has no CRS",
        "refused: s1: has one float band",
        "refused: s2: ",
        "refused: s3: ",
    ),
    "a folder of anything": refuses(
        lambda r: (
            lines(r, lines_of_all(), name="more.gpkg"),
            lines(r, lines_of_all(), name="most.geojson"),
            (r / "notes.txt").write_text("by hand"),
            raster(r, 9 * phase_rad()),
        ),
        "more.gpkg: 4 rows of lines",
        "most.geojson: 4 rows of lines",
        "notes.txt: no scene and no lines",
        "refused: s1: ",
    ),
    "a raster that the card does not name": right(
        lambda r: (write(r / "DInSAR" / "t9.tif", *parts()), card(r, rasters="DInSAR/s*.tif")),
        command="check card.yaml --sheet sheet.png",
        truth=says("t9.tif"),
    ),
    "bands that are used, named and passed over": right(
        lambda r: raster(
            r, 900 * coherence(), phase_rad(), coherence(), names=("dem", "wrapped_phase", "corr")
        ),
        command=CHECK,
        truth=says("bands: s1: phase is band 2 (wrapped_phase), radians", "band 1 (dem) is passed over"),
    ),
    "one raster by itself": refused(
        lambda r: None,
        command="check data/DInSAR/s1.tif --sheet sheet.png",
        truth=says("real, imag", "is one file"),
    ),
    "bands that are none": refused(
        lambda r: None, command=f"{BANDS} colour=1", truth=says("error: --bands 'colour=1'")
    ),
}
