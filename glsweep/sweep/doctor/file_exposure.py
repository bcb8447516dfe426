"""Rules on a cluster file: who may reach the cluster."""

import re
from collections.abc import Iterator
from typing import Any

from glsweep.sweep.doctor.cluster_file import HEAD, WORKER, ClusterFile
from glsweep.sweep.doctor.finding import Finding

AUTH_MODE = re.compile(r"\bRAY_AUTH_MODE=['\"]?(?P<mode>\w+)")
OPEN_SERVICE = re.compile(r"--(?P<option>dashboard-host|host)[= ]['\"]?(0\.0\.0\.0|::)(?![\w.:])")
WORLD = ("0.0.0.0/0", "::/0")
SSH_PORT = 22


def authentication(file: ClusterFile) -> Iterator[Finding]:
    """Modes that differ: a cluster hangs half up. No token: whoever reaches it may run code on it."""
    modes = {role: sorted(set(AUTH_MODE.findall(file.commands(role)))) for role in (HEAD, WORKER)}
    for role, found in modes.items():
        if found != ["token"]:
            yield file.find(
                "error",
                f"{role}_start_ray_commands",
                f"RAY_AUTH_MODE is {' and '.join(found) or 'not set'} on the {role}",
                "export RAY_AUTH_MODE=token for head and workers alike, and copy ~/.ray/auth_token there",
            )


def open_services(file: ClusterFile) -> Iterator[Finding]:
    """Ray's dashboard or MLflow listening to the whole network; both run what they are sent."""
    for role in (HEAD, WORKER):
        for option in sorted({found["option"] for found in OPEN_SERVICE.finditer(file.commands(role))}):
            yield file.find(
                "error",
                f"{role}_start_ray_commands",
                f"--{option} opens a service to everyone",
                f"use --{option}=127.0.0.1 and reach it through `ray dashboard` or ssh",
            )


def open_ports(file: ClusterFile) -> Iterator[Finding]:
    """A security group that lets the world in by other ports than ssh's."""
    group = file.provider.get("security_group") or {}
    for number, permission in enumerate(group.get("IpPermissions") or []):
        ports = permission.get("FromPort"), permission.get("ToPort")
        if any(source in WORLD for source in _sources(permission)) and ports != (SSH_PORT, SSH_PORT):
            yield file.find(
                "error",
                f"provider.security_group.IpPermissions.{number}",
                f"ports {ports[0]} to {ports[1]} are open to the world",
                "open port 22 alone, and forward the others through ssh",
            )


def _sources(permission: dict[str, Any]) -> Iterator[str]:
    for source in permission.get("IpRanges") or []:
        yield str(source.get("CidrIp"))
    for source in permission.get("Ipv6Ranges") or []:
        yield str(source.get("CidrIpv6"))


RULES = (authentication, open_services, open_ports)
