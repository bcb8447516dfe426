"""Whether every node reads and writes the storage that the driver sees."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pyarrow import ArrowInvalid
from pyarrow.fs import FileSystem

from glsweep.sweep.doctor.finding import Finding, error

QUESTION = "driver"
FAILURES = (OSError, ArrowInvalid, ValueError)
REMEDY = "give --storage a folder that every node mounts, or s3://bucket/folder that every node may write to"


@contextmanager
def question_in(root: str) -> Iterator[str]:
    """Put a file for the nodes to find into a new folder below `root`; yield the folder, then delete it.

    Raises
    ------
    OSError, ValueError
        When the driver itself cannot write there.
    """
    system, path = FileSystem.from_uri(root)
    folder = f"{path.rstrip('/')}/.doctor-{uuid.uuid4().hex}"
    system.create_dir(folder, recursive=True)
    try:
        _write(system, f"{folder}/{QUESTION}", QUESTION)
        yield f"{root.rstrip('/')}/{folder.rpartition('/')[2]}"
    finally:
        system.delete_dir(folder)


def answer_in(folder: str, name: str) -> str | None:
    """Read the driver's file and write one of this node's; return what goes wrong, None if nothing does."""
    try:
        system, path = FileSystem.from_uri(folder)
        _read(system, f"{path}/{QUESTION}")
    except FAILURES as failure:
        return f"does not see what the driver wrote ({_short(failure)})"
    try:
        _write(system, f"{path}/{name}", name)
    except FAILURES as failure:
        return f"cannot write ({_short(failure)})"
    return None


def unshared(folder: str, faults: Mapping[str, str | None], root: str) -> Iterator[Finding]:
    """Find the nodes that could not answer, and those whose answer did not arrive.

    Parameters
    ----------
    folder : str
        As `question_in` yielded it.
    faults : mapping of str to (str or None)
        What each node's `answer_in` returned, by the node's name.
    root : str
        The storage, to be named in findings.
    """
    system, path = FileSystem.from_uri(folder)
    for name, fault in faults.items():
        seen = fault
        if fault is None:
            try:
                answer = _read(system, f"{path}/{name}")
            except FAILURES as failure:
                answer = _short(failure)
            seen = None if answer == name else f"wrote something that the driver does not see ({answer})"
        if seen is not None:
            yield error(f"node {name} {seen}", where=f"storage {root}", remedy=REMEDY)


def unwritable(root: str, failure: Exception) -> Finding:
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
