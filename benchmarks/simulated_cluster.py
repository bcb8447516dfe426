"""A cluster in simulated time: workers that train invented trials, nodes that are lost, and one driver.

A trial's epochs take seconds of their own (log-normal, ten times as long in the slowest stratum as in the
fastest, and another ten times for one trial in a hundred), and workers differ. Each placement costs a start.
The driver takes messages one after another, and a worker waits for its answer.
"""

import heapq
import math
import tempfile
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from invented_networks import curve_of, wide_world

from glsweep.randomness import generator_for
from glsweep.search.plan import PlannedTrial
from glsweep.sweep.checkpoints import CHECKPOINT_FILE
from glsweep.sweep.engine import WORKERS_IN_WAITING
from glsweep.sweep.journal import CRASHES_IN_A_ROW
from glsweep.sweep.records import SweepRecords
from glsweep.training.state import fresh_state, save_state

SECONDS_PER_HOUR = 3600.0
# Of an epoch, in the stratum that is fastest and in that which is slowest.
EPOCH_S = (20.0, 200.0)
TRIALS_SD, WORKERS_SD = 0.5, 0.1
STRAGGLERS_FACTOR = 10.0
NODE_SIZES = (4, 9)


@dataclass(frozen=True)
class ClusterTerms:
    """How large the cluster is, and what takes how long."""

    workers: int = 1_000
    stragglers: float = 0.01
    """Share of the trials whose epochs are ten times as long, all of them."""
    lost_an_hour: float = 0.01
    """Share of the nodes, of four to eight workers, that are lost in an hour."""
    mend_s: float = 600.0
    """Until a node that was lost is back."""
    boot_s: float = 20.0
    """Until a new process can train."""
    start_s: float = 3.0
    """Of each placement: to fetch the checkpoint and the patches."""
    message_ms: float = 12.0
    """The driver's time for a message, Ray's and MLflow's share included: see driver.py."""
    sync_ms: float = 2.7
    """To write the ledger through to the disk."""


# --- What the trials report, and when


class InventedTrials:
    """What the trials report, how long each takes for an epoch, and how large its checkpoints are."""

    def __init__(self, trials: Sequence[PlannedTrial], *, epochs: int, stragglers: float) -> None:
        self._epochs, self._stragglers, self._world = epochs, stragglers, wide_world(0)
        keys = sorted({trial.stratum.key for trial in trials})
        self._strata_s = dict(zip(keys, np.geomspace(*EPOCH_S, num=len(keys)).tolist(), strict=True))
        self._curves: dict[str, npt.NDArray[np.float64]] = {}
        self._epoch_s: dict[str, float] = {}
        self._bytes: dict[tuple[str, int | None, int], int] = {}

    def value(self, trial: PlannedTrial, epoch: int) -> float:
        """The figure of merit of one epoch."""
        if trial.trial_id not in self._curves:
            self._curves[trial.trial_id] = np.array(curve_of(trial, self._world, self._epochs))
        return float(self._curves[trial.trial_id][epoch - 1])

    def epoch_s(self, trial: PlannedTrial) -> float:
        """The seconds of an epoch on a worker of average speed; the same in every sweep."""
        if trial.trial_id not in self._epoch_s:
            drawn = generator_for(trial.seed, "seconds")
            factor = math.exp(TRIALS_SD * drawn.normal())
            factor *= STRAGGLERS_FACTOR if drawn.random() < self._stragglers else 1.0
            self._epoch_s[trial.trial_id] = self._strata_s[trial.stratum.key] * factor
        return self._epoch_s[trial.trial_id]

    def checkpoint_bytes(self, trial: PlannedTrial) -> int:
        """The size of a real checkpoint of the trial's network after a step."""
        chosen = trial.parameters
        key = chosen.architecture, chosen.base_width, len(chosen.channels)
        if key not in self._bytes:
            state = fresh_state(chosen, seed=0, device=torch.device("cpu"))
            for weights in state.network.parameters():
                weights.grad = torch.zeros_like(weights)
            state.optimizer.step()
            with tempfile.TemporaryDirectory() as folder:
                save_state(state, Path(folder) / CHECKPOINT_FILE)
                self._bytes[key] = (Path(folder) / CHECKPOINT_FILE).stat().st_size
        return self._bytes[key]

    def expected_failures(self, records: SweepRecords, terms: ClusterTerms) -> float:
        """How many trials would fail by bad luck alone: so many losses in a row within one epoch."""
        rate, expected = terms.lost_an_hour / SECONDS_PER_HOUR, 0.0
        for record in records.trials.values():
            lost = 1 - math.exp(-rate * (self.epoch_s(record.trial) + terms.start_s))
            expected += record.reached * lost**CRASHES_IN_A_ROW
        return expected


# --- The cluster


class Sweep(Protocol):
    """What the simulated cluster trains for."""

    @property
    def syncs(self) -> int:
        """How often the ledger has waited for the disk."""

    def next(self) -> PlannedTrial | None:
        """Return the trial that trains next, None while there is none."""

    def place(self, trial: PlannedTrial, node: str) -> None:
        """Note where it trains."""

    def report(self, trial: PlannedTrial, epoch: int, value: float) -> bool:
        """Note an epoch, and return whether the trial trains on at once."""

    def crash(self, trial: PlannedTrial) -> None:
        """Note that its worker died."""

    def begun(self) -> int:
        """Return how many trials were begun and are not over."""


@dataclass
class Spent:
    """Seconds of all workers together, by what they went to; `idle_s` has nothing to train."""

    trains_s: float = 0.0
    starts_s: float = 0.0
    answers_s: float = 0.0
    rungs_s: float = 0.0
    lost_s: float = 0.0
    idle_s: float = 0.0
    whole_s: float = 0.0


@dataclass
class Worker:
    """One place to train: how slow it is, on which node, and what it does since when."""

    slowness: float
    node: int
    trial: PlannedTrial | None = None
    does: Literal["nothing", "starts", "trains", "is down"] = "nothing"
    since_s: float = 0.0
    order: int = 0
    """Of what it does now; events of anything before are out of date."""


class Cluster:
    """Workers that train what a sweep hands out, with a driver that answers one message after another."""

    def __init__(
        self, terms: ClusterTerms, sweep: Sweep, trials: InventedTrials, *, chance: int, lost_an_hour: float
    ) -> None:
        self._terms, self._sweep, self._trials = terms, sweep, trials
        self._chance = generator_for(chance, "arrival")
        self.workers = self._made_workers()
        self.nodes = self.workers[-1].node + 1
        self._lost_a_second = lost_an_hour * self.nodes / SECONDS_PER_HOUR
        self._events: list[tuple[float, int, str, int]] = []
        self._orders, self._line = 0, list[tuple[int, int, PlannedTrial]]()
        self._idle = deque(range(terms.workers))
        self._reached: Counter[str] = Counter()
        self.now_s, self._driver_free_s, self._busy = terms.boot_s, 0.0, 0
        self.spent, self.before_tail = Spent(starts_s=terms.workers * terms.boot_s), Spent()
        self.messages, self.resumed, self.crashes, self.most_waiting, self._paid_syncs = 0, 0, 0, 0, 0
        self.written_bytes, self.minutes = 0, Counter[int]()

    def _made_workers(self) -> list[Worker]:
        slowness = np.exp(WORKERS_SD * self._chance.normal(size=self._terms.workers))
        sizes = self._chance.integers(*NODE_SIZES, size=self._terms.workers)
        nodes = np.repeat(np.arange(len(sizes)), sizes)
        return [Worker(float(slow), int(node)) for slow, node in zip(slowness, nodes, strict=False)]

    @property
    def epochs(self) -> int:
        """Epochs that were trained and reported."""
        return self._reached.total()

    def run(self) -> None:
        """Train until the sweep is over."""
        self._fill(self.now_s)
        self._await_loss()
        while self._busy or self._line:
            time_s, order, kind, number = heapq.heappop(self._events)
            self._pass_until(time_s)
            if kind == "loss":
                self._lose(number)
                self._await_loss()
            elif self.workers[number].order == order:
                {"starts": self._begin, "trains": self._report, "is down": self._mend}[kind](number)
        self.spent = self.totals()
        if not self.before_tail.whole_s:
            self.before_tail = self.spent

    def totals(self) -> Spent:
        """Return what the workers' time went to until now, what they are at included."""
        spent = Spent(**vars(self.spent))
        for worker in self.workers:
            passed_s = max(self.now_s - worker.since_s, 0.0)
            spent.trains_s += passed_s * (worker.does == "trains")
            spent.starts_s += passed_s * (worker.does == "starts")
            spent.lost_s += passed_s * (worker.does == "is down")
        spent.whole_s = self.now_s * len(self.workers)
        used = (spent.trains_s, spent.starts_s, spent.answers_s, spent.rungs_s, spent.lost_s)
        spent.idle_s = spent.whole_s - sum(used)
        return spent

    def _pass_until(self, time_s: float) -> None:
        """Let time pass; of idle workers, as many as trials wait at a rung could have trained those."""
        waiting = self._sweep.begun() - self._busy - len(self._line)
        self.most_waiting = max(self.most_waiting, waiting)
        self.spent.rungs_s += (time_s - self.now_s) * min(len(self._idle), waiting)
        self.now_s = time_s

    def _do(
        self, number: int, does: Literal["starts", "trains", "is down"], begin_s: float, taken_s: float
    ) -> None:
        worker = self.workers[number]
        self._orders += 1
        worker.does, worker.since_s, worker.order = does, begin_s, self._orders
        heapq.heappush(self._events, (begin_s + taken_s, self._orders, does, number))

    def _answered_s(self) -> float:
        """Return when the driver has answered one more message, and written what it had to by then."""
        self.messages += 1
        written_s = (self._sweep.syncs - self._paid_syncs) * self._terms.sync_ms / 1000
        self._paid_syncs = self._sweep.syncs
        begin_s = max(self.now_s, self._driver_free_s)
        self._driver_free_s = begin_s + self._terms.message_ms / 1000 + written_s
        self.spent.answers_s += self._driver_free_s - self.now_s
        return self._driver_free_s

    def _fill(self, from_s: float) -> None:
        """Give every idle worker a trial; as with Ray, some are chosen before there is a place for them."""
        while True:
            while len(self._line) < WORKERS_IN_WAITING and (trial := self._sweep.next()) is not None:
                heapq.heappush(self._line, (trial.index, trial.replicate, trial))
            if not self._line or not self._idle:
                break
            number, trial = self._idle.popleft(), heapq.heappop(self._line)[-1]
            self.workers[number].trial = trial
            self._busy += 1
            self.resumed += self._reached[trial.trial_id] > 0
            self._do(number, "starts", from_s, self._terms.start_s)
        if self._idle and not self.before_tail.whole_s:
            self.before_tail = self.totals()

    def _begin(self, number: int) -> None:
        """A worker has started: the driver notes where, and the trial trains."""
        worker = self.workers[number]
        assert worker.trial is not None
        self.spent.starts_s += self.now_s - worker.since_s
        self._sweep.place(worker.trial, f"node-{worker.node}")
        self._train(number, self._answered_s())

    def _train(self, number: int, begin_s: float) -> None:
        worker = self.workers[number]
        assert worker.trial is not None
        self._do(number, "trains", begin_s, self._trials.epoch_s(worker.trial) * worker.slowness)

    def _report(self, number: int) -> None:
        """A worker has trained for an epoch: it waits for the answer, and trains on or is free."""
        worker = self.workers[number]
        trial = worker.trial
        assert trial is not None
        self.spent.trains_s += self.now_s - worker.since_s
        self._reached[trial.trial_id] += 1
        self.written_bytes += self._trials.checkpoint_bytes(trial)
        self.minutes[int(self.now_s // 60)] += 1
        epoch = self._reached[trial.trial_id]
        goes_on = self._sweep.report(trial, epoch, self._trials.value(trial, epoch))
        answered_s = self._answered_s()
        if goes_on:
            self._train(number, answered_s)
        else:
            self._busy -= 1
            self._free(number)
        # Others may have waited for this report.
        self._fill(answered_s)

    def _free(self, number: int) -> None:
        worker = self.workers[number]
        worker.trial, worker.does, worker.order = None, "nothing", 0
        self._idle.append(number)

    def _await_loss(self) -> None:
        if self._lost_a_second:
            time_s = self.now_s + float(self._chance.exponential(1 / self._lost_a_second))
            heapq.heappush(self._events, (time_s, 0, "loss", int(self._chance.integers(self.nodes))))

    def _lose(self, node: int) -> None:
        """Lose a node with the epochs that its workers were at, until it is mended."""
        for number in [n for n, worker in enumerate(self.workers) if worker.node == node]:
            worker = self.workers[number]
            if worker.does == "is down":
                continue
            if worker.trial is None:
                self._idle.remove(number)
            else:
                self.spent.lost_s += max(self.now_s - worker.since_s, 0.0)
                self._sweep.crash(worker.trial)
                self._driver_free_s = max(self.now_s, self._driver_free_s) + self._terms.message_ms / 1000
                self.crashes += 1
                self._busy -= 1
                worker.trial = None
            self._do(number, "is down", self.now_s, self._terms.mend_s + self._terms.boot_s)
        self._fill(self.now_s)

    def _mend(self, number: int) -> None:
        self.spent.lost_s += self.now_s - self.workers[number].since_s
        self._free(number)
        self._fill(self.now_s)
