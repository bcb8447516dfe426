"""A sweep of 100,000 invented trials on 1,000 invented workers, through the real queue, journal and ledger.

    python benchmarks/scale.py [--searches seed_asha wide] [--trials 100000] [--workers 1000]

Time is simulated, event by event; what is decided and written is not. A trial's epochs take seconds of their
own (log-normal, strata up to ten times longer than others, one trial in a hundred ten times slower still), and
workers differ. Each placement costs a start, each message the driver's time, each write of the ledger the disk's:
the driver takes messages one after another, and a worker waits for its answer.

Three sweeps of the same trials: undisturbed; with nodes that are lost, whose trials go on from their last
checkpoints on other workers, in another order of arrival, and that must end alike trial for trial; and by Ray's
own asynchronous halving (`AsyncHyperBandScheduler`), which decides at once and never waits.

The whole takes about ten minutes of one core; `--trials 5000 --workers 100` is a rehearsal. The ledger is written
in memory by default, where a write through to the disk costs nothing: its milliseconds are in the simulated time.
"""

import bisect
import heapq
import math
import resource
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
import tyro
from invented_networks import curve_of, figures, wide_world
from invented_sweeps import altered
from measured import Measured, MeasuredFile, add
from ray.tune.schedulers.async_hyperband import _Bracket
from ray.tune.schedulers.trial_scheduler import TrialScheduler
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from glsweep.config.space import Asha, SearchSpace, load_space
from glsweep.randomness import generator_for
from glsweep.search import make_plan
from glsweep.search.plan import EarlierTrial, ListedPlan, PlannedTrial
from glsweep.sweep.checkpoints import CHECKPOINT_FILE
from glsweep.sweep.engine import WORKERS_IN_WAITING
from glsweep.sweep.journal import CRASHES_IN_A_ROW, Decision, Journal
from glsweep.sweep.outcomes import winners
from glsweep.sweep.queue import Cohort, TrialQueue
from glsweep.sweep.records import (
    Ended,
    Event,
    Ledger,
    Reported,
    SweepRecords,
    TrialEvent,
    TrialRecord,
    read_records,
)
from glsweep.training.state import fresh_state, save_state

SPACES = Path(__file__).resolve().parents[1] / "search_spaces"
WIDE = SPACES / "wide.yaml"
SECONDS_PER_HOUR = 3600.0
MIB = 2.0**20
# Of an epoch, in the stratum that is fastest and in that which is slowest.
EPOCH_S = (20.0, 200.0)
TRIALS_SD, WORKERS_SD = 0.5, 0.1
STRAGGLERS, STRAGGLERS_FACTOR = 0.01, 10.0
NODE_SIZES = (4, 9)


@dataclass(frozen=True)
class Options:
    """What is simulated."""

    searches: tuple[Literal["seed_asha", "wide"], ...] = ("seed_asha", "wide")
    """Whose early stopping, epochs and seeds; the configurations are drawn from `wide` in either case."""
    trials: int = 100_000
    """Configurations."""
    workers: int = 1_000
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
    folder: Path = Path("/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir())
    """Where the ledger is written."""
    measured: MeasuredFile = None


# --- What decides: the journal and the queue, or Ray's asynchronous halving


class Sweep(Protocol):
    """What the simulated cluster trains for."""

    syncs: int

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


class SyncedLedger(Ledger):
    """The ledger, which counts how often it waits for the disk."""

    syncs = 0

    def write_through(self, events: Sequence[Event]) -> None:
        """Write events, and count."""
        super().write_through(events)
        self.syncs += 1


@dataclass
class MlflowCalls:
    """What the mirror would send: a new run in two calls, then one for each second in which a trial changes."""

    clock: Callable[[], float] = lambda: 0.0
    calls: int = 0
    _sent_s: dict[str, int] = field(default_factory=dict)

    def catch_up(self, records: SweepRecords) -> None:
        """Nothing has happened before."""

    def on_event(self, event: TrialEvent, record: TrialRecord) -> None:
        """Count the calls: create, log a batch, set the status of the end."""
        name, now_s = record.trial.trial_id, int(self.clock())
        if name not in self._sent_s:
            self.calls += 2
        elif isinstance(event, Reported | Ended) and self._sent_s[name] != now_s:
            self.calls += 1
        self._sent_s[name] = now_s
        if isinstance(event, Ended):
            self.calls += 1
            del self._sent_s[name]


class Journalled:
    """The real journal and queue; their processor's seconds are counted."""

    def __init__(self, space: SearchSpace, trials: Sequence[PlannedTrial], ledger: SyncedLedger) -> None:
        search = space.search
        self.mlflow, self.cpu_s, self._ledger, self._epochs = MlflowCalls(), 0.0, ledger, search.epochs
        self.journal = Journal(
            ledger,
            stopping=search.scheduler,
            epochs=search.epochs,
            metric=search.rank_by,
            listeners=[self.mlflow],
        )
        self._queue = TrialQueue(
            ListedPlan(trials),
            self.journal,
            budget=search.budget,
            replicates=search.replicates,
            epochs=search.epochs,
        )
        self.costs: list[tuple[int, float, float]] = [(0, 0.0, resident_mib())]
        """For each tenth of the trials: how many are over, the seconds and the memory until then."""
        self._tenth = max(len(trials) // 10, 1)
        self.ledger_mib, self.resume_s, self.resumed = 0.0, 0.0, False

    @property
    def syncs(self) -> int:
        return self._ledger.syncs

    def next(self) -> PlannedTrial | None:
        begin_s = time.process_time()
        cohort, trial = self._queue.next(), None
        if isinstance(cohort, Cohort):
            (trial,) = cohort.trials
            self.journal.start(trial)
        self.cpu_s += time.process_time() - begin_s
        return trial

    def place(self, trial: PlannedTrial, node: str) -> None:
        begin_s = time.process_time()
        self.journal.place(trial.trial_id, node, "cuda")
        self.cpu_s += time.process_time() - begin_s

    def report(self, trial: PlannedTrial, epoch: int, value: float) -> bool:
        begin_s = time.process_time()
        decision = self.journal.report(trial.trial_id, epoch, figures(value), last=epoch == self._epochs)
        if decision is not Decision.CONTINUE:
            self._queue.release(trial.trial_id)
        self.cpu_s += time.process_time() - begin_s
        over = len(self.journal.records.trials) - self.begun()
        if over >= len(self.costs) * self._tenth:
            self.costs.append((over, self.cpu_s, resident_mib()))
        return decision is Decision.CONTINUE

    def crash(self, trial: PlannedTrial) -> None:
        self.journal.crash(trial.trial_id, "the node was lost")
        self._queue.release(trial.trial_id)

    def begun(self) -> int:
        return len(self.journal.records.unended)

    def cost_of(self, tenth: int) -> float:
        """Return the processor's seconds for a thousand trials of one tenth."""
        marks = list(pairwise(self.costs))
        (over_before, before_s, _), (over, until_s, _) = marks[tenth]
        return 1000 * (until_s - before_s) / (over - over_before)


class SortedBracket(_Bracket):
    """Ray's bracket with the values of each rung kept in order: Ray sorts them anew for each trial."""

    def __init__(self, rule: Asha, epochs: int) -> None:
        super().__init__(rule.grace_epochs, epochs - 1, rule.reduction_factor, 0)
        self._rungs = [(milestone, SortedValues()) for milestone, _ in self._rungs]

    def cutoff(self, recorded: "SortedValues") -> float | None:
        """Return the quantile that Ray compares with."""
        if not recorded:
            return None
        place = (1 - 1 / self.rf) * (len(recorded) - 1)
        below = int(place)
        pair = recorded.ordered[below : below + 2]
        return pair[0] + (pair[-1] - pair[0]) * (place - below)


class SortedValues(dict[str, float]):
    """Values by trial, and in order."""

    def __init__(self) -> None:
        super().__init__()
        self.ordered: list[float] = []

    def __setitem__(self, trial_id: str, value: float) -> None:
        super().__setitem__(trial_id, value)
        bisect.insort(self.ordered, value)


class Asynchronous:
    """Ray's asynchronous halving in each stratum: a trial is judged at once among those that came before."""

    syncs = 0

    def __init__(self, space: SearchSpace, trials: Sequence[PlannedTrial]) -> None:
        self._search, self._trials, self._seeds = space.search, iter(trials), deque[PlannedTrial]()
        rule, keys = space.search.scheduler, {trial.stratum.key for trial in trials}
        assert isinstance(rule, Asha)
        self._brackets = {key: SortedBracket(rule, space.search.epochs) for key in keys}
        self._begun = 0

    def next(self) -> PlannedTrial | None:
        trial = self._seeds.popleft() if self._seeds else next(self._trials, None)
        self._begun += trial is not None
        return trial

    def place(self, trial: PlannedTrial, node: str) -> None:
        pass

    def report(self, trial: PlannedTrial, epoch: int, value: float) -> bool:
        is_last = epoch == self._search.epochs
        if is_last and not trial.replicate:
            self._seeds += [trial.replicated(number) for number in range(1, self._search.replicates)]
        goes_on = not is_last
        if goes_on and not trial.replicate:
            bracket = self._brackets[trial.stratum.key]
            goes_on = bracket.on_result(trial, epoch, value) == TrialScheduler.CONTINUE
        self._begun -= not goes_on
        return goes_on

    def crash(self, trial: PlannedTrial) -> None:
        raise NotImplementedError("is compared undisturbed only")

    def begun(self) -> int:
        return self._begun


# --- The simulated cluster


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
        self, options: Options, sweep: Sweep, invented: "InventedTrials", *, chance: int, lost_an_hour: float
    ):
        self.options, self.sweep, self.invented = options, sweep, invented
        self._chance = generator_for(chance, "arrival")
        self.workers = self._made_workers()
        self.nodes = self.workers[-1].node + 1
        self._lost_a_second = lost_an_hour * self.nodes / SECONDS_PER_HOUR
        self._events: list[tuple[float, int, str, int]] = []
        self._orders, self._line = 0, list[tuple[int, int, PlannedTrial]]()
        self._idle = deque(range(options.workers))
        self._reached: Counter[str] = Counter()
        self.now_s, self._driver_free_s, self._busy = options.boot_s, 0.0, 0
        self.spent, self.before_tail = Spent(starts_s=options.workers * options.boot_s), Spent()
        self.messages, self.placements, self.resumed, self.crashes, self.most_waiting = 0, 0, 0, 0, 0
        self.written_bytes, self.read_bytes, self.minutes = 0.0, 0.0, Counter[int]()

    def _made_workers(self) -> list[Worker]:
        slowness = np.exp(WORKERS_SD * self._chance.normal(size=self.options.workers))
        sizes = self._chance.integers(*NODE_SIZES, size=self.options.workers)
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
        waiting = self.sweep.begun() - self._busy - len(self._line)
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

    def _answered_s(self, syncs_before: int) -> float:
        """Return when the driver has answered one more message, for which it wrote to the ledger."""
        self.messages += 1
        written_s = (self.sweep.syncs - syncs_before) * self.options.sync_ms / 1000
        self._driver_free_s = (
            max(self.now_s, self._driver_free_s) + self.options.message_ms / 1000 + written_s
        )
        self.spent.answers_s += self._driver_free_s - self.now_s
        return self._driver_free_s

    def _fill(self, from_s: float) -> None:
        """Give every idle worker a trial; as with Ray, some are chosen before there is a place for them."""
        while True:
            while len(self._line) < WORKERS_IN_WAITING and (trial := self.sweep.next()) is not None:
                heapq.heappush(self._line, (trial.index, trial.replicate, trial))
            if not self._line or not self._idle:
                break
            number, trial = self._idle.popleft(), heapq.heappop(self._line)[-1]
            self.workers[number].trial = trial
            self._busy += 1
            self.placements += 1
            if self._reached[trial.trial_id]:
                self.resumed += 1
                self.read_bytes += self.invented.checkpoint_bytes(trial)
            self._do(number, "starts", from_s, self.options.start_s)
        if self._idle and not self.before_tail.whole_s:
            self.before_tail = self.totals()

    def _begin(self, number: int) -> None:
        """A worker has started: the driver notes where, and the trial trains."""
        worker, syncs = self.workers[number], self.sweep.syncs
        assert worker.trial is not None
        self.spent.starts_s += self.now_s - worker.since_s
        self.sweep.place(worker.trial, f"node-{worker.node}")
        self._train(number, self._answered_s(syncs))

    def _train(self, number: int, begin_s: float) -> None:
        worker = self.workers[number]
        assert worker.trial is not None
        self._do(number, "trains", begin_s, self.invented.epoch_s(worker.trial) * worker.slowness)

    def _report(self, number: int) -> None:
        """A worker has trained for an epoch: it waits for the answer, and trains on or is free."""
        worker, syncs = self.workers[number], self.sweep.syncs
        trial = worker.trial
        assert trial is not None
        self.spent.trains_s += self.now_s - worker.since_s
        self._reached[trial.trial_id] += 1
        self.written_bytes += self.invented.checkpoint_bytes(trial)
        self.minutes[int(self.now_s // 60)] += 1
        epoch = self._reached[trial.trial_id]
        goes_on = self.sweep.report(trial, epoch, self.invented.value(trial, epoch))
        answered_s = self._answered_s(syncs)
        if goes_on:
            self._train(number, answered_s)
        else:
            self._busy -= 1
            self._free(number, answered_s)

    def _free(self, number: int, from_s: float) -> None:
        worker = self.workers[number]
        worker.trial, worker.does, worker.order = None, "nothing", 0
        self._idle.append(number)
        self._fill(from_s)

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
                self.sweep.crash(worker.trial)
                self._driver_free_s = max(self._driver_free_s, self.now_s) + self.options.message_ms / 1000
                self.crashes += 1
                self._busy -= 1
                worker.trial = None
            self._do(number, "is down", self.now_s, self.options.mend_s + self.options.boot_s)
        self._fill(self.now_s)

    def _mend(self, number: int) -> None:
        self.spent.lost_s += self.now_s - self.workers[number].since_s
        self._free(number, self.now_s)


# --- The invented trials


class InventedTrials:
    """What the trials report, how long each takes for an epoch, and how large its checkpoints are."""

    def __init__(self, space: SearchSpace, trials: Sequence[PlannedTrial]) -> None:
        self._epochs, self._world = space.search.epochs, wide_world(0)
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
            factor *= STRAGGLERS_FACTOR if drawn.random() < STRAGGLERS else 1.0
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

    def expected_failures(self, records: SweepRecords, options: Options) -> float:
        """How many trials would fail by bad luck alone: so many losses in a row within one epoch."""
        rate, expected = options.lost_an_hour / SECONDS_PER_HOUR, 0.0
        for record in records.trials.values():
            lost = 1 - math.exp(-rate * (self.epoch_s(record.trial) + options.start_s))
            expected += record.reached * lost**CRASHES_IN_A_ROW
        return expected


def resident_mib() -> float:
    """The memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB


# --- The sweeps and their tables


def searched(name: str, trials: int) -> SearchSpace:
    """Return `wide`, drawn from at random, with the epochs, seeds and early stopping of a search space."""
    search = load_space(SPACES / f"{name}.yaml").search
    terms = {
        "epochs": search.epochs,
        "replicates": search.replicates,
        "scheduler": search.scheduler.model_dump(),
    }
    return altered(load_space(WIDE), sampler="random", parallel=None, budget={"trials": trials}, **terms)


def drawn(space: SearchSpace) -> list[PlannedTrial]:
    """Return every configuration of a random plan."""
    plan, nothing = make_plan(space, seed=0, source=WIDE), dict[int, EarlierTrial]()
    proposed = (plan.propose(index, nothing.__getitem__) for index in range(plan.size or 0))
    return [trial for trial in proposed if isinstance(trial, PlannedTrial)]


def ended(records: SweepRecords) -> list[tuple[object, ...]]:
    """How each trial ended, in the order of their names."""
    return [(name, one.outcome, one.rung_epoch, one.epochs) for name, one in sorted(records.trials.items())]


def simulate(name: str, options: Options, console: Console) -> list[Measured]:
    """Run the three sweeps of one search, print what came of them, and return what is aimed at."""
    space = searched(name, options.trials)
    begin_s, begin_mib = time.process_time(), resident_mib()
    trials = drawn(space)
    plan_ms = 1000 * (time.process_time() - begin_s) / len(trials)
    plan_kib = 1024 * (resident_mib() - begin_mib) / len(trials)
    invented = InventedTrials(space, trials)
    quiet, cluster = journalled(space, trials, invented, options, chance=0, lost_an_hour=0.0)
    clusters = {"glsweep": cluster}
    console.print(
        f"{name}: {len(trials):,} configurations, {options.workers:,} workers on {cluster.nodes} nodes; to draw "
        f"one takes {plan_ms:.2f} ms, to keep it {plan_kib:.1f} KiB\n"
    )
    console.print(cost_table(quiet))
    clusters["Ray's ASHA"] = asynchronous(space, trials, invented, options)
    lossy, disturbed = journalled(
        space, trials, invented, options, chance=1, lost_an_hour=options.lost_an_hour
    )
    clusters["glsweep, nodes lost"] = disturbed
    console.print(times_table(clusters))
    records, others = quiet.journal.records, lossy.journal.records
    outcomes = Counter(str(record.outcome) for record in records.trials.values())
    console.print(
        f"{len(records.trials):,} trials with all seeds: {dict(outcomes)}; at most {cluster.most_waiting:,} waited "
        f"at rungs; {disturbed.crashes:,} crashes where nodes were lost"
    )
    console.print(load_lines(quiet, cluster, options), highlight=False)
    different = sum(
        records_end != others_end
        for records_end, others_end in zip(ended(records), ended(others), strict=True)
    )
    metric = space.search.rank_by
    if winners(records, metric) != winners(others, metric):
        different += 1
    console.print(
        f"trials and winners that differ where nodes are lost: {different}; failures to be expected there by bad "
        f"luck alone: {invented.expected_failures(records, options):.1g}\n"
    )
    share = cluster.before_tail.trains_s / cluster.before_tail.whole_s
    growth = quiet.cost_of(-1) / quiet.cost_of(0)
    return [
        Measured(f"share of the workers' time that trains, {name}", "all of it", share, at_least=0.97),
        Measured(
            f"the driver's own time, {name}: last tenth of the trials", "first tenth", growth, at_most=1.2
        ),
        Measured(f"trials that end otherwise, {name}", "no node lost", different, at_most=0),
    ]


def journalled(
    space: SearchSpace,
    trials: Sequence[PlannedTrial],
    invented: InventedTrials,
    options: Options,
    *,
    chance: int,
    lost_an_hour: float,
) -> tuple[Journalled, Cluster]:
    """Run a sweep through the real queue, journal and ledger."""
    with tempfile.TemporaryDirectory(prefix="glsweep-scale-", dir=options.folder) as folder:
        ledger = SyncedLedger(Path(folder) / "ledger.jsonl")
        sweep = Journalled(space, trials, ledger)
        cluster = Cluster(options, sweep, invented, chance=chance, lost_an_hour=lost_an_hour)
        sweep.mlflow.clock = lambda: cluster.now_s
        cluster.run()
        sweep.ledger_mib = ledger.path.stat().st_size / MIB
        begin_s = time.process_time()
        sweep.resumed = ended(read_records(ledger.path)) == ended(sweep.journal.records)
        sweep.resume_s = time.process_time() - begin_s
    return sweep, cluster


def asynchronous(
    space: SearchSpace, trials: Sequence[PlannedTrial], invented: InventedTrials, options: Options
) -> Cluster:
    """Run the sweep by Ray's asynchronous halving."""
    cluster = Cluster(options, Asynchronous(space, trials), invented, chance=0, lost_an_hour=0.0)
    cluster.run()
    return cluster


def load_lines(sweep: Journalled, cluster: Cluster, options: Options) -> str:
    """What the driver, the disk, MLflow and the checkpoint store have to take."""
    hours, epochs = cluster.now_s / SECONDS_PER_HOUR, cluster.epochs
    driver_s = (cluster.messages * options.message_ms + sweep.syncs * options.sync_ms) / 1000
    return (
        f"driver: {cluster.messages:,} messages in {hours:.1f} h take {driver_s / cluster.now_s:.1%} of its time, of "
        f"which {1e3 * sweep.cpu_s / cluster.messages:.3f} ms each are queue's, journal's and ledger's own; it ends "
        f"at {epochs / driver_s:.0f} epochs a second\n"
        f"ledger: {sweep.ledger_mib:.0f} MiB, {sweep.syncs / epochs:.2f} waits for the disk an epoch; read again in "
        f"{sweep.resume_s:.0f} s\n"
        f"MLflow: {sweep.mlflow.calls:,} calls, {sweep.mlflow.calls / len(sweep.journal.records.trials):.1f} a "
        f"trial, {sweep.mlflow.calls / cluster.now_s:.0f} a second\n"
        f"checkpoints: {epochs / cluster.now_s:.1f} written a second ({max(cluster.minutes.values()) / 60:.0f} in the "
        f"busiest minute), {cluster.written_bytes / epochs / MIB:.1f} MiB each, "
        f"{cluster.written_bytes / cluster.now_s / MIB:.0f} MiB/s; {cluster.resumed:,} read"
    )


def times_table(clusters: Mapping[str, Cluster]) -> Table:
    """What the workers' time went to, in the whole and before fewer trials than workers were left."""
    table = Table(
        *("sweep", "epochs", "", "hours", "trains", "starts", "answers", "at rungs", "lost", "nothing to do"),
        box=MARKDOWN,
    )
    for title, cluster in clusters.items():
        for part, spent in (("whole", cluster.spent), ("before the tail", cluster.before_tail)):
            shares = (
                spent.trains_s,
                spent.starts_s,
                spent.answers_s,
                spent.rungs_s,
                spent.lost_s,
                spent.idle_s,
            )
            hours = spent.whole_s / len(cluster.workers) / SECONDS_PER_HOUR
            row = (title, f"{cluster.epochs:,}", part, f"{hours:.2f}")
            table.add_row(*row, *(f"{100 * share / spent.whole_s:.2f} %" for share in shares))
    return table


def cost_table(sweep: Journalled) -> Table:
    """What each tenth of the trials cost the driver itself."""
    table = Table("trials over", "own s a 1,000 trials", "memory grown (MiB)", box=MARKDOWN)
    for number in range(len(sweep.costs) - 1):
        over, _, mib = sweep.costs[number + 1]
        table.add_row(f"{over:,}", f"{sweep.cost_of(number):.3f}", f"{mib - sweep.costs[0][2]:.0f}")
    return table


def main(options: Options) -> None:
    """Simulate each search."""
    console = Console(width=160)
    for name in options.searches:
        add(simulate(name, options, console), options.measured)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
