"""A device without memory for a batch: the training goes on in smaller parts, and says so."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from made_patches import bands, parameters, schedule, without_batch_norm

from glsweep.losses import GroundingLineLoss
from glsweep.metrics.thresholds import truth_within
from glsweep.nets import build_network
from glsweep.training.fit import EpochTask, fit, validate
from glsweep.training.memory import OutOfDeviceMemoryError, is_out_of_memory, place
from glsweep.training.state import fresh_state, load_state, save_state

CPU = torch.device("cpu")
GPU_SAYS = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8 GiB"


class FullOnTheWayBack(torch.autograd.Function):
    """Lets an image through, and has no memory for its gradient."""

    @staticmethod
    def forward(ctx, image):
        return image.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise torch.OutOfMemoryError(GPU_SAYS)


def limit(network, patches, where="forward"):
    """Let `network` run out of memory on more than so many patches, as a GPU would."""

    def refuse(module, inputs):
        (image,) = inputs
        if len(image) <= patches or (where == "validation" and module.training):
            return inputs
        if where == "backward":
            return (FullOnTheWayBack.apply(image.requires_grad_()) if torch.is_grad_enabled() else image,)
        raise torch.OutOfMemoryError(GPU_SAYS)

    return network.register_forward_pre_hook(refuse)


def start(of, *, normalised=True):
    state = fresh_state(of, seed=1, device=CPU)
    if not normalised:
        without_batch_norm(state.network)
    return state


def train(state, of, epochs):
    plan = schedule(epochs, keep_best=True)
    return [
        dataclasses.replace(report, epoch_s=0)
        for report in fit(state, of, bands(), bands(6, seed=1), plan, seed=1)
    ]


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.mark.parametrize("where", ["forward", "backward", "validation"])
@pytest.mark.parametrize(("fits", "micro_batch"), [(4, 4), (3, 2), (2, 2), (1, 1)])
def test_the_micro_batch_is_halved_until_it_fits(where, fits, micro_batch):
    of = parameters(batch_size=4)
    state = start(of)
    limit(state.network, fits, where)
    reports = train(state, of, 2)
    assert [report.micro_batch for report in reports] == [micro_batch] * 2
    assert [report.metrics()["micro_batch"] for report in reports] == [micro_batch] * 2
    assert state.progress.micro_batch == (None if micro_batch == 4 else micro_batch)
    steps = state.optimizer.state_dict()["state"][0]["step"]
    assert int(steps) == 2 * 2


@pytest.mark.parametrize("where", ["forward", "backward", "validation"])
def test_the_epoch_that_failed_leaves_no_trace(where):
    of = parameters()
    failing, spared = start(of), start(of)
    train(failing, of, 1)
    train(spared, of, 1)
    limit(failing.network, 2, where)
    spared.progress.micro_batch = 2
    assert train(failing, of, 3) == train(spared, of, 3)
    assert_same(failing.network.state_dict(), spared.network.state_dict())
    assert_same(failing.best_weights, spared.best_weights)
    for index, moments in spared.optimizer.state_dict()["state"].items():
        assert_same(failing.optimizer.state_dict()["state"][index], moments)


@pytest.mark.parametrize("architecture", ["unet", "attention_unet", "unetpp"])
def test_without_batch_normalisation_the_training_is_that_of_whole_batches(architecture):
    of = parameters(architecture=architecture, base_width=2, learning_rate=1e-3)
    whole, limited = (start(of, normalised=False) for _ in range(2))
    limit(limited.network, 1)
    for one, other in zip(train(whole, of, 3), train(limited, of, 3), strict=True):
        assert (one.micro_batch, other.micro_batch) == (4, 1)
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-4)
        assert one.val_loss == pytest.approx(other.val_loss, rel=1e-4)
        assert one.relaxed_f1 == pytest.approx(other.relaxed_f1, abs=0.02)


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 9])
def test_validation_does_not_depend_on_the_micro_batch(micro_batch):
    loss = GroundingLineLoss(fn_weight=0.7, fp_weight=0.3, gamma=1.33, bce_weight=0.3)
    network = build_network("unetpp", in_channels=2, base_width=2, seed=0)
    val = bands(10)
    truth, placed = truth_within(val.mask, 100.0, val.posting_m), place(val, CPU)
    task = EpochTask(parameters(batch_size=4), loss, placed, placed, truth)
    value, counts = validate(network, task, micro_batch)
    batches = [placed.batch(index) for index in torch.arange(10).split(4)]
    with torch.inference_mode():
        each = [(loss(network(image / val.amplitude_scale), mask), len(mask)) for image, mask in batches]
    assert value == pytest.approx(sum(float(one) * patches for one, patches in each) / 10, rel=1e-6)
    _, whole = validate(network, task, 4)
    torch.testing.assert_close(counts.relaxed_f1(), whole.relaxed_f1())
    assert len(counts.line) == 10


def test_a_resumed_run_goes_on_with_the_micro_batch_that_fitted(tmp_path):
    of = parameters()
    undisturbed = start(of)
    limit(undisturbed.network, 1)
    wanted = train(undisturbed, of, 3)
    state = start(of)
    limit(state.network, 1)
    train(state, of, 1)
    save_state(state, tmp_path / "state.safetensors")
    resumed = start(of)
    load_state(resumed, tmp_path / "state.safetensors")
    assert resumed.progress.micro_batch == 1
    assert train(resumed, of, 3) == wanted[1:]
    assert_same(resumed.network.state_dict(), undisturbed.network.state_dict())


def test_a_batch_larger_than_the_split_is_halved_from_what_it_holds():
    of = parameters(batch_size=1000)
    state = start(of)
    sizes = []
    state.network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    limit(state.network, 5)
    (report,) = train(state, of, 1)
    assert report.micro_batch == 4
    assert sizes[:2] == [8, 4]


def test_a_device_without_room_for_one_patch_is_given_up_with_the_reason():
    of = parameters()
    state = start(of)
    limit(state.network, 0)
    with pytest.raises(OutOfDeviceMemoryError) as caught:
        train(state, of, 1)
    reason = str(caught.value)
    for word in (
        "cpu",
        "single patch",
        "U-Net 32 px",
        "base_width 4",
        GPU_SAYS,
        "choose a smaller base_width",
    ):
        assert word in reason
    assert "\n" not in reason


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes"), ValueError("out of memory"), KeyError]
)
def test_other_errors_pass_untouched(error):
    of = parameters()
    state = start(of)

    def fail(module, inputs):
        raise error

    state.network.register_forward_pre_hook(fail)
    with pytest.raises(error if isinstance(error, type) else type(error)) as caught:
        train(state, of, 1)
    assert isinstance(error, type) or caught.value is error
    assert state.progress.micro_batch is None


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be ..."),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
        ),
        RuntimeError("could not create a primitive"),
        MemoryError(),
    ],
    ids=str,
)
def test_words_of_a_lack_of_memory_are_known(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("CUDA error: device-side assert"), OSError("out of memory")])
def test_other_words_are_not_taken_for_a_lack_of_memory(error):
    assert not is_out_of_memory(error)


@pytest.fixture(scope="module")
def limited_process():
    if sys.platform != "linux":
        pytest.skip("a process's memory is limited as Linux does it")
    # What is freed goes back at once, and no kernel is kept: else what was tried first counts too.
    settings = {"MALLOC_MMAP_THRESHOLD_": "1000000", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "0"}
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("train_in_limited_memory.py")],
        env={**os.environ, **settings, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_process_without_the_memory_for_a_batch_trains_the_same_network(limited_process):
    whole, limited = limited_process["whole"], limited_process["limited"]
    for one, other in zip(whole["reports"], limited["reports"], strict=True):
        assert one["micro_batch"] == 16
        assert other["micro_batch"] in (1, 2, 4, 8)
        assert other["train_loss"] == pytest.approx(one["train_loss"], rel=1e-5)
        assert other["val_loss"] == pytest.approx(one["val_loss"], rel=1e-5)
    one, other = torch.tensor(whole["weights"]), torch.tensor(limited["weights"])
    assert torch.linalg.vector_norm(other - one) < 1e-4 * torch.linalg.vector_norm(one)


@pytest.mark.slow
def test_a_process_without_the_memory_for_one_patch_says_so(limited_process):
    reason = limited_process["hopeless"]["reason"]
    assert reason.startswith("cpu ran out of memory on a single patch: U-Net 256 px, base_width 16")


@pytest.mark.slow
def test_whoever_trains_does_not_wait_for_the_import_of_a_compiler(limited_process):
    assert limited_process["whole"]["knows_compiler"] is False
