"""One trial's configuration: every parameter that a search may vary, and the stratum that it belongs to."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from glsweep.config.settings import Settings, misfit
from glsweep.registry import (
    ARCHITECTURES,
    AUGMENTATIONS,
    LOSSES,
    UNTRAINED,
    Registry,
    object_name,
)


def named_in(registry: Registry[Any], *others: Registry[Any]) -> BeforeValidator:
    """Return a validator for a name in a registry, or the import path of something of the user's own."""

    def check(value: object) -> object:
        fault = registry.fault_in(value)
        if fault is not None and not any(value in list(other.built_in) for other in others):
            raise PydanticCustomError("unknown_name", "{fault}", {"fault": fault})
        return value

    return BeforeValidator(check)


Architecture = Annotated[str, named_in(ARCHITECTURES)]
MemberArchitecture = Annotated[str, named_in(ARCHITECTURES, UNTRAINED)]
"""Of a member, which may also be what needs no training."""
Loss = Annotated[str, named_in(LOSSES)]
Channel = Literal[
    "real", "imag", "cos", "sin", "phase", "magnitude", "raw_magnitude", "coherence", "frequency"
]
FilterName = Literal["raw", "boxcar3", "boxcar5", "goldstein.3", "goldstein.6", "goldstein.9", "multilooked"]
"""A processor's filter, of Goldstein's with its strength; `glsweep.nets.filters` computes them."""
Augmentation = Annotated[str, named_in(AUGMENTATIONS)]
Precision = Literal["auto", "float32", "bfloat16"]
Outcome = Literal["completed", "stopped", "failed"]
TrialLabel = Literal["card", "bresenham", "buffered", "soft"]
LABEL_OF_CARD: TrialLabel = "card"
WIDE_LABELS = ("buffered", "soft")

Scalar = bool | int | float | str | None

UNETPP_DEPTH = 4
"""Heads of a U-Net++, where `unetpp.depth` does not say fewer."""

BUILT_IN_LOSS = "focal_tversky_bce"
NO_START = "none"
PARAMETERS_OF_BUILT_IN_LOSS = ("fn_weight", "fp_weight", "gamma", "bce_weight")

# The literature's names of the focal Tversky weights; alpha weights false negatives (Abraham & Khan 2019).
ALIASES = {"alpha": "fn_weight", "beta": "fp_weight", "patch_size": "patch_size_px"}


def canonical(name: str) -> str:
    """Return the parameter's name for a name that the literature uses."""
    return ALIASES.get(name, name)


ParameterValue = str | bool | int | float | tuple[str | int | float, ...] | None
"""What a parameter of a trial may be set to, such as `unet`, 0.001 or a tuple of weights."""


class Stratum(NamedTuple):
    """The trials that may be compared with each other: one (architecture, patch size)."""

    architecture: str
    patch_size_px: int

    @classmethod
    def parse(cls, key: str) -> Self:
        """Return the stratum of a `key`."""
        architecture, patch_size_px = key.rsplit("-", 1)
        module, dot, name = architecture.rpartition(".")
        return cls(f"{module}:{name}" if dot else name, int(patch_size_px))

    @property
    def key(self) -> str:
        """Name for files and tags, such as `unetpp-256`, or `my_nets.TinyNet-256`."""
        return f"{self.architecture.replace(':', '.')}-{self.patch_size_px}"

    @property
    def title(self) -> str:
        """Name for people, such as `U-Net++ 256`."""
        return f"{ARCHITECTURES.title(self.architecture)} {self.patch_size_px}"


class TrialParameters(Settings):
    """Everything that decides a trial's result, apart from data and seed.

    Architecture, loss and augmentation are built in, or your own by import path (`my_nets:TinyNet`). The
    focal Tversky weights and `gamma` are those of Abraham & Khan (2019), who call the weights alpha and
    beta; both names are known.
    """

    architecture: Architecture = Field(
        description="the network: `unet`, `attention_unet`, `unetpp`, or the import path of your own"
    )
    patch_size_px: int = Field(ge=16, multiple_of=16, description="side of a patch in pixels")
    fn_weight: float | None = Field(
        default=None, ge=0, description="focal Tversky loss: price of a missed pixel; also called `alpha`"
    )
    fp_weight: float | None = Field(
        default=None, ge=0, description="focal Tversky loss: price of an invented pixel; also called `beta`"
    )
    gamma: float | None = Field(
        default=None,
        gt=0,
        description="focal Tversky loss: the exponent is 1/gamma; above 1, small errors count more",
    )
    bce_weight: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of the cross-entropy in the loss; the rest is focal Tversky",
    )
    ds_weights: tuple[float, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=UNETPP_DEPTH,
        description="U-Net++ alone: weights of its heads in the loss (deep supervision), shallowest first, "
        "as many as `unetpp.depth` says, or 4; null, equal ones",
    )
    base_width: int | None = Field(
        default=None,
        ge=2,
        multiple_of=2,
        description="channels of the network's first stage; left out, the published number, or your own "
        "network's default",
    )
    dropout: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="share of the feature maps that each block of the network drops in training; left out, "
        "as published, which is none but for the atrous U-Net's .2",
    )
    learning_rate: float = Field(gt=0, description="step size of the optimiser, Adam")
    weight_decay: float = Field(ge=0, description="L2 penalty on the weights, added to the gradient")
    batch_size: int = Field(ge=1, description="patches in one step of the optimiser")
    gradient_clip: float = Field(gt=0, description="a longer gradient is scaled down to this norm")
    channels: tuple[Channel, ...] = Field(
        min_length=1,
        description="what the network sees: `phase` (over pi), `cos` and `sin` of it, `real`, `imag` and "
        "`magnitude` (over the root mean square magnitude in training), `raw_magnitude` (as it is: the "
        "data's own coherence where a scene is phase and coherence), `coherence` (of the phase in 5 x 5 "
        "pixels), `frequency` (fringes to a pixel, times 2)",
    )
    augmentation: tuple[Augmentation, ...] = Field(
        description="random changes to training patches, from `dihedral`, `conjugation`, `phase_rotation`, "
        "`amplitude_jitter`, `speckle` and import paths of your own; `[]` for none"
    )
    precision: Precision = Field(
        default="auto",
        description="arithmetic of the network's layers in training: `auto` is bfloat16 where the device has "
        "it; weights, loss and optimiser are float32 always",
    )
    loss: Loss = Field(
        default=BUILT_IN_LOSS,
        description="what training makes small: the built-in loss, or the import path of your own, beside "
        "which the parameters of the built-in one are left out",
    )
    start: str = Field(
        default=NO_START,
        min_length=1,
        description="weights that training begins from: `none`, random ones; `embedded`, those of the "
        "network in the package; a member's folder, or `models:/NAME@ALIAS`; a file of published weights. "
        "In a study's own file and in its trials the weights' hash stands behind the name",
    )
    train_scenes: int | None = Field(
        default=None,
        ge=1,
        description="how many scenes are trained on, of those that the split gives to training, in an order "
        "that follows from the study's seed, so that more hold the fewer; an epoch has as many steps for "
        "any number; left out, all",
    )
    label: TrialLabel = Field(
        default=LABEL_OF_CARD,
        description="how a line becomes pixels to train on, whatever the data card says: `card`, as it says; "
        "one pixel wide (`bresenham`), a disk along it (`buffered`) or a bell (`soft`); what is scored is "
        "always narrow",
    )
    label_width_m: float | None = Field(
        default=None,
        gt=0,
        description="reach of a `buffered` label, or standard deviation of a `soft` one, in metres",
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=0.5,
        description="a target y becomes y (1 - e) + e / 2 with this e, in training and in `val_loss`; not "
        "where there is no data or nobody can tell, and never what is scored",
    )
    zone_weight: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="for a network with a head for zones: share of that head's cross-entropy in the loss; "
        "the rest is the line's",
    )
    own: dict[str, Scalar] = Field(
        default_factory=dict,
        description="parameters that one network, loss or augmentation has for itself; a search space writes "
        "each by its name, such as `unetpp.upsampling` or, of your own, `TinyNet.depth`",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        given = {key: value for key, value in values.items() if "." not in key}
        known = ARCHITECTURES.built_in.get(str(given.get("architecture")))
        for name, value in known.defaults.items() if known else ():
            if given.get(name) is None:
                given[name] = value
        if given.get("loss", BUILT_IN_LOSS) != BUILT_IN_LOSS:
            given |= dict.fromkeys(PARAMETERS_OF_BUILT_IN_LOSS)
        own = {key: values[key] for key in sorted(values) if "." in key and _owner(key) in _owners(given)}
        return {**given, "own": own} if own else given

    @model_validator(mode="after")
    def _fits_its_architecture(self) -> Self:
        if self.ds_weights is not None:
            if self.architecture != "unetpp":
                raise misfit(
                    "ds_weights exist for unetpp only; add `when: {architecture: unetpp}`", "ds_weights"
                )
            if min(self.ds_weights) < 0 or sum(self.ds_weights) <= 0:
                raise misfit("ds_weights must not be negative and must not all be 0", "ds_weights")
            heads = self.own.get("unetpp.depth", UNETPP_DEPTH)
            if len(self.ds_weights) != heads:
                raise misfit(
                    f"ds_weights must be {heads}, one for each head of a unetpp with `unetpp.depth` {heads} "
                    f"(there are {len(self.ds_weights)}); search both together by `keys`",
                    "ds_weights",
                )
        for key in self.own:
            if _owner(key) not in _owners(dict(self)):
                raise misfit(f"{key}: nothing in this trial is called {_owner(key)}; remove it", "own")
        return self

    @model_validator(mode="after")
    def _has_a_whole_label(self) -> Self:
        if (self.label in WIDE_LABELS) != (self.label_width_m is not None):
            raise misfit(
                f"`label_width_m` goes with `label: buffered` or `soft`, and only with them (label is "
                f"{self.label}); add it, or `when: {{label: [buffered, soft]}}`",
                "label_width_m",
            )
        return self

    @model_validator(mode="after")
    def _fits_its_loss(self) -> Self:
        if self.loss != BUILT_IN_LOSS:
            return self
        for name in PARAMETERS_OF_BUILT_IN_LOSS:
            if getattr(self, name) is None:
                raise PydanticCustomError("missing", "Field required", {"keys": (name,)})
        if self.fn_weight == self.fp_weight == 0:
            raise misfit("fn_weight and fp_weight must not both be 0", "fn_weight")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults_of_later_fields(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A trial's name and seed follow from what is written, which must not change for older studies.
        values: dict[str, Any] = serialise(self)
        defaults: dict[str, Any] = {
            "dropout": None,
            "precision": "auto",
            "loss": BUILT_IN_LOSS,
            "start": NO_START,
            "train_scenes": None,
            "label": LABEL_OF_CARD,
            "label_width_m": None,
            "label_smoothing": 0.0,
            "zone_weight": None,
            "own": {},
        }
        return {key: value for key, value in values.items() if key not in defaults or value != defaults[key]}

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @property
    def stratum(self) -> Stratum:
        """The stratum, with whose trials this one is compared."""
        return Stratum(self.architecture, self.patch_size_px)

    @property
    def by_name(self) -> dict[str, ParameterValue]:
        """Every parameter by its name in a search space, own ones last."""
        return {**{name: value for name, value in self if name != "own"}, **self.own}

    def own_of(self, name: str) -> dict[str, Scalar]:
        """Return the own parameters of one of the trial's objects, by the names of its signature."""
        prefix = f"{object_name(name)}."
        return {key.removeprefix(prefix): value for key, value in self.own.items() if key.startswith(prefix)}


def object_names(values: Mapping[str, Any]) -> list[str]:
    """Return the names of architecture, loss and augmentations in a trial's values."""
    augmentation = values.get("augmentation") or ()
    several = augmentation if isinstance(augmentation, list | tuple) else (augmentation,)
    return [
        name for name in (values.get("architecture"), values.get("loss"), *several) if isinstance(name, str)
    ]


def _owners(values: Mapping[str, Any]) -> set[str]:
    """Return after what a trial's own parameters may be named: its network, loss and augmentations."""
    return {object_name(name) for name in object_names(values)}


def _owner(key: str) -> str:
    return key.partition(".")[0]
