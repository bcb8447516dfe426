"""Memory of device and host: where patches lie, and what is done when it runs out."""

import ctypes
import math
import platform
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn.functional import softplus

from glsweep.config.space import Calibration
from glsweep.config.trial import Channel, TrialParameters
from glsweep.losses import NO_DATA
from glsweep.metrics.thresholds import Truth, choose_threshold, truth_within
from glsweep.nets import derive_channels, has_data
from glsweep.nets.member import tempered
from glsweep.patches import PatchArrays
from glsweep.study.artifacts import ThresholdCurve
from glsweep.training.state import TrainingState, copy_to_host, restore_state
from glsweep.training.targets import TargetRule, target_of, zones_of

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# Older versions take no more than the second.
LARGEST_BYTES = (2**30, 2**25)
SMALL_BYTES = 2**16
NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Let this process keep what it frees for its next use, in place of giving it back to the system.

    A training step on a CPU frees hundreds of megabytes and takes them again in the next; the system
    clears each page that it hands out, which takes up to a quarter of the step. What the process
    holds at most is the same. Does nothing where the C library is not glibc; where what a process may
    ask for is limited (`ulimit -d`), so that pieces that lie idle count, all is given back at once.
    """
    if not _is_glibc():
        return
    import resource  # noqa: PLC0415  not on every system

    limit_bytes, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if limit_bytes != resource.RLIM_INFINITY:
        give_freed_memory_back()
        return
    library = ctypes.CDLL(None)
    any(library.mallopt(M_MMAP_THRESHOLD, size_bytes) for size_bytes in LARGEST_BYTES)
    library.mallopt(M_TRIM_THRESHOLD, NEVER)


def give_freed_memory_back() -> None:
    """Give back what was kept, and from now on at once what is freed, as is best where memory ran out."""
    if _is_glibc():
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, SMALL_BYTES)
        library.mallopt(M_TRIM_THRESHOLD, SMALL_BYTES)
        library.malloc_trim(0)


def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"


# --- When memory runs out, the epoch is done again in smaller parts

# PyTorch has an error type for the device's allocator alone; libraries below it, and the CPU's allocator,
# say so in words. oneDNN says no more than that a primitive failed.
OUT_OF_MEMORY_WORDS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "unable to find an engine to execute",
    "could not create a primitive",
    "could not execute a primitive",
)

Result = TypeVar("Result")


class OutOfDeviceMemoryError(Exception):
    """The device has no room for the network and a single patch."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether `error` says that memory ran out, on a GPU or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY_WORDS)


def run_in_memory(
    state: TrainingState, parameters: TrialParameters, largest: int, epoch: Callable[[int], Result]
) -> Result:
    """Return `epoch(micro_batch)`, done again with half the micro-batch as often as memory runs out.

    Each time the training goes back to where the epoch began. The micro-batch that fits is kept in
    the state's progress, for the epochs to come and for whoever resumes the run.

    Parameters
    ----------
    state : TrainingState
        What `epoch` changes.
    parameters : TrialParameters
        What is being trained, for the reason that is given when nothing fits.
    largest : int
        Patches in the largest batch.
    epoch : callable
        Trains and validates with at most so many patches at once.

    Raises
    ------
    OutOfDeviceMemoryError
        When not even single patches fit.
    """
    beginning = copy_to_host(state)
    while True:
        micro_batch = min(state.progress.micro_batch or largest, largest)
        try:
            with _kernels(state):
                return epoch(micro_batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if micro_batch == 1:
                raise OutOfDeviceMemoryError(_reason(state.device, parameters, error)) from error
        # Not within the handler: as long as the error lives, its frames hold the batch's tensors.
        state.optimizer.zero_grad(set_to_none=True)
        if state.device.type == "cuda":
            torch.cuda.empty_cache()
        else:
            give_freed_memory_back()
        restore_state(state, beginning)
        state.progress.micro_batch = micro_batch // 2


def _kernels(state: TrainingState) -> AbstractContextManager[None]:
    """Do without oneDNN on a CPU that has run out of memory, though it is up to three times as fast.

    In a thread in which oneDNN once had no memory for a kernel, it makes no other from then on.
    """
    if state.device.type == "cpu" and state.progress.micro_batch:
        return torch.backends.mkldnn.flags(enabled=False, allow_tf32=None, fp32_precision=None)
    return nullcontext()


def _reason(device: torch.device, parameters: TrialParameters, error: Exception) -> str:
    name = f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
    stratum = parameters.stratum.title
    return (
        f"{name} ran out of memory on a single patch: {stratum} px, base_width {parameters.base_width} "
        f"({_first_line(error)}); choose a smaller base_width or patch size, run fewer trials at once "
        "on the device, or use one with more memory"
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


# --- Patches on the device when they fit, else brought there batch by batch

# Activations need room beside the patches; beyond this share of the free memory they stay on the host.
STORE_SHARE_OF_DEVICE = 0.25


@dataclass(frozen=True)
class DevicePatches:
    """One split's patches as tensors.

    Attributes
    ----------
    image : float32 tensor (N, 2, S, S)
    planes : tuple of tensor (N, S, S)
        What the training target follows from.
    rule : TargetRule
        How it does.
    device : torch.device
        Where batches are wanted; the tensors may lie on the host.
    amplitude_scale : float
        See `PatchArrays`.
    rows : int64 tensor or None
        The patches that there are, each perhaps several times; None for each once.
    zone : uint8 tensor (N, S, S) or None
        1 where ice floats, 0 where it is grounded, for a network that learns it.
    """

    image: Tensor
    planes: tuple[Tensor, ...]
    rule: TargetRule
    device: torch.device
    amplitude_scale: float
    rows: Tensor | None = None
    zone: Tensor | None = None

    def __len__(self) -> int:
        return len(self.image) if self.rows is None else len(self.rows)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Gather patches onto the device.

        Returns
        -------
        tuple of Tensor
            Image (B, 2, S, S), and float32 label (B, S, S): 0 to 1, `NO_DATA` where there is none, or
            nobody can tell. With zones the label is (B, 2, S, S), line and zone.
        """
        index = index.to(self.image.device)
        index = index if self.rows is None else self.rows[index]
        image = self.image[index].to(self.device)
        target, known = self.rule.target(*(plane[index].to(self.device) for plane in self.planes))
        valid = has_data(image)
        label = torch.where(valid & known, target, NO_DATA)
        if self.zone is None:
            return image, label
        zone = torch.where(valid, self.zone[index].to(self.device).float(), NO_DATA)
        return image, torch.stack([label, zone], dim=1)

    def channels(self, image: Tensor, channels: Sequence[Channel]) -> Tensor:
        """Derive the network's input (B, C, S, S) from real and imaginary parts."""
        return derive_channels(image, channels, self.amplitude_scale)


def place(
    arrays: PatchArrays,
    device: torch.device,
    *,
    scenes: int | None = None,
    trial: TrialParameters | None = None,
) -> DevicePatches:
    """Put a split's patches on `device` if they take a small part of its free memory.

    With `scenes` only those of so many scenes are used, see `PatchArrays.rows_of`. What is trained
    on is as `trial` says, or else the data card.

    Raises
    ------
    StudyError
        When the patches were cut without what the trial's label needs; see `target_of`.
    """
    rule, stored = target_of(arrays, trial)
    zones = zones_of(arrays, trial)
    image, *planes = _shared(arrays.image), *(_shared(plane) for plane in (*stored, *zones))
    if device.type == "cuda":
        free_bytes, _ = torch.cuda.mem_get_info(device)
        if image.nbytes + sum(plane.nbytes for plane in planes) <= STORE_SHARE_OF_DEVICE * free_bytes:
            image, planes = image.to(device), [plane.to(device) for plane in planes]
    rows = arrays.rows_of(scenes)
    used = None if rows is None else torch.from_numpy(rows).to(image.device)
    zone = planes[-1] if zones else None
    targets = tuple(planes[: len(stored)])
    return DevicePatches(image, targets, rule, device, arrays.amplitude_scale, used, zone)


def truth_of(arrays: PatchArrays, tolerance_m: float, device: torch.device | str = "cpu") -> Truth:
    """Return what networks are judged against on a split's patches, on `device`; see `truth_within`."""
    seen = has_data(arrays.image) & arrays.is_known
    return truth_within(arrays.mask, tolerance_m, arrays.posting_m, has_data=seen, device=device)


def _shared(array: npt.NDArray[Any]) -> Tensor:
    """Wrap an array without copying it."""
    with warnings.catch_warnings():
        # Arrays shared between trials are read-only; batches are gathered copies, so nothing writes.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


# --- Probabilities of a trained network on patches, and its threshold

BATCH_PATCHES = 16


def predict_patches(
    network: nn.Module,
    patches: PatchArrays,
    channels: tuple[Channel, ...],
    *,
    temperature: float | None = None,
) -> npt.NDArray[np.float32]:
    """Return the final head's probability for each pixel, (N, S, S), from the network in eval mode.

    0 where there is no data, as in `glsweep.prediction`; `temperature` is the card's.
    """
    probability = np.empty(patches.mask.shape, np.float32)
    for index, logits, image in predict_logits(network, patches, channels):
        probability[index.numpy()] = tempered(logits, image, temperature).cpu().numpy()
    return probability


@torch.inference_mode()
def predict_logits(
    network: nn.Module, patches: PatchArrays, channels: tuple[Channel, ...]
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield each batch's rows, its logits of the final head (B, 1, S, S) and its images (B, 2, S, S)."""
    device = next(network.parameters()).device
    placed = place(patches, device)
    network.eval()
    for index in torch.arange(len(patches)).split(BATCH_PATCHES):
        image, _ = placed.batch(index)
        yield index, network(placed.channels(image, channels))[-1], image


def logits_of(
    network: nn.Module, patches: PatchArrays, channels: tuple[Channel, ...]
) -> npt.NDArray[np.float32]:
    """Return the final head's logit for each pixel, (N, S, S), from the network in eval mode."""
    logits = np.empty(patches.mask.shape, np.float32)
    for index, found, _ in predict_logits(network, patches, channels):
        logits[index.numpy()] = found.squeeze(1).float().cpu().numpy()
    return logits


def calibrate_on(
    patches: PatchArrays,
    network: nn.Module,
    channels: tuple[Channel, ...],
    settings: Calibration,
    *,
    tolerance_m: float,
) -> ThresholdCurve:
    """Choose the network's threshold on `patches`, those of validation; where wanted its temperature first.

    See `choose_threshold` and `fitted_temperature`. The patches pass through the network once.
    """
    logits = logits_of(network, patches, channels)
    temperature = fitted_temperature(logits, patches) if settings.temperature else None
    # In place and batch by batch: whatever validation holds, it is in memory once.
    probability, image = torch.from_numpy(logits), _shared(patches.image)
    for index in torch.arange(len(patches)).split(BATCH_PATCHES):
        probability[index] = tempered(probability[index].unsqueeze(1), image[index], temperature)
    curve = choose_threshold(probability, truth_of(patches, tolerance_m), settings)
    return curve.model_copy(update={"temperature": temperature})


# --- The temperature of its logits

LARGEST_TEMPERATURE = 20.0
"""And its inverse the least: beyond it is what no pixel, or a network without an error, asks for."""


def fitted_temperature(logits: npt.NDArray[np.float32], patches: PatchArrays) -> float:
    """Return by what logits are to be divided for the least cross-entropy with the mask.

    Over pixels that hold data and are known; 1 without any. The cross-entropy is convex in the inverse of
    the temperature, so that there is one least value (Guo et al. 2017, section 4.2).

    Parameters
    ----------
    logits : float32 array (N, S, S)
        See `logits_of`.
    patches : PatchArrays
        Those that the logits are of.
    """
    seen = has_data(patches.image) & patches.is_known
    if not seen.any():
        return 1.0
    known, line = torch.from_numpy(logits[seen]), torch.from_numpy(patches.mask[seen] > 0)

    def cross_entropy(log_temperature: float) -> float:
        scaled = known / math.exp(log_temperature)
        # Of line pixels ln(1 + e^-z), of all others ln(1 + e^z).
        return float(softplus(torch.where(line, -scaled, scaled)).mean(dtype=torch.float64))

    ends = math.log(LARGEST_TEMPERATURE)
    return math.exp(minimize_scalar(cross_entropy, bounds=(-ends, ends), method="bounded").x)
