"""What a stage does when MLflow does not answer: it goes on."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from glsweep.study import Study
from glsweep.tracking.store import StoreError


@contextmanager
def without_stopping(study: Study, console: Console) -> Iterator[None]:
    """Turn a failure of MLflow within this block into a line that says how to send what is held back."""
    try:
        yield
    except StoreError as error:
        remedy = f"`python -m glsweep.run track {study.directory}` sends what is held back"
        console.print(Text(f"{error}; {remedy}", style="yellow"), soft_wrap=True)
