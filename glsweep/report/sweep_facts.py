"""How the sweep's trials ended and which won, as rows for the page."""

from dataclasses import dataclass

import pandas as pd

from glsweep.config.trial import Stratum
from glsweep.report.dimensions import tied_columns, varying
from glsweep.report.results import Results
from glsweep.report.words import DASH, short


@dataclass(frozen=True)
class OutcomeRow:
    """How the trials of one stratum ended, and what they cost."""

    title: str
    patch_size_px: int
    trials: int
    completed: int
    stopped: dict[int, int]
    failed: int
    epochs: int
    full_epochs: int
    wall_s: float

    @property
    def cost(self) -> float:
        """Epochs spent as a share of what all trials would have cost in full."""
        return self.epochs / self.full_epochs if self.full_epochs else 0.0


@dataclass(frozen=True)
class WinnerRow:
    """The best trial of a stratum with the parameters in which trials differ."""

    title: str
    patch_size_px: int
    trial: str
    value: float
    parameters: dict[str, str]


def outcome_rows(results: Results) -> list[OutcomeRow]:
    """Count how trials ended, one row a stratum."""
    return [_outcomes(results, stratum) for stratum in results.trial_strata]


def _outcomes(results: Results, stratum: Stratum) -> OutcomeRow:
    trials = results.trials_of(stratum)
    ended = trials["outcome"].value_counts()
    rungs = trials.loc[trials["outcome"] == "stopped", "rung_epoch"].dropna().astype(int)
    return OutcomeRow(
        title=stratum.title,
        patch_size_px=stratum.patch_size_px,
        trials=len(trials),
        completed=int(ended.get("completed", 0)),
        stopped={int(rung): int(count) for rung, count in rungs.value_counts().sort_index().items()},  # type: ignore[call-overload]
        failed=int(ended.get("failed", 0)),
        epochs=int(trials["epochs"].sum()),
        full_epochs=len(trials) * results.config.space.search.epochs,
        wall_s=float(trials["wall_s"].sum()),
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
                stratum.title, stratum.patch_size_px, str(winner["trial_id"]), winner["value"], parameters
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
