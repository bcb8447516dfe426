"""How a figure goes into the page: drawn by the reader's browser where it can be, else as a picture."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from glsweep.pages import json_for_script
from glsweep.report.definitions import Definition
from glsweep.report.figures import CaptionedFigure, png_bytes, svg_bytes

CSS_PIXELS_PER_INCH = 100
LARGE_BYTES = 200_000
"""A PNG of more bytes is a photograph rather than a drawing, and is embedded with a loss that no one sees."""
BASE64 = 4 / 3
SMALLEST = 4
"""So many times fewer pixels to a side at most."""


@dataclass(frozen=True)
class Picture:
    """A figure as the page holds it.

    Attributes
    ----------
    name, title, caption, alt : str
        Its words; the name is its anchor and the stem of its files in `figures/`.
    definitions : list of Definition
        The terms that it uses.
    width, height : int
        Its size in CSS pixels.
    source : Markup
        The picture as a data URL; nothing where it is drawn by the browser.
    interactive : Markup
        The Plotly figure as JSON; nothing where there is none.
    """

    name: str
    title: str
    caption: str
    alt: str
    definitions: list[Definition]
    width: int
    height: int
    source: Markup
    interactive: Markup


def write_figures(
    figures: Iterable[CaptionedFigure], folder: Path, defined: Sequence[Definition], *, room_bytes: int
) -> dict[str, Picture]:
    """Write each figure as PNG and SVG into `folder`, one at a time, and return what the page shows of it.

    Parameters
    ----------
    figures : iterable of CaptionedFigure
        Each is drawn when its turn comes.
    folder : Path
        It exists.
    defined : sequence of Definition
        All terms that the page defines.
    room_bytes : int
        What all of them may take of the page; pictures have fewer pixels where that is too little.
    """
    pictures: dict[str, Picture] = {}
    embedded: dict[str, bytes] = {}
    for drawn in figures:
        png = png_bytes(drawn.figure)
        (folder / f"{drawn.name}.png").write_bytes(png)
        (folder / f"{drawn.name}.svg").write_bytes(svg_bytes(drawn.figure))
        if drawn.interactive is None and drawn.on_page:
            embedded[drawn.name] = png
        pictures[drawn.name] = _picture(drawn, defined)
    drawn_bytes = sum(len(picture.interactive) for picture in pictures.values())
    for name, webp in _within(int((room_bytes - drawn_bytes) / BASE64), embedded).items():
        source = Markup("data:image/webp;base64,") + base64.b64encode(webp).decode("ascii")
        pictures[name] = replace(pictures[name], source=source)
    return pictures


def _picture(drawn: CaptionedFigure, defined: Sequence[Definition]) -> Picture:
    width_in, height_in = drawn.figure.get_size_inches()
    interactive = drawn.interactive
    height = (interactive or {}).get("layout", {}).get("height") or height_in * CSS_PIXELS_PER_INCH
    return Picture(
        name=drawn.name,
        title=drawn.title,
        caption=drawn.caption,
        alt=drawn.alt,
        definitions=[definition for definition in defined if definition.anchor in drawn.defined],
        width=round(width_in * CSS_PIXELS_PER_INCH),
        height=round(height),
        source=Markup(),
        interactive=Markup() if interactive is None else json_for_script(interactive),
    )


def _within(most_bytes: int, pngs: dict[str, bytes]) -> dict[str, bytes]:
    """Return pictures as WebP, the largest with ever fewer pixels until all are within `most_bytes`."""
    webps = {name: _webp(png) for name, png in pngs.items()}
    for reduced in range(2, SMALLEST + 1):
        for name in sorted(webps, key=lambda name: -len(webps[name])):
            if sum(map(len, webps.values())) <= most_bytes:
                return webps
            webps[name] = _webp(pngs[name], reduced=reduced)
    return webps


def _webp(png: bytes, *, reduced: int = 1) -> bytes:
    """Return a picture with `reduced` times fewer pixels to a side; a drawing without loss."""
    image = Image.open(io.BytesIO(png)).convert("RGB").reduce(reduced)
    buffer = io.BytesIO()
    image.save(buffer, "webp", lossless=len(png) <= LARGE_BYTES, quality=80, method=2)
    return buffer.getvalue()
