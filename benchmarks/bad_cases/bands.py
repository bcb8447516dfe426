"""Kinds 1 and 2: what the bands of a raster are, of several and of one."""

from typing import Any

import numpy as np
from rasterio.enums import ColorInterp

from bad_cases.case import (
    Cases,
    all_rasters,
    coherence,
    either,
    hole,
    parts,
    phase_rad,
    raster,
    refused,
    right,
)

TURN = 2 * np.pi
GRAY, NONE, ALPHA = ColorInterp.gray, ColorInterp.undefined, ColorInterp.alpha


def degrees(number: int = 1) -> Any:
    """Return the phase in degrees, 0 in the collar."""
    return np.rad2deg(phase_rad(number))


def positive(number: int = 1) -> Any:
    """Return the phase counted from 0 to 2 pi, 0 in the collar."""
    return np.where(hole(number), 0, np.mod(phase_rad(number), TURN)).astype(np.float32)


def unwrapped(number: int = 1) -> Any:
    """Return a phase that goes on beyond pi, 0 in the collar."""
    return np.where(hole(number), 0, np.unwrap(phase_rad(number), axis=1) + 6 * np.pi).astype(np.float32)


def bytes_of(values: Any, low: float, high: float) -> Any:
    """Return values as shades from 0 to 255."""
    return ((values - low) / (high - low) * 255).round().astype(np.uint8)


REAL, IMAGINARY = parts()

TWO_BANDS: Cases = {
    "one complex band": right(lambda r: raster(r, REAL + 1j * IMAGINARY)),
    "one complex band in double precision": right(
        lambda r: raster(r, (REAL + 1j * IMAGINARY).astype(np.complex128), dtype="complex128")
    ),
    "parts in double precision": right(lambda r: raster(r, *np.float64(parts()), is_double=True)),
    "parts of no name": right(lambda r: raster(r, REAL, IMAGINARY)),
    "parts of foreign names": either(lambda r: raster(r, REAL, IMAGINARY, names=("VV", "VH"))),
    "imaginary part first by name": right(lambda r: raster(r, IMAGINARY, REAL, names=("imaginary", "real"))),
    "SNAP's i and q": right(
        lambda r: raster(r, REAL, IMAGINARY, names=("i_ifg_HH_20Jan2018", "q_ifg_HH_20Jan2018"))
    ),
    "q before i": right(lambda r: raster(r, IMAGINARY, REAL, names=("q_ifg_VV", "i_ifg_VV"))),
    "in-phase and quadrature": right(
        lambda r: raster(r, REAL, IMAGINARY, names=("In-Phase component", "Quadrature component"))
    ),
    "one part named, the other not": right(lambda r: raster(r, REAL, IMAGINARY, names=("Re", ""))),
    "COSMO in the names": right(
        lambda r: raster(r, REAL, IMAGINARY, names=("COSMO-SkyMed_i", "COSMO-SkyMed_q"))
    ),
    "a real part twice": refused(lambda r: raster(r, REAL, REAL)),
    "a real part beside a coherence": refused(lambda r: raster(r, REAL, coherence())),
    "absolute values": refused(lambda r: raster(r, np.abs(REAL), np.abs(IMAGINARY))),
    "parts of which one is 0": refused(lambda r: raster(r, REAL, 0 * REAL)),
    "a complex band without an imaginary part": refused(lambda r: raster(r, REAL + 0j)),
    "phase and coherence": right(lambda r: raster(r, phase_rad(), coherence())),
    "coherence before phase, named": right(
        lambda r: raster(r, coherence(), phase_rad(), names=("coh_VV", "Phase_ifg_VV"))
    ),
    "coherence before phase, of no name": either(lambda r: raster(r, coherence(), phase_rad())),
    "names that hold others": right(
        lambda r: raster(r, phase_rad(), coherence(), names=("phase_corrected_for_gacos", "coherence"))
    ),
    "SNAP's intensity and phase": right(
        lambda r: raster(r, coherence() ** 2 * 900, phase_rad(), names=("Intensity_ifg", "Phase_ifg"))
    ),
    "phase and amplitude, named": right(
        lambda r: raster(r, phase_rad(), 70 * coherence(), names=("wrapped phase", "amplitude"))
    ),
    "phase and amplitude in decibels": either(
        lambda r: raster(r, phase_rad(), np.where(hole(), 0, 20 * np.log10(coherence() + 1e-9)))
    ),
    "phase and an alpha band": right(
        lambda r: raster(r, phase_rad(), np.where(hole(), 0, 255), colours=(GRAY, ALPHA))
    ),
    "phase, coherence and an alpha band": right(
        lambda r: raster(
            r,
            phase_rad(),
            coherence(),
            np.where(hole(), 0, 255),
            colours=(GRAY, NONE, ALPHA),
            names=("phase", "coherence", ""),
        )
    ),
    "phase and a mask of no name": either(lambda r: raster(r, phase_rad(), np.where(hole(), 0, 1))),
    "phase and connected components": either(
        lambda r: raster(r, phase_rad(), np.where(hole(), 0, 3), names=("phase", "conncomp"))
    ),
    "coherence that overshoots": right(
        lambda r: raster(r, phase_rad(), np.where(coherence() > 0.8995, 1.04, coherence()))
    ),
    "coherence from 0 to 255": either(lambda r: raster(r, phase_rad(), 255 * coherence())),
    "coherence in per cent, named": either(
        lambda r: raster(r, phase_rad(), 100 * coherence(), names=("phase", "coherence"))
    ),
    "amplitude and unwrapped phase": refused(lambda r: raster(r, 40 * coherence(), unwrapped())),
    "amplitude and unwrapped phase, named": either(
        lambda r: raster(r, 40 * coherence(), unwrapped(), names=("amplitude", "unwrapped_phase"))
    ),
    "phase from 0 to 2 pi beside coherence": either(lambda r: raster(r, positive(), coherence())),
    "phase in degrees beside coherence": either(lambda r: raster(r, degrees(), coherence())),
    "phase in degrees by its unit": right(
        lambda r: raster(r, degrees(), coherence(), names=("phase", "coherence"), units=("degree", ""))
    ),
    "phase in cycles beside coherence": either(lambda r: raster(r, phase_rad() / TURN, coherence())),
    "three bands of no name": refused(lambda r: raster(r, REAL, IMAGINARY, coherence()), "s1", "3 bands"),
    "three named bands": right(
        lambda r: raster(
            r, np.where(hole(), 0, 900), coherence(), phase_rad(), names=("dem", "corr", "phase")
        )
    ),
    "two phases": refused(lambda r: raster(r, phase_rad(), phase_rad()[::-1], names=("phase_1", "phase_2"))),
    "a coherence and a height": refused(
        lambda r: raster(r, coherence(), np.full_like(coherence(), 120), names=("coherence", "height"))
    ),
    "a card that names bands": right(
        lambda r: all_rasters(
            r,
            lambda n: [coherence(n), 7 * phase_rad(n) ** 2, phase_rad(n)],
            "phase=wph, coherence=1",
            names=("a", "b", "wph"),
        )
    ),
    "a card that says degrees": right(
        lambda r: all_rasters(r, lambda n: [degrees(n), coherence(n)], "phase_degrees, coherence")
    ),
    "a card that says unwrapped": right(
        lambda r: all_rasters(r, lambda n: [40 * coherence(n), unwrapped(n)], "magnitude, unwrapped_phase")
    ),
    "a card with the parts of a phase and its coherence": refused(
        lambda r: all_rasters(r, lambda n: [phase_rad(n), coherence(n)], "real, imaginary"), "s0"
    ),
    "a card that says radians of degrees": refused(
        lambda r: all_rasters(r, lambda n: [degrees(n), coherence(n)], "phase, coherence"), "s0"
    ),
    "a card that says coherence of an amplitude": refused(
        lambda r: all_rasters(r, lambda n: [phase_rad(n), 40 * coherence(n)], "phase, coherence"), "s0"
    ),
    "a card that names a band which is not there": refused(
        lambda r: all_rasters(r, lambda n: [phase_rad(n)], "phase=7"), "s0", "band 7"
    ),
    "a card that names a variable which is not there": refused(
        lambda r: all_rasters(r, lambda n: [phase_rad(n)], "phase=wphase", names=("phase",)), "s0", "wphase"
    ),
}

ONE_BAND: Cases = {
    "a wrapped phase": right(lambda r: raster(r, phase_rad(), nodata=0)),
    "a wrapped phase in double precision": right(
        lambda r: raster(r, np.float64(phase_rad()), is_double=True)
    ),
    "cycles": either(lambda r: raster(r, phase_rad() / TURN)),
    "cycles by their unit": right(
        lambda r: raster(r, phase_rad() / TURN, names=("phase",), units=("cycles",))
    ),
    "cycles with a scale": right(lambda r: raster(r, phase_rad() / TURN, scales=(TURN,))),
    "parts of pi": either(lambda r: raster(r, phase_rad() / np.pi)),
    "degrees": either(lambda r: raster(r, degrees())),
    "degrees called phase": either(lambda r: raster(r, degrees(), names=("wrapped_phase",))),
    "0 to 2 pi": either(lambda r: raster(r, positive())),
    "shades from 0 to 255": refused(lambda r: raster(r, bytes_of(phase_rad(), -np.pi, np.pi)), "s1", "uint8"),
    "integers without a scale": refused(
        lambda r: raster(r, (1e4 * phase_rad()).astype(np.int16)), "s1", "int16"
    ),
    "integers with a scale": right(
        lambda r: raster(r, (1e4 * phase_rad()).round().astype(np.int16), scales=(1e-4,), nodata=0)
    ),
    "an unwrapped phase": refused(lambda r: raster(r, unwrapped()), "s1", "unwrapped"),
    "an unwrapped phase called phase": refused(lambda r: raster(r, unwrapped(), names=("phase",))),
    "a coherence": refused(lambda r: raster(r, coherence()), "s1", "coherence"),
    "a coherence called phase": refused(lambda r: raster(r, coherence(), names=("phase",))),
    "an amplitude": refused(lambda r: raster(r, 60 * coherence())),
    "decibels": refused(lambda r: raster(r, np.where(hole(), 0, 10 * np.log10(coherence() + 1e-9)))),
    "a real part alone": refused(lambda r: raster(r, REAL)),
    "an imaginary part by name": refused(lambda r: raster(r, IMAGINARY, names=("q_ifg",))),
    "a displacement in metres": refused(lambda r: raster(r, unwrapped() * 0.0555 / 4 / np.pi)),
    "a displacement by its unit": refused(
        lambda r: raster(r, phase_rad(), names=("los_displacement",), units=("m",))
    ),
    "a look vector": refused(
        lambda r: raster(r, 2.7 + 0.04 * np.sin(np.indices(hole().shape)[0] / 50), names=("",))
    ),
    "a look vector by name": refused(lambda r: raster(r, phase_rad(), names=("lv_theta",))),
    "an incidence angle": refused(lambda r: raster(r, 0.6 + 0.1 * np.indices(hole().shape)[0] / 160)),
    "a height": refused(lambda r: raster(r, 900.0 + np.indices(hole().shape)[0])),
    "a mask": refused(lambda r: raster(r, np.where(hole(), 0, 1).astype(np.float32))),
    "a phase and degrees in the card": right(
        lambda r: all_rasters(r, lambda n: [degrees(n)], "phase_degrees")
    ),
    "a phase and cycles in the card": right(
        lambda r: all_rasters(r, lambda n: [phase_rad(n) / TURN], "phase_cycles")
    ),
    "a phase and cycles in the card, from 0 to 1": right(
        lambda r: all_rasters(r, lambda n: [positive(n) / TURN], "phase_cycles")
    ),
    "radians called cycles in the card": refused(
        lambda r: all_rasters(r, lambda n: [phase_rad(n)], "phase_cycles"), "s0"
    ),
    "an option that names bands": refused(
        lambda r: None, "--bands", "colour", command="predict --scene data/DInSAR --out out --bands colour=1"
    ),
    "an option that names no interferogram": refused(
        lambda r: None,
        "--bands",
        "coherence",
        command="predict --scene data/DInSAR --out out --bands coherence",
    ),
    "an option that is wrong for the raster": refused(
        lambda r: None,
        "s1.tif",
        command="predict --scene data/DInSAR/s1.tif --out out --bands phase=5",
    ),
}
