"""What happens when a device runs out of memory: the epoch is done again in smaller parts."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch

from glsweep.config.trial import TrialParameters
from glsweep.training.host_memory import give_freed_memory_back
from glsweep.training.state import TrainingState, copy_to_host, put_back

# PyTorch has a type for the device's allocator alone; libraries below it, and the CPU's allocator,
# tell in words. oneDNN says no more than that a primitive failed.
SIGNS = (
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
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


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
        put_back(state, beginning)
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
