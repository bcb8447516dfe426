"""Which rule ends weak trials early, and its settings."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag

from glsweep.config.settings import Settings, misfit
from glsweep.config.trial import named_in
from glsweep.registry import STOPPING_RULES


class SuccessiveHalving(Settings):
    """What both kinds of successive halving have.

    Rungs lie at `grace_epochs`, and again each time the epochs have grown by `reduction_factor`.
    """

    name: str
    grace_epochs: int = Field(ge=1, description="epochs before the first rung, which every trial runs")
    reduction_factor: int = Field(ge=2, description="one trial in so many goes on from a rung")


class Asha(SuccessiveHalving):
    """Asynchronous successive halving: at each rung only the best of the trials so far go on.

    Rungs lie at `grace_epochs`, and again each time the epochs have grown by `reduction_factor`.
    """

    name: Literal["asha"] = Field(default="asha", description="chooses this rule")


class Halving(SuccessiveHalving):
    """Successive halving: at each rung all trials of a stratum are compared at once, and the best go on.

    Rungs lie where those of `asha` do. For a grid, all of whose trials are known beforehand.
    """

    name: Literal["halving"] = Field(default="halving", description="chooses this rule")


class Median(Settings):
    """After each epoch the better half of the trials that came so far goes on."""

    name: Literal["median"] = Field(default="median", description="chooses this rule")
    grace_epochs: int = Field(ge=1, description="the first epoch after which trials are judged")


class NoStopping(Settings):
    """Every trial runs its full budget."""

    name: Literal["none"] = Field(default="none", description="chooses this rule")


class OwnStopping(Settings):
    """A rule of your own; whatever else stands beside `name` are its parameters."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    name: Annotated[str, named_in(STOPPING_RULES)] = Field(
        description="import path of the rule, such as `my_nets:Patience`"
    )

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters with which it is made."""
        return dict(self.model_extra or {})


def _names_a_rule(value: Any) -> Any:
    if isinstance(value, Settings):
        return value
    if not isinstance(value, dict) or "name" not in value:
        raise misfit("should have the key 'name', such as `{name: none}`")
    if STOPPING_RULES.fault_in(value["name"]) is not None:
        known = ", ".join(map(repr, STOPPING_RULES.built_in))
        raise misfit(f"{value['name']!r} is no rule; known are {known}, and package.module:Name for your own")
    return value


def _kind_of_rule(value: Any) -> str:
    """Return the name of a rule that has a model of its settings; `own` for any other."""
    name = str(value["name"] if isinstance(value, dict) else value.name)
    return name if name in ("asha", "halving", "median", "none") else "own"


Stopping = Asha | Halving | Median | NoStopping | OwnStopping
AnyStopping = Annotated[
    Annotated[Asha, Tag("asha")]
    | Annotated[Halving, Tag("halving")]
    | Annotated[Median, Tag("median")]
    | Annotated[NoStopping, Tag("none")]
    | Annotated[OwnStopping, Tag("own")],
    Discriminator(_kind_of_rule),
    BeforeValidator(_names_a_rule),
]
