"""How far work has come: a line each half minute in a log, a bar on a terminal, one object a line as JSON."""

import io
import json
import time

import pytest
from rich.console import Console

from glsweep.output import JsonConsole
from glsweep.progress import Pace, advance, clock_text, counted, shown, track


class Clock:
    """Goes on when it is told to."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s

    def goes_on(self, seconds):
        self.now_s += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log():
    return Console(file=io.StringIO(), width=40, soft_wrap=True)


def lines(log):
    return log.file.getvalue().splitlines()


def work(clock, pieces, each_s, unit="scenes", doing=""):
    for _ in track(range(pieces), unit, doing):
        clock.goes_on(each_s)


def test_work_that_nobody_watches_is_silent(capsys):
    assert list(track([1, 2, 3], "scenes")) == [1, 2, 3]
    assert capsys.readouterr().out == ""


def test_a_log_has_a_line_each_half_minute_with_the_time_left_and_one_at_the_end(clock, log):
    with shown("prepare", log, clock=clock):
        work(clock, 27, 5.0)
    assert lines(log) == [
        "prepare: 6 of 27 scenes, 0:30, about 1:45 left",
        "prepare: 12 of 27 scenes, 1:00, about 1:15 left",
        "prepare: 18 of 27 scenes, 1:30, about 0:45 left",
        "prepare: 24 of 27 scenes, 2:00, about 0:15 left",
        "prepare: 27 scenes in 2:15",
    ]


def test_no_two_lines_are_closer_than_half_a_minute_however_many_pieces_there_are(clock, log):
    with shown("simulate", log, clock=clock):
        work(clock, 10_000, 0.0151)
    assert len(lines(log)) == 6  # five of them on the way in 151 s, and the last


def test_what_takes_less_than_half_a_minute_is_not_told_in_a_log(clock, log):
    with shown("prepare", log, clock=clock):
        work(clock, 29, 1.0)
    assert lines(log) == []


def test_each_part_of_a_stage_is_counted_by_itself(clock, log):
    with shown("prepare", log, clock=clock):
        work(clock, 2, 20.0, doing="reading scenes")
        work(clock, 2, 20.0, unit="patches", doing="cutting")
    assert lines(log) == ["prepare, reading scenes: 2 scenes in 0:40", "prepare, cutting: 2 patches in 0:40"]


def test_a_line_is_never_broken_however_narrow_and_brackets_are_no_markup(clock, log):
    with shown("predict [/scenes/of/a/very/long/name/of/a/folder]", log, clock=clock):
        work(clock, 2, 31.0, doing="[red]" * 20)
    first, _ = lines(log)
    assert first.endswith("1 of 2 scenes, 0:31")
    assert "folder]" in first
    assert first.count("[red]") == 20


def test_what_is_counted_within_a_piece_counts_as_its_shares(clock, log):
    with shown("evaluate", log, clock=clock):
        for _ in track(["unet", "unetpp"], "networks"):
            work(clock, 4, 10.0)
    assert lines(log) == [
        "evaluate: 0.8 of 2 networks, 0:30, about 0:50 left",
        "evaluate: 1.5 of 2 networks, 1:00, about 0:20 left",
        "evaluate: 2 networks in 1:20",
    ]


def test_shares_that_add_up_to_a_hair_less_than_a_whole_leave_nothing_undone(clock, log):
    with shown("predict", log, clock=clock):
        for _ in track(range(6), "scenes"):
            for _ in range(3):
                advance(1 / 3)
                clock.goes_on(2.0)
    assert lines(log)[-1] == "predict: 6 scenes in 0:36"


def test_a_piece_that_ends_early_counts_as_a_whole_one_and_none_counts_twice(clock, log):
    with shown("evaluate", log, clock=clock):
        for one in track(range(4), "networks"):
            with counted(10, "scenes") as scenes:
                scenes.advance(3 if one else 30)
            clock.goes_on(16.0)
    assert lines(log)[0].startswith("evaluate: 2 of 4 networks, 0:32")
    assert lines(log)[-1] == "evaluate: 4 networks in 1:04"


def test_a_piece_that_fails_does_not_disturb_the_count_of_the_others(clock, log):
    """As when a member cannot be tested, and the others are."""
    with shown("evaluate", log, clock=clock):
        kept = []
        for one in track(range(4), "networks"):
            try:
                for scene in track(range(4), "scenes"):
                    clock.goes_on(10.0)
                    if one == 1 and scene == 1:
                        raise ValueError("a scene that cannot be read")
            except ValueError as error:
                kept.append(error)  # its traceback keeps the inner loop open
    assert lines(log)[-1] == "evaluate: 4 networks in 2:20"
    assert "evaluate: 2.8 of 4 networks, 1:30, about 0:40 left" in lines(log)


def test_the_time_left_is_told_only_once_it_has_settled(clock):
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    with shown("predict", console, clock=clock):
        for number in track(range(100), "scenes", name_of=lambda number: f"scene{number}.tif"):
            clock.goes_on(2.0)
            if number == 3:
                early = drawn(console, "scene3.tif")
            if number == 50:
                late = drawn(console, "scene50.tif")
    assert "left" not in early
    assert "50/100" in late
    assert "about 1:40 left" in late


def drawn(console, name):
    """The bar once it names this scene."""
    deadline_s = time.monotonic() + 10
    while f"predict, {name}" not in console.file.getvalue():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    return console.file.getvalue().rpartition("predict, ")[2]


def test_a_bar_goes_when_an_error_leaves_its_loop(clock):
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    errors = []
    try:
        with shown("predict", console, clock=clock):
            for _ in track([1, 2], "scenes"):
                raise ValueError("broken")
    except ValueError as error:
        errors.append(error)  # its traceback keeps the loop open
    console.file.truncate(0)
    console.print("error: broken")
    assert "predict" not in console.file.getvalue()


def test_as_json_each_line_is_an_object_with_what_is_done_and_left(clock, capsys):
    with shown("prepare", JsonConsole(), clock=clock):
        work(clock, 4, 20.0)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one.pop("time")[-6:] for one in told] == ["+00:00"] * 2
    assert told == [
        {
            "event": "progress",
            "stage": "prepare",
            "doing": "",
            "done": 2,
            "total": 4,
            "unit": "scenes",
            "elapsed_s": 40.0,
            "left_s": 40.0,
        },
        {
            "event": "progress",
            "stage": "prepare",
            "doing": "",
            "done": 4,
            "total": 4,
            "unit": "scenes",
            "elapsed_s": 80.0,
            "left_s": 0.0,
        },
    ]


def test_whoever_looks_from_elsewhere_is_told_every_two_seconds_and_when_it_is_over(clock, log):
    notes = []
    with shown("prepare", log, note=notes.append, clock=clock):
        work(clock, 10, 1.0)
        work(clock, 2, 1.5)
    assert [note and (note.done, note.elapsed_s) for note in notes] == [
        (2, 2.0),
        (4, 4.0),
        (6, 6.0),
        (8, 8.0),
        (10, 10.0),
        None,
        (2, 3.0),
        None,
    ]


def test_a_pace_is_due_half_a_minute_after_it_last_was(clock):
    pace = Pace(clock)
    seen = []
    for _ in range(100):
        clock.goes_on(1.0)
        if pace.is_due():
            seen.append(clock.now_s - 1000.0)
    assert seen == [30.0, 60.0, 90.0]


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "0:05"), (3725, "1:02:05"), (90061, "1 d 1:01:01"), (59.6, "1:00")]
)
def test_times_read_like_a_clock(seconds, text):
    assert clock_text(seconds) == text
