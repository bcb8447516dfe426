"""Ray on this machine or on a cluster: whether it can start, and how the driver connects to it."""

import gc
import logging
import os
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import ray
from ray.exceptions import AuthenticationError

from glsweep.config.space import Resources
from glsweep.doctor import Finding, error, warning
from glsweep.doctor.nodes import read_capacity, request_of, unmet_request_of
from glsweep.errors import ResourceError
from glsweep.registry import files_of
from glsweep.signals import kept_handlers, signals_for_this_process_alone

MIB_BYTES = 2**20
# The longest path of a socket; on macOS it is 103.
LONGEST_SOCKET_BYTES = 103
# What Ray creates below its folder.
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


def missing_requirements() -> Iterator[Finding]:
    """Find what keeps Ray from starting here. To be called before it starts, since Ray itself takes much."""
    folder, _ = choose_folder()
    if folder is None:
        yield error(
            f"{_why_unusable(_default_folder())}, nor can Ray's files go to {', '.join(SHORT_FOLDERS)}",
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


def limitations(store_bytes: float) -> Iterator[Finding]:
    """Find what makes Ray slower on this machine.

    Parameters
    ----------
    store_bytes : float
        Size of the object store that Ray would have.
    """
    folder, why = choose_folder()
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


def choose_folder() -> tuple[Path | None, str | None]:
    """Return where Ray's folder can be, if anywhere, and why it cannot be where Ray would put it."""
    own = _default_folder()
    why = _why_unusable(own)
    if why is None:
        return own, None
    fit = (Path(folder) for folder in SHORT_FOLDERS if _why_unusable(Path(folder)) is None)
    return next(fit, None), why


@contextmanager
def ray_folder() -> Iterator[Path]:
    """Yield the folder for Ray's files; one that is not Ray's own choice is deleted at the end."""
    folder, why = choose_folder()
    if folder is None or why is None:
        yield _default_folder() / "ray"
        return
    made = tempfile.mkdtemp(prefix="ray-", dir=folder)
    yield Path(made)
    # Not after an error: Ray's logs, which lie there, may say why.
    shutil.rmtree(made, ignore_errors=True)


def set_auth_token() -> None:
    """Give Ray's processes a token where Ray could not write one into the home folder."""
    if os.environ.get("RAY_AUTH_MODE") != "token" or {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & {
        *os.environ
    }:
        return
    home = Path("~").expanduser()
    token = home / ".ray" / "auth_token"
    nearest = next(place for place in (token, token.parent, home) if place.exists() or place == home)
    if not (os.access(token, os.R_OK) and token.read_text().strip()) and not _is_writable(nearest):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _default_folder() -> Path:
    """Return the folder that Ray itself would take for its sessions."""
    return Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp").absolute()


def _folder_name() -> str:
    name = next((name for name in ("RAY_TMPDIR", "TMPDIR") if os.environ.get(name)), None)
    return "/tmp" if name is None else f"{name}={os.environ[name]}"


def _why_unusable(folder: Path) -> str | None:
    """Return why Ray cannot keep its sessions in a folder; None if it can."""
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
    if os.geteuid() and limit != resource.RLIM_INFINITY and limit - (used := _threads_of_user()) < needed:
        yield error(
            f"leaves room for {max(limit - used, 0)} more threads, and Ray starts about {needed}",
            where=f"ulimit -u {limit}",
            remedy=f"end other programs, or raise it to {used + needed} (`ulimit -u {used + needed}`)",
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


# --- The connection to Ray, and what it can give to a trial

CONNECT_S = 5.0
# How the protocol of Ray's servers begins (RFC 9113, section 3.4).
HTTP2_SETTINGS = b"\x04"
HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00" + HTTP2_SETTINGS + bytes(5)
# Ten trials with a tenth of a GPU each fill it.
ROUNDING = 1e-6


@contextmanager
def connected(address: str | None, imported: Sequence[str] = ()) -> Iterator[None]:
    """Start Ray on this machine, or join the cluster at `address`.

    The modules of the `imported` paths, and those that they import from the same folders, are sent to
    every worker; installed packages must be installed on each node. Where this process has a Ray already,
    that one is used and goes on after, unless an `address` or own modules ask for another.

    Raises
    ------
    ConfigError
        When something cannot be imported here.
    ResourceError
        When Ray cannot start here, with the reason, or no cluster answers at `address`.
    """
    if address is None and not imported and ray.is_initialized():
        yield
        return
    with kept_handlers(), ray_folder() as folder:
        try:
            _connect(address, folder, imported)
            yield
        finally:
            # Whatever refers to Ray must be freed before the shutdown: if another thread's garbage collection
            # finds it later, Ray ends the process without a message.
            gc.collect()
            _leave()


def _connect(address: str | None, folder: Path, imported: Sequence[str]) -> None:
    """Start or join Ray, and keep the command's own signal handlers."""
    files = [str(file) for file in files_of(imported)]
    environment = {"py_modules": files} if files else None
    try:
        with signals_for_this_process_alone(), kept_handlers():
            if address is None:
                _start(folder, environment)
            else:
                _join(address, environment)
    except SystemExit:
        # Raised by the handler that Ray installs; the command's own handler must get the signal instead.
        signal.raise_signal(signal.SIGTERM)


def _start(folder: Path, environment: dict[str, list[str]] | None) -> None:
    for finding in missing_requirements():
        raise ResourceError(str(finding))
    set_auth_token()
    try:
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=environment,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(folder),
            # Ray would start a worker a core at once, and Tune, which asks for workers of another
            # environment, would never use them.
            _system_config={"prestart_worker_first_driver": False},
        )
    except Exception as error:  # Ray raises bare ones too
        raise ResourceError(
            f"Ray does not start on this machine ({_short(error)}); "
            f"its logs in {folder / 'session_latest' / 'logs'} may say more"
        ) from error


def _join(address: str, environment: dict[str, list[str]] | None) -> None:
    try:
        _check_ray_listens(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=environment)
    except AuthenticationError as error:
        raise ResourceError(
            f"Ray at {address} asks for its key, and none is here; copy ~/.ray/auth_token from its head to "
            "this home, or name it by RAY_AUTH_TOKEN_PATH"
        ) from error
    except Exception as error:
        raise ResourceError(
            f"Ray at {address} does not answer ({_short(error)}); "
            "start the cluster, check --address, or leave it out to run here"
        ) from error


def _leave() -> None:
    """Disconnect, and end at once what Ray started here.

    Ray asks each of its five processes to end and waits a second before it kills it. They never hear it,
    since they were started with SIGTERM blocked.
    """
    node = ray._private.worker._global_node
    for started in node.all_processes.values() if node else ():
        for one in started:
            one.process.terminate = partial(_kill_with_children, one.process)
    ray.shutdown()


def _kill_with_children(process: "subprocess.Popen[bytes]") -> None:
    # The raylet's agents would outlive it by far, looking for a server of Ray's that is gone as well.
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children():
            with suppress(psutil.NoSuchProcess):
                child.kill()
    process.kill()


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _check_ray_listens(address: str) -> None:
    """Raise OSError where nothing or not Ray listens: Ray would try again for a quarter of an hour."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return
    server = host.removeprefix("ray://").strip("[]"), int(port)
    with socket.create_connection(server, CONNECT_S) as connection:
        if os.environ.get("RAY_USE_TLS", "0") != "0":
            return
        connection.sendall(HTTP2_GREETING)
        # Each frame has its length in three bytes, then its kind.
        if connection.recv(4)[3:] != HTTP2_SETTINGS:
            raise OSError("what listens there is not Ray")


def trial_request(resources: Resources) -> dict[str, float]:
    """Return the resources of each trial, without a GPU where the cluster has none and can start none.

    Raises
    ------
    ResourceError
        When no single node could ever meet the request: it would wait for ever.
    """
    capacity = read_capacity()
    for finding in unmet_request_of(resources, capacity):
        if finding.severity == "error":
            raise ResourceError(str(finding))
    return request_of(resources, capacity)


def trials_at_once(request: Mapping[str, float]) -> int | None:
    """Return how many trials can train side by side, None where nodes may still come or go."""
    capacity = read_capacity()
    if len(capacity.nodes) > 1 or capacity.node_types or capacity.hidden is not None:
        return None
    resources = capacity.nodes[0].resources
    return min(int(resources.get(name, 0) / amount + ROUNDING) for name, amount in request.items())
