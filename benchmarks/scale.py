"""A sweep of 100,000 invented trials on 1,000 invented workers, through the real queue, journal and ledger.

    python benchmarks/scale.py [--searches seed_asha wide] [--trials 100000] [--workers 1000]

Time is simulated, event by event (simulated_cluster.py); what is decided and written is not.

Three sweeps of the same trials: undisturbed; by Ray's own asynchronous halving, which decides at once and
never waits; and with nodes that are lost, whose trials go on from their last checkpoints on other workers and
in another order of arrival, and must end alike trial for trial.

The tail begins when a worker finds nothing to do for the first time: fewer trials than workers are left.

`--trials 5000 --workers 100` is a rehearsal. The ledger is written in memory by default, where it costs
nothing to wait for the disk: the milliseconds that this takes elsewhere are in the simulated time.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from measured import Measured, MeasuredFile, add
from played_sweeps import altered
from process_tree import resident_mib
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table
from simulated_cluster import SECONDS_PER_HOUR, Cluster, ClusterTerms, InventedTrials
from simulated_sweeps import MIB, Asynchronous, Journalled, SyncedLedger

from glsweep.config.space import Metric, SearchSpace, load_space
from glsweep.search import make_plan
from glsweep.search.plan import EarlierTrial, PlannedTrial
from glsweep.sweep.outcomes import winners
from glsweep.sweep.records import SweepRecords, read_records

SPACES = Path(__file__).resolve().parents[1] / "search_spaces"
WIDE = SPACES / "wide.yaml"


@dataclass(frozen=True)
class Options(ClusterTerms):
    """What is simulated."""

    searches: tuple[Literal["seed_asha", "wide"], ...] = ("seed_asha", "wide")
    """Whose early stopping, epochs and seeds; the configurations are drawn from `wide` in either case."""
    trials: int = 100_000
    """Configurations."""
    folder: Path = Path("/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir())
    """Where the ledger is written."""
    measured: MeasuredFile = None


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


def simulate(name: str, options: Options, console: Console) -> list[Measured]:
    """Run the three sweeps of one search, print what came of them, and return what is aimed at."""
    space = searched(name, options.trials)
    begin_s, begin_mib = time.process_time(), resident_mib()
    trials = drawn(space)
    plan_ms = 1000 * (time.process_time() - begin_s) / len(trials)
    plan_kib = 1024 * (resident_mib() - begin_mib) / len(trials)
    invented = InventedTrials(trials, epochs=space.search.epochs, stragglers=options.stragglers)
    console.print(f"{name}: {len(trials):,} configurations, {options.workers:,} workers")
    console.print(f"to draw one takes {plan_ms:.2f} ms, to keep it {plan_kib:.1f} KiB\n")
    runs = Runs(space, trials, invented, options)
    quiet, quiet_cluster = runs.journalled(chance=0, lost_an_hour=0.0)
    console.print(cost_table(quiet))
    console.print(load_lines(quiet, quiet_cluster, options))
    rays_cluster = runs.asynchronous()
    lossy, lossy_cluster = runs.journalled(chance=1, lost_an_hour=options.lost_an_hour)
    console.print(
        times_table(
            {"glsweep": quiet_cluster, "Ray's ASHA": rays_cluster, "glsweep, nodes lost": lossy_cluster}
        )
    )
    different = differences(quiet.journal.records, lossy.journal.records, space.search.rank_by)
    unlucky = invented.expected_failures(quiet.journal.records, options)
    console.print(
        f"{lossy_cluster.crashes:,} crashes; trials and winners that differ for it: {different}; "
        f"failures to be expected by bad luck alone: {unlucky:.1g}\n"
    )
    trains = quiet_cluster.before_tail.trains_s / quiet_cluster.before_tail.whole_s
    # The very first and last tenths are also those in which the sweep begins and ends.
    growth = quiet.cost_of(-2) / quiet.cost_of(1)
    return [
        Measured(f"workers' time that trains, {name}, before the tail", "all", trains, at_least=0.97),
        Measured(f"driver's time a trial, {name}, ninth tenth", "second tenth", growth, at_most=1.2),
        Measured(f"trials and winners that differ, {name}, nodes lost", "none lost", different, at_most=0),
    ]


@dataclass(frozen=True)
class Runs:
    """The sweeps of one search, each over the same trials."""

    space: SearchSpace
    trials: Sequence[PlannedTrial]
    invented: InventedTrials
    options: Options

    def journalled(self, *, chance: int, lost_an_hour: float) -> tuple[Journalled, Cluster]:
        """Run it through the real queue, journal and ledger."""
        with tempfile.TemporaryDirectory(prefix="glsweep-scale-", dir=self.options.folder) as folder:
            ledger = SyncedLedger(Path(folder) / "ledger.jsonl")
            sweep = Journalled(self.space, self.trials, ledger)
            cluster = Cluster(self.options, sweep, self.invented, chance=chance, lost_an_hour=lost_an_hour)
            sweep.mlflow.clock = lambda: cluster.now_s
            cluster.run()
            sweep.ledger_mib = ledger.path.stat().st_size / MIB
            begin_s = time.process_time()
            read_records(ledger.path)
            sweep.read_s = time.process_time() - begin_s
        return sweep, cluster

    def asynchronous(self) -> Cluster:
        """Run it by Ray's asynchronous halving."""
        sweep = Asynchronous(self.space, self.trials)
        cluster = Cluster(self.options, sweep, self.invented, chance=0, lost_an_hour=0.0)
        cluster.run()
        return cluster


def differences(one: SweepRecords, other: SweepRecords, metric: Metric) -> int:
    """Return how many trials ended otherwise, in anything but their times, and strata were won by another."""
    won = [winners(records, metric) for records in (one, other)]
    ended = [
        {name: (r.outcome, r.rung_epoch, r.epochs) for name, r in records.trials.items()}
        for records in (one, other)
    ]
    return sum(
        first.get(name) != second.get(name)
        for first, second in (won, ended)
        for name in first.keys() | second.keys()
    )


def load_lines(sweep: Journalled, cluster: Cluster, options: Options) -> str:
    """What the driver, the disk, MLflow and the checkpoint store have to take."""
    records, epochs, lasts_s = sweep.journal.records, cluster.epochs, cluster.now_s
    outcomes = Counter(str(record.outcome) for record in records.trials.values())
    driver_s = (cluster.messages * options.message_ms + sweep.syncs * options.sync_ms) / 1000
    own_ms = 1000 * sweep.cpu_s / cluster.messages
    written_mib = cluster.written_bytes / MIB
    waiting_gib = cluster.most_waiting * written_mib / epochs / 1024
    lines = (
        f"{len(records.trials):,} trials ({dict(outcomes)}), {epochs:,} epochs",
        f"at rungs: {cluster.most_waiting:,} trials at most, with {waiting_gib:.0f} GiB of checkpoints",
        f"driver: {cluster.messages:,} messages take {driver_s / lasts_s:.1%} of its time, of which queue, "
        f"journal and ledger {own_ms:.3f} ms each; it ends at {epochs / driver_s:.0f} epochs a second",
        f"ledger: {sweep.ledger_mib:.0f} MiB, {sweep.syncs / epochs:.2f} waits for the disk an epoch; "
        f"read again in {sweep.read_s:.0f} s",
        f"MLflow: {sweep.mlflow.calls:,} calls, {sweep.mlflow.calls / len(records.trials):.1f} a trial, "
        f"{sweep.mlflow.calls / lasts_s:.0f} a second",
        f"checkpoints: {epochs / lasts_s:.1f} written a second, {max(cluster.minutes.values()) / 60:.0f} in "
        f"the busiest minute; {written_mib / epochs:.1f} MiB each, {written_mib / lasts_s:.0f} MiB/s; "
        f"{cluster.resumed:,} read",
    )
    return "".join(f"- {line}\n" for line in lines)


def times_table(clusters: Mapping[str, Cluster]) -> Table:
    """What the workers' time went to, in the whole and before fewer trials than workers were left."""
    table = Table(
        *("sweep", "epochs", "", "hours", "trains", "starts", "answers", "at rungs", "lost", "nothing to do"),
        box=MARKDOWN,
    )
    for title, cluster in clusters.items():
        for part, spent in (("whole", cluster.spent), ("before the tail", cluster.before_tail)):
            trained = (spent.trains_s, spent.starts_s, spent.answers_s)
            shares = (*trained, spent.rungs_s, spent.lost_s, spent.idle_s)
            hours = spent.whole_s / len(cluster.workers) / SECONDS_PER_HOUR
            row = (title, f"{cluster.epochs:,}", part, f"{hours:.2f}")
            table.add_row(*row, *(f"{100 * share / spent.whole_s:.2f} %" for share in shares))
    return table


def cost_table(sweep: Journalled) -> Table:
    """What each tenth of the trials cost the driver itself."""
    table = Table("trials over", "own s a 1,000 trials", "MiB since the first tenth", box=MARKDOWN)
    for number in range(len(sweep.costs) - 1):
        over, _, mib = sweep.costs[number + 1]
        table.add_row(f"{over:,}", f"{sweep.cost_of(number):.3f}", f"{mib - sweep.costs[1][2]:.0f}")
    return table


def main(options: Options) -> None:
    """Simulate each search."""
    console = Console(width=160)
    for name in options.searches:
        add(simulate(name, options, console), options.measured)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
