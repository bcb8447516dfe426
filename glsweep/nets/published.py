"""Published weights: read from a file of another program, and made a member or a study's start."""

import hashlib
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from glsweep import __version__
from glsweep.config.settings import validate
from glsweep.config.trial import Architecture, Channel
from glsweep.errors import ConfigError
from glsweep.nets import build_network, count_parameters
from glsweep.nets.foreign import BATCHES_TRACKED, CHANNELS, KNOWN, UnknownLayersError, convert, count_weights
from glsweep.nets.member import CARD, ModelCard, save_member

WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params")
"""Under which keys programs put a network's tensors beside those of the optimiser."""
NOT_WEIGHTS = {
    b"version https://git-lfs": "is a pointer of git-lfs, not the weights; fetch them (git lfs pull)",
    b"<!doctype html": "is a web page, such as of a failed download, not the weights; obtain them again",
    b"<html": "is a web page, such as of a failed download, not the weights; obtain them again",
}
"""How such a file begins, in lower case, and what to say of it."""


@dataclass(frozen=True)
class PublishedWeights:
    """Weights under the names of our network.

    Attributes
    ----------
    architecture : str
        Of the network, which has the published width and two channels.
    state : mapping of str to Tensor
        What `load_state_dict` takes.
    sha256 : str
        Of the tensors' names, shapes and values, so that it is the same however they were wrapped.
    """

    architecture: str
    state: Mapping[str, Tensor]
    sha256: str


def read_published(path: Path, architecture: str | None = None) -> PublishedWeights:
    """Read a state dict from a file of `torch.save`; of safetensors, which keep no order, from our own names.

    No object is unpickled.

    Parameters
    ----------
    path : Path
        The file.
    architecture : str, optional
        What it must hold; None to recognise it by the number of parameters.

    Raises
    ------
    ConfigError
        When the file cannot be read, holds objects, or its tensors do not fit the network exactly.
    """
    state = _tensors(_loaded(path), path)
    if architecture is None:
        counts = {name: count_parameters(build_network(name, in_channels=CHANNELS, seed=0)) for name in KNOWN}
        architecture = next((name for name, count in counts.items() if count == count_weights(state)), None)
        if architecture is None:
            published = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            raise ConfigError(
                f"{path}: has {count_weights(state):,} trainable parameters, which is no published network "
                f"({published}); name a file of one of them"
            )
    if architecture not in KNOWN:
        raise ConfigError(
            f"{path}: weights can be read for {', '.join(KNOWN)}, not for {architecture}; leave it out"
        )
    try:
        converted = convert(state, architecture)
    except UnknownLayersError as error:
        raise ConfigError(
            f"{path}: {error}; it does not hold the published {architecture}, name the file that does"
        ) from error
    return PublishedWeights(architecture, converted, digest(converted))


def digest(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of named tensors."""
    return hashlib.sha256(
        safetensors.torch.save({n: t.contiguous() for n, t in sorted(state.items())})
    ).hexdigest()


def import_member(
    path: Path,
    folder: Path,
    *,
    architecture: Architecture | None,
    patch_size_px: int,
    tau: float,
    posting_m: float,
    wavelength_m: float,
    channels: tuple[Channel, ...],
) -> ModelCard:
    """Make a member of published weights, which see magnitudes as they are.

    Parameters
    ----------
    path : Path
        The weights' file.
    folder : Path
        Where `model.safetensors` and `card.json` go.
    architecture, patch_size_px, tau, posting_m, wavelength_m, channels
        What the file does not say, see `ModelCard`.

    Returns
    -------
    ModelCard
        The card as it was written.

    Raises
    ------
    ConfigError
        When the file does not hold a published network, the channels are not two, or the folder is
        a file or holds a member already.
    """
    if len(channels) != CHANNELS:
        raise ConfigError(
            f"--channels {' '.join(channels)}: the published networks see {CHANNELS}; name so many"
        )
    if folder.is_file() or (folder / CARD).exists():
        raise ConfigError(f"--out {folder}: is there already; name a new folder")
    weights = read_published(path, architecture)
    value = {
        "architecture": weights.architecture,
        "patch_size_px": patch_size_px,
        "channels": channels,
        "amplitude_scale": 1.0,  # the published networks see magnitudes as they are
        "posting_m": posting_m,
        "wavelength_m": wavelength_m,
        "tau": tau,
        "trained_on": f"published weights of {path.name}",
        "data_card_hash": "",
        "seed": 0,
        "trial_id": f"published-{weights.sha256[:8]}",
        "parameters": {"start": f"sha256:{weights.sha256}"},
        "best_epoch": 0,
        "figures": {},
        "glsweep_version": __version__,
    }
    card = validate(value, ModelCard, folder / CARD)
    network = build_network(weights.architecture, in_channels=CHANNELS, seed=0)
    network.load_state_dict(weights.state)
    save_member(folder, network, card)
    return card


def _loaded(path: Path) -> Any:
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; name the file of weights in it")
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file of weights; mend the path")
    try:
        with path.open("rb") as file:
            head = file.read(64)
        _refuse_other_files(path, head)
        # Safetensors begin with the length of a header in JSON, whatever the file is called.
        if path.suffix.lower() == ".safetensors" or head[8:9] == b"{":
            return safetensors.torch.load_file(path)
        with warnings.catch_warnings():
            # Such as that of an archive of TorchScript, which is refused below.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, LookupError, ValueError, TypeError, AttributeError) as error:
        # All but the first are what PyTorch raises where there is no pickle at all.
        raise ConfigError(
            f"{path}: holds more than tensors, which is never unpickled, or is no file of torch.save; save "
            "the network's state_dict() alone"
        ) from error
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"{path}: cannot be read as weights ({reason}); obtain it again") from error


def _refuse_other_files(path: Path, head: bytes) -> None:
    if not head:
        raise ConfigError(f"{path}: is empty (0 bytes); obtain it again")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for beginning, what in NOT_WEIGHTS.items():
        if text.startswith(beginning):
            raise ConfigError(f"{path}: {what}")


def _tensors(loaded: Any, path: Path) -> dict[str, Tensor]:
    """Return the network's tensors from within what programs put around them."""
    while isinstance(loaded, Mapping):
        tensors = {str(name): value for name, value in loaded.items() if isinstance(value, Tensor)}
        if tensors and len(tensors) == len(loaded):
            _check_numbers(tensors, path)
            return tensors
        inner = next((loaded[key] for key in WRAPPERS if isinstance(loaded.get(key), Mapping)), None)
        if inner is None:
            break
        loaded = inner
    raise ConfigError(
        f"{path}: holds no state dict (names with tensors), alone or under {', '.join(WRAPPERS)}; save the "
        "network's state_dict()"
    )


def _check_numbers(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Make sure that tensors hold one floating-point number for each place; counts are whole ones."""
    for name, tensor in tensors.items():
        is_plain = tensor.layout == torch.strided and not (tensor.is_nested or tensor.is_meta)
        is_count = name.rsplit(".", 1)[-1] == BATCHES_TRACKED and not tensor.is_complex()
        if not is_plain or not (tensor.is_floating_point() or is_count):
            layout, kind = (str(of).removeprefix("torch.") for of in (tensor.layout, tensor.dtype))
            layout = "without values" if tensor.is_meta else layout
            raise ConfigError(
                f"{path}: its tensor {name} is {kind} ({layout}), not a dense one "
                "of floating-point numbers; save the network's state_dict() as it was trained"
            )
