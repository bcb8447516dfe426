"""A search space and the settings of the study that is run over it."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from glsweep.config.base import Settings, load_yaml

Figure = Literal["relaxed_f1", "dice", "val_loss"]


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


class PatchSettings(Settings):
    """How many patches are drawn, and when a drawn position is kept.

    A position is kept if at least `valid_share` of its pixels hold data and either the coverage
    summed over the `box_px` x `box_px` box at its centre is at most `box_coverage`, or at least
    `fresh_share` of its pixels were covered fewer than `fresh_coverage` times (the published rule).
    """

    with_line: int = Field(gt=0, description="most patches with a line, over all scenes")
    without_line: int = Field(ge=0, description="most patches without a line, over all scenes")
    valid_share: float = Field(ge=0, le=1)
    box_px: int = Field(ge=1)
    box_coverage: int = Field(ge=0)
    fresh_share: float = Field(ge=0, le=1)
    fresh_coverage: int = Field(ge=1)


class Asha(Settings):
    """Asynchronous successive halving: rungs at grace, grace x reduction, ... below the full budget."""

    name: Literal["asha"] = "asha"
    grace_epochs: int = Field(ge=1)
    reduction_factor: int = Field(ge=2)


class NoStopping(Settings):
    """Every trial runs its full budget."""

    name: Literal["none"] = "none"


class Search(Settings):
    """How configurations are drawn, ranked and stopped."""

    sampler: Literal["grid", "random"]
    samples: int | None = Field(default=None, ge=1, description="configurations to draw; random only")
    epochs: int = Field(ge=1, description="full budget of a trial")
    rank_by: Figure
    tolerance_m: float = Field(gt=0, description="tolerance of the relaxed F1")
    scheduler: Asha | NoStopping = Field(discriminator="name")

    @model_validator(mode="after")
    def _random_needs_samples(self) -> Self:
        if (self.sampler == "random") != (self.samples is not None):
            raise ValueError("`samples` goes with `sampler: random`, and only with it")
        return self


class Resources(Settings):
    """What one trial takes. `gpus` is used where Ray has a GPU; elsewhere trials run on CPUs."""

    cpus: int = Field(ge=1)
    gpus: float = Field(ge=0)


class Retraining(Settings):
    """Full training of each winner; the best epoch by `monitor` is kept."""

    epochs: int = Field(ge=1)
    patience: int = Field(ge=1)
    monitor: Figure
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    batch_size: int = Field(ge=1)
    gradient_clip: float = Field(gt=0)


class Calibration(Settings):
    """The thresholds that are tried on validation, and the figure that chooses among them."""

    lowest: float = Field(gt=0, lt=1)
    highest: float = Field(gt=0, lt=1)
    count: int = Field(ge=2)
    criterion: Literal["dice", "relaxed_f1"]

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError("`lowest` must lie below `highest`")
        return self


class SearchSpace(Settings):
    """A file of `search_spaces/`: what varies, what is fixed, and how each stage is run."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    title: str = ""
    dimensions: dict[str, Dimension] = Field(min_length=1)
    fixed: dict[str, Any]
    patches: PatchSettings
    search: Search
    resources: Resources
    retraining: Retraining
    calibration: Calibration


def load_space(path: Path) -> SearchSpace:
    """Read and validate a search space's file; the parameters' values are checked when planned."""
    return load_yaml(path, SearchSpace)
