"""Hosts on one machine: each has its own network, processes, host name, home, /dev/shm, Ray folder and sshd.

The namespaces have no names and are joined by a bridge that lies in one of them, so the machine's own
network is never touched, and all is gone when the first process of each ends, or the test that began it.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TOOLS = ("setpriv", "unshare", "nsenter", "ip", "ss", "ssh", "ssh-keygen", "rsync", "curl")
SSHD = "/usr/sbin/sshd"
UNSHARE = ["unshare", "--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "--mount-proc", "--kill-child"]
FIRST_PROCESS = """
set -e
mount --make-rprivate /
# Ray's own folders, as the command line and as Slurm's job 1 have them: hosts share none of them.
for folder in /tmp/ray /tmp/glsweep-1 /run/sshd; do
  mkdir -p $folder
  mount -t tmpfs -o mode=755 tmpfs $folder
done
mount -t tmpfs -o size=8g,mode=1777 tmpfs /dev/shm
mount --bind {passwd} /etc/passwd
mount --bind {own_home} {home}
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir /srv/glsweep
mount --bind {storage} /srv/glsweep
hostname {name}
ip link set lo up
{sshd} -D -e -f {config} &
wait
"""
SSHD_CONFIG = """
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
MaxStartups 50
"""


def why_impossible() -> str:
    """Say what is missing for hosts on this machine; empty when nothing is."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or not Path(SSHD).exists():
        return f"needs {', '.join(missing) or SSHD}"
    tried = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"no namespaces: {tried.stderr.strip()}"


@dataclass(frozen=True)
class Host:
    """One host: killing `process` ends it; `first_pid` is its first process as seen from outside."""

    name: str
    address: str
    process: "subprocess.Popen[bytes]"
    first_pid: int

    def enter(self, namespaces: str) -> list[str]:
        """Return the beginning of a command that is to run on this host."""
        return ["nsenter", f"--target={self.first_pid}", namespaces]

    def network(self, command: str) -> None:
        """Run a command in this host's network."""
        subprocess.run([*self.enter("--net"), *command.split()], check=True, capture_output=True)

    def pids(self) -> dict[int, str]:
        """Return the processes on this host but sshd and shells, by number, with their command lines."""
        here = Path(f"/proc/{self.first_pid}/ns/pid").readlink()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                lies_here = (entry / "ns/pid").readlink() == here
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue  # it ended meanwhile, or is not ours to look at
            if lies_here and line and not line.startswith(("sshd", SSHD, "bash")):
                found[int(entry.name)] = line
        return found

    def kill(self) -> list[str]:
        """Kill all of `pids` with -9 and return their command lines."""
        pids = self.pids()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return list(pids.values())


class Hosts:
    """A user's own machine, `laptop`, and hosts that it reaches by ssh. Use as a context manager."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """Prepare; what lies in `folder`/home, every host gets a copy of, at the same path."""
        self.folder, self.names = folder, names
        self.home, self.storage, self.key = folder / "home", folder / "storage", folder / "key"
        self.all: dict[str, Host] = {}

    def __enter__(self) -> Self:
        self.storage.mkdir()
        for key in (self.folder / "host_key", self.key):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        (self.folder / "sshd_config").write_text(SSHD_CONFIG.format(folder=self.folder))
        (self.folder / "passwd").write_text(_with_home_of_root(self.home))
        try:
            for number, name in enumerate(["laptop", *self.names], start=1):
                self.all[name] = self._start(name, f"10.77.0.{number}")
            self._join()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.all.values():
            host.process.kill()  # --kill-child takes the host's first process, and that all the others
            host.process.wait()

    def _start(self, name: str, address: str) -> Host:
        own_home, log = self.folder / f"home-{name}", self.folder / f"{name}.log"
        shutil.copytree(self.home, own_home, symlinks=True)
        script = FIRST_PROCESS.format(
            passwd=self.folder / "passwd",
            own_home=own_home,
            home=self.home,
            storage=self.storage,
            name=name,
            sshd=SSHD,
            config=self.folder / "sshd_config",
        )
        command = ["setpriv", "--pdeathsig", "KILL", *UNSHARE, "bash", "-c", script]
        with log.open("wb") as stream:
            process = subprocess.Popen(command, stdout=stream, stderr=stream)
        deadline = time.monotonic() + 60
        while b"Server listening" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"{name} does not start: {log.read_text()}")
            time.sleep(0.1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        return Host(name, address, process, int(children.split()[0]))

    def _join(self) -> None:
        """Join all hosts by a bridge on the laptop."""
        laptop, *others = self.all.values()
        laptop.network("ip link add bridge0 type bridge")
        laptop.network(f"ip addr add {laptop.address}/24 dev bridge0")
        laptop.network("ip link set bridge0 up")
        for host in others:
            link = f"to-{host.name}"[:15]
            laptop.network(f"ip link add {link} type veth peer name eth0 netns {host.first_pid}")
            laptop.network(f"ip link set {link} master bridge0 up")
            host.network(f"ip addr add {host.address}/24 dev eth0")
            host.network("ip link set eth0 up")
            # It leads nowhere, but Ray takes the address of the way out for the host's own.
            host.network(f"ip route add default via {laptop.address}")


def _with_home_of_root(home: Path) -> str:
    lines = Path("/etc/passwd").read_text().splitlines()
    root = f"root:x:0:0:root:{home}:/bin/bash"
    return "\n".join(root if line.startswith("root:") else line for line in lines) + "\n"
