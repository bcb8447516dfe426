"""Where a sweep's checkpoints lie, over all the times that it was begun."""

import shutil
from pathlib import Path

from safetensors import SafetensorError, safe_open

CHECKPOINT_FILE = "state.safetensors"


class CheckpointFolder:
    """Ray Tune's storage under one folder, a new run of Tune for each attempt at the sweep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def next_attempt(self) -> str:
        """Name a run of Tune that has not been used."""
        return f"attempt-{len(self._attempts()):03d}"

    def newest(self, trial_id: str) -> Path | None:
        """Return the newest whole checkpoint of a trial, or None.

        A copy that was cut off is passed over: its tensors do not fill the file.
        """
        for attempt in reversed(self._attempts()):
            for file in sorted(attempt.glob(f"{trial_id}/checkpoint_*/{CHECKPOINT_FILE}"), reverse=True):
                if _is_whole(file):
                    return file
        return None

    def clear(self) -> None:
        """Delete every checkpoint once nothing needs them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _attempts(self) -> list[Path]:
        return sorted(self.folder.glob("attempt-*"))


def _is_whole(file: Path) -> bool:
    try:
        with safe_open(file, framework="pt"):
            return True
    except (SafetensorError, OSError):
        return False
