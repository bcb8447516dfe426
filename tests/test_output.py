"""What a command prints: whole lines in a log, a bar on a terminal, JSON for a cluster."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

import glsweep
from glsweep.output import JsonConsole, open_console, tell
from glsweep.run import main

SMOKE = Path(__file__).parent / "smoke"
LONG = "a_long_name_of_a_folder_in_which_a_study_lies/and_below_it_another_one_whose_name_is_long_too"


def told(capsys):
    """The objects that were printed, without their times."""
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for one in objects:
        assert one.pop("time").endswith("+00:00")
    return objects


def test_a_log_is_not_wrapped_however_narrow_the_terminal_was(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    sentence = "a sentence with /a/path/that/is/longer/than/twenty/characters and some words after it"
    open_console().print(sentence)
    tell(open_console(), sentence, "message")
    assert capsys.readouterr().out.splitlines() == [sentence, sentence]


def test_a_table_in_a_log_is_as_wide_as_its_longest_cell_whatever_the_terminal(capsys, monkeypatch):
    table = Table("scene", "what is the matter")
    sentence = " ".join(["word"] * 60)
    table.add_row("S1", sentence)
    shown = []
    for columns in ("20", "400"):
        monkeypatch.setenv("COLUMNS", columns)
        open_console().print(table)
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert sentence in shown[0]


def test_as_json_a_table_is_data_and_a_message_has_a_level(capsys):
    table = Table("scene", title="Lines", caption="in metres")
    table.add_column(Text("km\ndrawn", justify="right"))
    table.add_row("[bold]S1[/bold]", Text("1.5"))
    console = open_console("json")
    console.print(Group(table, Text("all of it", style="dim")))
    console.print(Text.assemble(("mind: ", "yellow"), "a [scene] without lines"))
    console.print("[red]left out:[/red] S2")
    console.print("S3: band [1] is taken", markup=False)
    console.print()
    assert told(capsys) == [
        {"event": "table", "title": "Lines", "columns": ["scene", "km drawn"], "rows": [["S1", "1.5"]]},
        {"event": "message", "level": "info", "text": "in metres"},
        {"event": "message", "level": "info", "text": "all of it"},
        {"event": "message", "level": "warning", "text": "mind: a [scene] without lines"},
        {"event": "message", "level": "error", "text": "left out: S2"},
        {"event": "message", "level": "info", "text": "S3: band [1] is taken"},
    ]


def test_as_json_a_message_of_several_lines_stays_one_line(capsys):
    JsonConsole().print("one\ntwo", "three")
    assert told(capsys) == [{"event": "message", "level": "info", "text": "one\ntwo three"}]


def test_whatever_prints_asks_one_place_for_its_console():
    """Else a log is wrapped here and there, and some lines of it are no JSON."""
    made = re.compile(r"(?<!def )\bConsole\((?!quiet=True\))")
    package = Path(glsweep.__file__).parent
    places = [path.name for path in package.rglob("*.py") if made.search(path.read_text())]
    assert places == ["output.py"]


# --- As a user runs it


def simulated(tmp_path, *more):
    """Arguments that make small scenes."""
    card, space = SMOKE / "card.yaml", SMOKE / "space.yaml"
    return ["simulate", "--data", card, "--space", space, "--study", tmp_path / LONG, *more]


def process(arguments):
    return [sys.executable, "-m", "glsweep.run", *map(str, arguments)]


def test_the_log_of_a_command_has_whole_lines_and_no_bar(tmp_path):
    narrow = {**os.environ, "COLUMNS": "30"}
    done = subprocess.run(
        process(simulated(tmp_path)), env=narrow, check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, *others = done.stdout.splitlines()
    assert first == f"study {tmp_path / LONG}: 6 configurations planned"
    assert [line.split()[0] for line in others] == ["simulate", "simulate"]
    assert "\x1b" not in done.stdout


def test_on_a_terminal_a_bar_shows_how_many_scenes_are_done(tmp_path):
    ours, theirs = pty.openpty()
    wide = {**os.environ, "COLUMNS": "100", "TERM": "xterm-256color"}
    with subprocess.Popen(process(simulated(tmp_path)), env=wide, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        shown = b"".join(read_all(ours)).decode()
    os.close(ours)
    assert running.returncode == 0
    assert "━" in shown
    assert "0/4" in shown


def test_as_json_every_line_of_a_stage_is_an_object_and_so_is_what_stops_it(tmp_path, capsys):
    arguments = simulated(tmp_path, "--log-format", "json")[1:]
    assert main(["prepare", *map(str, arguments)]) == 0
    objects = told(capsys)
    stages = [(one["stage"], one["state"]) for one in objects if one["event"] == "stage"]
    assert stages == [
        ("simulate", "begins"),
        ("simulate", "done"),
        ("prepare", "begins"),
        ("prepare", "done"),
    ]
    assert main(["evaluate", "--study", str(tmp_path / "nowhere"), "--log-format=json"]) == 2
    (error,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert error["level"] == "error"
    assert error["text"].startswith(f"error: {tmp_path / 'nowhere'}: is not a study")


def read_all(terminal):
    while True:
        try:
            read = os.read(terminal, 4096)
        except OSError:  # nobody holds the other end any more
            return
        if not read:
            return
        yield read
