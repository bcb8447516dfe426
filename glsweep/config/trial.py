"""One trial's configuration: every number that a search may vary."""

from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from glsweep.config.settings import Settings, misfit

Architecture = Literal["unet", "attention_unet", "unetpp"]
Channel = Literal["real", "imag", "cos", "sin", "phase", "magnitude", "raw_magnitude"]
Augmentation = Literal["dihedral", "conjugation", "phase_rotation", "speckle", "amplitude_jitter"]
Precision = Literal["auto", "float32", "bfloat16"]
Outcome = Literal["completed", "stopped", "failed"]

ARCHITECTURE_TITLES: dict[str, str] = {
    "unet": "U-Net",
    "attention_unet": "Attention U-Net",
    "unetpp": "U-Net++",
}

PUBLISHED_WIDTHS: dict[str, int] = {"unet": 4, "attention_unet": 4, "unetpp": 32}

# The literature's names of the focal Tversky weights; alpha weighs false negatives (Abraham & Khan 2019).
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
        return cls(architecture, int(patch_size_px))

    @property
    def key(self) -> str:
        """Name for files and tags, such as `unetpp-256`."""
        return f"{self.architecture}-{self.patch_size_px}"

    @property
    def title(self) -> str:
        """Name for people, such as `U-Net++ 256`."""
        return f"{ARCHITECTURE_TITLES[self.architecture]} {self.patch_size_px}"


class TrialParameters(Settings):
    """Everything that decides a trial's result, apart from data and seed.

    `fn_weight` and `fp_weight` are the focal Tversky loss's alpha and beta (field: alpha weighs
    false negatives, Abraham & Khan 2019). `ds_weights` are U-Net++'s deep-supervision weights in
    the order x01..x04, None for equal ones. `base_width` is the width of the first stage; left out,
    it is the published one. `precision` is that of the network's layers in training: left out, it is
    bfloat16 where the device has arithmetic for it; float32 gives nearly the same on all devices.
    Weights, the loss and the optimiser are float32 always.
    """

    architecture: Architecture
    patch_size_px: int = Field(ge=16, multiple_of=16)
    fn_weight: float = Field(ge=0)
    fp_weight: float = Field(ge=0)
    gamma: float = Field(gt=0)
    bce_weight: float = Field(ge=0, le=1)
    ds_weights: tuple[float, float, float, float] | None = None
    base_width: int = Field(ge=2, multiple_of=2)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    batch_size: int = Field(ge=1)
    gradient_clip: float = Field(gt=0)
    channels: tuple[Channel, ...] = Field(min_length=1)
    augmentation: tuple[Augmentation, ...]
    precision: Precision = "auto"

    @model_validator(mode="before")
    @classmethod
    def _is_as_wide_as_published(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("base_width") is None:
            return {**values, "base_width": PUBLISHED_WIDTHS.get(values.get("architecture", ""))}
        return values

    @model_validator(mode="after")
    def _fits_its_architecture(self) -> Self:
        if self.ds_weights is not None:
            if self.architecture != "unetpp":
                raise misfit(
                    "ds_weights exist for unetpp only; add `when: {architecture: unetpp}`", "ds_weights"
                )
            if min(self.ds_weights) < 0 or sum(self.ds_weights) <= 0:
                raise misfit("ds_weights must not be negative and must not all be 0", "ds_weights")
        if self.fn_weight + self.fp_weight <= 0:
            raise misfit("fn_weight and fp_weight must not both be 0", "fn_weight")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_left_to_the_device(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A trial's name and seed follow from what is written: those of before there was a choice stay.
        values: dict[str, Any] = serialise(self)
        return {k: v for k, v in values.items() if (k, v) != ("precision", "auto")}

    @property
    def stratum(self) -> Stratum:
        """The group whose members this trial is compared with."""
        return Stratum(self.architecture, self.patch_size_px)
