"""How patches are drawn from scenes."""

from typing import Literal

from pydantic import Field

from glsweep.config.base import Settings


class PatchSettings(Settings):
    """How many patches are drawn, and when a drawn position is kept.

    A position is kept if at least `valid_share` of its pixels hold data and either the coverage
    summed over the `box_px` x `box_px` box at its centre is at most `box_coverage`, or at least
    `fresh_share` of its pixels were covered fewer than `fresh_coverage` times (the published rule).
    """

    rule: Literal["published", "balanced"] = "published"
    with_line: int = Field(gt=0, description="most patches with a line, over all scenes")
    without_line: int = Field(ge=0, description="most patches without a line, over all scenes")
    valid_share: float = Field(ge=0, le=1)
    box_px: int = Field(ge=1)
    box_coverage: int = Field(ge=0)
    fresh_share: float = Field(ge=0, le=1)
    fresh_coverage: int = Field(ge=1)
