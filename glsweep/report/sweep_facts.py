"""How the sweep's trials ended, what stopping saved and which won, as rows for the page."""

from dataclasses import dataclass

import pandas as pd

from glsweep.config.trial import Stratum
from glsweep.report.dimensions import tied_columns, varying
from glsweep.report.results import Results
from glsweep.report.words import DASH, counted, duration, short

MOST_RUNGS_NAMED = 3


@dataclass(frozen=True)
class OutcomeRow:
    """How the trials of one stratum ended, and what they cost.

    `saved_epochs` and `saved_s` are what the stopped trials would have gone on for, with the
    further seeds that they would have had; seconds by the epochs that each of them did run.
    """

    title: str
    patch_size_px: int
    trials: int
    completed: int
    stopped: dict[int, int]
    failed: int
    epochs: int
    trained_s: float
    saved_epochs: int
    saved_s: float

    @property
    def stopped_words(self) -> str:
        """Where trials were stopped, the last rung first; nothing where none was."""
        rungs = sorted(self.stopped, reverse=True)
        if len(rungs) > MOST_RUNGS_NAMED:
            return f"{sum(self.stopped.values())} stopped at epochs {rungs[-1]} to {rungs[0]}"
        return ", ".join(f"{self.stopped[rung]} stopped at rung {rung}" for rung in rungs)

    @property
    def full_epochs(self) -> int:
        """Epochs that the stratum would have taken without early stopping."""
        return self.epochs + self.saved_epochs

    @property
    def cost(self) -> float:
        """Epochs spent as a share of those without early stopping."""
        return self.epochs / self.full_epochs if self.full_epochs else 0.0


@dataclass(frozen=True)
class WinnerRow:
    """The best configuration of a stratum with the parameters in which trials differ.

    `value` is its mean over `seeds` seeds, `spread` their standard deviation; None with one.
    """

    title: str
    patch_size_px: int
    trial: str
    value: float
    seeds: int
    spread: float | None
    parameters: dict[str, str]


def outcome_rows(results: Results) -> list[OutcomeRow]:
    """Count how trials ended, one row a stratum."""
    return [_outcomes(results, stratum) for stratum in results.trial_strata]


def saving_words(rows: list[OutcomeRow]) -> str:
    """Say what early stopping saved over all strata; nothing where it stopped no trial."""
    saved_epochs = sum(row.saved_epochs for row in rows)
    if not saved_epochs:
        return ""
    epochs, trained_s = sum(row.epochs for row in rows), sum(row.trained_s for row in rows)
    saved_s = sum(row.saved_s for row in rows)
    return (
        f"Early stopping spent {epochs:,} of {counted(epochs + saved_epochs, 'epoch')} "
        f"({epochs / (epochs + saved_epochs):.0%}). The trials took {duration(trained_s)}, summed over "
        f"trials; run in full, they would have taken about {duration(saved_s)} more, judged by the epochs "
        "that the stopped ones did run."
    )


def _outcomes(results: Results, stratum: Stratum) -> OutcomeRow:
    trials = results.trials_of(stratum)
    ended = trials["outcome"].value_counts()
    stopped = trials[trials["outcome"] == "stopped"]
    rungs = stopped["rung_epoch"].dropna().astype(int).value_counts().sort_index()
    search = results.config.space.search
    left = search.epochs * search.replicates - stopped["epochs"]
    return OutcomeRow(
        title=stratum.title,
        patch_size_px=stratum.patch_size_px,
        trials=len(trials),
        completed=int(ended.get("completed", 0)),
        stopped={int(rung): int(count) for rung, count in rungs.items()},  # type: ignore[call-overload]
        failed=int(ended.get("failed", 0)),
        epochs=int(trials["epochs"].sum()),
        trained_s=float(trials["wall_s"].sum()),
        saved_epochs=int(left.sum()),
        saved_s=float((left * stopped["wall_s"] / stopped["epochs"]).sum()),
    )


def failure_reasons(results: Results) -> dict[str, int]:
    """Return how many trials failed for each reason."""
    failed = results.trials.loc[results.trials["outcome"] == "failed", "reason"]
    return {
        str(reason) or "no reason was recorded": int(count) for reason, count in failed.value_counts().items()
    }


def winner_rows(results: Results) -> list[WinnerRow]:
    """Return the winners in the order of strata."""
    groups = _differing(results)
    rows = []
    for stratum in results.trial_strata:
        winner = results.winners.get(stratum.key)
        if winner is None:
            continue
        mine = results.trials[results.trials["trial_id"] == winner["trial_id"]]
        parameters = {name: _label(mine, columns) for name, columns in groups.items()}
        rows.append(
            WinnerRow(
                title=stratum.title,
                patch_size_px=stratum.patch_size_px,
                trial=str(winner["trial_id"]),
                value=winner["value"],
                seeds=winner["replicates"],
                spread=winner["spread"],
                parameters=parameters,
            )
        )
    return rows


def common_parameters(results: Results) -> dict[str, str]:
    """Return the parameters that are the same in every trial."""
    columns = results.parameter_columns
    differing = {column for group in _differing(results).values() for column in group}
    return {c: str(results.trials[c].iloc[0]) for c in columns if c not in differing and len(results.trials)}


def _differing(results: Results) -> dict[str, list[str]]:
    groups = tied_columns(results.config.space, results.parameter_columns)
    return {name: group for name, group in groups.items() if varying(results.trials, {name: group})}


def _label(trial: pd.DataFrame, columns: list[str]) -> str:
    return (
        DASH if trial.empty else " / ".join(short(str(trial[column].iloc[0])) or DASH for column in columns)
    )
