"""A search space: what varies in the trials of a study, and the settings of every stage."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from glsweep.config import find_shipped
from glsweep.config.contradictions import check_space
from glsweep.config.dimension import Dimension, parameters_of
from glsweep.config.own_parameters import named_objects, values_of, with_conditions
from glsweep.config.patches import PatchSettings
from glsweep.config.settings import Settings, load_yaml, misfit
from glsweep.config.stopping import AnyStopping
from glsweep.config.trial import BUILT_IN_LOSS, LABEL_OF_CARD, canonical, named_in
from glsweep.registry import SAMPLERS, is_imported

Metric = Literal["relaxed_f1", "dice", "val_loss"]
Annealing = Literal["none", "cosine"]
Criterion = Literal["dice", "relaxed_f1", "relaxed_f05"]

Startable = Literal["unet", "attention_unet", "whichever"]
WHICHEVER: Startable = "whichever"
"""Stands for the architecture whose weights the file holds."""

HIGHER_IS_BETTER: dict[Metric, bool] = {"relaxed_f1": True, "dice": True, "val_loss": False}


class Budget(Settings):
    """When no further configuration is begun: at whichever limit is reached first.

    Configurations that have begun are finished.
    """

    trials: int | None = Field(default=None, ge=1, description="number of configurations")
    epochs: int | None = Field(
        default=None,
        ge=1,
        description="epochs of all trials together, those still to come of running ones and of their other "
        "seeds included; never exceeded",
    )
    hours: float | None = Field(default=None, gt=0, description="time during which the sweep has run")

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return any(limit is not None for limit in (self.trials, self.epochs, self.hours))


class Search(Settings):
    """How configurations are drawn, ranked and stopped."""

    sampler: Annotated[str, named_in(SAMPLERS)] = Field(
        description="what proposes configurations: `grid`, every one once; `random`, each drawn by itself; "
        "`tpe`, near what was good; or the import path of your own"
    )
    budget: Budget = Budget()
    first: tuple[dict[str, Any], ...] = Field(
        default=(),
        description="configurations that are tried before any other, each a value (or label) for some of the "
        "dimensions; the rest is drawn",
    )
    replicates: int = Field(
        default=1,
        ge=1,
        description="seeds of each configuration; further ones run once the first has run in full",
    )
    parallel: int | None = Field(
        default=None,
        ge=1,
        description="with `sampler: tpe`, how many trials of a stratum may run at once: a proposal knows the "
        "results of all but the last so many, so that one seed proposes the same however fast each runs",
    )
    epochs: int = Field(ge=1, description="epochs of a trial that runs in full")
    rank_by: Metric = Field(
        description="the validation metric by which trials are compared, and winners found"
    )
    tolerance_m: float = Field(
        gt=0, description="how far off a pixel may be and still count in the relaxed F1, in metres"
    )
    scheduler: AnyStopping = Field(description="which rule ends weak trials early")

    @model_validator(mode="after")
    def _ends(self) -> Self:
        # A user's own sampler may end by itself, which is known when its plan is made.
        if self.sampler in ("random", "tpe") and not self.budget.is_limited:
            raise misfit(f"`sampler: {self.sampler}` needs a `budget` of trials, epochs or hours", "sampler")
        if (self.sampler == "tpe") != (self.parallel is not None):
            raise misfit("`parallel` goes with `sampler: tpe`, and only with it", "parallel")
        if self.budget.epochs is not None and self.budget.epochs < self.epochs * self.replicates:
            least = self.epochs * self.replicates
            raise misfit(f"`budget.epochs` must suffice for one configuration: {least}", "budget", "epochs")
        return self


class Resources(Settings):
    """What one trial takes."""

    cpus: int = Field(ge=1, description="CPUs of a trial, and its number of threads")
    gpus: float = Field(
        ge=0,
        description="GPUs of a trial, used where there are any; a fraction lets several trials share one",
    )
    cohort: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        default="auto",
        description="how many trials of a grid that differ in loss or optimiser alone train together, as one "
        "network in one process; `auto` does so where it was measured to pay: small batches in narrow "
        "networks on CPUs",
    )
    cuda_graphs: bool = Field(
        default=False,
        description="whether a trial that trains alone on a GPU launches each step as one CUDA graph",
    )


class Retraining(Settings):
    """Full training of each winner.

    What is left out here is as in the winner; what was searched must be left out.
    """

    epochs: int = Field(ge=1, description="most epochs of full training")
    patience: int = Field(ge=1, description="training ends after so many epochs without improvement")
    monitor: Metric = Field(
        description="the validation metric that patience looks at, and whose best epoch is kept"
    )
    learning_rate: float | None = Field(
        default=None, gt=0, description="another learning rate than the winner's"
    )
    weight_decay: float | None = Field(
        default=None, ge=0, description="another weight decay than the winner's"
    )
    batch_size: int | None = Field(default=None, ge=1, description="another batch size than the winner's")
    gradient_clip: float | None = Field(
        default=None, gt=0, description="another limit of the gradient than the winner's"
    )
    annealing: Annealing = Field(
        default="none", description="`cosine` lets the learning rate fall to nearly 0 over the epochs"
    )
    # No part of the text from which a member's name follows: more seeds leave the networks that are there.
    seeds: int = Field(
        default=1,
        ge=1,
        repr=False,
        description="networks that a member is made of, which differ in their seed alone; it predicts with "
        "the mean of their probabilities",
    )

    @model_serializer(mode="wrap")
    def _without_single_seed(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A study's identity follows from what is written, which must not change for older ones.
        values: dict[str, Any] = serialise(self)
        return {key: value for key, value in values.items() if (key, value) != ("seeds", 1)}

    @property
    def trial_overrides(self) -> dict[str, float]:
        """The parameters of a trial that are set here, with their values."""
        names = ("learning_rate", "weight_decay", "batch_size", "gradient_clip")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Calibration(Settings):
    """The thresholds that are tried on validation, and the metric that chooses among them."""

    lowest: float = Field(gt=0, lt=1, description="the lowest threshold, a probability")
    highest: float = Field(gt=0, lt=1, description="the highest threshold")
    count: int = Field(ge=2, description="number of thresholds, evenly from the lowest to the highest")
    criterion: Criterion = Field(
        description="the metric whose best threshold is taken; by `relaxed_f05` what is invented counts more "
        "than what is missed"
    )
    as_good_within: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="thresholds whose metric is within so much of the best count as good as it, and the one "
        "nearest to .5 is taken: the best of a flat curve is chance, and does not carry over to other scenes",
    )
    temperature: bool = Field(
        default=False,
        description="whether logits are divided by a number that makes probabilities fit the mask best "
        "(least cross-entropy on validation), before the threshold is chosen",
    )

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.lowest >= self.highest:
            raise misfit("`lowest` must lie below `highest`", "lowest")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_unset(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A study's identity follows from what is written, which must not change for older ones.
        values: dict[str, Any] = serialise(self)
        later = {"as_good_within": 0.0, "temperature": False}
        return {k: v for k, v in values.items() if k not in later or v != later[k]}


class SearchSpace(Settings):
    """What varies in the trials of a study, what is fixed, and how each stage is run."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$", description="what messages call the search space")
    title: str = Field(default="", description="what the report calls it")
    dimensions: dict[str, Dimension] = Field(
        min_length=1, description="what varies: parameters by name, each with what it may be"
    )
    fixed: dict[str, Any] = Field(description="what does not vary: parameters by name, each with its value")
    patches: PatchSettings
    search: Search
    resources: Resources
    retraining: Retraining
    calibration: Calibration
    start: dict[Startable, str] = Field(
        default_factory=dict,
        description="short for `start` in every trial of an architecture: one file of weights or member's "
        "folder, or one for each architecture. In a study's own file dimensions stand in its place",
    )

    @model_validator(mode="before")
    @classmethod
    def _has_one_start(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        start = values.get("start")
        if start is not None and isinstance(values.get("fixed"), dict) and "start" in values["fixed"]:
            raise misfit("`start` stands at the top and under `fixed`; remove one of them", "fixed", "start")
        if isinstance(start, str | Path):
            start = {WHICHEVER: str(start)}
        return {**{key: value for key, value in values.items() if key != "start"}, "start": start or {}}

    @model_validator(mode="after")
    def _has_one_start_in_each_trial(self) -> Self:
        setters = [name for name, of in self.dimensions.items() if "start" in parameters_of(name, of)]
        if self.start and setters:
            raise misfit(
                f"`start` stands at the top and is set by the dimension {setters[0]}; remove one of them",
                "start",
            )
        return self

    @model_validator(mode="after")
    def _own_parameters_exist_with_their_objects(self) -> Self:
        self.dimensions.update(with_conditions(self.dimensions, self.fixed))
        return self

    @model_serializer(mode="wrap")
    def _without_unset_start(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is written must not change for older studies.
        values: dict[str, Any] = serialise(self)
        return {key: value for key, value in values.items() if (key, value) != ("start", {})}

    @property
    def imported(self) -> tuple[str, ...]:
        """The import paths of whatever in the space is the user's own, sorted."""
        of_trials = filter(
            is_imported, (path for _, path in named_objects(self.dimensions, self.fixed).values())
        )
        of_search = filter(is_imported, (self.search.sampler, self.search.scheduler.name))
        return tuple(sorted({*of_trials, *of_search}))

    @property
    def is_tried_first(self) -> bool:
        """Whether something is imported or set for one object alone, so that only a try shows a mistake."""
        named = named_objects(self.dimensions, self.fixed).values()
        sets = (parameters_of(name, dimension) for name, dimension in self.dimensions.items())
        parameters = set().union(map(canonical, self.fixed), *sets)
        return (
            bool(self.imported)
            or any(parameter == "dropout" or "." in parameter for parameter in parameters)
            or any(parameter == "loss" and name != BUILT_IN_LOSS for parameter, name in named)
        )

    @property
    def labels(self) -> frozenset[str]:
        """The labels that trials ask for, but for the card's own."""
        return frozenset(values_of("label", self.dimensions, self.fixed)) - {LABEL_OF_CARD}

    @property
    def retraining_overrides(self) -> dict[str, tuple[str, str]]:
        """What full training changes in every winner: by parameter, the old and the new value."""
        fixed = {canonical(name): value for name, value in self.fixed.items()}
        sets = (parameters_of(name, dimension) for name, dimension in self.dimensions.items())
        searched = set().union(*sets)
        changed = {}
        for name, value in self.retraining.trial_overrides.items():
            if name in searched:  # refused in a given file, but not in an older study
                changed[name] = ("as searched", f"{value:g}")
            elif name in fixed and fixed[name] != value:
                changed[name] = (f"{fixed[name]:g}", f"{value:g}")
        return changed

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence for each setting that overrides another or has no effect, which may surprise."""
        retraining, scheduler = self.retraining, self.search.scheduler.name
        sentences = [
            f"retraining: {name} is {becomes}, in the trials {was}"
            for name, (was, becomes) in self.retraining_overrides.items()
        ]
        if scheduler != "none" and any(
            "train_scenes" in parameters_of(name, dimension) for name, dimension in self.dimensions.items()
        ):
            sentences.append(
                f"search: `{scheduler}` compares trials on few scenes with those on many, and stops the "
                "former; write `scheduler: {name: none}` to see what scenes buy"
            )
        if retraining.patience >= retraining.epochs:
            patience = f"a patience of {retraining.patience}"
            sentences.append(f"retraining: {patience} ends nothing within {retraining.epochs} epochs")
        return tuple(sentences)


def load_space(path: Path) -> SearchSpace:
    """Read and validate a search space's file; the parameters' values are checked when planned.

    Paths in it are as they are written, see `glsweep.config.start`.

    Raises
    ------
    ConfigError
        When the file does not fit, or has a condition that is never met, two settings of one parameter
        or a setting without effect. The message names the line.
    """
    path = find_shipped(path)
    space = load_yaml(path, SearchSpace)
    check_space(space, path)
    return space
