"""The whole state of a training run as one safetensors file, and the weights it begins from."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from inspect import unwrap
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from glsweep.config.trial import NO_START, TrialParameters
from glsweep.errors import StudyError
from glsweep.files import replacing
from glsweep.nets import network_of
from glsweep.training import EpochReport


@dataclass
class Progress:
    """How far a run has come, its best epoch by the monitored metric, and its last report.

    The report is kept so that whoever resumes a run can repeat it: a report may be lost when the
    listener dies between the writing of a checkpoint and the reading of the report. `micro_batch`
    is None until the device runs out of memory, see `glsweep.training.memory`.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_value: float | None = None
    report: EpochReport | None = None
    micro_batch: int | None = None


class Adam(torch.optim.Adam):
    """PyTorch's Adam, whose steps are never compiled.

    PyTorch's own asks its compiler each time to leave it alone, for which every worker would import the
    compiler: half as long again as all else that it imports.
    """

    add_param_group = unwrap(torch.optim.Adam.add_param_group)
    state_dict = unwrap(torch.optim.Adam.state_dict)
    load_state_dict = unwrap(torch.optim.Adam.load_state_dict)
    zero_grad = unwrap(torch.optim.Adam.zero_grad)
    step = torch.no_grad()(unwrap(torch.optim.Adam.step))


@dataclass
class TrainingState:
    """A network in training. `fit` changes it; whoever called `fit` may save it after each epoch.

    `best_weights` is filled only when the best epoch's weights are to be kept.
    """

    network: nn.Module
    optimizer: Adam
    progress: Progress = field(default_factory=Progress)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where the network is trained."""
        return next(self.network.parameters()).device


def fresh_state(parameters: TrialParameters, *, seed: int, device: torch.device) -> TrainingState:
    """Build the network and the optimiser of a trial that has not begun."""
    network = network_of(parameters, seed=seed).to(device)
    # Fused: all tensors in one call, which takes a third of the time on CPUs too. Capturable: the count
    # of steps lies on the GPU with the rest, so that a graph of a step can hold it.
    optimizer = Adam(
        network.parameters(),
        lr=parameters.learning_rate,
        weight_decay=parameters.weight_decay,
        fused=True,
        capturable=device.type == "cuda",
    )
    return TrainingState(network, optimizer)


def save_state(state: TrainingState, path: Path) -> None:
    """Write network, optimiser, progress and best weights, whole or not at all."""
    best = {f"best.{name}": tensor for name, tensor in state.best_weights.items()}
    tensors = _tensors(state) | best
    with replacing(path) as temporary:
        metadata = {"progress": json.dumps(asdict(state.progress))}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata)


def load_state(state: TrainingState, path: Path) -> None:
    """Bring a fresh state to where the file at `path` left off.

    Raises
    ------
    StudyError
        When the file is cut short, or belongs to another network.
    """
    progress, tensors = read_tensors(path)
    try:
        restore_state(state, tensors)
    except RuntimeError as error:
        raise StudyError(f"{path}: does not fit this network; delete it to begin again") from error
    state.best_weights = _below("best.", tensors)
    state.progress = progress


def copy_to_host(state: TrainingState) -> dict[str, Tensor]:
    """Copy what training changes, weights, running statistics and moments, to the host's memory."""
    return {name: tensor.to("cpu", copy=True) for name, tensor in _tensors(state).items()}


def restore_state(state: TrainingState, tensors: Mapping[str, Tensor]) -> None:
    """Set weights, running statistics and moments to those of `copy_to_host` or of a saved state.

    Raises
    ------
    RuntimeError
        When they belong to another network.
    """
    state.network.load_state_dict(_below("network.", tensors))
    (group,) = state.optimizer.param_groups
    weights: list[Tensor] = group["params"]
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _below("adam.", tensors).items():
        index, moment = name.split(".", 1)
        if tensor.ndim:
            # The fused optimiser takes for granted that they lie in memory as the weights do.
            moment_tensor = torch.empty_like(weights[int(index)], device=tensor.device)
            moments.setdefault(int(index), {})[moment] = moment_tensor.copy_(tensor)
        else:
            moments.setdefault(int(index), {})[moment] = tensor
    # First out with the old ones: the device may have no room for both.
    state.optimizer.state.clear()
    state.optimizer.load_state_dict({**state.optimizer.state_dict(), "state": moments})


def read_tensors(path: Path) -> tuple[Progress, dict[str, Tensor]]:
    """Read a saved state's progress and tensors, without building a network.

    Raises
    ------
    StudyError
        When the file is missing or cut short.
    """
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    return read_progress(path), tensors


def read_progress(path: Path) -> Progress:
    """Read how far a saved state has come.

    Raises
    ------
    StudyError
        When the file is missing or cut short.
    """
    with _opened(path) as file:
        progress = json.loads(file.metadata()["progress"])
    report = progress.pop("report")
    return Progress(**progress, report=report and EpochReport(**report))


def best_weights(path: Path) -> tuple[Progress, dict[str, Tensor]]:
    """Return the progress and the best epoch's weights kept in a saved state."""
    progress, tensors = read_tensors(path)
    return progress, _below("best.", tensors)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise StudyError(f"{path}: is no whole checkpoint ({error}); delete it to begin again") from error


def _tensors(state: TrainingState) -> dict[str, Tensor]:
    tensors = {f"network.{name}": tensor for name, tensor in state.network.state_dict().items()}
    for index, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{name}": tensor for name, tensor in moments.items()}
    return tensors


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


# --- Weights from which trials begin in place of random ones

Start = Mapping[str, Mapping[str, Tensor]]
"""By what a trial's `start` says, what `load_state_dict` takes."""


def begin_from_weights(state: TrainingState, parameters: TrialParameters, start: Start) -> None:
    """Give a fresh state the weights that its trial begins from, unless these are random ones."""
    if parameters.start != NO_START:
        state.network.load_state_dict(start[parameters.start])
