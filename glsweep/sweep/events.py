"""What can happen in a sweep; the ledger is a list of these, and everything else follows from it."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from glsweep.config.base import Settings
from glsweep.config.trial import Outcome
from glsweep.spaces.plan import PlannedTrial


class Began(Settings):
    """The sweep was begun, or taken up again; whatever ran before runs no more.

    `cohorts` says how many trials of a stratum train together, by its key; those of others train alone.
    """

    event: Literal["began"] = "began"
    unix_s: float
    cohorts: dict[str, int] = Field(default_factory=dict)


class Started(Settings):
    """A trial was handed out, for the first time or again after an interruption."""

    event: Literal["started"] = "started"
    unix_s: float
    trial: PlannedTrial


class Placed(Settings):
    """A trial found a place: a worker on `node` trains it from now on, on `device` (cpu or cuda)."""

    event: Literal["placed"] = "placed"
    unix_s: float
    trial_id: str
    node: str
    device: str = "cpu"


class Reported(Settings):
    """A trial finished an epoch."""

    event: Literal["epoch"] = "epoch"
    unix_s: float
    trial_id: str
    epoch: int
    figures: dict[str, float]
    last: bool


class Judged(Settings):
    """A trial was compared at a rung with the earlier trials of its stratum.

    `rank` counts from 1 among `of` trials; the best `kept` go on. `cutoff` is the value of the
    last of these.
    """

    event: Literal["rung"] = "rung"
    unix_s: float
    trial_id: str
    rung_epoch: int
    value: float
    rank: int
    of: int
    kept: int
    cutoff: float

    @property
    def goes_on(self) -> bool:
        """Whether the trial is among the best that train on."""
        return self.rank <= self.kept


class Crashed(Settings):
    """A trial's worker died; it is tried again from its checkpoint."""

    event: Literal["crashed"] = "crashed"
    unix_s: float
    trial_id: str
    reason: str


class Reopened(Settings):
    """A trial that had run in full goes on, since the budget of epochs was raised."""

    event: Literal["reopened"] = "reopened"
    unix_s: float
    trial_id: str


class Ended(Settings):
    """A trial is over: it ran in full, was stopped at a rung, or failed for a reason."""

    event: Literal["ended"] = "ended"
    unix_s: float
    trial_id: str
    outcome: Outcome
    rung_epoch: int | None = None
    reason: str = ""


TrialEvent = Started | Placed | Reported | Judged | Crashed | Reopened | Ended
Event = Began | TrialEvent
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
