"""How results show themselves in notebooks: a small map and a table, as HTML that needs nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glsweep.pages import render

HERE = Path(__file__).parent


def shown(template: str, context: Mapping[str, Any]) -> str:
    """Return one of this folder's templates as HTML, light and dark as the notebook is."""
    return render(HERE / template, context)
