"""What a sweep has cost: the time of its epochs times each trial's share."""

import pytest
from sweeps import planned
from told_sweeps import Telling, terms

from glsweep.config.space import Resources
from glsweep.sweep.cost import Cost, cost_hours
from glsweep.sweep.status import state_line

QUARTER = Resources(cpus=4, gpus=0.25)


def trained(*devices: str, epochs: int = 36) -> Telling:
    """Trials of epochs of a second each, one on each device; the last one still trains."""
    telling = Telling()
    for index, device in enumerate(devices):
        telling.started(planned(index))
        telling.placed(planned(index), device=device)
        for epoch in range(1, epochs + 1):
            telling.reported(planned(index), 0.5, epoch=epoch)
        if index + 1 < len(devices):
            telling.ended(planned(index), "stopped")
    return telling


def test_every_epoch_costs_its_share_of_gpus_and_cpus_whatever_became_of_its_trial():
    cost = cost_hours(trained("cuda", "cuda").records.trials.values(), QUARTER)
    assert cost.gpu_hours == pytest.approx(72 * 0.25 / 3600)
    assert cost.cpu_hours == pytest.approx(72 * 4 / 3600)
    assert cost.money(2.0) == pytest.approx(cost.gpu_hours * 2)


def test_gpus_that_a_trial_would_have_taken_cost_nothing_where_it_trained_on_cpus():
    cost = cost_hours(trained("cpu", "cuda").records.trials.values(), QUARTER)
    assert cost.gpu_hours == pytest.approx(36 * 0.25 / 3600)
    assert str(cost_hours(trained("cpu").records.trials.values(), QUARTER)) == "0.04 CPU hours"


def test_costs_of_sweep_and_retraining_add_up():
    assert Cost(1.0, 4.0) + Cost(0.5, 2.0) == Cost(1.5, 6.0)
    assert str(Cost(1.5, 160.0)) == "1.50 GPU hours and 160 CPU hours"


def test_the_line_on_a_sweep_tells_its_cost_while_it_runs_and_after():
    telling, of = trained("cuda", epochs=720), terms([planned(0)], resources=QUARTER)
    assert state_line(telling.records, of).endswith(", 0.05 GPU hours and 0.80 CPU hours")
    running = state_line(telling.records, of, now_unix_s=telling.now_unix_s)
    assert running.endswith("0.05 GPU hours and 0.80 CPU hours so far")
