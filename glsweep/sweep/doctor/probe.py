"""What a node says of itself. Sent to the nodes, so it imports little and returns plain values."""

import hashlib
import importlib.metadata
import os
import platform
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from glsweep.sweep.doctor.storage import answer_in

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
PACKAGES = ("ray", "torch", "glsweep")
NVIDIA_SMI = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
MIB_BYTES = 2**20


def look_around(name: str, *, gpus: float, storage: str | None = None) -> dict[str, Any]:
    """Return what this node has installed, its cores, its threads and its GPUs' memory.

    Parameters
    ----------
    name : str
        By which the node signs in the storage.
    gpus : float
        GPUs that Ray was told of; without any, none is looked for.
    storage : str, optional
        Where a question of the driver's lies that is to be answered.
    """
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "cores": len(os.sched_getaffinity(0)),
        "threads": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        "gpu_bytes": gpu_bytes() if gpus else None,
        "storage_fault": answer_in(storage, name) if storage else None,
    }


def gpu_bytes() -> int | None:
    """Return the memory of the smallest GPU of this node, None where it cannot be told."""
    try:
        told = subprocess.run(NVIDIA_SMI, capture_output=True, text=True, check=True, timeout=10).stdout
        return min(int(line) for line in told.split()) * MIB_BYTES
    except (OSError, subprocess.SubprocessError, ValueError):
        # Another make of GPU, or none in spite of what Ray was told.
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
