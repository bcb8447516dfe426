"""What a command prints: text for people, or one JSON object a line for a cluster's log collector."""

import json
from datetime import UTC, datetime
from typing import Any, Literal

from rich.console import Console, Group
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

LogFormat = Literal["text", "json"]

LOG_WIDTH = 120
"""Characters of a log's line, unless a text or a table needs more: nothing is wrapped or cut."""

WIDEST = 100_000

LEVELS = {"red": "error", "yellow": "warning"}
"""What the colour of a message says of it."""


def open_console(log_format: LogFormat = "text", *, stderr: bool = False) -> Console:
    """Return where a command prints: on a terminal as wide as that is, in a log without wrapping a line.

    Parameters
    ----------
    log_format : "text" or "json"
        With `json` every line is one JSON object.
    stderr : bool
        Whether it is for errors.
    """
    if log_format == "json":
        return JsonConsole(stderr=stderr)
    console = Console(stderr=stderr)
    return console if console.is_terminal else LogConsole(stderr=stderr, width=LOG_WIDTH, soft_wrap=True)


def tell(console: Console, text: str | Text, event: str, **data: Any) -> None:
    """Print a line, or as JSON what it says as data.

    Parameters
    ----------
    console : Console
        Where it goes.
    text : str or Text
        The line, for people.
    event : str
        What kind of line it is.
    data
        What it says, for programs.
    """
    if isinstance(console, JsonConsole):
        console.event(event, **data)
    else:
        console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal)


class LogConsole(Console):
    """Prints texts in one line each, and tables as wide as their longest cells."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print what Rich would, with nothing wrapped or cut."""
        if not any(isinstance(one, Table | Group) for one in objects):
            super().print(*objects, **options)
            return
        unbounded = self.options.update(width=WIDEST)
        needed = max(Measurement.get(self, unbounded, one).maximum for one in objects)
        self.width = max(LOG_WIDTH, needed)
        try:
            super().print(*objects, **{**options, "soft_wrap": False})
        finally:
            self.width = LOG_WIDTH


class JsonConsole(Console):
    """Prints one JSON object a line, each with `time` (ISO 8601, UTC) and `event`.

    A message has its `level` and its `text`, a table its `columns` and `rows`, as text. Nothing is drawn
    anew in place, and nothing has a colour.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(
            stderr=stderr, force_terminal=False, color_system=None, width=LOG_WIDTH, soft_wrap=True
        )

    def print(self, *objects: Any, **options: Any) -> None:
        """Print what Rich would, as data."""
        words: list[Text] = []
        for one in objects:
            if isinstance(one, Group):
                for part in one.renderables:
                    self.print(part, **options)
            elif isinstance(one, Table):
                self._print_table(one)
            else:
                words.append(self._text(one, options.get("markup")))
        text = Text(" ").join(words)
        if text.plain.strip():
            styles = [str(options.get("style") or text.style), *(str(span.style) for span in text.spans)]
            level = next(
                (level for colour, level in LEVELS.items() if any(colour in s for s in styles)), "info"
            )
            self.event("message", level=level, text=text.plain.strip())

    def event(self, event: str, **data: Any) -> None:
        """Print an object with the time, the kind of event, and its data."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event, **data}, ensure_ascii=False, allow_nan=False)
        self.file.write(f"{line}\n")
        self.file.flush()

    def _print_table(self, table: Table) -> None:
        title = self._words(table.title) if table.title else None
        columns = [self._words(column.header) for column in table.columns]
        cells = ([self._words(cell) for cell in column.cells] for column in table.columns)
        rows = [list(row) for row in zip(*cells, strict=True)]
        self.event("table", title=title, columns=columns, rows=rows)
        if table.caption:
            self.print(table.caption)

    def _words(self, shown: Any) -> str:
        return " ".join(self._text(shown, None).plain.split())

    def _text(self, shown: Any, markup: bool | None) -> Text:
        if isinstance(shown, Text):
            return shown
        if isinstance(shown, str):
            return self.render_str(shown, markup=markup, highlight=False)
        return Text("".join(segment.text for segment in self.render(shown)))
