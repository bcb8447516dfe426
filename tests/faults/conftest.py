"""What the tests of faults share: a Ray whose workers find these modules."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_trials import undisturbed_results

from glsweep.doctor.connection import connected


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        with connected(None):
            yield


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What becomes of the small trials when nothing happens to them."""
    return undisturbed_results(tmp_path_factory.mktemp("undisturbed"))
