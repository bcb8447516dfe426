"""Where patches are cut from a scene, by either rule."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from glsweep.config.patches import PatchSettings
from glsweep.patches.balanced import draw_balanced
from glsweep.patches.coverage import draw_published
from glsweep.patches.windows import Position, survey_ground


def sample_positions(
    mask: npt.NDArray[np.uint8],
    valid: npt.NDArray[np.bool_],
    origins: npt.NDArray[np.bool_],
    *,
    size_px: int,
    settings: PatchSettings,
    limit_with_line: int,
    limit_without_line: int,
    generator: np.random.Generator,
) -> list[Position]:
    """Draw windows of one scene, first those with a line, then those without.

    A line pixel counts only where there is data, since no network can see a line elsewhere; a
    window whose line lies wholly where there is none is neither kind and is never drawn.

    Parameters
    ----------
    mask : uint8 array (rows, cols)
        1 on the line, 0 elsewhere.
    valid : bool array (rows, cols)
        Pixels that hold data.
    origins : bool array (rows - size_px + 1, cols - size_px + 1)
        Upper left pixels at which a window may lie, such as those within a split's ground.
    size_px : int
        Side of a window; a scene that is smaller gives none.
    settings : PatchSettings
        The rule, and the share of data.
    limit_with_line, limit_without_line : int
        Most windows of each kind.
    generator : numpy Generator
        Source of randomness.

    Returns
    -------
    list of Position
        No window twice.
    """
    if 0 in origins.shape:
        return []
    ground = survey_ground(mask, valid, origins, size_px=size_px, valid_share=settings.valid_share)
    if settings.rule == "published":
        drawn: Sequence[Sequence[tuple[int, int]]] = draw_published(
            ground,
            settings,
            limit_with_line=limit_with_line,
            limit_without_line=limit_without_line,
            generator=generator,
        )
    else:
        near = round((settings.near_share or 0) * limit_without_line)
        drawn = draw_balanced(
            ground,
            with_line=limit_with_line,
            near=near,
            far=limit_without_line - near,
            generator=generator,
        )
    return [
        Position(row, col, has_line, ground.valid_share(row, col))
        for has_line, windows in zip((True, False), drawn, strict=True)
        for row, col in windows
    ]
