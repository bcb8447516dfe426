"""Settings that every test shares: one thread a process, so that tests run alike on any machine."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import Phase, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback alone
os.environ.setdefault("RAY_AUTH_MODE", "token")  # as glsweep.sweep sets it; read when Ray is imported

# How long an example takes says nothing on a busy machine.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
# For `make mutants`: that an example fails is enough, the simplest one need not be sought.
settings.register_profile(
    "mutants", phases=[Phase.explicit, Phase.generate], derandomize=True, database=None, deadline=None
)

GETZ = Path(__file__).resolve().parents[2] / "shared" / "data" / "getz"


@pytest.fixture(scope="session")
def getz() -> Path:
    """Folder of the Getz scenes that lies beside the checkout."""
    if not GETZ.is_dir():
        pytest.skip(f"{GETZ} is not there")
    return GETZ


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long first: one that begins last would leave the other workers idle."""
    limits = ((item.path, item.get_closest_marker("timeout")) for item in items)
    patience_s = {path: limit.args[0] for path, limit in limits if limit}
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (-patience_s.get(item.path, 0), item.path not in slow))
    measured = Path("mutmut-stats.json")
    if os.environ.get("MUTANT_UNDER_TEST") and measured.is_file():
        # The quickest first: one that notices a mutant is enough.
        taken_s = json.loads(measured.read_text())["duration_by_test"]
        items.sort(key=lambda item: taken_s.get(item.nodeid, 0.0))
