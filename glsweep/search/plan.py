"""A plan: the trials of a sweep one after another, and what it must know to propose the next."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, Self

from pydantic import Field

from glsweep.config.settings import Settings
from glsweep.config.trial import Outcome, Stratum, TrialParameters
from glsweep.randomness import seed_for


def place_of(index: int) -> str:
    """Return how a place in the sweep is written in front of an identifier."""
    return f"{index:04d}"


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

    @property
    def identity(self) -> tuple[TrialParameters, int]:
        """What makes it the same trial in another plan: its configuration and its seed."""
        return self.parameters, self.seed

    def moved_to(self, index: int) -> Self:
        """Return the same trial at another place; the number that its identifier begins with follows."""
        trial_id = self.trial_id.replace(place_of(self.index), place_of(index), 1)
        return self.model_copy(update={"index": index, "trial_id": trial_id})

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
class EarlierTrial:
    """What became of an earlier trial: its outcome, None while it runs, and its metric at each epoch."""

    trial: PlannedTrial
    outcome: Outcome | None
    metrics: Mapping[int, float]


class NoProposal(Enum):
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

    def propose(self, index: int, past: Callable[[int], EarlierTrial]) -> PlannedTrial | NoProposal:
        """Return trial number `index`, the same one however often it is asked for.

        `past` tells of any trial with a lower index, each of which was proposed and begun.
        """


class ListedPlan:
    """A plan whose trials are all known beforehand.

    Parameters
    ----------
    trials : iterable of PlannedTrial
        In their order.
    begun : sequence of PlannedTrial
        Those that the sweep has begun, in the order of their index, by an earlier plan that may have
        been smaller: they keep their places, and the others come after them.
    most : int, optional
        How many configurations there are to be.
    """

    def __init__(
        self, trials: Iterable[PlannedTrial], *, begun: Sequence[PlannedTrial] = (), most: int | None = None
    ) -> None:
        known = {trial.identity for trial in begun}
        others = [trial for trial in trials if trial.identity not in known]
        moved = (trial.moved_to(index) for index, trial in enumerate(others, start=len(begun)))
        self.trials = (*begun, *moved)[: None if most is None else max(most, len(begun))]

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """Every stratum of the trials, sorted."""
        return tuple(sorted({trial.stratum for trial in self.trials}))

    @property
    def size(self) -> int | None:
        """How many trials there are."""
        return len(self.trials)

    def propose(self, index: int, past: Callable[[int], EarlierTrial]) -> PlannedTrial | NoProposal:
        """Return trial number `index`, whatever became of earlier ones."""
        return self.trials[index] if index < len(self.trials) else NoProposal.END


def patch_sizes_px(strata: Iterable[Stratum]) -> list[int]:
    """Return the patch sizes of `strata` in pixels, ascending."""
    return sorted({stratum.patch_size_px for stratum in strata})
