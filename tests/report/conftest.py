"""Studies to report on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from synthetic_study import write_study

from glsweep.study import Study

MakeStudy = Callable[..., Study]


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """Return a function that writes a study; see `write_study` for what can be varied."""

    def make(name: str = "study", **variation: Any) -> Study:
        return write_study(tmp_path / name, **variation)

    return make
