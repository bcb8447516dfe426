"""Requests that only a node that is not there yet can meet, on a real Ray with an autoscaler."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ray.cluster_utils import Cluster

from glsweep.config.space import Resources
from glsweep.doctor.connection import connected, trial_request
from glsweep.doctor.nodes import (
    Capacity,
    Node,
    NodeType,
    node_types,
    read_capacity,
    request_of,
    unmet_request_of,
)
from glsweep.errors import ResourceError

HEAD = Node("h", "192.0.2.1", {"CPU": 2.0})
GPU_TYPE = {"CPU": 4, "GPU": 1}
CONFIG = {
    **{key: {} for key in ("auth", "docker", "file_mounts")},
    **{key: [] for key in ("cluster_synced_files", "rsync_exclude", "rsync_filter")},
    **{key: [] for key in ("initialization_commands", "setup_commands")},
    **{key: [] for key in ("head_setup_commands", "worker_setup_commands")},
    **{key: [] for key in ("head_start_ray_commands", "worker_start_ray_commands")},
    "cluster_name": "scaled",
    "upscaling_speed": 1.0,
    "file_mounts_sync_continuously": False,
    "max_workers": 2,
    "idle_timeout_minutes": 5,
    "provider": {"type": "fake_multinode"},
    "head_node_type": "ray.head.default",
    "available_node_types": {
        "ray.head.default": {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0},
        "gpu": {"resources": GPU_TYPE, "node_config": {}, "min_workers": 0, "max_workers": 2},
    },
}


@pytest.fixture
def scaled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A head with one CPU whose autoscaler could start nodes with GPUs; yields its address."""
    monkeypatch.setenv("RAY_FAKE_CLUSTER", "1")
    monkeypatch.setenv("RAY_enable_autoscaler_v2", "0")
    config = tmp_path / "scaled.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "autoscaling_config": str(config)},
    )
    yield cluster.address
    cluster.shutdown()


@pytest.mark.ray
@pytest.mark.slow
def test_a_gpu_is_asked_for_where_only_the_autoscaler_could_start_one(scaled: str) -> None:
    with connected(scaled):
        has = read_capacity()
        assert has.node_types == (NodeType("gpu", GPU_TYPE),)
        assert all(not node.resources.get("GPU") for node in has.nodes)
        assert trial_request(Resources(cpus=4, gpus=0.5)) == {"CPU": 4, "GPU": 0.5}
        with pytest.raises(
            ResourceError, match=r"5 CPUs and 0.5 GPUs, the largest node, running or to be started"
        ):
            trial_request(Resources(cpus=5, gpus=0.5))


def test_only_types_of_which_workers_may_run_count() -> None:
    assert node_types(CONFIG) == (NodeType("gpu", GPU_TYPE),)
    assert node_types({**CONFIG, "max_workers": 0}) == ()
    assert node_types({}) == ()


def test_without_a_gpu_now_or_later_none_is_asked_for() -> None:
    asked = Resources(cpus=1, gpus=0.25)
    assert request_of(asked, Capacity((HEAD,))) == {"CPU": 1}
    assert request_of(asked, Capacity((HEAD,), (NodeType("gpu", GPU_TYPE),))) == {"CPU": 1, "GPU": 0.25}
    assert not list(unmet_request_of(asked, Capacity((HEAD,))))


def test_cpus_and_gpus_must_come_from_one_node() -> None:
    apart = Capacity((HEAD, Node("g", "192.0.2.2", {"CPU": 1.0, "GPU": 1.0})))
    (found,) = unmet_request_of(Resources(cpus=2, gpus=1), apart)
    assert found.severity == "error"


def test_an_autoscaler_that_cannot_be_seen_into_is_given_the_benefit_of_the_doubt() -> None:
    hidden = Capacity((HEAD,), hidden="KubeRay keeps them to itself")
    asked = Resources(cpus=1, gpus=1)
    assert request_of(asked, hidden) == {"CPU": 1, "GPU": 1}
    (found,) = unmet_request_of(asked, hidden)
    assert found.severity == "warning"
    assert "KubeRay" in found.what
