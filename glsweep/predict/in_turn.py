"""Scene after scene under a bar; one that does not fit is left out and told."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from glsweep.errors import DataError
from glsweep.predict.scene import Advance

Scene = TypeVar("Scene")
Result = TypeVar("Result")


def in_turn(
    scenes: Sequence[Scene],
    work: Callable[[Scene, Advance], Result],
    name_of: Callable[[Scene], str],
    console: Console,
) -> tuple[list[Result], list[str]]:
    """Do the same to every scene.

    Parameters
    ----------
    scenes : sequence
        In the order in which they are worked on.
    work : callable
        Given a scene, and a function that is told the share that was added.
    name_of : callable
        What a scene is called beside its bar.
    console : Console
        Where the bars are.

    Returns
    -------
    tuple
        What came of the scenes, and for each other one why it was left out.

    Raises
    ------
    DataError
        When the only scene cannot be worked on.
    """
    done: list[Result] = []
    refused: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        for scene in scenes:
            task = progress.add_task(name_of(scene), total=1.0)
            try:
                done.append(work(scene, partial(progress.advance, task)))
            except DataError as error:
                if len(scenes) == 1:
                    raise
                refused.append(str(error))
            progress.remove_task(task)
    return done, refused


def tell_refused(refused: Sequence[str], console: Console) -> int:
    """Print why scenes were left out, and return the exit code: 2 if there are any, 0 if not."""
    for reason in refused:
        console.print(f"[red]left out:[/red] {reason}", highlight=False, soft_wrap=True)
    return 2 if refused else 0
