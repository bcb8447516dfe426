"""What a node reports of itself and of the shared storage; sent to the nodes, so it imports little."""

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from pyarrow import ArrowInvalid
from pyarrow.fs import FileSystem

from glsweep.doctor import Finding, error

DRIVER_FILE = "driver"
FAILURES = (OSError, ArrowInvalid, ValueError)
REMEDY = "give --storage a folder that every node mounts, or s3://bucket/folder that every node may write to"


@contextmanager
def storage_probe(root: str) -> Iterator[str]:
    """Write a file for the nodes to read into a new folder below `root`; yield the folder, then delete it.

    Raises
    ------
    OSError, ValueError
        When the driver itself cannot write there.
    """
    system, path = FileSystem.from_uri(root)
    folder = f"{path.rstrip('/')}/.doctor-{uuid.uuid4().hex}"
    system.create_dir(folder, recursive=True)
    try:
        _write(system, f"{folder}/{DRIVER_FILE}", DRIVER_FILE)
        yield f"{root.rstrip('/')}/{folder.rpartition('/')[2]}"
    finally:
        system.delete_dir(folder)


def answer_probe(folder: str, name: str) -> str | None:
    """Read the driver's file and write one from this node; return what goes wrong, None if nothing does."""
    try:
        system, path = FileSystem.from_uri(folder)
        _read(system, f"{path}/{DRIVER_FILE}")
    except FAILURES as failure:
        return f"does not see what the driver wrote ({_short(failure)})"
    try:
        _write(system, f"{path}/{name}", name)
    except FAILURES as failure:
        return f"cannot write ({_short(failure)})"
    return None


def unshared_storage(folder: str, faults: Mapping[str, str | None], root: str) -> Iterator[Finding]:
    """Find the nodes that cannot read or write the storage, and those whose file does not arrive.

    Parameters
    ----------
    folder : str
        As `storage_probe` yielded it.
    faults : mapping of str to (str or None)
        What each node's `answer_probe` returned, by the node's name.
    root : str
        The storage, as findings name it.
    """
    system, path = FileSystem.from_uri(folder)
    for name, fault in faults.items():
        problem = fault
        if fault is None:
            try:
                answer = _read(system, f"{path}/{name}")
            except FAILURES as failure:
                answer = _short(failure)
            problem = None if answer == name else f"wrote something that the driver does not see ({answer})"
        if problem is not None:
            yield error(f"node {name} {problem}", where=f"storage {root}", remedy=REMEDY)


def unwritable_storage(root: str, failure: Exception) -> Finding:
    """Return the finding that the driver itself cannot use the storage."""
    return error(f"the driver cannot write there ({_short(failure)})", where=f"storage {root}", remedy=REMEDY)


def _read(system: FileSystem, path: str) -> str:
    with system.open_input_stream(path) as stream:
        return bytes(stream.read()).decode()


def _write(system: FileSystem, path: str, text: str) -> None:
    with system.open_output_stream(path) as stream:
        stream.write(text.encode())


def _short(failure: BaseException) -> str:
    return " ".join(str(failure).split())[:160]


# --- What a node reports of itself, in plain values

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
PACKAGES = ("ray", "torch", "glsweep")
NVIDIA_SMI = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
MIB_BYTES = 2**20


class NodeAnswer(TypedDict):
    """What a node has: versions of packages, cores, limits of threads, its smallest GPU's memory.

    `gpu_bytes` is None where there is no GPU; `storage_fault` says why the storage cannot be used, if so.
    """

    versions: dict[str, str | None]
    cores: int
    threads: dict[str, str]
    gpu_bytes: int | None
    storage_fault: str | None


def describe_node(name: str, *, gpus: float, storage: str | None = None) -> NodeAnswer:
    """Return what this node has installed, its cores, its threads and its GPUs' memory.

    Parameters
    ----------
    name : str
        Name of the file that the node writes into the storage.
    gpus : float
        GPUs that Ray knows of; if 0, none is looked for.
    storage : str, optional
        Folder that `storage_probe` yielded on the driver.
    """
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "cores": len(os.sched_getaffinity(0)),
        "threads": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        "gpu_bytes": gpu_bytes() if gpus else None,
        "storage_fault": answer_probe(storage, name) if storage else None,
    }


def gpu_bytes() -> int | None:
    """Return the memory of the smallest GPU of this node, None where it is unknown."""
    try:
        output = subprocess.run(NVIDIA_SMI, capture_output=True, text=True, check=True, timeout=10).stdout
        return min(int(line) for line in output.split()) * MIB_BYTES
    except (OSError, subprocess.SubprocessError, ValueError):
        # A GPU of another make, or none although Ray was told of one.
        return None


def _version(package: str) -> str | None:
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
    return f"{version} (source {source_hash()})" if package == "glsweep" else version


def source_hash() -> str:
    """Return 8 hexadecimal digits of this package's source: a version says little of a working copy."""
    spec = find_spec("glsweep")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:8]
