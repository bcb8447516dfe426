"""A step of training: fit to be captured as a CUDA graph, and the same when it is."""

from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from made_patches import bands, parameters, schedule
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glsweep.training.fit import EpochTask, batches, fit, make_task, train
from glsweep.training.state import TrainingState, fresh_state, load_state, save_state
from glsweep.training.step import CapturedStep, take_step

CPU = torch.device("cpu")
ARCHITECTURES = ("unet", "attention_unet", "unetpp")
# Their results depend on values, or are values, so that the host must wait for the device.
ASK_THE_DEVICE = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "item", "is_nonzero", "equal")

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="graphs need a GPU")


class NothingAsked(TorchDispatchMode):
    """Fails when an operation would make the host wait, or takes tensors from one device to another."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        assert not name.startswith(ASK_THE_DEVICE), f"{name} asks the device for a value"
        result = func(*args, **(kwargs or {}))
        devices = {leaf.device for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)}
        assert len(devices) <= 1, f"{name} moves data"
        return result


def begun(architecture: str, device: torch.device = CPU, **changes: Any) -> tuple[TrainingState, EpochTask]:
    of = parameters(architecture=architecture, base_width=2, **changes)
    train_patches, val_patches = bands(10), bands(7, seed=1)
    state = fresh_state(of, seed=0, device=device)
    return state, make_task(of, train_patches, val_patches, schedule(3), device)


def addresses(state: TrainingState) -> list[int]:
    """Where weights, running statistics and moments lie."""
    moments = [tensor for of_one in state.optimizer.state.values() for tensor in of_one.values()]
    return [tensor.data_ptr() for tensor in (*state.network.state_dict().values(), *moments)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_asks_the_device_for_nothing(architecture: str, precision: str) -> None:
    state, task = begun(architecture, precision=precision)
    state.network.train()
    for inputs, label in batches(task, 0):
        with NothingAsked():
            take_step(state, task, inputs, label, len(inputs))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_that_a_step_changes_stays_where_it_is(architecture: str) -> None:
    state, task = begun(architecture)
    train(state, task, 0, 4)
    before, weights = (
        addresses(state),
        [parameter.detach().clone() for parameter in state.network.parameters()],
    )
    train(state, task, 1, 4)
    assert addresses(state) == before
    assert not all(map(torch.equal, weights, state.network.parameters()))


def test_without_a_gpu_to_capture_changes_nothing() -> None:
    told = []
    for capture in (False, True):
        state, task = begun("unet")
        reports = fit(
            state, task.parameters, bands(10), bands(7, seed=1), schedule(2), seed=3, capture=capture
        )
        told.append([asdict(replace(report, epoch_s=0)) for report in reports])
    assert told[0] == told[1]


@needs_gpu
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_captured_steps_come_to_what_single_launches_come_to(architecture: str, tmp_path: Any) -> None:
    """Over whole batches and a smaller last one, several epochs, and on from a checkpoint."""
    gpu, file, found = torch.device("cuda"), tmp_path / "state.safetensors", []
    for step in (take_step, CapturedStep()):
        state, task = begun(architecture, gpu, precision="float32")
        task = replace(task, step=step)
        losses = [train(state, task, epoch, 4) for epoch in range(4)]
        save_state(state, file)
        state, _ = begun(architecture, gpu, precision="float32")
        load_state(state, file)
        losses += [train(state, task, epoch, 4) for epoch in range(4, 8)]
        found.append((losses, [weight.detach().cpu() for weight in state.network.parameters()]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-3)
    for one, other in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-4)


@needs_gpu
def test_whole_batches_are_replayed_and_a_new_learning_rate_is_captured_anew() -> None:
    state, task = begun("unet", torch.device("cuda"))
    step = CapturedStep()
    task = replace(task, step=step)
    for epoch in range(4):
        train(state, task, epoch, 4)
    first = step._graph
    assert first is not None
    state.optimizer.param_groups[0]["lr"] /= 2
    for epoch in range(4):
        train(state, task, epoch, 4)
    assert step._graph is not None and step._graph is not first
