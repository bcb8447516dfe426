"""A search space and the settings of the study that is run over it."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from glsweep.config.base import Settings, load_yaml
from glsweep.config.patches import PatchSettings
from glsweep.config.shipped import find_shipped

Figure = Literal["relaxed_f1", "dice", "val_loss"]
Annealing = Literal["none", "cosine"]
Criterion = Literal["dice", "relaxed_f1", "relaxed_f05"]

Startable = Literal["unet", "attention_unet", "whichever"]
WHICHEVER: Startable = "whichever"
"""In place of an architecture: the one whose weights the file holds."""

HIGHER_IS_BETTER: dict[Figure, bool] = {"relaxed_f1": True, "dice": True, "val_loss": False}


class Dimension(Settings):
    """One row of a search space: what a parameter, or a tuple of tied ones, may be.

    Either `choices` (with `labels` for people, and `keys` when each choice is a tuple that sets
    several parameters), or a range `low`..`high` (with `log`, and `grid` for enumeration).
    `when` lists the values of other dimensions under which this one exists.
    """

    choices: tuple[Any, ...] | None = Field(default=None, min_length=1)
    labels: tuple[str, ...] | None = None
    keys: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False
    grid: tuple[float, ...] | None = None
    when: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_choices_or_range(self) -> Self:
        if (self.choices is None) == (self.low is None and self.high is None):
            raise ValueError("give either `choices` or `low` and `high`")
        if self.choices is not None:
            self._check_choices(self.choices)
        elif self.low is None or self.high is None or self.low >= self.high:
            raise ValueError("`low` must lie below `high`")
        elif self.log and self.low <= 0:
            raise ValueError("`low` must be positive when `log` is true")
        return self

    def _check_choices(self, choices: tuple[Any, ...]) -> None:
        if self.log or self.grid is not None:
            raise ValueError("`log` and `grid` belong to a range, not to `choices`")
        if self.labels is not None and len(self.labels) != len(choices):
            raise ValueError(f"{len(choices)} choices need {len(choices)} labels")
        for choice in choices if self.keys is not None else ():
            if not isinstance(choice, list | tuple) or len(choice) != len(self.keys or ()):
                raise ValueError(f"each choice must be a list of {len(self.keys or ())} values, one a key")


class Asha(Settings):
    """Asynchronous successive halving: rungs at grace, grace x reduction, ... below the full budget."""

    name: Literal["asha"] = "asha"
    grace_epochs: int = Field(ge=1)
    reduction_factor: int = Field(ge=2)


class Median(Settings):
    """From `grace_epochs` on, at each epoch, the better half of the trials that came so far goes on."""

    name: Literal["median"] = "median"
    grace_epochs: int = Field(ge=1)


class NoStopping(Settings):
    """Every trial runs its full budget."""

    name: Literal["none"] = "none"


Stopping = Asha | Median | NoStopping


class Budget(Settings):
    """When no further configuration is begun: at whichever limit is reached first.

    `epochs` counts those of all trials, those still to come of running ones and of their other seeds
    included, and is never exceeded; `hours` is the time during which the sweep ran. Configurations
    that have begun are finished.
    """

    trials: int | None = Field(default=None, ge=1, description="configurations")
    epochs: int | None = Field(default=None, ge=1)
    hours: float | None = Field(default=None, gt=0)

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return any(limit is not None for limit in (self.trials, self.epochs, self.hours))


class Search(Settings):
    """How configurations are drawn, ranked and stopped.

    `first` are configurations tried before any other, each a value (or label) for some of the
    dimensions; the rest is drawn. `replicates` is the number of seeds of each configuration: the
    second and later ones run once the first has run in full. `parallel` is for `tpe`: a proposal
    knows the results of all but the last `parallel` configurations of its stratum, so that so many
    may run at once and the same seed proposes the same, however fast each runs.
    """

    sampler: Literal["grid", "random", "tpe"]
    budget: Budget = Budget()
    first: tuple[dict[str, Any], ...] = ()
    replicates: int = Field(default=1, ge=1)
    parallel: int | None = Field(default=None, ge=1)
    epochs: int = Field(ge=1, description="full budget of a trial")
    rank_by: Figure
    tolerance_m: float = Field(gt=0, description="tolerance of the relaxed F1")
    scheduler: Stopping = Field(discriminator="name")

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.sampler != "grid" and not self.budget.is_limited:
            raise ValueError(f"`sampler: {self.sampler}` needs a `budget` of trials, epochs or hours")
        if (self.sampler == "tpe") != (self.parallel is not None):
            raise ValueError("`parallel` goes with `sampler: tpe`, and only with it")
        if self.budget.epochs is not None and self.budget.epochs < self.epochs * self.replicates:
            raise ValueError(
                f"`budget.epochs` must suffice for one configuration: {self.epochs * self.replicates}"
            )
        return self


class Resources(Settings):
    """What one trial takes. `gpus` is used where Ray has a GPU; elsewhere trials run on CPUs.

    `cohort` is how many trials of a grid that differ in nothing but their loss or optimiser train in
    one process, in the place of one, as one network; `auto` lets those do so for which that was
    measured to pay: small batches in narrow networks on CPUs. `cuda_graphs` lets a trial that trains
    alone on a GPU launch its steps as graphs.
    """

    cpus: int = Field(ge=1)
    gpus: float = Field(ge=0)
    cohort: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    cuda_graphs: bool = False


class Retraining(Settings):
    """Full training of each winner; the best epoch by `monitor` is kept.

    Without a `learning_rate` or a `weight_decay` here the winner keeps its own, as it must where
    they were searched. Annealed by `cosine` the learning rate falls to nearly 0 over the epochs.
    """

    epochs: int = Field(ge=1)
    patience: int = Field(ge=1)
    monitor: Figure
    learning_rate: float | None = Field(default=None, gt=0)
    weight_decay: float | None = Field(default=None, ge=0)
    batch_size: int = Field(ge=1)
    gradient_clip: float = Field(gt=0)
    annealing: Annealing = "none"


class Calibration(Settings):
    """The thresholds that are tried on validation, and the figure that chooses among them.

    By `relaxed_f05` what is invented counts more than what is missed.
    """

    lowest: float = Field(gt=0, lt=1)
    highest: float = Field(gt=0, lt=1)
    count: int = Field(ge=2)
    criterion: Criterion

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError("`lowest` must lie below `highest`")
        return self


class SearchSpace(Settings):
    """A file of `search_spaces/`: what varies, what is fixed, and how each stage is run.

    `start` names files of weights from which the trials of an architecture begin, in place of random
    ones: one file, told by what it holds, or one for each architecture. It may stand under `fixed`
    too. In a study's own file the weights' hashes are in place of the files, see
    `glsweep.training.start`.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    title: str = ""
    dimensions: dict[str, Dimension] = Field(min_length=1)
    fixed: dict[str, Any]
    patches: PatchSettings
    search: Search
    resources: Resources
    retraining: Retraining
    calibration: Calibration
    start: dict[Startable, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _has_one_start(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        start, fixed = values.get("start"), values.get("fixed")
        if isinstance(fixed, dict) and "start" in fixed:
            if start is not None:
                raise ValueError("`start` stands at the top and under `fixed`; remove one of them")
            start = fixed["start"]
            values = {**values, "fixed": {key: value for key, value in fixed.items() if key != "start"}}
        if isinstance(start, str | Path):
            start = {WHICHEVER: str(start)}
        return {**{key: value for key, value in values.items() if key != "start"}, "start": start or {}}

    @model_serializer(mode="wrap")
    def _without_what_is_left_out(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A study's hash follows from what is written: those of before there was this key stay.
        values: dict[str, Any] = serialise(self)
        return {key: value for key, value in values.items() if (key, value) != ("start", {})}


def load_space(path: Path) -> SearchSpace:
    """Read and validate a search space's file; the parameters' values are checked when planned.

    Paths in it are taken from its own folder.
    """
    path = find_shipped(path)
    space = load_yaml(path, SearchSpace)
    start = {name: str((path.parent / file).resolve()) for name, file in space.start.items()}
    return space.model_copy(update={"start": start})
