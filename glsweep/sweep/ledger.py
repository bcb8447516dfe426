"""The ledger: every event of a sweep, one JSON object a line, appended and not changed after."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import ValidationError

from glsweep.errors import StudyError
from glsweep.files import write_text
from glsweep.sweep.events import EVENT, Began, Event, Started


class Ledger:
    """Appends events to a file so that each survives the death of the process, or is absent."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: Event) -> None:
        """Write one event through to the disk."""
        with self.path.open("ab") as file:
            file.write(event.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def replay(self) -> Iterator[Event]:
        """Cut off a last line that was not written whole, and yield every event.

        Only for the one process that appends: see `read`.
        """
        if self.path.is_file():
            text = self.path.read_bytes()
            whole = text.rfind(b"\n") + 1
            if whole < len(text):
                os.truncate(self.path, whole)
        yield from self.read()

    def keep(self, trial_ids: Collection[str]) -> None:
        """Leave out what became of all other trials; those that stay are counted from 0 again."""
        kept: list[Event] = []
        places: dict[str, int] = {}
        for event in self.replay():
            if isinstance(event, Started) and event.trial.trial_id in trial_ids:
                place = places.setdefault(event.trial.trial_id, len(places))
                trial = event.trial.model_copy(update={"index": place})
                kept.append(event.model_copy(update={"trial": trial}))
            elif isinstance(event, Began) or (not isinstance(event, Started) and event.trial_id in trial_ids):
                kept.append(event)
        write_text(self.path, "".join(f"{event.model_dump_json()}\n" for event in kept))

    def read(self) -> Iterator[Event]:
        """Yield every event that was written whole, and leave the file as it is.

        Raises
        ------
        StudyError
            When a whole line is no event.
        """
        if not self.path.is_file():
            return
        text = self.path.read_bytes()
        for number, line in enumerate(text[: text.rfind(b"\n") + 1].splitlines(), start=1):
            try:
                yield EVENT.validate_json(line)
            except ValidationError as error:
                raise StudyError(
                    f"{self.path}: line {number} is no event of a sweep; "
                    "delete the file's folder to sweep anew"
                ) from error
