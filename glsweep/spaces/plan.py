"""A plan: the trials of a sweep one after another, and what it must know to propose the next."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, Self

from pydantic import Field

from glsweep.config.base import Settings
from glsweep.config.trial import Outcome, Stratum, TrialParameters
from glsweep.randomness import seed_for


class PlannedTrial(Settings):
    """One configuration with one seed, and its place in the sweep.

    `index` orders the configurations of a sweep; early stopping compares a trial with earlier ones
    only, which makes its decisions independent of how fast each trial happens to run. `choices`
    says what was picked in each dimension: the number of the choice, or the value of a range.
    `replicate` counts the seeds of one configuration from 0.
    """

    trial_id: str
    index: int
    seed: int
    parameters: TrialParameters
    choices: dict[str, int | float] = Field(default_factory=dict)
    replicate: int = 0

    @property
    def stratum(self) -> Stratum:
        """The group whose members this trial is compared with."""
        return self.parameters.stratum

    @property
    def configuration(self) -> str:
        """Identifier of the configuration: that of its first trial."""
        return self.trial_id.removesuffix(f"-r{self.replicate}") if self.replicate else self.trial_id

    def replicated(self, replicate: int) -> Self:
        """Return the same configuration with another seed; `self` is its first trial."""
        return self.model_copy(
            update={
                "trial_id": f"{self.trial_id}-r{replicate}",
                "seed": seed_for(self.seed, "replicate", replicate),
                "replicate": replicate,
            }
        )


@dataclass(frozen=True)
class Past:
    """What became of an earlier trial: its outcome, None while it runs, and its figure at each epoch."""

    trial: PlannedTrial
    outcome: Outcome | None
    figures: Mapping[int, float]


class Answer(Enum):
    """What a plan says when it proposes no trial."""

    WAIT = "the proposal depends on trials that are not over"
    END = "there is no other configuration"


class Plan(Protocol):
    """Proposes configurations one after another; the same ones for the same seed and past."""

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """Every stratum that a trial may belong to, sorted."""

    @property
    def size(self) -> int | None:
        """How many configurations there are; None when only a budget of epochs or hours ends them."""

    def propose(self, index: int, past: Callable[[int], Past]) -> PlannedTrial | Answer:
        """Return trial number `index`, the same one however often it is asked for.

        `past` tells of any trial with a lower index, each of which was proposed and begun.
        """


class ListedPlan:
    """A plan whose trials are all known beforehand."""

    def __init__(self, trials: Iterable[PlannedTrial]) -> None:
        self.trials = tuple(trials)

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """Every stratum of the trials, sorted."""
        return tuple(sorted({trial.stratum for trial in self.trials}))

    @property
    def size(self) -> int | None:
        """How many trials there are."""
        return len(self.trials)

    def propose(self, index: int, past: Callable[[int], Past]) -> PlannedTrial | Answer:
        """Return trial number `index`, whatever became of earlier ones."""
        return self.trials[index] if index < len(self.trials) else Answer.END


def patch_sizes_px(strata: Iterable[Stratum]) -> list[int]:
    """Return the patch sizes of `strata` in pixels, ascending."""
    return sorted({stratum.patch_size_px for stratum in strata})
