"""Whether Ray can start on this machine: folder, key, loopback, threads, open files, shared memory."""

import os
import resource
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glsweep.sweep.doctor.finding import Finding, error, warning

MIB_BYTES = 2**20
# The address of a socket holds no longer path; macOS has 103.
LONGEST_SOCKET_BYTES = 103
# What Ray puts below its folder.
SOCKET = "session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
LEAST_FREE_BYTES = 64 * MIB_BYTES
SHORT_FOLDERS = ("/tmp", f"/run/user/{os.getuid()}", "/var/tmp")
SHARED_MEMORY = Path("/dev/shm")
CGROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/pids"))
LOOPBACK_S = 2.0
# Counted on two cores: 190 threads without workers, 24 in each worker, of which there is one a core;
# at most 57 files in one process, and four more for each worker.
THREADS, THREADS_A_CORE = 200, 25
FILES, FILES_A_CORE = 64, 4


def lacking() -> Iterator[Finding]:
    """Find what keeps Ray from starting here. To be asked before it starts: it takes much itself."""
    folder, _ = chosen_folder()
    if folder is None:
        yield error(
            f"{_unfit(_default_folder())}, nor can Ray's files go to {', '.join(SHORT_FOLDERS)}",
            where=_folder_name(),
            remedy=_FOLDER_REMEDY,
        )
    elif (free := shutil.disk_usage(folder).free) < LEAST_FREE_BYTES:
        yield error(
            f"{free / MIB_BYTES:.1f} MiB are left there, of {LEAST_FREE_BYTES // MIB_BYTES} that Ray needs",
            where=_folder_name(),
            remedy="make room there, or set TMPDIR to another folder",
        )
    yield from _no_loopback()
    yield from _few_threads()
    yield from _few_files()


def drawbacks(store_bytes: float) -> Iterator[Finding]:
    """Find what Ray can live with on this machine.

    Parameters
    ----------
    store_bytes : float
        The object store that Ray would have.
    """
    folder, why = chosen_folder()
    if why is not None:
        yield warning(f"{why}; Ray's files go to {folder}", where=_folder_name(), remedy=_FOLDER_REMEDY)
    free = _free_bytes(SHARED_MEMORY)
    if free < store_bytes:
        yield warning(
            f"has {free / MIB_BYTES:.0f} MiB free, too little for Ray's object store, which goes to a disk",
            where=str(SHARED_MEMORY),
            remedy=f"free some, or make it larger (docker run --shm-size={store_bytes / 2**30 + 1:.0f}g)",
        )


_FOLDER_REMEDY = "set TMPDIR or RAY_TMPDIR to a folder with a short path that can be written to"


def chosen_folder() -> tuple[Path | None, str | None]:
    """Return where Ray's folder can be, if anywhere, and why not where Ray itself would have it."""
    own = _default_folder()
    why = _unfit(own)
    if why is None:
        return own, None
    fit = (Path(folder) for folder in SHORT_FOLDERS if _unfit(Path(folder)) is None)
    return next(fit, None), why


@contextmanager
def ray_folder() -> Iterator[Path]:
    """Yield the folder for Ray's files; one that is not Ray's own choice is deleted at the end."""
    folder, why = chosen_folder()
    if folder is None or why is None:
        yield _default_folder() / "ray"
        return
    made = tempfile.mkdtemp(prefix="ray-", dir=folder)
    yield Path(made)
    # Not after an error: Ray's logs, which lie there, may say why.
    shutil.rmtree(made, ignore_errors=True)


def give_key() -> None:
    """Give Ray's processes a key where Ray could not keep one: it writes it into the home folder."""
    if os.environ.get("RAY_AUTH_MODE") != "token" or {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & {
        *os.environ
    }:
        return
    home = Path("~").expanduser()
    key = home / ".ray" / "auth_token"
    nearest = next(place for place in (key, key.parent, home) if place.exists() or place == home)
    if not (os.access(key, os.R_OK) and key.read_text().strip()) and not _is_writable(nearest):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _default_folder() -> Path:
    """Return the folder that Ray itself would take for its sessions."""
    return Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp").absolute()


def _folder_name() -> str:
    name = next((name for name in ("RAY_TMPDIR", "TMPDIR") if os.environ.get(name)), None)
    return "/tmp" if name is None else f"{name}={os.environ[name]}"


def _unfit(folder: Path) -> str | None:
    """Return why Ray cannot have its sessions in a folder."""
    if not folder.is_dir():
        return "is no folder"
    if not _is_writable(folder):
        return "cannot be written to"
    if is_too_long(folder):
        return f"the path of {len(os.fsencode(folder))} bytes is too long for Ray's sockets"
    if (folder / "ray").exists() and not _is_writable(folder / "ray"):
        return f"{folder / 'ray'} belongs to somebody else and cannot be written to"
    return None


def is_too_long(folder: Path) -> bool:
    """Whether Ray's sockets below a folder would have longer paths than a socket can have."""
    return len(os.fsencode(folder / "ray-12345678" / SOCKET)) > LONGEST_SOCKET_BYTES


def _is_writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _no_loopback() -> Iterator[Finding]:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), LOOPBACK_S).close()
    except OSError as failure:
        yield error(
            f"nothing can be reached at 127.0.0.1 ({failure})",
            where="this machine",
            remedy="bring the loopback interface up (`ip link set lo up`)",
        )


def _few_threads() -> Iterator[Finding]:
    needed = THREADS + THREADS_A_CORE * (os.cpu_count() or 1)
    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    # Root is not held to it.
    if os.geteuid() and limit != resource.RLIM_INFINITY and limit - (mine := _threads_of_user()) < needed:
        yield error(
            f"leaves room for {max(limit - mine, 0)} more threads, and Ray starts about {needed}",
            where=f"ulimit -u {limit}",
            remedy=f"end other programs, or raise it to {mine + needed} (`ulimit -u {mine + needed}`)",
        )
    for folder in CGROUPS:
        most, now = (_number(folder / name) for name in ("pids.max", "pids.current"))
        if most is not None and now is not None and most - now < needed:
            yield error(
                f"leaves room for {most - now} more threads, and Ray starts about {needed}",
                where=f"{folder / 'pids.max'} {most}",
                remedy=f"raise it (docker run --pids-limit={now + needed})",
            )


def _few_files() -> Iterator[Finding]:
    needed = FILES + FILES_A_CORE * (os.cpu_count() or 1)
    # Ray raises the other limit up to this one.
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < needed:
        yield error(
            f"Ray's processes open about {needed} files each",
            where=f"ulimit -n {limit}",
            remedy="raise it (`ulimit -n 4096`; as root, or in /etc/security/limits.conf)",
        )


def _threads_of_user() -> int:
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            count += len([*(process / "task").iterdir()]) if process.stat().st_uid == os.getuid() else 0
        except OSError:
            continue  # it has ended meanwhile
    return count


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free if _is_writable(folder) else 0
