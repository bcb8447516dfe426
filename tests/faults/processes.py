"""The processes that a process has started, as the system tells them."""

import os
import signal
import time
from pathlib import Path


def descendants(pid: int) -> dict[int, str]:
    """Process id and command line of every process below `pid`."""
    parents, commands = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
            commands[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ").strip()
        except OSError:
            continue  # it has ended meanwhile
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    below = {pid}
    while more := {child for child, parent in parents.items() if parent in below and child not in below}:
        below |= more
    return {child: commands[child] for child in below if child != pid and child in commands}


def workers(pid: int) -> list[int]:
    """The Ray workers below `pid` that train a trial."""
    return [child for child, command in descendants(pid).items() if command.startswith("ray::ImplicitFunc")]


def kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def all_gone(pids: list[int], within_s: float) -> bool:
    """Whether none of the processes lives any longer, at the latest after so many seconds."""
    deadline_s = time.monotonic() + within_s
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    return True


def is_alive(pid: int) -> bool:
    try:
        return (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]) != "Z"
    except OSError:
        return False
