"""What every HTML page shares: its frame, its style, and charts that work from one file without a network."""

import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

HERE = Path(__file__).parent


def render(
    template: Path, context: Mapping[str, Any], *, filters: Mapping[str, Callable[..., Any]] | None = None
) -> str:
    """Return a page as HTML, one file with all that it needs.

    Parameters
    ----------
    template : Path
        It may extend `base.html` and include what lies beside it.
    context : Mapping
        Its variables; one that is missing is an error.
    filters : Mapping, optional
        Its filters besides Jinja's own.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters or {})
    environment.globals.update(inlined=_inlined, plotly=_plotly)
    return environment.get_template(template.name).render(**context)


def json_for_script(value: object) -> Markup:
    """Return JSON that may stand within a script element, whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def _inlined(name: str) -> Markup:
    """Return a file of this folder, to stand within a page."""
    return Markup((HERE / name).read_text(encoding="utf-8"))


def _plotly() -> Markup:
    """Return Plotly's script, 4.8 MB, to stand within a page once."""
    found = find_spec("plotly")
    assert found is not None and found.origin is not None, "glsweep needs plotly"
    script = Path(found.origin).parent / "package_data" / "plotly.min.js"
    return Markup(script.read_text(encoding="utf-8"))
