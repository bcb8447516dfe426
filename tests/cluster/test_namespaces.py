"""A cluster as a user has it: `ray up`, a sweep, a host lost in the middle of it, `ray down`; and Slurm.

Four hosts on this machine (see hosts.py) are set up from docs/cluster/on-premises.yaml, of which only the
addresses, the user, the key and the number of CPUs differ. Not shown by this: the download of the packages
(hosts find them installed), a real NFS (they share a folder), a real Slurm, GPUs, and AWS.
"""

import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from cluster_of_hosts import NAMES, PROJECT, Cluster, cluster_file, install
from hosts import Host, Hosts, why_impossible
from slurm_stand_ins import write_stand_ins

SHARED = Path("/srv/glsweep")
STUDY = SHARED / "studies/lost-host"
EPOCHS = 40
SSH = "ssh -o StrictHostKeyChecking=no -o LogLevel=ERROR"

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(why_impossible()), reason=why_impossible()),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that `ray up` has made."""
    log = tmp_path_factory.mktemp("cluster") / "cluster.log"
    log.touch()
    sys.stderr.write(f"\nlog of the cluster: {log}\n")
    with tempfile.TemporaryDirectory(prefix="glsweep-hosts-") as folder:
        (Path(folder) / "home").mkdir()
        install(Path(folder) / "home")
        with Hosts(Path(folder), NAMES) as hosts:
            cluster = Cluster(hosts, Path(folder) / "cluster.yaml", log)
            cluster.file.write_text(yaml.safe_dump(cluster_file(hosts)))
            cluster.run("ray get-auth-token --generate")
            cluster.ray("up --yes")
            yield cluster


@pytest.fixture(scope="module")
def inputs(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Card and spaces, put on the head: one is long enough for a host to be lost in it."""
    config = yaml.safe_load((PROJECT / "tests/smoke/space.yaml").read_text())
    config["search"]["epochs"] = EPOCHS
    config["search"]["scheduler"] = {"name": "asha", "grace_epochs": 10, "reduction_factor": 2}
    # Members that outlast the start of a worker: else one host could train them all before another has begun.
    config["retraining"] |= {"epochs": EPOCHS, "patience": EPOCHS}
    long = tmp_path_factory.mktemp("space") / "long.yaml"
    long.write_text(yaml.safe_dump(config))
    for path in (PROJECT / "tests/smoke/card.yaml", PROJECT / "tests/smoke/space.yaml", long):
        cluster.ray("rsync-up", path, SHARED / path.name)


def on_this_machine(cluster: Cluster, path: Path) -> Path:
    """Return where a shared path lies as seen from outside the hosts."""
    return cluster.hosts.storage / path.relative_to(SHARED)


def hosts_of(cluster: Cluster) -> list[Host]:
    """Return the cluster's hosts, the head first."""
    return [cluster.hosts.all[name] for name in NAMES]


def events(ledger: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a ledger that may be being written."""
    lines = ledger.read_text().split("\n")[:-1] if ledger.exists() else []
    return [json.loads(line) for line in lines]


def nodes_that_trained(ledger: Path) -> set[str]:
    """Return the hosts on which a trial found its place."""
    return {e["node"] for e in events(ledger) if e["event"] == "placed"}


def wait_until(condition: Callable[[], bool], what: str, *, timeout_s: float) -> None:
    """Wait for `condition`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.2)


def in_mid_sweep(ledger: Path) -> bool:
    """Tell whether two trials have trained for some epochs and are not over."""
    known = events(ledger)
    ended = {e["trial_id"] for e in known if e["event"] == "ended"}
    reached = {e["trial_id"]: e["epoch"] for e in known if e["event"] == "epoch"}
    return sum(1 for trial, epoch in reached.items() if epoch >= 3 and trial not in ended) >= 2


def test_ray_up_starts_every_host_and_the_head_trains_nothing(cluster: Cluster) -> None:
    nodes = cluster.wait_for_nodes(3)
    assert sorted(node.get("CPU", 0) for node in nodes) == [0, 1, 1]


def test_dashboard_and_mlflow_are_reached_through_ssh_alone(cluster: Cluster) -> None:
    shown = subprocess.run(
        [*cluster.hosts.all["head"].enter("--net"), "ss", "-ltnH"], check=True, capture_output=True, text=True
    ).stdout
    listening = [line.split()[3] for line in shown.splitlines()]
    token = '--header "Authorization: Bearer $(cat ~/.ray/auth_token)"'
    for port, page in ((8265, "api/version"), (5000, "health")):
        assert [a for a in listening if a.endswith(f":{port}")] == [f"127.0.0.1:{port}"], shown
        forward = cluster.start(f"ray dashboard --port {port} --remote-port {port} {cluster.file}")
        try:
            curl = "curl --silent --fail --retry 60 --retry-delay 1 --retry-all-errors"
            cluster.run(f"{curl} {token} http://127.0.0.1:{port}/{page}")
        finally:
            forward.terminate()
            forward.wait(30)


@pytest.mark.usefixtures("inputs")
def test_a_host_lost_in_mid_sweep_loses_no_trial_and_comes_back(cluster: Cluster) -> None:
    options = f"--data {SHARED}/card.yaml --space {SHARED}/long.yaml --study {STUDY} --address auto"
    cluster.ray("exec", f"python -m glsweep.run prepare {options}")
    folder = on_this_machine(cluster, STUDY) / "sweep"
    ledger = folder / "ledger.jsonl"

    line = cluster.ray_line("exec", f"python -m glsweep.run sweep --study {STUDY} --address auto")
    sweep = cluster.start(line)
    try:
        wait_until(lambda: in_mid_sweep(ledger), "two trials under way", timeout_s=240)
        killed = cluster.hosts.all["worker-2"].kill()
        assert any("raylet" in line for line in killed)
        assert sweep.wait(400) == 0, cluster.log.read_text()[-4000:]
    finally:
        sweep.kill()

    assert nodes_that_trained(ledger) == {"worker-1", "worker-2"}
    assert any(e["event"] == "crashed" for e in events(ledger)), "the host trained nothing when it was lost"
    trials = pd.read_csv(folder / "trials.csv")
    assert len(trials) == 6
    assert set(trials["outcome"]) <= {"completed", "stopped"}
    for trial_id, epochs in zip(trials["trial_id"], trials["epochs"], strict=True):
        seen = [e["epoch"] for e in events(ledger) if e["event"] == "epoch" and e["trial_id"] == trial_id]
        assert seen == list(range(1, epochs + 1)), f"{trial_id}: epochs {seen}"
    cluster.wait_for_nodes(3)


def test_ray_submit_runs_what_is_left_of_the_study(cluster: Cluster) -> None:
    cluster.ray("submit", "glsweep/run.py", "--", "--study", STUDY, "--address", "auto")
    members = on_this_machine(cluster, STUDY) / "members/ledger.jsonl"
    assert nodes_that_trained(members) == {"worker-1", "worker-2"}, "the host that was lost trains again"
    report = cluster.hosts.folder / "report.html"
    cluster.ray("rsync-down", STUDY / "report.html", report)
    assert "</html>" in report.read_text()
    query = "http://127.0.0.1:5000/api/2.0/mlflow/experiments/get-by-name?experiment_name=lost-host"
    assert '"lifecycle_stage": "active"' in cluster.ray("exec", f"curl --silent --fail '{query}'")


def test_ray_down_and_stop_leave_no_ray_on_any_host(cluster: Cluster) -> None:
    cluster.ray("down --yes")
    for host in hosts_of(cluster)[1:]:  # with a fixed list of hosts `ray down` ends that of the head alone
        cluster.run(f"{SSH} -i {cluster.hosts.key} {host.address} glsweep-env/bin/ray stop --force")
    cluster.wait_for_no_ray(timeout_s=60)


@pytest.mark.usefixtures("inputs")
def test_the_slurm_script_starts_a_ray_on_every_host_and_ends_it(cluster: Cluster) -> None:
    hosts = hosts_of(cluster)
    ssh = f"{SSH} -i {cluster.hosts.key}"
    variables = write_stand_ins(cluster.hosts.folder / "slurm", [host.address for host in hosts], ssh)
    variables["STUDY"] = str(SHARED / "studies/slurm")
    variables["OPTIONS"] = f"'--data {SHARED}/card.yaml --space {SHARED}/space.yaml'"
    job = " ".join(f"{name}={value}" for name, value in variables.items())
    line = f"cd ~/glsweep-source && {job} bash docs/cluster/slurm.sbatch"
    cluster.run(f"{ssh} {hosts[0].address} {shlex.quote(line)}")
    assert (on_this_machine(cluster, SHARED / "studies/slurm") / "report.html").exists()
    cluster.wait_for_no_ray(timeout_s=60)
