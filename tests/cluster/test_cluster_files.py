"""The cluster files that are shipped: what Ray checks of them, and what it does not.

`ray up` itself is run by test_namespaces.py.
"""

import copy
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from glsweep.config.space import load_space
from glsweep.doctor.examine import examine_file

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs/cluster"
AWS, ON_PREMISES = PROJECT / "cluster.yaml", DOCS / "on-premises.yaml"
FILES = pytest.mark.parametrize("path", [AWS, ON_PREMISES], ids=lambda path: path.stem)
PROJECT_TAG = {"Key": "project", "Value": "glsweep"}
COMMANDS = [
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
]


def load(path: Path) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    return config


def locked(name: str, lock: str = "requirements-cluster.lock") -> str:
    found = re.search(rf"^{re.escape(name)}==(\S+)", (PROJECT / lock).read_text(), re.MULTILINE)
    assert found, f"{name} is not in {lock}"
    return found.group(1)


def commands(config: dict[str, Any]) -> Iterator[str]:
    for key in COMMANDS:
        yield from config.get(key, [])


def start_of_ray(config: dict[str, Any], key: str) -> str:
    (found,) = [command for command in config[key] if "ray start" in command]
    return str(found)


@FILES
def test_ray_accepts_the_file(path: Path) -> None:
    prepared = prepare_config(copy.deepcopy(load(path)))
    validate_config(prepared)
    for name, kind in prepared["available_node_types"].items():
        assert 0 <= kind["min_workers"] <= kind["max_workers"] <= prepared["max_workers"], name


@FILES
def test_the_doctor_finds_no_fault(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Both files send the user's token; `ray get-auth-token --generate` makes it once a machine.
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("secret")
    monkeypatch.setenv("HOME", str(tmp_path))
    resources = load_space(PROJECT / "search_spaces/seed_grid.yaml").resources
    assert [str(finding) for finding in examine_file(path, resources)] == []


@FILES
def test_no_default_of_ray_takes_the_place_of_a_command(path: Path) -> None:
    config = load(path)
    for key in ("setup_commands", "head_start_ray_commands", "worker_start_ray_commands"):
        assert config[key], f"Ray would fill {key} in"
    prepared = prepare_config(copy.deepcopy(config))
    for command in commands(prepared):
        assert "wheel" not in command
        assert "anaconda" not in command
    if path == AWS:
        assert config["head_setup_commands"], "Ray would install a boto3 of its own choice"


@FILES
def test_every_node_installs_the_lock_and_no_other_ray(path: Path) -> None:
    config = load(path)
    mounts = {local: remote for remote, local in config["file_mounts"].items()}
    source = mounts["glsweep"].rsplit("/", 1)[0]
    built_from = ("glsweep", "datasets", "search_spaces", "pyproject.toml", "README.md")
    for name in (*built_from, "requirements-cluster.lock", "docs/cluster"):
        assert mounts[name] == f"{source}/{name}"
        assert (PROJECT / name).exists()
    assert source != "~/glsweep", "a folder of the package's name in the home hides the package"
    assert any(f"{source}/docs/cluster/install.sh" in command for command in config["setup_commands"])
    assert "--requirement requirements-cluster.lock" in (DOCS / "install.sh").read_text()
    assert not [command for command in commands(config) if "pip install" in command]


@FILES
def test_nothing_but_ssh_is_reachable_from_outside(path: Path) -> None:
    config = load(path)
    assert "--dashboard-host=127.0.0.1" in start_of_ray(config, "head_start_ray_commands")
    assert any("mlflow.sh" in command for command in config["head_start_ray_commands"])
    assert "--host 127.0.0.1" in (DOCS / "mlflow.sh").read_text()
    assert not [command for command in commands(config) if "0.0.0.0" in command]
    assert not config["provider"].get("security_group", {}).get("IpPermissions"), "Ray's own rules: ssh alone"


@FILES
def test_both_sides_ask_for_the_token(path: Path) -> None:
    config = load(path)
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert any("environment.sh" in command for command in config["setup_commands"])
    assert "export RAY_AUTH_MODE=token" in (DOCS / "environment.sh").read_text()


@FILES
def test_the_head_trains_nothing_and_workers_join_it(path: Path) -> None:
    config = load(path)
    assert "--num-cpus=0" in start_of_ray(config, "head_start_ray_commands")
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in start_of_ray(
        config, "head_start_ray_commands"
    )
    assert "--address=$RAY_HEAD_IP:6379" in start_of_ray(config, "worker_start_ray_commands")
    assert 0 < config["idle_timeout_minutes"] <= 30


def test_a_fixed_list_of_hosts_is_wanted_whole() -> None:
    config = load(ON_PREMISES)
    assert config["min_workers"] == config["max_workers"] == len(config["provider"]["worker_ips"])
    # Version 2 starts only some of a fixed list.
    assert "RAY_enable_autoscaler_v2=0" in start_of_ray(config, "head_start_ray_commands")


def test_workers_on_aws_are_spot_gpus_that_come_from_none_and_are_bounded() -> None:
    config = load(AWS)
    workers = dict(config["available_node_types"])
    head = workers.pop(config["head_node_type"])
    assert head["resources"] == {"CPU": 0}
    assert head["max_workers"] == 0
    assert "InstanceMarketOptions" not in head["node_config"], "a head on spot would take the sweep along"
    assert workers
    for kind in workers.values():
        assert kind["min_workers"] == 0
        assert kind["max_workers"] <= config["max_workers"]
        assert kind["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert len({kind["node_config"]["ImageId"] for kind in [head, *workers.values()]}) == 1, (
        "one image, one Python"
    )


def test_every_machine_on_aws_is_tagged_encrypted_and_asks_for_metadata_tokens() -> None:
    for name, kind in load(AWS)["available_node_types"].items():
        node = kind["node_config"]
        tags = {
            spec["ResourceType"]: {t["Key"]: t["Value"] for t in spec["Tags"]}
            for spec in node["TagSpecifications"]
        }
        assert tags["instance"]["project"] == tags["volume"]["project"] == "glsweep", name
        assert all(disk["Ebs"]["Encrypted"] for disk in node["BlockDeviceMappings"]), name
        assert node["MetadataOptions"]["HttpTokens"] == "required", name


def test_ec2_knows_every_field_of_the_machines() -> None:
    session = pytest.importorskip("botocore.session")
    validate = pytest.importorskip("botocore.validate")
    shape = session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    for name, kind in load(AWS)["available_node_types"].items():
        request = {**kind["node_config"], "MinCount": 1, "MaxCount": 1}
        assert set(request) <= set(shape.members), name
        assert validate.ParamValidator().validate(request, shape).generate_report() == "", name


def test_the_lock_of_clusters_agrees_with_the_lock() -> None:
    pinned = re.findall(r"^([\w.-]+)==", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)
    assert len(pinned) > 50
    differing = {name for name in pinned if locked(name) != locked(name, "requirements.lock")}
    assert not differing
    for name in ("aiohttp-cors", "boto3", "psycopg2-binary"):
        assert locked(name)


def test_the_kuberay_file_has_the_shape_of_a_ray_cluster_and_the_locks_ray() -> None:
    documents = list(yaml.safe_load_all((DOCS / "kuberay.yaml").read_text()))
    claims = {d["metadata"]["name"] for d in documents if d["kind"] == "PersistentVolumeClaim"}
    (cluster,) = [d for d in documents if d["kind"] == "RayCluster"]
    assert cluster["apiVersion"] == "ray.io/v1"
    spec, ray_version = cluster["spec"], locked("ray")
    assert spec["rayVersion"] == ray_version
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["autoscalerOptions"]["version"] == "v2"
    assert spec["autoscalerOptions"]["idleTimeoutSeconds"] <= 1800
    head, (worker,) = spec["headGroupSpec"], spec["workerGroupSpecs"]
    assert head["rayStartParams"] == {"num-cpus": "0", "dashboard-host": "127.0.0.1"}
    assert head["serviceType"] == "ClusterIP"
    assert worker["minReplicas"] == 0 < worker["maxReplicas"]
    for group in (head, worker):
        pod = group["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for volume in pod["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
        for container in pod["containers"]:
            assert container["image"].endswith(f"-ray{ray_version}")
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            limits, requests = container["resources"]["limits"], container["resources"]["requests"]
            assert set(limits) == set(requests)
    mlflow = next(c for c in head["template"]["spec"]["containers"] if c["name"] == "mlflow")
    assert mlflow["command"][mlflow["command"].index("--host") + 1] == "127.0.0.1"
    assert f"FROM rayproject/ray:{ray_version}-py311" in (DOCS / "Dockerfile").read_text()


@pytest.mark.parametrize("name", ["install.sh", "mlflow.sh", "environment.sh", "slurm.sbatch"])
def test_a_shell_reads_the_script(name: str) -> None:
    checked = subprocess.run(["bash", "-n", str(DOCS / name)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_the_cluster_extra_has_what_dashboard_aws_and_postgresql_need() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["cluster"]
    assert {re.split(r"[>=<]", requirement)[0] for requirement in extra} == {
        "ray[default]",
        "boto3",
        "psycopg2-binary",
    }
