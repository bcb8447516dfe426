"""What a person sees while a sweep runs."""

import io
import json
import time

import pytest
from rich.console import Console
from sweeps import planned
from told_sweeps import Telling, terms

from glsweep.output import JsonConsole
from glsweep.sweep import listener as console_module
from glsweep.sweep.listener import ConsoleListener
from glsweep.sweep.records import Crashed, Ended, Placed, Reported, Started

TRIAL = planned(0)


class Heard(Telling):
    """Tells a listener too, as the journal does."""

    def __init__(self, listener):
        super().__init__(begins_unix_s=time.time())
        self.listener = listener
        listener.catch_up(self.records)

    def happen(self, event):
        record = self.records.apply(event)
        self.listener.on_event(event, record)

    def reported_in_micro_batches(self, size, epoch):
        figures = {"relaxed_f1": 0.5, "dice": 0.5, "val_loss": 0.5, "epoch_s": 1.0, "micro_batch": size}
        self.happen(
            Reported(unix_s=time.time(), trial_id=TRIAL.trial_id, epoch=epoch, figures=figures, last=False)
        )


def listening(*, terminal=False, clock=time.monotonic):
    console = Console(file=io.StringIO(), width=120, force_terminal=terminal, color_system=None)
    heard = Heard(ConsoleListener(console, terms([TRIAL]), title="Sweep", stage="sweep", clock=clock))
    return heard, console.file


def begin(heard):
    heard.happen(Started(unix_s=time.time(), trial=TRIAL))
    heard.happen(Placed(unix_s=time.time(), trial_id=TRIAL.trial_id, node="here"))


def test_a_crash_is_told_with_how_often_it_is_tried_again_and_the_last_one_as_a_failure():
    heard, file = listening()
    begin(heard)
    for _ in range(3):
        heard.happen(Crashed(unix_s=time.time(), trial_id=TRIAL.trial_id, reason="the worker died"))
    heard.happen(
        Ended(unix_s=time.time(), trial_id=TRIAL.trial_id, outcome="failed", reason="the worker died")
    )
    assert file.getvalue().splitlines() == [
        "trial 0000: crashed (the worker died), tried again (1 of 2)",
        "trial 0000: crashed (the worker died), tried again (2 of 2)",
        "trial 0000: failed: the worker died",
    ]


def test_a_smaller_micro_batch_is_told_once_each_time_that_it_shrinks():
    heard, file = listening()
    begin(heard)
    for epoch, size in enumerate((2, 1, 1), start=1):
        heard.reported_in_micro_batches(size, epoch)
    words = "trial 0000: trains in micro-batches of 1 since the device ran out of memory"
    assert file.getvalue().splitlines() == [words]


def test_in_a_log_a_line_comes_each_half_minute_and_the_table_at_the_end():
    now_s = [0.0]
    heard, file = listening(clock=lambda: now_s[0])
    with heard.listener:
        begin(heard)
        now_s[0] = 29.0
        heard.reported_in_micro_batches(2, 1)
        assert file.getvalue() == ""
        now_s[0] = 31.0
        heard.reported_in_micro_batches(2, 2)
        heard.reported_in_micro_batches(2, 3)
        (line,) = file.getvalue().splitlines()
        assert line.startswith("sweep: 0 of 1 trials over, 2 epochs in ")
        assert line.endswith("CPU hours so far")
    assert "Sweep, best by relaxed_f1" in file.getvalue()
    assert "U-Net 128" in file.getvalue()


def test_as_json_the_line_is_data(capsys):
    now_s = [0.0]
    listener = ConsoleListener(
        JsonConsole(), terms([TRIAL]), title="Sweep", stage="sweep", clock=lambda: now_s[0]
    )
    heard = Heard(listener)
    with listener:
        begin(heard)
        now_s[0] = 31.0
        heard.reported_in_micro_batches(2, 1)
    line, table, *_ = (json.loads(text) for text in capsys.readouterr().out.splitlines())
    assert (line["stage"], line["done"], line["total"], line["epochs"]) == ("sweep", 0, 1, 1)
    assert line["left_s"] >= 0
    assert table["event"] == "table"
    assert dict(zip(table["columns"], table["rows"][0], strict=True))["stratum"] == "U-Net 128"


def test_on_a_terminal_one_table_lives_and_what_went_wrong_stands_above_it():
    heard, file = listening(terminal=True)
    with heard.listener:
        begin(heard)
        heard.happen(Crashed(unix_s=time.time(), trial_id=TRIAL.trial_id, reason="the worker died"))
        deadline = time.monotonic() + 10
        while "to be tried again after a crash" not in file.getvalue():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    printed = file.getvalue()
    assert printed.index("tried again (1 of 2)") < printed.rindex("Sweep, best by")


def test_a_table_that_takes_long_is_drawn_seldom(monkeypatch):
    drawn = []

    def draw_slowly(*_arguments, **_more):
        drawn.append(time.monotonic())
        time.sleep(0.05)
        return ""

    heard, _ = listening(terminal=True)
    monkeypatch.setattr(console_module, "sweep_table", draw_slowly)
    end_s = time.monotonic() + 1.5
    while time.monotonic() < end_s:
        heard.listener._table()
    assert len(drawn) == 2
    assert drawn[1] - drawn[0] >= 1.0


def test_an_interrupted_sweep_leaves_its_table():
    heard, file = listening()
    begin(heard)
    with pytest.raises(KeyboardInterrupt), heard.listener:
        raise KeyboardInterrupt
    assert "U-Net 128" in file.getvalue()


def test_what_was_told_before_an_interruption_is_not_told_again_and_the_pause_does_not_count():
    telling = Telling(begins_unix_s=1000.0)
    telling.started(TRIAL)
    telling.records.apply(
        Reported(
            unix_s=1060.0,
            trial_id=TRIAL.trial_id,
            epoch=1,
            figures={"relaxed_f1": 0.5, "dice": 0.5, "val_loss": 0.5, "epoch_s": 1.0, "micro_batch": 1},
            last=False,
        )
    )
    heard, file = listening()
    heard.records = telling.records
    heard.listener.catch_up(telling.records)
    console = Console(file=io.StringIO(), width=120)
    console.print(heard.listener._table())
    assert "1 epochs in 1:00" in console.file.getvalue()
    heard.reported_in_micro_batches(1, 2)
    assert file.getvalue() == ""
