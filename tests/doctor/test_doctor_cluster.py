"""The doctor on a real Ray of two nodes that do not agree, and what it costs on one."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from doctor_needs import parameters
from ray.cluster_utils import Cluster
from ray.util.placement_group import placement_group, remove_placement_group
from rich.console import Console

from glsweep.config.space import Resources
from glsweep.doctor.examine import check_before_sweep, examine_cluster
from glsweep.doctor.memory import SweepRequirements
from glsweep.doctor.probe import answer_probe, storage_probe, unshared_storage
from glsweep.errors import ResourceError

pytestmark = pytest.mark.ray
NEED = SweepRequirements(Resources(cpus=1, gpus=0), (parameters("unet", 32, batch_size=2),))
# Each process sees its own working folder there, as nodes see their own disks.
OWN_FOLDER = "/proc/self/cwd"


@pytest.fixture(scope="module")
def odd_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A head, and a node with another PyTorch, another folder and too many threads; yields its raylet."""
    folder = tmp_path_factory.mktemp("odd")
    metadata = folder / "torch-1.2.3.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 1.2.3+cu118\n")
    before = Path.cwd()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        os.chdir(folder)
        node = cluster.add_node(
            num_cpus=(os.cpu_count() or 1) + 1,
            env_vars={"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "8"},
        )
        os.chdir(before)
        ray.init(address=cluster.address, log_to_driver=False)
        yield node.all_processes["raylet"][0].process.pid
    finally:
        os.chdir(before)
        ray.shutdown()
        cluster.shutdown()


def texts(
    storage_root: str | None = None, requirements: SweepRequirements = NEED, answer_s: float = 60.0
) -> list[str]:
    findings = examine_cluster(requirements, storage_root=storage_root, answer_s=answer_s)
    return [f"{finding.severity} {finding}" for finding in findings]


@pytest.mark.usefixtures("odd_node")
def test_versions_and_threads_that_differ_are_found_on_their_node_alone() -> None:
    found = texts()
    assert [
        line for line in found if "torch" in line and "has torch 1.2.3+cu118 instead of" in line
    ] == found[:1]
    cores = len(os.sched_getaffinity(0))
    trials = (os.cpu_count() or 1) + 1
    assert any(f"{trials} trials with 1 threads each would share {cores} cores" in line for line in found)
    assert any("OMP_NUM_THREADS=8, but a trial has 1 CPUs" in line for line in found)
    assert len(found) == 3, found
    assert len({line.split("node 127.0.0.1-")[1][:6] for line in found}) == 1


@pytest.mark.usefixtures("odd_node")
def test_a_folder_that_a_node_does_not_share_is_found_and_left_clean(tmp_path: Path) -> None:
    shared = texts(str(tmp_path))
    assert not [line for line in shared if "storage" in line]
    assert list(tmp_path.iterdir()) == []
    before = sorted(Path.cwd().iterdir())
    own = [line for line in texts(OWN_FOLDER) if "storage" in line]
    assert len(own) == 1, own
    assert own[0].startswith(f"error storage {OWN_FOLDER}: node 127.0.0.1-")
    assert "does not see what the driver wrote" in own[0]
    assert sorted(Path.cwd().iterdir()) == before


@pytest.mark.usefixtures("odd_node")
def test_a_node_without_a_free_cpu_is_examined_all_the_same() -> None:
    bundles = [{"CPU": 1}] * int(ray.cluster_resources()["CPU"])
    taken = placement_group(bundles)
    assert taken.wait(30)
    deadline_s = time.monotonic() + 30  # Ray's view of what is free lags behind
    while ray.available_resources().get("CPU", 0) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    assert ray.available_resources().get("CPU", 0) == 0
    try:
        assert not [line for line in texts() if "did not answer" in line]
    finally:
        remove_placement_group(taken)


def test_a_node_that_hangs_is_a_finding_and_not_a_hang(odd_node: int) -> None:
    os.kill(odd_node, signal.SIGSTOP)
    try:
        found = [line for line in texts(answer_s=2.0) if "did not answer within 2 s" in line]
    finally:
        os.kill(odd_node, signal.SIGCONT)
    assert len(found) == 1
    assert found[0].startswith("error node 127.0.0.1-")


@pytest.mark.usefixtures("odd_node")
def test_a_sweep_is_refused_in_one_line_and_warned_otherwise() -> None:
    console = Console(record=True, width=400)
    with pytest.raises(
        ResourceError, match=r"node 127.0.0.1-.*: has torch 1.2.3.*install the same lock"
    ) as caught:
        check_before_sweep(NEED, storage_root=None, console=console)
    assert "\n" not in str(caught.value)
    hungry = SweepRequirements(Resources(cpus=10_000, gpus=0), ())
    with pytest.raises(ResourceError, match=r"asks for 10000 CPUs .* lower `resources`"):
        check_before_sweep(hungry, storage_root=None, console=console)


def test_an_answer_that_does_not_arrive_is_found(tmp_path: Path) -> None:
    with storage_probe(str(tmp_path)) as folder:
        assert answer_probe(folder, "good") is None
        faults = {"good": None, "elsewhere": None, "full": "cannot write (no space left)"}
        found = [str(finding) for finding in unshared_storage(folder, faults, "/data")]
    assert len(found) == 2
    assert found[0].startswith("storage /data: node elsewhere wrote something that the driver does not see")
    assert found[1].startswith("storage /data: node full cannot write (no space left); give --storage")


@pytest.mark.parametrize("root", ["relative/folder", "nowhere://bucket", "/proc/none"])
@pytest.mark.usefixtures("odd_node")
def test_a_storage_that_the_driver_cannot_use_is_a_finding(root: str) -> None:
    found = [line for line in texts(root) if f"storage {root}" in line]
    assert len(found) == 1
    assert "the driver cannot write there" in found[0]
