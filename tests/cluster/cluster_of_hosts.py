"""A cluster on such hosts, made from docs/cluster/on-premises.yaml, and a laptop's command line."""

import json
import shlex
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import yaml
from hosts import Hosts

PROJECT = Path(__file__).parents[2]
NAMES = ["head", "worker-1", "worker-2"]
QUIET = "--log-style pretty --log-color false"


@dataclass(frozen=True)
class Cluster:
    """Hosts, the cluster file on the laptop, and a log of all that was run."""

    hosts: Hosts
    file: Path
    log: Path

    def start(self, command: str) -> "subprocess.Popen[bytes]":
        """Begin a command on the laptop, in the repository's root."""
        home = self.hosts.home
        environment = {
            "HOME": home,
            "TMPDIR": home,
            "PATH": f"{home}/glsweep-env/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
            "RAY_AUTH_MODE": "token",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        variables = [f"{name}={value}" for name, value in environment.items()]
        shell = ["bash", "-c", f"cd {shlex.quote(str(PROJECT))} && exec {command}"]
        with self.log.open("ab") as log:
            log.write(f"\n=== {time.strftime('%H:%M:%S')} $ {command}\n".encode())
            log.flush()
            return subprocess.Popen(
                [*self.hosts.all["laptop"].enter("--all"), "env", "-i", *variables, *shell],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def run(self, command: str) -> str:
        """Run a command on the laptop and return what it printed."""
        begin = self.log.stat().st_size
        process = self.start(command)
        try:
            code = process.wait(600)
        finally:
            process.kill()
        printed = self.log.read_bytes()[begin:].decode(errors="replace")
        assert code == 0, printed
        return printed

    def ray(self, command: str, *words: object) -> str:
        """Run `ray COMMAND CLUSTER.yaml WORDS...` on the laptop; each word is quoted."""
        return self.run(self.ray_line(command, *words))

    def ray_line(self, command: str, *words: object) -> str:
        """Return that command as a line for a shell."""
        return " ".join([f"ray {command} {QUIET} {self.file}", *(shlex.quote(str(word)) for word in words)])

    def wait_for_nodes(self, count: int) -> list[dict[str, float]]:
        """Wait until `count` nodes are alive and return the resources of each, as the head sees them."""
        printed = self.ray("submit", PROJECT / "tests/cluster/wait_for_nodes.py", "--", count)
        nodes: list[dict[str, float]] = json.loads(printed.split("NODES ")[1].splitlines()[0])
        return nodes

    def wait_for_no_ray(self, *, timeout_s: float) -> None:
        """Wait until no process of Ray is left on any host."""
        deadline = time.monotonic() + timeout_s
        while left := [
            line for name in NAMES for line in self.hosts.all[name].pids().values() if _is_ray(line)
        ]:
            assert time.monotonic() < deadline, left
            time.sleep(0.5)


def _is_ray(command_line: str) -> bool:
    return "/ray/" in command_line or "ray::" in command_line


def install(home: Path) -> None:
    """Make ~/glsweep-env, small enough to be copied to every host: what the lock names it finds elsewhere.

    Beside the home lies an environment with all that the lock has and this Python's environment has not.
    """
    base, environment = home.parent / "base", home / "glsweep-env"
    subprocess.run([sys.executable, "-m", "venv", str(base)], check=True)
    found = [_site_packages(base), Path(sysconfig.get_path("purelib"))]
    (found[0] / "shared.pth").write_text(f"{found[1]}\n")
    lock = str(PROJECT / "requirements-cluster.lock")
    # The last two build the package: the isolation in which pip would fetch them needs an index.
    pip = [str(base / "bin/pip"), "install", "--quiet", "--requirement", lock, "hatchling>=1.27", "editables"]
    subprocess.run(pip, check=True)

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (_site_packages(environment) / "shared.pth").write_text("".join(f"{path}\n" for path in found))
    for distribution in distributions(path=[str(path) for path in found]):
        for point in distribution.entry_points.select(group="console_scripts"):
            script = environment / "bin" / point.name
            call = f"import sys\nfrom {point.module} import {point.attr}\nsys.exit({point.attr}())\n"
            script.write_text(f"#!{environment}/bin/python\n{call}")
            script.chmod(0o755)
    (home / ".bashrc").touch()
    # Hosts reach nothing but each other: pip has to find all that the lock names in place.
    # (In a settings file "no-build-isolation = false" means no isolation.)
    settings = home / ".config/pip/pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("[global]\nno-index = true\n[install]\nno-build-isolation = false\n")


def _site_packages(environment: Path) -> Path:
    return next(environment.glob("lib/python*/site-packages"))


def cluster_file(hosts: Hosts) -> dict[str, Any]:
    """Return docs/cluster/on-premises.yaml with these hosts in the place of a user's."""
    config: dict[str, Any] = yaml.safe_load((PROJECT / "docs/cluster/on-premises.yaml").read_text())
    head, *workers = [hosts.all[name].address for name in NAMES]
    config["provider"].update(head_ip=head, worker_ips=workers)
    config["auth"] = {"ssh_user": "root", "ssh_private_key": str(hosts.key)}
    # One trial a host: all of them share this machine's cores.
    key = "worker_start_ray_commands"
    config[key] = [line.replace("ray start", "ray start --num-cpus=1") for line in config[key]]
    return config
