"""What the report says of the sweep: outcomes, rungs, winners, and the spread over seeds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from glsweep.config.space import HIGHER_IS_BETTER
from glsweep.config.stopping import Median, OwnStopping, Stopping, SuccessiveHalving
from glsweep.config.trial import Stratum
from glsweep.registry import object_name
from glsweep.report import DASH, counted, duration, short
from glsweep.report.importance import tied_columns, varying
from glsweep.report.results import Results
from glsweep.sweep.rungs import SeedScores

CLEAR = 2.0  # standard errors that a lead must exceed to count as one


@dataclass(frozen=True)
class SeedRow:
    """One configuration with the best metric of its seeds that ran in full."""

    configuration: str
    scores: SeedScores

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """The best metric of each seed."""
        return np.array(self.scores.values)

    @property
    def mean(self) -> float:
        """Mean over seeds, which ranks the configuration."""
        return self.scores.mean


@dataclass(frozen=True)
class Lead:
    """How far a stratum's winner is ahead of the next configuration.

    `difference` is that of the means, positive, in the metric that ranks; `error` its standard
    error from the spread over seeds, pooled over all configurations of the stratum.
    """

    stratum: Stratum
    winner: str
    second: str
    difference: float
    error: float

    @property
    def is_clear(self) -> bool:
        """Whether the lead exceeds what seeds alone bring about."""
        return self.difference > CLEAR * self.error


def seed_rows(results: Results, stratum: Stratum) -> list[SeedRow]:
    """Return the configurations of a stratum that ran in full, the best first."""
    rows = [SeedRow(first.trial.configuration, scores) for first, scores in results.seed_scores(stratum)]
    sign = -1.0 if HIGHER_IS_BETTER[results.config.space.search.rank_by] else 1.0
    return sorted(rows, key=lambda row: sign * row.mean)


@dataclass(frozen=True)
class SeedSpread:
    """How far the seeds of one configuration lie apart, as a standard deviation with degrees of freedom."""

    sd: float
    freedom: int


def pooled_spread(rows: list[SeedRow]) -> SeedSpread | None:
    """Return the spread over seeds, pooled over configurations; None without any repeated."""
    freedom = sum(len(row.values) - 1 for row in rows)
    if freedom == 0:
        return None
    squares = sum(float(((row.values - row.mean) ** 2).sum()) for row in rows)
    return SeedSpread(float(np.sqrt(squares / freedom)), freedom)


def relaxed_spread(results: Results, patch_size_px: int) -> SeedSpread | None:
    """Return the spread of the relaxed F1 over seeds, pooled over the trials of one patch size in full.

    None where trials were ranked by another metric, or no configuration has several seeds.
    """
    if results.config.space.search.rank_by != "relaxed_f1":
        return None
    strata = [stratum for stratum in results.trial_strata if stratum.patch_size_px == patch_size_px]
    return pooled_spread([row for stratum in strata for row in seed_rows(results, stratum)])


def leads(results: Results) -> Iterator[Lead]:
    """Yield the lead of each stratum in which two configurations ran in full and seeds were repeated."""
    for stratum in results.trial_strata:
        rows = seed_rows(results, stratum)
        spread = pooled_spread(rows)
        if len(rows) < 2 or spread is None:
            continue
        first, second = rows[:2]
        error = spread.sd * float(np.sqrt(1 / len(first.values) + 1 / len(second.values)))
        difference = abs(first.mean - second.mean)
        yield Lead(stratum, first.configuration, second.configuration, difference, error)


# --- Rungs: who was judged, who went on, and the cut-off


@dataclass(frozen=True)
class RungRow:
    """One rung of one stratum in numbers; `cutoff` is that of its last judgement."""

    title: str
    epoch: int
    judged: int
    went_on: int
    cutoff: float

    @property
    def stopped(self) -> int:
        """Trials that were stopped here."""
        return self.judged - self.went_on


def judgements(results: Results, stratum: Stratum) -> pd.DataFrame:
    """Return the judgements of a stratum, rung by rung in the plan's order, with `went_on` for each."""
    places = results.trials_of(stratum)[["trial_id", "index"]]
    judged = results.history.judged.merge(places, on="trial_id")
    judged["went_on"] = judged["rank"] <= judged["kept"]
    return judged.sort_values(["rung_epoch", "index"], ignore_index=True)


def rung_rows(results: Results) -> list[RungRow]:
    """Return one row for each stratum and rung at which a trial was judged."""
    return [row for stratum in results.trial_strata for row in _rows_of(results, stratum)]


def rule_words(stopping: Stopping) -> str:
    """Return who goes on at a rung, as the end of a sentence; nothing where nobody is judged."""
    match stopping:
        case SuccessiveHalving():
            return f"the best 1 in {stopping.reduction_factor} (at least one) go on"
        case Median():
            return "the better half goes on"
        case OwnStopping():
            return f"{object_name(stopping.name)} says who goes on"
        case _:
            return ""


def _rows_of(results: Results, stratum: Stratum) -> Iterator[RungRow]:
    for epoch, at_rung in judgements(results, stratum).groupby("rung_epoch"):
        yield RungRow(
            title=stratum.title,
            epoch=int(str(epoch)),
            judged=len(at_rung),
            went_on=int(at_rung["went_on"].sum()),
            cutoff=float(at_rung["cutoff"].iloc[-1]),
        )


# --- Outcomes, what stopping saved, and winners, as rows for the page

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
        trial = results.trials[results.trials["trial_id"] == winner.trial_id]
        parameters = {name: _label(trial, columns) for name, columns in groups.items()}
        rows.append(
            WinnerRow(
                title=stratum.title,
                patch_size_px=stratum.patch_size_px,
                trial=winner.trial_id,
                value=winner.value,
                seeds=winner.replicates,
                spread=winner.spread,
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
