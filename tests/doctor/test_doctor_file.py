"""Faults of a cluster file: each sample has one fault, the good ones none."""

import copy
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from glsweep.config.space import Resources
from glsweep.doctor.examine import FILE_RULES, examine_file

START_HEAD = (
    "ray start --head --port=6379 --dashboard-host=127.0.0.1 --autoscaling-config=~/ray_bootstrap_config.yaml"
)
START_WORKER = "ray start --address=$RAY_HEAD_IP:6379"

RAY = version("ray")

AWS: dict[str, Any] = {
    "cluster_name": "good",
    "max_workers": 4,
    "idle_timeout_minutes": 5,
    "provider": {"type": "aws", "region": "eu-central-1"},
    "auth": {"ssh_user": "ubuntu"},
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {"CPU": 0}, "max_workers": 0, "node_config": {"InstanceType": "m6i.xlarge"}},
        "gpu": {
            "resources": {"CPU": 4, "GPU": 1},
            "min_workers": 0,
            "max_workers": 4,
            "node_config": {"InstanceType": "g5.xlarge"},
        },
    },
    "file_mounts": {"~/code": "code"},
    "setup_commands": [f"pip install 'ray[tune]=={RAY}'", "bash ~/code/set-up.sh"],
    "head_start_ray_commands": ["ray stop", START_HEAD],
    "worker_start_ray_commands": ["ray stop", START_WORKER],
}
HOSTS: dict[str, Any] = {
    **{
        key: AWS[key]
        for key in ("cluster_name", "auth", "file_mounts", "setup_commands", "idle_timeout_minutes")
    },
    "provider": {"type": "local", "head_ip": "192.0.2.1", "worker_ips": ["192.0.2.2", "192.0.2.3"]},
    "max_workers": 2,
    "head_start_ray_commands": ["ray stop", f"export RAY_enable_autoscaler_v2=0; {START_HEAD} --num-cpus=0"],
    "worker_start_ray_commands": ["ray stop", START_WORKER],
}
ASKED = Resources(cpus=1, gpus=0.25)
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the code that the samples copy; a script in it sets the token's mode."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "set-up.sh").write_text(
        "# --host 0.0.0.0\necho '. ~/code/environment.sh' >> ~/.bashrc\n"
    )
    (tmp_path / "code" / "environment.sh").write_text("export RAY_AUTH_MODE=token\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def findings(folder: Path, file: dict[str, Any], change: Change | None = None) -> list[str]:
    changed = copy.deepcopy(file)
    if change is not None:
        change(changed)
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(changed))
    return [f"{found.severity} {found}" for found in examine_file(path, ASKED)]


def put(key: str, value: object) -> Change:
    """A change of one key, with dots between the steps; None removes it."""

    def change(file: dict[str, Any]) -> None:
        *steps, last = key.split(".")
        for step in steps:
            file = file.setdefault(step, {})
        if value is None:
            del file[last]
        else:
            file[last] = value

    return change


@pytest.mark.parametrize("file", [AWS, HOSTS], ids=["aws", "hosts"])
def test_a_good_file_has_no_findings(folder: Path, file: dict[str, Any]) -> None:
    assert findings(folder, file) == []


FAULTS: list[tuple[str, dict[str, Any], Change, str]] = [
    ("an unknown key", AWS, put("max_worker", 3), "error .*'max_worker' was unexpected.*Ray refuses"),
    (
        "a wrong type",
        AWS,
        put("max_workers", "many"),
        "error .*: max_workers: 'many' is not of type 'integer'",
    ),
    ("no head type", AWS, put("head_node_type", None), "error .*`head_node_type` must be one of"),
    ("an unknown head", AWS, put("head_node_type", "chief"), "error .*`head_node_type` must be one of"),
    ("an unknown provider", AWS, put("provider.type", "moon"), "error .*Unsupported node provider: moon"),
    ("no hosts", HOSTS, put("provider.worker_ips", None), "error .*supply a `head_ip`"),
    (
        "more at least than in all",
        AWS,
        lambda file: (put("max_workers", 2)(file), put("available_node_types.gpu.min_workers", 3)(file)),
        "error .*smaller than the sum of `min_workers`",
    ),
    (
        "more at least than at most",
        AWS,
        lambda file: (
            put("available_node_types.gpu.min_workers", 3)(file),
            put("available_node_types.gpu.max_workers", 2)(file),
        ),
        "error .*available_node_types.gpu: min_workers 3 is above max_workers 2",
    ),
    ("no workers", AWS, put("max_workers", 0), "error .*max_workers: no worker can ever be started"),
    (
        "idle hosts",
        HOSTS,
        lambda file: (put("max_workers", 1)(file), put("min_workers", 1)(file)),
        "warning .*max_workers: 1 of 2 hosts .* set max_workers to 2",
    ),
    (
        "the autoscaler that forgets hosts",
        HOSTS,
        put("head_start_ray_commands", [f"{START_HEAD} --num-cpus=0"]),
        "error .*export RAY_enable_autoscaler_v2=0",
    ),
    (
        "no instance type",
        AWS,
        put("available_node_types.gpu.node_config.InstanceType", "g5-xlarge"),
        "error .*'g5-xlarge' is no type of instance",
    ),
    (
        "no GPU",
        AWS,
        put("available_node_types.gpu.resources", {"CPU": 4}),
        "warning .*a trial asks for 0.25 GPUs, no type of worker has them",
    ),
    (
        "no GPU in the instance",
        AWS,
        lambda file: (
            put("available_node_types.gpu.resources", {})(file),
            put("available_node_types.gpu.node_config.InstanceType", "m5.large")(file),
        ),
        "warning .*a trial asks for 0.25 GPUs",
    ),
    (
        "too few CPUs",
        AWS,
        put("available_node_types.gpu.resources", {"GPU": 1, "CPU": 0}),
        "error .*a trial asks for 1 CPUs",
    ),
    (
        "a head that trains",
        AWS,
        put("available_node_types.head.resources", {"CPU": 4}),
        "warning .*available_node_types.head.resources: the head offers its CPUs",
    ),
    (
        "a listed head that trains",
        HOSTS,
        put("head_start_ray_commands", [f"RAY_enable_autoscaler_v2=0 {START_HEAD}"]),
        "warning .*--num-cpus=0",
    ),
    (
        "no end of idleness",
        AWS,
        put("idle_timeout_minutes", None),
        "warning .*idle_timeout_minutes: is not set",
    ),
    (
        "workers that are alone",
        AWS,
        put("worker_start_ray_commands", ["ray start --address=auto"]),
        "error .*workers are not told the head's address",
    ),
    (
        "a mount of nothing",
        AWS,
        put("file_mounts.~/data", "nowhere"),
        "error .*nowhere does not exist here; mend",
    ),
    (
        "no token",
        AWS,
        lambda file: file["file_mounts"].update({"~/.ray/auth_token": "auth_token"}),
        "error .*make it with `ray get-auth-token --generate`",
    ),
    (
        "another Ray in the image",
        AWS,
        put("docker", {"image": "rayproject/ray:2.9.0", "container_name": "ray"}),
        "error .*docker.image: Ray 2.9.0 is not Ray",
    ),
    (
        "a floating image",
        AWS,
        put("docker", {"image": "rayproject/ray:latest", "container_name": "ray"}),
        "error .*docker.image: Ray latest is not Ray",
    ),
    (
        "another Python in the image",
        AWS,
        put("docker", {"image": f"rayproject/ray:{RAY}-py39-gpu", "container_name": "ray"}),
        "error .*docker.image: Python 3.9 is not Python",
    ),
    (
        "another Ray in the commands",
        AWS,
        lambda file: file["setup_commands"].append("pip install 'ray[default]==2.9.1'"),
        "error .*setup_commands: Ray 2.9.1 is not Ray",
    ),
    (
        "another Python in the commands",
        AWS,
        lambda file: file["setup_commands"].append("conda create -n ray python=3.9"),
        "error .*setup_commands: Python 3.9 is not Python",
    ),
    (
        "services on all addresses",
        AWS,
        put("head_start_ray_commands", ["ray stop", START_HEAD.replace("127.0.0.1", "0.0.0.0")]),
        "error .*--dashboard-host opens a service to everyone",
    ),
    (
        "MLflow on all addresses",
        AWS,
        lambda file: file["head_start_ray_commands"].append("mlflow server --host 0.0.0.0 --port 5000"),
        "error .*--host opens a service to everyone",
    ),
    (
        "an open port",
        AWS,
        put(
            "provider.security_group",
            {
                "GroupName": "open",
                "IpPermissions": [
                    {
                        "FromPort": 22,
                        "ToPort": 22,
                        "IpProtocol": "TCP",
                        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                    },
                    {
                        "FromPort": 8265,
                        "ToPort": 8265,
                        "IpProtocol": "TCP",
                        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                    },
                    {
                        "FromPort": 5000,
                        "ToPort": 5000,
                        "IpProtocol": "TCP",
                        "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
                    },
                ],
            },
        ),
        "error .*IpPermissions.1: ports 8265 to 8265 are open to the world",
    ),
]


@pytest.mark.parametrize(
    ("file", "change", "said"), [fault[1:] for fault in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_a_file_with_one_fault_has_one_finding(
    folder: Path, file: dict[str, Any], change: Change, said: str
) -> None:
    found = findings(folder, file, change)
    assert len(found) == 1, found
    assert re.match(said, found[0]), found
    assert "\n" not in found[0]


def test_a_file_without_setup_commands_would_install_a_nightly_ray(folder: Path) -> None:
    found = findings(folder, AWS, put("setup_commands", None))
    assert any("is missing, so Ray's default installs a nightly Ray" in line for line in found)
    assert any("Ray 3.0.0.dev0 is not Ray" in line for line in found)


def test_modes_of_authentication_that_differ_are_found_on_both_sides(folder: Path) -> None:
    (folder / "code" / "environment.sh").write_text("")
    both = findings(folder, AWS)
    assert [line.partition("RAY_AUTH_MODE")[2].partition(";")[0] for line in both] == [
        " is not set on the head",
        " is not set on the worker",
    ]

    def head_alone(file: dict[str, Any]) -> None:
        file["head_start_ray_commands"][1] = f"export RAY_AUTH_MODE=token; {START_HEAD}"
        file["worker_start_ray_commands"][1] = f"export RAY_AUTH_MODE=disabled; {START_WORKER}"

    assert [
        "RAY_AUTH_MODE is disabled on the worker" in line for line in findings(folder, AWS, head_alone)
    ] == [True]


@pytest.mark.parametrize("text", ["a: [", "just words", "provider: aws", ""])
def test_what_is_no_cluster_file_is_said_in_one_finding(folder: Path, text: str) -> None:
    (folder / "cluster.yaml").write_text(text)
    assert [found.severity for found in examine_file(folder / "cluster.yaml")] == ["error"]
    assert [found.severity for found in examine_file(folder / "none.yaml")] == ["error"]


def test_each_rule_says_what_it_is_about() -> None:
    assert all(rule.__doc__ for rule in FILE_RULES)
