"""What to mind of one scene, by its own pixels: each with the likely reason."""

from collections.abc import Iterator

from glsweep.check.findings import Measured, Note, SceneFindings

NOISE_COHERENCE = 0.20
"""Of pure noise the local coherence's median is about .17."""
SOME_LINE_SHARE = 0.10
TOO_COHERENT = 0.95
"""Of the local coherence's median: scenes at 100 m reach some .85, very few with real noise pass this."""
LEAST_GRAIN = 0.75
"""Simulated and real scenes have .82 to 1, a mean of 3 x 3 pixels or a finer grid .5 to .7, none .3."""
LEAST_CIRCLE = 0.65
"""Phases in cycles, parts of pi or metres that are read as radians fill .02 to .65 of the circle."""
FLAT_SHARE, HOLE_SHARE, REPEAT_SHARE = 0.01, 0.005, 0.3
LEAST_VALID = 0.2
FEW = 0.01
CLIPPED_SHARE = 1e-3


def scene_notes(found: SceneFindings) -> Iterator[Note]:
    """Yield what to mind of a scene whose pixels and lines were read."""
    if found.measured is not None:
        yield from _phase_notes(found.measured)
        yield from _area_notes(found.measured)
    if found.reading is not None and found.reading.clipped_share >= CLIPPED_SHARE:
        yield Note(
            "coherence clipped",
            f"{found.reading.clipped_share:.1%} of its coherence lies beyond 0 and 1 and was clipped; "
            "resampling by cubic convolution does that, bilinear does not",
        )
    if found.line_without_data > SOME_LINE_SHARE:
        yield Note(
            "line without data",
            f"{found.line_without_data:.0%} of its line lies where there is no data; that part is not used",
        )


def _phase_notes(pixels: Measured) -> Iterator[Note]:
    """Yield what phases say that are too regular, or too irregular, to be measured ones."""
    coherence = pixels.coherence
    if pixels.circle_share <= LEAST_CIRCLE:
        yield Note(
            "part of the circle",
            f"its phases fill {pixels.circle_share:.0%} of the circle; likely they are in another unit than "
            "radians (cycles, parts of pi), a displacement, an amplitude or a mask; if so name the bands "
            "(--bands); only a scene of less than a fringe is like that",
        )
    elif coherence is not None and coherence >= TOO_COHERENT:
        is_smooth = pixels.grain < LEAST_GRAIN
        yield Note(
            "too coherent",
            f"its median local coherence is {coherence:.2f}, too good to be true; likely its phase was "
            + (
                "unwrapped, averaged over many pixels, resampled to a finer posting, or simulated without "
                "noise, since neighbouring pixels share their noise"
                if is_smooth
                else "filtered or simulated with little noise, or it is no wrapped phase"
            ),
        )
    elif coherence is not None and coherence < NOISE_COHERENCE:
        yield Note(
            "noise",
            f"its median local coherence is {coherence:.2f}, near that of noise; filter it or leave it out, "
            "unless its phase is in another unit than radians, such as degrees (--bands)",
        )


def _area_notes(pixels: Measured) -> Iterator[Note]:
    """Yield what areas say in which the phase is the same, or missing."""
    if pixels.flat_share >= FLAT_SHARE:
        yield Note(
            "areas of one phase",
            f"{pixels.flat_share:.0%} of its pixels lie in areas of one phase, as no measurement does; "
            "likely a collar, holes or the sea were filled with a constant (--nodata, or `nodata` in a data "
            "card's layout), or it was simulated without noise",
        )
    if pixels.repeat_share >= REPEAT_SHARE:
        yield Note(
            "repeated pixels",
            f"{pixels.repeat_share:.0%} of neighbouring pixels have exactly the same phase; likely it was "
            "resampled to a finer posting by nearest neighbour, or its numbers are coarse; keep the posting "
            "at which it was processed",
        )
    if pixels.hole_share >= HOLE_SHARE:
        yield Note(
            "holes",
            f"within the scene, pixels without data are {pixels.hole_share:.1%} of those with data; likely a "
            "mask (water, layover, low coherence), or values of exactly 0 that were measured",
        )
    if pixels.valid_share < LEAST_VALID:
        share = f"{pixels.valid_share:.0%}" if pixels.valid_share >= FEW else f"{pixels.valid_share:.2%}"
        yield Note(
            "hardly any data",
            f"only {share} of its pixels hold data; likely it is cut to a frame that is far too large, or a "
            "value or a mask is wrongly taken for no data",
        )
