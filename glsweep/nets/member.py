"""A member: a trained network's weights with the card that says how to use them."""

import hashlib
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer
from safetensors import SafetensorError
from torch import Tensor, nn

from glsweep.config.settings import Settings, validate
from glsweep.config.trial import Channel, MemberArchitecture, ParameterValue, Scalar
from glsweep.errors import ConfigError, StudyError
from glsweep.files import read_json, replacing, write_json
from glsweep.nets import build_network, derive_channels, has_data
from glsweep.nets.ensemble import Ensemble
from glsweep.registry import UNTRAINED

WEIGHTS = "model.safetensors"
CARD = "card.json"


class LineUncertainty(Settings):
    """The factor on half a drawn band's width with which it holds the true line in a `share` of its length.

    Learnt on `km` of lines in `scenes` validation scenes, drawn at `tau`; pieces farther than `near_m` from
    every true line are left out as invented.
    """

    factor: float = Field(ge=0)
    share: float = Field(gt=0, lt=1)
    near_m: float = Field(gt=0)
    tau: float = Field(ge=0, le=1)
    km: float = Field(gt=0)
    scenes: int = Field(ge=1)


class Agreement(Settings):
    """What lines tell of themselves on scenes without labels, drawn at `tau`, as shares within 200 m.

    `filters_agree` is the relaxed F1 of lines from filtered phase against those from raw phase, `sure_kept`
    the share of the lines that the teacher is sure of, `borne_out` the share of what is drawn that the
    teacher takes for possible; `score` is their harmonic mean.
    """

    tau: float = Field(ge=0, le=1)
    filters_agree: float
    sure_kept: float
    borne_out: float
    score: float
    drawn_km: float


class Adaptation(Settings):
    """From which network (`weights_hash`) one was fitted to how many `scenes` without labels.

    `before` and `after` were measured on `held_out` other scenes.
    """

    weights_hash: str
    scenes: int
    held_out: int
    before: Agreement
    after: Agreement


class ModelCard(Settings):
    """What must be known of a network before it may predict, and where it came from.

    `architecture` is built in, or the import path of the user's own, made with `network_parameters`, or
    what needs no training (`phase_gradient`);
    `temperature` divides its logits, None for 1; `tau` is the probability, so tempered, from which a pixel
    is line, None before calibration; `uncertainty` makes
    metres of a band's width, None where that is not known, `uncertainty_unknown` says why; `posting_m` and
    `wavelength_m` are those of the training data, which `trained_on` names, and `line` is what its lines
    were (`analyst`, `hinge`), empty where that is not known; `parameters` are those of
    full training, and `changed_since_trial` holds those that differ from the trial's, each with its value
    there and here; `figures` are the metrics of `best_epoch` on validation, and `tested` those on test
    ground, by data set: of patches, and (`scenes.`) of lines on whole scenes; `adapted` says what it was
    fitted to without labels, of which no figures are known. A member of several networks predicts with
    their mean probability: `seeds` are theirs, empty for one network, and `seed`, `best_epoch` and
    `figures` are those of the first.
    """

    architecture: MemberArchitecture
    patch_size_px: int = Field(ge=16, multiple_of=16)
    base_width: int | None = None
    network_parameters: dict[str, Scalar] = Field(default_factory=dict)
    channels: tuple[Channel, ...] = Field(min_length=1)
    amplitude_scale: float = Field(gt=0)
    posting_m: float = Field(gt=0)
    wavelength_m: float = Field(gt=0)
    temperature: float | None = Field(default=None, gt=0)
    tau: float | None = Field(default=None, ge=0, le=1)
    uncertainty: LineUncertainty | None = None
    uncertainty_unknown: str = ""
    trained_on: str = ""
    line: str = ""
    data_card_hash: str
    seed: int
    seeds: tuple[int, ...] = ()
    trial_id: str
    parameters: dict[str, ParameterValue]
    changed_since_trial: dict[str, tuple[Any, Any]] = Field(default_factory=dict)
    best_epoch: int
    figures: dict[str, float]
    tested: dict[str, dict[str, float]] = Field(default_factory=dict)
    adapted: Adaptation | None = None
    glsweep_version: str

    @model_serializer(mode="wrap")
    def _without_what_is_unset(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A card that is written again stays readable by the version that wrote it first.
        values: dict[str, Any] = serialise(self)
        return {k: v for k, v in values.items() if k not in ("temperature", "seeds") or v}

    @property
    def every_seed(self) -> tuple[int, ...]:
        """The seed of each of its networks."""
        return self.seeds or (self.seed,)


def save_member(folder: Path, network: nn.Module, card: ModelCard) -> None:
    """Write `model.safetensors`, then `card.json`, each whole or not at all.

    The card's presence means that the member is complete: an older one is removed first, so that
    it never stands beside weights that are not its own.
    """
    (folder / CARD).unlink(missing_ok=True)
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with replacing(folder / WEIGHTS) as temporary:
        safetensors.torch.save_file(state, temporary)
    write_card(folder, card)


def write_card(folder: Path, card: ModelCard) -> None:
    """Write `card.json`, whole or not at all; the weights stay as they are."""
    write_json(folder / CARD, card.model_dump(mode="json"))


def weights_hash(folder: Path) -> str:
    """Return what identifies a member's weights."""
    return hash_of_weights((folder / WEIGHTS).read_bytes())


def hash_of_weights(content: bytes) -> str:
    """Return the first twelve digits of the SHA-256 of a file of weights, by which it is named everywhere."""
    return hashlib.sha256(content).hexdigest()[:12]


def load_card_of(folder: Path) -> ModelCard:
    """Read a member's card.

    Raises
    ------
    StudyError
        When there is no card, or it is not JSON.
    ConfigError
        When a value is missing, unknown or bad.
    """
    path = folder / CARD
    if not path.is_file():
        raise StudyError(f"{folder}: holds no complete member (no {CARD}); run the stage `retrain`")
    try:
        value = read_json(path)
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: is not readable JSON ({error}); run the stage `retrain` again") from error
    return validate(value, ModelCard, path)


def untrained_network(card: ModelCard) -> nn.Module:
    """Return a member's network as it was before training, on the CPU; the same where it needs none.

    Several networks are one `Ensemble`.

    Raises
    ------
    ConfigError
        When its architecture is the user's own and cannot be imported.
    """
    if card.architecture in UNTRAINED.built_in:
        network: nn.Module = UNTRAINED.load(card.architecture)()
        return network
    networks = [
        build_network(
            card.architecture,
            in_channels=len(card.channels),
            base_width=card.base_width,
            own=card.network_parameters,
            seed=seed,
        )
        for seed in card.every_seed
    ]
    return Ensemble(networks) if card.seeds else networks[0]


def load_member(folder: Path) -> tuple[nn.Module, ModelCard]:
    """Return a member's network, on the CPU and in evaluation mode, and its card.

    Raises
    ------
    StudyError
        When the card or the weights are missing or unreadable, or do not fit each other.
    ConfigError
        When the card has a bad value, or its architecture cannot be imported.
    """
    card = load_card_of(folder)
    try:
        network = untrained_network(card)
    except ConfigError as error:
        raise ConfigError(f"{folder / CARD}: {error}") from error
    path = folder / WEIGHTS
    try:
        network.load_state_dict(safetensors.torch.load_file(path))
    except (OSError, SafetensorError) as error:
        raise StudyError(f"{path}: cannot be read ({error}); run the stage `retrain` again") from error
    except RuntimeError as error:
        raise StudyError(
            f"{path}: does not fit its {CARD} ({card.architecture}, base_width {card.base_width}, "
            f"{len(card.channels)} channels); take both files from one member"
        ) from error
    return network.eval(), card


def line_probability(network: nn.Module, card: ModelCard, image: Tensor) -> Tensor:
    """Return a member's probability of a line, float32 (N, H, W), 0 where there is no data.

    Parameters
    ----------
    network : nn.Module
        The member's, on the image's device.
    card : ModelCard
        Names its channels and normalisation.
    image : Tensor (N, 2, H, W)
        Real and imaginary part; both 0 where there is no data.
    """
    channels = derive_channels(image, card.channels, card.amplitude_scale)
    return tempered(network(channels)[-1], image, card.temperature)


def network_probabilities(network: Ensemble, card: ModelCard, image: Tensor) -> Tensor:
    """Return what `line_probability` does, and the same of each network of an ensemble by itself.

    Returns
    -------
    Tensor (1 + networks, N, H, W)
        float32; the member's first.
    """
    *each, mean = network(derive_channels(image, card.channels, card.amplitude_scale))
    return torch.stack([tempered(logits, image, card.temperature) for logits in (mean, *each)])


def tempered(logits: Tensor, image: Tensor, temperature: float | None) -> Tensor:
    """Return the probability of logits divided by a temperature, float32 (N, H, W), 0 without data.

    Guo et al. (2017), On calibration of modern neural networks, equation 9.

    Parameters
    ----------
    logits : Tensor (N, 1, H, W)
        Of a network's last head.
    image : Tensor (N, 2, H, W)
        What they were derived from; both parts 0 where there is no data.
    temperature : float or None
        Above 1 it draws probabilities towards .5; None leaves them as they are.
    """
    logits = logits.squeeze(1).float()
    return (logits if temperature is None else logits / temperature).sigmoid() * has_data(image)
