"""All scenes on one picture: wrapped phase and lines."""

import math
from pathlib import Path

from matplotlib.axes import Axes

from glsweep.check.findings import Findings, SceneFindings
from glsweep.files import replacing
from glsweep.report.style import INK, NO_DATA, new_figure, png_bytes

MOST_SCENES = 48
ACROSS = 4
ROW_IN = 2.9
PHASE_COLOURS = "twilight_shifted"
NAME_LENGTH = 30


def draw_sheet(findings: Findings, path: Path) -> int:
    """Draw the scenes whose pixels could be read, and return how many there are.

    Of more than `MOST_SCENES` the first are drawn; of none, no file is written.
    """
    shown = [scene for scene in findings.scenes if scene.thumbnail is not None][:MOST_SCENES]
    if not shown:
        return 0
    down = math.ceil(len(shown) / ACROSS)
    figure = new_figure(ROW_IN * down)
    panels = figure.subplots(down, ACROSS, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    for axes, scene in zip(panels, shown, strict=False):
        _draw(axes, scene)
    with replacing(path) as beside:
        beside.write_bytes(png_bytes(figure))
    return len(shown)


def _draw(axes: Axes, scene: SceneFindings) -> None:
    thumbnail = scene.thumbnail
    assert thumbnail is not None
    rows, cols = thumbnail.phase_rad.shape
    colours = axes.imshow(
        thumbnail.phase_rad,
        cmap=PHASE_COLOURS,
        vmin=-math.pi,
        vmax=math.pi,
        interpolation="nearest",
        extent=(0, cols, rows, 0),
    )
    colours.set_cmap(colours.get_cmap().with_extremes(bad=NO_DATA))
    for line in thumbnail.lines_px:
        axes.plot(line[:, 0], line[:, 1], color="white", linewidth=2.2)
        axes.plot(line[:, 0], line[:, 1], color=INK, linewidth=1.0)
    axes.set_xlim(0, cols)
    axes.set_ylim(rows, 0)
    name = scene.name if len(scene.name) <= NAME_LENGTH else f"...{scene.name[-NAME_LENGTH:]}"
    valid = f"{scene.valid_share:.0%} valid" if scene.valid_share is not None else ""
    axes.set_title(f"{name}\n{scene.shape} px, {valid}, {scene.line_km:.0f} km of line", fontsize=8)
