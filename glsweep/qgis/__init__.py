"""How lines and rasters look in QGIS: their styles, and projects that open them."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
QGIS_VERSION = "3.22.16"
"""The oldest that is supported and tested; a newer one reads what it reads."""


def rendered(template: str, **context: Any) -> Markup:
    """Return a template of this package as XML, with every text in it escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["rgba"] = _rgba
    return Markup(environment.get_template(template).render(version=QGIS_VERSION, **context))


def _rgba(color: str) -> str:
    """Return `#rrggbb` as QGIS keeps a colour of a symbol, `r,g,b,a`."""
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return f"{red},{green},{blue},255"
