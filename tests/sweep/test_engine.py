"""The engine on a real Ray: trials that fail, and requests that cannot be met."""

import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray import get_runtime_context
from safetensors.torch import load_file
from sweeps import planned

from glsweep.config.space import Resources
from glsweep.config.stopping import Asha, NoStopping
from glsweep.doctor.connection import connected, trial_request
from glsweep.errors import ResourceError
from glsweep.nets import build_network
from glsweep.patches import PatchArrays
from glsweep.search.plan import ListedPlan, PlannedTrial
from glsweep.sweep.checkpoints import CheckpointStore
from glsweep.sweep.engine import Job, run_trials
from glsweep.sweep.outcomes import trials_frame, winners
from glsweep.sweep.records import EVENT
from glsweep.sweep.tune import train_cohort
from glsweep.training.fit import Schedule, fit
from glsweep.training.state import fresh_state

pytestmark = pytest.mark.ray
SIZE_PX = 32
# For scenes, pictures, searches or MLflow. Each takes up to a second of the start of every worker, all of
# which start at once. pandas, pyarrow and rich are loaded by Ray Tune itself.
NOT_FOR_WORKERS = {
    *(
        "affine",
        "geopandas",
        "h5py",
        "pygeoops",
        "pyogrio",
        "pyproj",
        "pystac",
        "rasterio",
        "shapely",
        "skimage",
    ),
    *("alembic", "jinja2", "matplotlib", "mlflow", "optuna", "optuna_dashboard", "plotly"),
    *("sklearn", "sqlalchemy", "tyro"),
}


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    with connected(None):
        yield


def patches(count: int = 4) -> PatchArrays:
    """Patches whose line is a column, with a phase step beside it."""
    generator = np.random.default_rng(0)
    image = generator.normal(size=(count, 2, SIZE_PX, SIZE_PX)).astype(np.float32)
    mask = np.zeros((count, SIZE_PX, SIZE_PX), np.uint8)
    mask[:, :, SIZE_PX // 2] = 1
    image[:, 0, :, SIZE_PX // 2 :] += 3
    return PatchArrays(image, mask, posting_m=100.0, amplitude_scale=1.0)


def with_rate(trial: PlannedTrial, learning_rate: float) -> PlannedTrial:
    parameters = trial.parameters.model_copy(update={"learning_rate": learning_rate})
    return trial.model_copy(update={"parameters": parameters})


def of_width(trial: PlannedTrial, base_width: int) -> PlannedTrial:
    parameters = trial.parameters.model_copy(update={"base_width": base_width})
    return trial.model_copy(update={"parameters": parameters})


def job(
    folder: Path, trials: list[PlannedTrial], epochs: int = 2, stopping: Asha | NoStopping | None = None
) -> Job:
    return Job(
        plan=ListedPlan(trials),
        schedule=Schedule(epochs, 200.0, "relaxed_f1"),
        stopping=stopping or NoStopping(),
        resources=Resources(cpus=1, gpus=0),
        ledger_jsonl=folder / "ledger.jsonl",
        storage=str(folder / "checkpoints"),
    )


@pytest.mark.usefixtures("ray")
def test_a_trial_that_diverges_or_crashes_fails_with_its_reason_and_the_sweep_goes_on(tmp_path: Path) -> None:
    sound = planned(0, patch_size_px=SIZE_PX)
    diverging = with_rate(planned(1, patch_size_px=SIZE_PX), 1e30)
    crashing = planned(2, patch_size_px=64)  # of which there are no patches
    last = planned(3, patch_size_px=SIZE_PX)
    records = run_trials(
        job(tmp_path, [sound, diverging, crashing, last]), {SIZE_PX: (patches(), patches())}, []
    )
    frame = trials_frame(records, "relaxed_f1").set_index("trial_id")
    assert list(frame["outcome"]) == ["completed", "failed", "failed", "completed"]
    assert "loss became" in frame.loc["0001", "reason"]
    assert frame.loc["0002", "reason"]
    assert list(winners(records, "relaxed_f1")) == [f"unet-{SIZE_PX}"]


@pytest.mark.usefixtures("ray")
def test_a_trial_comes_to_what_the_plain_loop_comes_to_with_its_seed(tmp_path: Path) -> None:
    train, val = patches(6), patches(5)
    trial = planned(0, patch_size_px=SIZE_PX)
    asked = {"base_width": 2, "weight_decay": 0.1, "augmentation": ("dihedral",)}
    parameters = trial.parameters.model_copy(update=asked)
    trial = trial.model_copy(update={"parameters": parameters, "seed": 7})
    records = run_trials(job(tmp_path, [trial]), {SIZE_PX: (train, val)}, [])
    state = fresh_state(parameters, seed=7, device=torch.device("cpu"))
    told = records.trials[trial.trial_id].epochs
    for report in fit(state, parameters, train, val, Schedule(2, 200.0, "relaxed_f1"), seed=7):
        for metric in ("train_loss", "val_loss", "relaxed_f1", "dice"):
            assert told[report.epoch][metric] == pytest.approx(getattr(report, metric), rel=1e-6), metric


@pytest.mark.usefixtures("ray")
def test_trials_begin_from_the_weights_that_they_name(tmp_path: Path) -> None:
    first = with_rate(planned(0, patch_size_px=SIZE_PX), 1e-12)  # stays where it begins
    named = first.parameters.model_copy(update={"start": "unet@0123"})
    first = first.model_copy(update={"parameters": named})
    again = first.model_copy(update={"trial_id": "0001", "index": 1, "seed": 77})
    width, channels = first.parameters.base_width, len(first.parameters.channels)
    network = build_network("unet", in_channels=channels, base_width=width, seed=123)
    weights = dict(network.state_dict())
    begun = replace(
        job(tmp_path, [first, again], epochs=1), start={"unet@0123": weights}, keep_checkpoints=True
    )
    assert first.parameters.architecture == "unet"
    run_trials(begun, {SIZE_PX: (patches(), patches())}, [])
    for trial_id in ("0000", "0001"):
        with CheckpointStore(begun.storage).newest(trial_id) as checkpoint:
            tensors = load_file(checkpoint)
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(tensors[f"network.{name}"], parameter.detach(), rtol=0, atol=1e-6)


@pytest.mark.usefixtures("ray")
def test_a_worker_loads_nothing_that_training_does_not_need(tmp_path: Path) -> None:
    # Both are local, so that they are sent to the worker, which could not import this module.
    class TellingStore(CheckpointStore):
        """Writes beside the checkpoints what has been loaded when one is saved."""

        def save(self, *arguments: Any, **named: Any) -> None:
            super().save(*arguments, **named)
            packages = sorted({name.partition(".")[0] for name in sys.modules})
            Path(self.root, "loaded").write_text(" ".join(packages))

    def train_and_tell(config: dict[str, Any], *, checkpoints: CheckpointStore, **given: Any) -> None:
        train_cohort(config, checkpoints=TellingStore(checkpoints.root), **given)

    planned_job = job(tmp_path, [planned(0, patch_size_px=SIZE_PX)], epochs=1)
    run_trials(replace(planned_job, trainable=train_and_tell), {SIZE_PX: (patches(), patches())}, [])
    loaded = set(Path(planned_job.storage, "loaded").read_text().split())
    assert {"ray", "torch"} <= loaded
    assert loaded & NOT_FOR_WORKERS == set()


@pytest.mark.usefixtures("ray")
def test_a_fast_trial_waits_at_the_rung_for_a_slow_earlier_one_and_gives_up_its_place(tmp_path: Path) -> None:
    slow = of_width(planned(0, patch_size_px=SIZE_PX), 64)
    fast = [of_width(planned(index, patch_size_px=SIZE_PX), 2) for index in (1, 2, 3)]
    arrays = {SIZE_PX: (patches(20), patches())}
    asha = Asha(grace_epochs=1, reduction_factor=2)
    records = run_trials(job(tmp_path, [slow, *fast], stopping=asha), arrays, []).trials
    events = [EVENT.validate_json(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    place = {(e.event, getattr(e, "trial_id", ""), getattr(e, "epoch", 0)): n for n, e in enumerate(events)}
    slow_at_rung = place["epoch", "0000", 1]
    early = [trial.trial_id for trial in fast if place["epoch", trial.trial_id, 1] < slow_at_rung]
    assert early, "the slow one came first: it is not slow enough to test anything"
    for trial in fast:
        assert place["rung", trial.trial_id, 0] > slow_at_rung
    for index, trial in enumerate([slow, *fast]):
        record = records[trial.trial_id]
        rank_one = index == 0 or record.judged[1].rank <= record.judged[1].kept
        assert record.judged[1].of == index + 1
        assert (record.outcome == "stopped" and record.rung_epoch == 1) or rank_one
        assert sorted(record.epochs) == list(range(1, len(record.epochs) + 1))


@pytest.mark.usefixtures("ray")
def test_a_job_that_is_over_is_not_run_again(tmp_path: Path) -> None:
    trials = [planned(0, patch_size_px=SIZE_PX)]
    arrays = {SIZE_PX: (patches(), patches())}
    first = run_trials(job(tmp_path, trials), arrays, [])
    events = (tmp_path / "ledger.jsonl").read_bytes()
    second = run_trials(job(tmp_path, trials), arrays, [])
    assert (tmp_path / "ledger.jsonl").read_bytes() == events
    assert second.trials["0000"].epochs == first.trials["0000"].epochs


@pytest.mark.usefixtures("ray")
def test_a_request_that_no_node_can_meet_is_refused() -> None:
    with pytest.raises(ResourceError, match=r"asks for 10000 CPUs .* lower `resources`"):
        trial_request(Resources(cpus=10_000, gpus=0))


@pytest.mark.usefixtures("ray")
def test_without_a_gpu_a_share_of_one_is_not_asked_for() -> None:
    assert trial_request(Resources(cpus=1, gpus=0.25)).get("GPU", 0) == 0


@pytest.mark.usefixtures("ray")
def test_where_ray_runs_already_it_is_used_and_goes_on() -> None:
    before = get_runtime_context().get_node_id()
    with connected(None):
        assert get_runtime_context().get_node_id() == before
    assert get_runtime_context().get_node_id() == before


def test_no_cluster_at_the_address_is_said_in_one_line() -> None:
    with pytest.raises(ResourceError, match="does not answer") as caught, connected("127.0.0.1:1"):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("answer", [b"HTTP/1.0 400 Bad request\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b""])
def test_what_listens_at_the_address_and_is_not_ray_is_told_at_once(answer: bytes) -> None:
    class Stranger(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(100)
            self.request.sendall(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        address = f"127.0.0.1:{server.server_address[1]}"
        told = r"what listens there is not Ray.*check --address"
        with pytest.raises(ResourceError, match=told), connected(address):
            pass


def test_a_share_of_a_gpu_is_asked_for_where_ray_has_one() -> None:
    script = (
        "from glsweep.doctor.connection import trial_request\n"
        "from glsweep.config.space import Resources\n"
        "from glsweep.errors import ResourceError\n"
        "import ray\n"
        "ray.init(address='local', num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)\n"
        "assert trial_request(Resources(cpus=1, gpus=0.25)) == {'CPU': 1, 'GPU': 0.25}\n"
        "try:\n"
        "    trial_request(Resources(cpus=1, gpus=2))\n"
        "except ResourceError as error:\n"
        "    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "asks for 1 CPUs and 2 GPUs, the largest node has 2 and 1" in result.stdout
