"""Other projects' early stopping, on learning curves that are known: Ray Tune's and Syne Tune's own classes.

Trials train side by side, a few of a stratum at once, and take unlike times; each rule decides in the order
in which they report, as it would in a sweep.
"""

import heapq
import logging
from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
from ray.tune.schedulers import AsyncHyperBandScheduler

PLACES = 4
FIGURE = "relaxed_f1"
# How unlike the times of trials are: the standard deviation of their logarithm.
SPREAD = 0.3

Rule = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""From learning curves (trials, epochs) to the epochs that each trial trains."""


def ray_asha(grace: int, reduction: int) -> Rule:
    """Return Ray Tune's ASHA, which stops trials."""

    def rule(curves: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        asha = AsyncHyperBandScheduler(
            time_attr="epoch",
            metric=FIGURE,
            mode="max",
            max_t=curves.shape[1],
            grace_period=grace,
            reduction_factor=reduction,
        )

        def report(trial: int, epoch: int) -> bool:
            if epoch == 1:
                asha.on_trial_add(None, SimpleNamespace(trial_id=trial))
            result = {"epoch": epoch, FIGURE: float(curves[trial, epoch - 1])}
            return asha.on_trial_result(None, SimpleNamespace(trial_id=trial), result) == "CONTINUE"

        waiting = iter(range(len(curves)))
        return _played(curves, generator, lambda: next(waiting, None), report)

    return rule


def syne_tune(kind: str, grace: int, reduction: int) -> Rule:
    """Return Syne Tune's ASHA, which stops trials, or PASHA, which promotes them up a growing ladder."""

    def rule(curves: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        from syne_tune.backend.trial_status import Trial  # noqa: PLC0415  may be missing
        from syne_tune.config_space import choice  # noqa: PLC0415  may be missing
        from syne_tune.optimizer import baselines  # noqa: PLC0415  may be missing

        logging.disable(logging.WARNING)  # it warns of a space that is used up, as it is meant to be
        scheduler = getattr(baselines, kind)(
            {"trial": choice(list(range(len(curves)))), "epochs": curves.shape[1]},
            metric=FIGURE,
            resource_attr="epoch",
            max_resource_attr="epochs",
            mode="max",
            grace_period=grace,
            reduction_factor=reduction,
            points_to_evaluate=[{"trial": number} for number in range(len(curves))],
            random_seed=int(generator.integers(2**31)),
        )
        trials: dict[int, Any] = {}

        def take() -> int | None:
            suggested = scheduler.suggest(trial_id=len(trials))
            if suggested is None:
                return None
            if not suggested.spawn_new_trial_id:
                return int(suggested.checkpoint_trial_id)
            if len(trials) == len(curves):
                return None
            number = int(suggested.config["trial"])
            assert number == len(trials), "the plan's order"
            trials[number] = Trial(number, suggested.config, datetime.now())
            scheduler.on_trial_add(trials[number])
            return number

        def report(trial: int, epoch: int) -> bool:
            result = {"epoch": epoch, FIGURE: float(curves[trial, epoch - 1])}
            goes_on = scheduler.on_trial_result(trials[trial], result) == "CONTINUE"
            if epoch == curves.shape[1]:
                scheduler.on_trial_complete(trials[trial], result)
            return bool(goes_on)

        return _played(curves, generator, take, report)

    return rule


def _played(
    curves: np.ndarray,
    generator: np.random.Generator,
    take: Callable[[], int | None],
    report: Callable[[int, int], bool],
) -> np.ndarray:
    """Let trials report in the order of their times, and return the epochs that each has trained.

    `take` names a trial that may begin or go on, `report` says whether it trains on.
    """
    epoch_s = np.exp(SPREAD * generator.normal(size=len(curves)))
    epochs = np.zeros(len(curves), int)
    running: list[tuple[float, int]] = []
    now_s = 0.0
    while True:
        while len(running) < PLACES and (trial := take()) is not None:
            heapq.heappush(running, (now_s + epoch_s[trial], trial))
        if not running:
            return epochs
        now_s, trial = heapq.heappop(running)
        epochs[trial] += 1
        if report(trial, int(epochs[trial])) and epochs[trial] < curves.shape[1]:
            heapq.heappush(running, (now_s + epoch_s[trial], trial))


def rivals() -> dict[str, Rule]:
    """Return by name the rules of all projects that are installed.

    PASHA's ladder needs three rungs, which eight epochs have with a reduction of 2 alone.
    """
    found = {
        f"Ray Tune's ASHA {grace}, {reduction}": ray_asha(grace, reduction)
        for grace, reduction in ((1, 3), (1, 4), (2, 3))
    }
    if find_spec("syne_tune") is not None:
        found["Syne Tune's ASHA 1, 3"] = syne_tune("ASHA", 1, 3)
        found["Syne Tune's PASHA 1, 2"] = syne_tune("PASHA", 1, 2)
    return found
