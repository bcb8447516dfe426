import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from servers import MlflowServer

from glsweep.config.data_card import DataCard, Simulation
from glsweep.config.space import SearchSpace
from glsweep.study import Study, create_study
from glsweep.study.configuration import StudyConfig

SPACE = {
    "name": "tiny",
    "dimensions": {"architecture": {"choices": ["unet", "unetpp"]}},
    "fixed": {},
    "patches": {
        "with_line": 4,
        "without_line": 2,
        "valid_share": 0.5,
        "box_px": 8,
        "box_coverage": 0,
        "fresh_share": 0.1,
        "fresh_coverage": 1,
    },
    "search": {
        "sampler": "grid",
        "epochs": 9,
        "rank_by": "relaxed_f1",
        "tolerance_m": 200,
        "scheduler": {"name": "asha", "grace_epochs": 3, "reduction_factor": 3},
    },
    "resources": {"cpus": 1, "gpus": 0},
    "retraining": {
        "epochs": 5,
        "patience": 2,
        "monitor": "relaxed_f1",
        "learning_rate": 1e-3,
        "weight_decay": 0,
        "batch_size": 4,
        "gradient_clip": 1,
    },
    "calibration": {"lowest": 0.1, "highest": 0.9, "count": 17, "criterion": "dice"},
}


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty MLflow database, which takes seconds to make; each test gets a copy."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path.read_bytes()


@pytest.fixture
def made_at_once(monkeypatch: pytest.MonkeyPatch, empty_store: bytes) -> None:
    """Spare the seconds that each making costs: what is made is a copy of one that was made."""
    monkeypatch.setattr(
        "glsweep.tracking.sqlite_file._write_empty", lambda path, _artifacts: path.write_bytes(empty_store)
    )


@pytest.fixture(scope="session")
def running_server(tmp_path_factory: pytest.TempPathFactory, empty_store: bytes) -> Iterator[MlflowServer]:
    """A real MLflow server; a test that kills it starts it again."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "server.db").write_bytes(empty_store)
    server = MlflowServer(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(running_server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> MlflowServer:
    """The server, named by `MLFLOW_TRACKING_URI`."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", running_server.uri)
    return running_server


@pytest.fixture
def console() -> Console:
    """Keeps what is printed: `console.file.getvalue()`."""
    return Console(file=io.StringIO(), width=400)


@pytest.fixture
def make_study(tmp_path: Path, empty_store: bytes) -> Iterator[Callable[..., Study]]:
    def make(folder: str = "study", *, name: str = "getz-test", seed: int = 0) -> Study:
        card = DataCard(name="simulated", simulation=Simulation())
        config = StudyConfig(name=name, seed=seed, card=card, space=SearchSpace.model_validate(SPACE))
        # As if its folder had that name: several may have one.
        study = replace(create_study(tmp_path / folder, config), config=config)
        if not study.mlflow_db.exists():
            study.mlflow_db.write_bytes(empty_store)
        return study

    return make


@pytest.fixture
def study(make_study: Callable[..., Study]) -> Study:
    return make_study()
