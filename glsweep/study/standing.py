"""How far the stage that runs has come, for whoever looks from elsewhere: a file that goes when it ends."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from glsweep.files import write_json
from glsweep.progress import Note, Standing
from glsweep.study import Study

STANDING: TypeAdapter[Standing] = TypeAdapter(Standing)


@contextmanager
def noted_standing(study: Study) -> Iterator[Note]:
    """Yield what writes how far a stage has come; what was written goes at the end of the block.

    A disk that is full, or a folder that cannot be written to, ends no stage here.
    """

    def note(standing: Standing | None) -> None:
        with suppress(OSError):
            if standing is None:
                _file(study).unlink(missing_ok=True)
            else:
                write_json(_file(study), asdict(standing))

    note(None)
    try:
        yield note
    finally:
        note(None)


def read_standing(study: Study) -> Standing | None:
    """Return how far the stage that runs has come, None where it counts nothing now."""
    try:
        return STANDING.validate_json(_file(study).read_bytes())
    except (OSError, ValidationError):
        return None


def _file(study: Study) -> Path:
    return study.directory / "stages" / "standing.json"
