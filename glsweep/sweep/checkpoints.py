"""Where checkpoints lie, in a folder or a shared store, and when they are deleted."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyarrow import ArrowInvalid
from pyarrow.fs import FileSystem, FileType
from safetensors import SafetensorError, safe_open

from glsweep.errors import ResourceError
from glsweep.sweep.records import Ended, Reopened, SweepRecords, TrialEvent, TrialRecord

CHECKPOINT_FILE = "state.safetensors"
EARLIER_FILE = "earlier.safetensors"


class StorageError(Exception):
    """A checkpoint cannot be written or read; another try may succeed."""


class CheckpointStore:
    """The newest checkpoint of each trial, `<root>/<trial_id>/state.safetensors`.

    For trials that train together the checkpoint before it is kept too: they can only continue from
    a common epoch, and the process that saves them one by one may die in between.

    Parameters
    ----------
    root : str
        An absolute folder, or a URI that pyarrow knows such as `s3://bucket/folder`.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def save(self, trial_id: str, file: Path, *, keeps_earlier: bool = False) -> None:
        """Take a copy of `file` as the trial's newest checkpoint, whole or not at all.

        Raises
        ------
        StorageError
            When it cannot be written, for example because the disk is full.
        """
        try:
            system, folder = self._open(trial_id)
            system.create_dir(folder, recursive=True)
            # A unique name: on a node that was lost the trial may still be writing.
            temporary = f"{folder}/{uuid.uuid4().hex}.part"
            with _deleted_on_failure(system, temporary):
                with system.open_output_stream(temporary) as stream:
                    stream.write(file.read_bytes())
                if keeps_earlier and system.get_file_info(f"{folder}/{CHECKPOINT_FILE}").is_file:
                    system.move(f"{folder}/{CHECKPOINT_FILE}", f"{folder}/{EARLIER_FILE}")
                system.move(temporary, f"{folder}/{CHECKPOINT_FILE}")
        except OSError as error:
            raise StorageError(f"{self.root}: cannot be written ({_short(error)})") from error

    @contextmanager
    def newest(self, trial_id: str) -> Iterator[Path | None]:
        """Yield a local copy of the trial's checkpoint, or None where there is no whole one."""
        with self.local_copies(trial_id) as copies:
            yield copies[0] if copies else None

    @contextmanager
    def local_copies(self, trial_id: str) -> Iterator[list[Path]]:
        """Yield local copies of all whole checkpoints of a trial, the newest first."""
        with tempfile.TemporaryDirectory() as folder:
            copies = [Path(folder) / name for name in (CHECKPOINT_FILE, EARLIER_FILE)]
            yield [copy for copy in copies if self._fetch(trial_id, copy) and _is_whole(copy)]

    def restore_earlier(self, trial_id: str) -> None:
        """Make the trial's earlier checkpoint its newest.

        Raises
        ------
        StorageError
            When the store cannot be written.
        """
        try:
            system, folder = self._open(trial_id)
            system.move(f"{folder}/{EARLIER_FILE}", f"{folder}/{CHECKPOINT_FILE}")
        except OSError as error:
            raise StorageError(f"{self.root}: cannot be written ({_short(error)})") from error

    def discard(self, trial_id: str, *, keeps_newest: bool = False) -> None:
        """Delete the checkpoints of a trial that is over, or all but its newest."""
        system, folder = self._open(trial_id)
        if keeps_newest:
            if system.get_file_info(f"{folder}/{EARLIER_FILE}").is_file:
                system.delete_file(f"{folder}/{EARLIER_FILE}")
        elif system.get_file_info(folder).type is not FileType.NotFound:
            system.delete_dir(folder)

    def clear(self) -> None:
        """Delete every checkpoint once nothing needs them."""
        self.discard("")

    def _fetch(self, trial_id: str, copy: Path) -> bool:
        try:
            system, folder = self._open(trial_id)
            with system.open_input_stream(f"{folder}/{copy.name}") as stream:
                copy.write_bytes(stream.read())
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StorageError(f"{self.root}: cannot be read ({_short(error)})") from error
        return True

    def _open(self, trial_id: str) -> tuple[FileSystem, str]:
        try:
            system, root = FileSystem.from_uri(self.root)
        except (ArrowInvalid, ValueError) as error:
            raise ResourceError(
                f"storage {self.root}: is no folder and no URI that can be used ({_short(error)}); "
                "give --storage a folder that every node mounts, or s3://bucket/folder"
            ) from error
        return system, f"{root.rstrip('/')}/{trial_id}".rstrip("/")


@contextmanager
def _deleted_on_failure(system: FileSystem, path: str) -> Iterator[None]:
    """Leave no half file on a disk that is full."""
    try:
        yield
    except OSError:
        with suppress(OSError):
            system.delete_file(path)
        raise


def _short(error: Exception) -> str:
    """Return the system's own message where there is one: pyarrow prefixes it with an internal path."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return " ".join(str(error).split())[:200]


def _is_whole(file: Path) -> bool:
    try:
        with safe_open(file, framework="pt"):
            return True
    except (SafetensorError, OSError):
        return False


# --- The listener that deletes checkpoints no longer needed


class CheckpointCleaner:
    """Keeps a long sweep from filling the store; what cannot be deleted now is tried again later.

    A trial that ran in full keeps its newest checkpoint, from which it continues if epochs are added.
    """

    def __init__(self, checkpoints: CheckpointStore) -> None:
        self._checkpoints = checkpoints
        self._over: dict[str, bool] = {}

    def catch_up(self, records: SweepRecords) -> None:
        """Find the checkpoints that an earlier run should have deleted."""
        ended = (record for record in records.trials.values() if record.outcome is not None)
        self._over |= {record.trial.trial_id: record.outcome == "completed" for record in ended}

    def on_event(self, event: TrialEvent, record: TrialRecord) -> None:
        """Delete the checkpoint of a trial that has ended."""
        if isinstance(event, Ended):
            self._over[record.trial.trial_id] = event.outcome == "completed"
            for trial_id in sorted(self._over):
                if self._discard(trial_id, keeps_newest=self._over[trial_id]):
                    del self._over[trial_id]
        elif isinstance(event, Reopened):
            self._over.pop(record.trial.trial_id, None)

    def _discard(self, trial_id: str, *, keeps_newest: bool) -> bool:
        try:
            self._checkpoints.discard(trial_id, keeps_newest=keeps_newest)
        except OSError:
            return False
        return True
