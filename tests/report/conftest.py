"""Studies to report on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from synthetic_study import write_study

from glsweep.config.trial import Stratum
from glsweep.report.page import write_report
from glsweep.study import Study

MakeStudy = Callable[..., Study]


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """Return a function that writes a study; see `write_study` for what can be varied."""

    def make(name: str = "study", **variation: Any) -> Study:
        return write_study(tmp_path / name, **variation)

    return make


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of two strata in which nothing is varied, with its page; not to be written to."""
    strata = (Stratum("unet", 128), Stratum("unetpp", 128))
    study = write_study(tmp_path_factory.mktemp("reported") / "study", strata=strata, repeats=1)
    write_report(study)
    return study
