"""What a sweep survives: one undisturbed, then the same again under a random series of real faults.

    python benchmarks/faults.py [--faults 10] [--seed 0]

The command is `python -m glsweep.run sweep`, given again whenever it has ended too soon, as a user
would. Undisturbed it runs on Ray on this machine with MLflow in the study's folder; disturbed, on a
cluster of two nodes with an MLflow server. A fault strikes at a random moment after a further epoch.
The disk that is filled is a small one in memory, which only root can mount.

Exit code 1 if a trial was lost, a result changed, or MLflow lacks a run, has one twice, or one without end.
"""

import glsweep.sweep  # noqa: F401, I001  sets what Ray reads when it is imported

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
import yaml
from disturbances import Disk, Nodes, Server
from mlflow import MlflowClient
from rich.console import Console
from rich.table import Table

from glsweep.study.artifacts import Winners
from glsweep.study.artifacts import read_artifact
from glsweep.study import Study
from glsweep.study import open_study

SPACE = Path(__file__).with_suffix(".yaml")
CARD = {
    "name": "faults",
    "split": {"rule": "scene", "train": 0.5, "val": 0.25, "test": 0.25},
    "simulation": {"scenes": 4, "rows": 256, "cols": 256, "looks": 12},
}
LONGEST_DELAY_S = 1.5
PATIENCE_S = 300.0
ENDED = {"FINISHED", "KILLED", "FAILED"}


@dataclass
class Options:
    faults: int = 10
    """How many faults strike."""
    seed: int = 0
    """Decides which, and when."""


class Sweep:
    """The command on one study."""

    def __init__(
        self, directory: Path, log: Path, *, uri: str | None = None, address: str | None = None
    ) -> None:
        self.directory = directory
        self._log = log
        self._arguments = ["--address", address] if address else []
        kept = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
        self._environment = {**kept, "OMP_NUM_THREADS": "1", **({"MLFLOW_TRACKING_URI": uri} if uri else {})}

    def prepare(self, card: Path) -> None:
        self._start("prepare", "--data", str(card), "--space", str(SPACE))
        self.wait(0)

    def go_on(self) -> None:
        """Give the command, for the first time or again."""
        self._seen = self._epochs()
        self._start("sweep")

    def wait(self, *codes: int) -> None:
        """Wait for the command to end, and make sure that it does so as it should."""
        code = self.process.wait(PATIENCE_S)
        if code not in codes:
            raise RuntimeError(f"the command ended with {code}: {self._log.read_text()[-3000:]}")

    def reaches_another_epoch(self) -> bool:
        """Wait until a further epoch has been reported; False when the sweep is over."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            if self.process.poll() is not None:
                self.wait(0)
                return False
            if self._epochs() > self._seen:
                self._seen = self._epochs()
                return True
            time.sleep(0.05)
        raise RuntimeError(f"no epoch within {PATIENCE_S:.0f} s: {self._log.read_text()[-3000:]}")

    def _epochs(self) -> int:
        ledger = self.directory / "sweep" / "ledger.jsonl"
        return ledger.read_text().count('"event":"epoch"') if ledger.is_file() else 0

    def _start(self, stage: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "glsweep.run", stage, "--study", str(self.directory), *arguments]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *(self._arguments if stage == "sweep" else [])],
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )


class Faults:
    """Every kind of fault. Each ends with the command at work again, and is True if it could strike."""

    def __init__(self, disk: Disk, server: Server, nodes: Nodes, generator: np.random.Generator) -> None:
        self._disk, self._server, self._nodes, self._generator = disk, server, nodes, generator

    def kinds(self) -> dict[str, Callable[[Sweep], bool]]:
        kinds = {
            "a worker killed with -9": self.kill_worker,
            "the command killed with -9": self.kill_command,
            "Ctrl-C": self.interrupt,
            "Ctrl-C twice": self.interrupt_twice,
            "SIGTERM": self.terminate,
            "the terminal closed": self.hang_up,
            "a node lost": self.lose_node,
            "the MLflow server killed": self.kill_server,
            "the disk full": self.fill_disk,
        }
        if not self._disk.can_be_filled:
            del kinds["the disk full"]
        return kinds

    def kill_worker(self, _sweep: Sweep) -> bool:
        workers = self._nodes.workers()
        if workers:
            os.kill(int(self._generator.choice(workers)), signal.SIGKILL)
        return bool(workers)

    def kill_command(self, sweep: Sweep) -> bool:
        sweep.process.kill()
        sweep.wait(-signal.SIGKILL)
        sweep.go_on()
        return True

    def interrupt(self, sweep: Sweep) -> bool:
        os.killpg(sweep.process.pid, signal.SIGINT)
        return self._stopped(sweep)

    def interrupt_twice(self, sweep: Sweep) -> bool:
        os.killpg(sweep.process.pid, signal.SIGINT)
        time.sleep(self._generator.uniform(0, LONGEST_DELAY_S))
        if sweep.process.poll() is None:
            os.killpg(sweep.process.pid, signal.SIGINT)
        return self._stopped(sweep)

    def terminate(self, sweep: Sweep) -> bool:
        sweep.process.terminate()
        return self._stopped(sweep)

    def hang_up(self, sweep: Sweep) -> bool:
        os.killpg(sweep.process.pid, signal.SIGHUP)
        return self._stopped(sweep)

    def lose_node(self, _sweep: Sweep) -> bool:
        self._nodes.lose()
        time.sleep(self._generator.uniform(0, 2 * LONGEST_DELAY_S))
        self._nodes.add()
        return True

    def kill_server(self, _sweep: Sweep) -> bool:
        self._server.kill()
        time.sleep(self._generator.uniform(0, 4 * LONGEST_DELAY_S))
        self._server.start()
        return True

    def fill_disk(self, sweep: Sweep) -> bool:
        self._disk.fill()
        sweep.wait(2, 0)
        self._disk.make_room()
        sweep.go_on()
        return True

    def _stopped(self, sweep: Sweep) -> bool:
        # A shell tells a signal in the moment in which Python ends as it tells the others.
        asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        sweep.wait(0, *(128 + number for number in asked), *(-number for number in asked))
        sweep.go_on()
        return True


@dataclass
class Damage:
    """What a disturbed sweep lacks or has otherwise than the undisturbed one."""

    trials_lost: int = 0
    results_changed: int = 0
    runs_wrong: int = 0

    @property
    def is_none(self) -> bool:
        return not (self.trials_lost or self.results_changed or self.runs_wrong)

    def __add__(self, other: "Damage") -> "Damage":
        return Damage(
            self.trials_lost + other.trials_lost,
            self.results_changed + other.results_changed,
            self.runs_wrong + other.runs_wrong,
        )


def damage(undisturbed: Study, disturbed: Study, client: MlflowClient) -> Damage:
    """Compare tables without wall times, winners, and the runs in MLflow."""
    wanted, found = (_table(study) for study in (undisturbed, disturbed))
    lost = [name for name in wanted if name not in found or _is_lost(wanted[name], found[name])]
    changed = [name for name in found if name not in lost and found[name] != wanted.get(name)]
    winners, won = (
        read_artifact(study.winners_json, Winners).by_stratum for study in (undisturbed, disturbed)
    )
    changed += [key for key in winners.keys() | won.keys() if winners.get(key) != won.get(key)]
    experiment = client.get_experiment_by_name(disturbed.config.name)
    runs = client.search_runs([experiment.experiment_id], max_results=10_000) if experiment else []
    counts = Counter(run.data.tags.get("glsweep.trial_id", "sweep") for run in runs)
    wrong = {name for name in {*wanted, "sweep"} if counts[name] != 1}
    wrong |= {run.info.run_id for run in runs if run.info.status not in ENDED}
    return Damage(len(lost), len(changed), len(wrong))


def _table(study: Study) -> dict[str, str]:
    table = pd.read_csv(study.trials_csv, dtype=str).drop(columns="wall_s").set_index("trial_id")
    return {str(name): row.to_json() for name, row in table.iterrows()}


def _is_lost(wanted: str, found: str) -> bool:
    return '"failed"' in found and '"failed"' not in wanted


def series(kinds: list[str], faults: int, generator: np.random.Generator) -> list[str]:
    """Each kind once in a random order, again and again."""
    rounds = -(-faults // len(kinds))
    return [kinds[i] for _ in range(rounds) for i in generator.permutation(len(kinds))][:faults]


def main(options: Options) -> int:
    console, generator = Console(), np.random.default_rng(options.seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="glsweep-faults-")))
        card = folder / "card.yaml"
        card.write_text(yaml.safe_dump(CARD))
        undisturbed = Sweep(folder / "undisturbed", folder / "log")
        undisturbed.prepare(card)
        undisturbed.go_on()
        undisturbed.wait(0)
        wanted = open_study(undisturbed.directory)
        console.print(f"undisturbed: {len(_table(wanted))} trials in {wanted.record('sweep').wall_s:.0f} s")

        disk = stack.enter_context(closing(Disk(folder / "disk", "256m")))
        nodes = stack.enter_context(closing(Nodes()))
        server = Server(folder / "server")
        server.start()
        stack.callback(server.kill)
        kinds = Faults(disk, server, nodes, generator).kinds()
        to_come = series(list(kinds), options.faults, generator)
        tried, survived, total = Counter[str](), Counter[str](), Damage()
        while to_come:
            sweep = Sweep(
                disk.folder / f"disturbed-{tried.total():03d}",
                folder / "log",
                uri=server.uri,
                address=nodes.address,
            )
            sweep.prepare(card)
            sweep.go_on()
            struck: Counter[str] = Counter()
            while to_come and sweep.reaches_another_epoch():
                time.sleep(generator.uniform(0, LONGEST_DELAY_S))
                if sweep.process.poll() is None and kinds[to_come[0]](sweep):
                    console.print(f"  {to_come[0]}")
                    struck[to_come.pop(0)] += 1
            sweep.wait(0)
            done = damage(wanted, open_study(sweep.directory), MlflowClient(server.uri))
            total += done
            tried += struck
            survived += struck if done.is_none else Counter()
            console.print(f"{sweep.directory.name}: {struck.total()} faults, {done}")
    console.print(table(tried, survived))
    console.print(
        f"trials lost: {total.trials_lost}, results changed: {total.results_changed}, "
        f"MLflow runs missing, doubled or without end: {total.runs_wrong}"
    )
    return 0 if total.is_none else 1


def table(tried: Counter[str], survived: Counter[str]) -> Table:
    result = Table("fault")
    result.add_column("tried", justify="right")
    result.add_column("survived", justify="right")
    for kind, count in sorted(tried.items()):
        result.add_row(kind, str(count), str(survived[kind]))
    result.add_section()
    result.add_row("in all", str(tried.total()), str(survived.total()))
    return result


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
