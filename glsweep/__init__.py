"""glsweep finds the network that draws glacier grounding lines best in DInSAR scenes.

From Python: `simulate`, `check`, `predict`, `score`, `adapt`, `compare` and `open_study`. Each is loaded when
it is first used, so that `import glsweep` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glsweep.api import Adapted, Comparison, Prediction, adapt, check, compare, predict, score, simulate
    from glsweep.opened_study import MemberModel, OpenedStudy, open_study

__version__ = "0.1.0"
__all__ = [
    "Adapted",
    "Comparison",
    "MemberModel",
    "OpenedStudy",
    "Prediction",
    "adapt",
    "check",
    "compare",
    "open_study",
    "predict",
    "score",
    "simulate",
]

_OF_STUDIES = ("MemberModel", "OpenedStudy", "open_study")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("glsweep.opened_study" if name in _OF_STUDIES else "glsweep.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
