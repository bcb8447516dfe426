"""The stage `sweep`: every trial of the search space, and the winner of each stratum."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console

from glsweep.files import write_json
from glsweep.patches.store import keep_trained_on, open_patches
from glsweep.spaces.plan import Plan, patch_sizes_px
from glsweep.study import Study
from glsweep.sweep.cluster import connected
from glsweep.sweep.console import ConsoleListener
from glsweep.sweep.doctor.examine import check_before_sweep
from glsweep.sweep.doctor.need import need_of
from glsweep.sweep.engine import Job, run_trials
from glsweep.sweep.failures import failure_in_sweep, told
from glsweep.sweep.mirror import mirrored
from glsweep.sweep.records import read_records
from glsweep.sweep.terms import Terms
from glsweep.sweep.winners import winners, write_trials
from glsweep.training.fit import Schedule
from glsweep.training.start import load_start


def sweep(
    study: Study, plan: Plan, *, address: str | None, storage: str | None, console: Console
) -> dict[str, Any]:
    """Run the trials, write `sweep/trials.csv` and `sweep/winners.json`, and return a summary.

    A stratum without a winner stands under `failed` in the summary, see `glsweep.sweep.failures`.
    """
    search = study.config.space.search
    job = Job(
        plan=plan,
        schedule=Schedule(search.epochs, search.tolerance_m, search.rank_by),
        stopping=search.scheduler,
        resources=study.config.space.resources,
        ledger_jsonl=study.ledger_jsonl,
        storage=study.checkpoints(storage, "sweep"),
        budget=search.budget,
        replicates=search.replicates,
        start=load_start(study),
    )
    table = ConsoleListener(console, Terms.of_search(plan, study.config.space), title="Sweep")
    with mirrored(study, console) as mirror:
        with connected(address):
            need = need_of(study.config.space, study.config_yaml)
            check_before_sweep(need, storage_root=job.storage, console=console)
            keep_trained_on(study, patch_sizes_px(plan.strata))
            with table, tabled(study):
                records = run_trials(job, split_arrays(study, plan), [mirror, table])
        best = winners(records, search.rank_by)
        write_json(study.winners_json, best)
    failed = {
        stratum.key: failure_in_sweep(stratum, records.strata.get(stratum.key, []), study.config.space)
        for stratum in plan.strata
        if stratum.key not in best
    }
    outcomes = Counter(str(record.outcome) for record in records.trials.values())
    return {
        "trials": len(records.trials),
        "outcomes": dict(outcomes),
        "epochs": sum(len(record.epochs) for record in records.trials.values()),
        "winners": {key: won["trial_id"] for key, won in best.items()},
        "failed": told(failed),
    }


@contextmanager
def tabled(study: Study) -> Iterator[None]:
    """Write the table of all trials when this block ends, however it ends."""
    try:
        yield
    except BaseException:
        # The disk may be what failed, and then the error to be told is the one that said so.
        with suppress(OSError):
            _write_table(study)
        raise
    _write_table(study)


def _write_table(study: Study) -> None:
    records = read_records(study.ledger_jsonl)
    write_trials(records, study.config.space.search.rank_by, study.trials_csv)


def split_arrays(study: Study, plan: Plan) -> dict[int, Any]:
    """Return training and validation patches of every size that the plan's trials need."""
    sizes = patch_sizes_px(plan.strata)
    stores = {size: open_patches(study, size) for size in sizes}
    return {size: (store.arrays("train"), store.arrays("val")) for size, store in stores.items()}
