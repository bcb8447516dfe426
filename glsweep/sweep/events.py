"""What can happen in a sweep; the ledger is a list of these, and everything else follows from it."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from glsweep.config.base import Settings
from glsweep.config.trial import Outcome
from glsweep.spaces.plan import PlannedTrial


class Started(Settings):
    """A trial was handed out, for the first time or again after an interruption."""

    event: Literal["started"] = "started"
    unix_s: float
    trial: PlannedTrial


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

    `rank` counts from 1 among `of` trials; the best `kept` go on.
    """

    event: Literal["rung"] = "rung"
    unix_s: float
    trial_id: str
    rung_epoch: int
    value: float
    rank: int
    of: int
    kept: int


class Ended(Settings):
    """A trial is over: it ran in full, was stopped at a rung, or failed for a reason."""

    event: Literal["ended"] = "ended"
    unix_s: float
    trial_id: str
    outcome: Outcome
    rung_epoch: int | None = None
    reason: str = ""


Event = Started | Reported | Judged | Ended
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
