"""How a sweep stands: every trial is counted once, in the right column."""

import io
import time

import numpy as np
import pytest
from rich.console import Console
from sweeps import planned
from told_sweeps import Telling, terms

from glsweep.config.space import Resources
from glsweep.config.stopping import Median, NoStopping
from glsweep.search.plan import PlannedTrial
from glsweep.sweep.overview import distinction, overview
from glsweep.sweep.status import sweep_table


def counts(telling, of):
    """What the only row counts, by column, zeros left out."""
    (row,) = overview(telling.records, of).rows
    names = ("to_come", "in_line", "running", "at_rung", "crashed", "stopped", "done", "failed")
    return {name: getattr(row, name) for name in names if getattr(row, name)}


def shown(records, of, *, width=100, now_unix_s=None):
    console = Console(file=io.StringIO(), width=width)
    console.print(sweep_table(records, of, title="Sweep", now_unix_s=now_unix_s))
    return console.file.getvalue()


def with_other(trial: PlannedTrial, **parameters) -> PlannedTrial:
    return trial.model_copy(update={"parameters": trial.parameters.model_copy(update=parameters)})


def test_a_trial_is_followed_from_the_plan_to_its_end():
    trials = [planned(0), planned(1)]
    of, telling = terms(trials), Telling()
    assert counts(telling, of) == {"to_come": 2}
    telling.started(trials[0])
    assert counts(telling, of) == {"to_come": 1, "in_line": 1}
    telling.placed(trials[0])
    telling.started(trials[1])
    telling.placed(trials[1])
    assert counts(telling, of) == {"running": 2}
    telling.reported(trials[1], 0.5)
    assert counts(telling, of) == {"running": 1, "at_rung": 1}
    telling.crashed(trials[0])
    assert counts(telling, of) == {"crashed": 1, "at_rung": 1}
    telling.placed(trials[0])
    telling.reported(trials[0], 0.6)
    telling.judged(trials[0])
    telling.judged(trials[1], rank=2)
    telling.ended(trials[1], "stopped")
    assert counts(telling, of) == {"running": 1, "stopped": 1}
    telling.ended(trials[0], "failed", "NaN")
    assert counts(telling, of) == {"failed": 1, "stopped": 1}


def test_a_trial_that_waited_at_a_rung_and_may_go_on_is_in_line_until_it_has_a_place():
    trials = [planned(0), planned(1)]
    telling = Telling()
    for trial in trials:
        telling.started(trial)
        telling.placed(trial)
    telling.reported(trials[1], 0.5)
    telling.reported(trials[0], 0.4)
    telling.judged(trials[0])
    telling.judged(trials[1])
    assert counts(telling, terms(trials)) == {"running": 1, "in_line": 1}
    telling.started(trials[1])
    telling.placed(trials[1])
    assert counts(telling, terms(trials)) == {"running": 2}


def test_nothing_runs_any_more_when_a_sweep_is_taken_up_again():
    trial, telling = planned(0), Telling()
    telling.started(trial)
    telling.placed(trial)
    telling.began()
    assert counts(telling, terms([trial])) == {"in_line": 1}


def test_without_early_stopping_nobody_waits_at_a_rung():
    trial, telling = planned(0), Telling()
    telling.started(trial)
    telling.placed(trial)
    telling.reported(trial, 0.5)
    assert counts(telling, terms([trial], stopping=NoStopping())) == {"running": 1}
    printed = shown(telling.records, terms([trial], stopping=NoStopping()))
    assert "stopped" not in printed


def test_the_other_seeds_of_a_configuration_come_once_it_ran_in_full_and_lead_by_their_mean():
    trials = [planned(0), planned(1)]
    of, telling = terms(trials, replicates=2), Telling()
    telling.ran(trials[0], [0.6])
    telling.ran(trials[1], [0.5], "stopped")
    assert counts(telling, of) == {"to_come": 1, "stopped": 1, "done": 1}
    telling.ran(trials[0].replicated(1), [0.4])
    assert counts(telling, of) == {"stopped": 1, "done": 2}
    (row,) = overview(telling.records, of).rows
    assert (row.leader.trial_id, row.leader.value) == ("0000", pytest.approx(0.5))


def test_a_failed_trial_never_leads():
    trials, telling = [planned(0), planned(1)], Telling()
    telling.ran(trials[0], [0.9], "failed")
    telling.ran(trials[1], [0.1])
    (row,) = overview(telling.records, terms(trials)).rows
    assert row.leader.trial_id == "0001"


def test_a_leader_is_named_by_what_sets_it_apart():
    base = planned(0)
    tied = {0.7: 0.3, 0.8: 0.2}
    trials = [
        with_other(planned(place), fn_weight=fn, fp_weight=tied[fn], bce_weight=bce)
        for place, (fn, bce) in enumerate([(0.7, 0.2), (0.7, 0.35), (0.8, 0.2), (0.8, 0.35)])
    ]
    telling = Telling()
    for trial in trials:
        telling.started(trial)
    records = list(telling.records.trials.values())
    # fp_weight is 1 - fn_weight in all of them, so that it says nothing more.
    assert distinction(records[1], records) == "fn_weight 0.7, bce_weight 0.35"
    assert distinction(records[0], records[:1]) == ""
    drawn = [with_other(base, fn_weight=value, bce_weight=value) for value in (0.125, 0.25)]
    telling = Telling()
    for place, trial in enumerate(drawn):
        telling.started(trial.model_copy(update={"trial_id": str(place), "index": place}))
    records = list(telling.records.trials.values())
    assert distinction(records[0], records) == "fn_weight 0.125, bce_weight 0.125"


def test_hours_are_those_of_gpus_where_trials_had_any():
    trial, telling = planned(0), Telling()
    telling.started(trial)
    telling.placed(trial, device="cuda")
    for epoch in range(1, 37):
        telling.reported(trial, 0.5, epoch=epoch)
    printed = shown(telling.records, terms([trial], resources=Resources(cpus=4, gpus=2)))
    assert "GPU" in printed
    assert " 0.02 " in printed  # 36 s on two


def test_nodes_are_those_on_which_trials_train_now():
    trials, telling = [planned(0), planned(1), planned(2)], Telling()
    for trial, node in zip(trials, ("a", "b", "c"), strict=True):
        telling.started(trial)
        telling.placed(trial, node=node)
    assert "on 3 nodes" in shown(telling.records, terms(trials), now_unix_s=telling.now_unix_s)
    telling.reported(trials[1], 0.5)
    telling.crashed(trials[2])
    assert overview(telling.records, terms(trials)).nodes == ("a",)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_table_fits_a_terminal_and_names_the_leading_trial(width):
    trials = [
        planned(i, name, size) for i, (name, size) in enumerate([("attention_unet", 128), ("unetpp", 256)])
    ]
    telling = Telling()
    for trial in trials:
        telling.ran(trial, [0.5])
    printed = shown(telling.records, terms(trials), width=width)
    assert max(map(len, printed.splitlines())) <= width
    for word in ("Attention U-Net 128", "U-Net++ 256", "0000", "0.500", "2 of 2 trials over"):
        assert word in printed


def test_where_trials_are_drawn_as_it_goes_nothing_is_said_of_those_to_come():
    telling = Telling()
    telling.ran(planned(0), [0.5])
    printed = shown(telling.records, terms(size=None))
    assert "come" not in printed
    assert "1 trials over, 1 epochs" in printed
    assert "1 of 9 trials over" in shown(telling.records, terms(size=9))


def test_a_table_of_2000_trials_of_100_epochs_takes_less_than_a_fifth_of_a_second():
    trials = [planned(i, ("unet", "unetpp")[i % 2]) for i in range(2000)]
    telling, values = Telling(), np.linspace(0, 1, 100)
    for trial in trials:
        telling.started(trial)
        telling.placed(trial)
    for record in telling.records.trials.values():
        record.epochs = {epoch: {"relaxed_f1": 0.5} for epoch in range(1, 101)}
        record.reached, record.bests["relaxed_f1"] = 100, (1, float(values[-1]))
    of = terms(trials, epochs=200, stopping=Median(grace_epochs=1))
    spent_s = min(timed(lambda: shown(telling.records, of, now_unix_s=telling.now_unix_s)) for _ in range(5))
    assert spent_s < 0.2


def timed(call):
    start_s = time.process_time()
    call()
    return time.process_time() - start_s
