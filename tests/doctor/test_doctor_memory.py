"""The estimate of a trial's memory against what its training really takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from doctor_needs import NODE, parameters

from glsweep.config.space import Resources
from glsweep.doctor import Finding
from glsweep.doctor.memory import (
    CUDA_PROCESS_BYTES,
    GIB_BYTES,
    step_bytes,
    step_memory,
    too_big_for_device,
    too_big_for_node,
    trials_per_node,
)

MIB_BYTES = 2**20
# Largest to smallest would do as well: the peak is set back before each.
TRAINED = [("unet", 4, 128, 25), ("attention_unet", 4, 128, 25), ("unetpp", 8, 128, 8)]
BAND = (0.75, 1.33)


@pytest.mark.slow
def test_the_estimate_lies_within_a_third_of_what_training_takes(tmp_path: Path) -> None:
    script = Path(__file__).with_name("trained_memory.py")
    settings = [":".join(map(str, trained)) for trained in TRAINED]
    # Freed memory goes back at once, so that what a process holds is what it uses.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    printed = subprocess.run(
        [sys.executable, str(script), *settings],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=200,
    ).stdout
    for trained, taken in zip(TRAINED, map(int, printed.split()), strict=True):
        architecture, base_width, patch_size_px, batch_size = trained
        estimated = step_bytes(
            parameters(architecture, patch_size_px, base_width=base_width, batch_size=batch_size)
        )
        assert BAND[0] < estimated / taken < BAND[1], (
            f"{architecture}: {estimated / MIB_BYTES:.0f} MiB estimated, {taken / MIB_BYTES:.0f} taken"
        )


@pytest.mark.parametrize("architecture", ["unet", "attention_unet", "unetpp"])
def test_memory_grows_with_the_pixels_and_not_below_the_weights(architecture: str) -> None:
    one, four = (step_bytes(parameters(architecture, 128), patches=count) for count in (1, 4))
    larger = step_bytes(parameters(architecture, 256), patches=1)
    assert larger == pytest.approx(four)
    assert one < four < 4 * one
    weights = step_memory(parameters(architecture, 128)).weight_bytes
    assert step_bytes(parameters(architecture, 16), patches=1) > 6 * weights


def test_trials_that_share_a_gpu_must_fit_together() -> None:
    trial = parameters("unetpp", 128, base_width=32, batch_size=8)
    whole = CUDA_PROCESS_BYTES + step_bytes(trial)

    def found(device_bytes: float, gpus: float, patch_bytes: int = 0) -> list[str]:
        findings = too_big_for_device(
            NODE,
            int(device_bytes),
            resources=Resources(cpus=1, gpus=gpus),
            trials=[trial],
            patch_bytes={128: patch_bytes},
        )
        return [f"{finding.severity} {finding}" for finding in findings]

    assert found(1.1 * whole, gpus=1) == []
    assert found(2.2 * whole, gpus=0.5) == []
    assert found(4.2 * whole, gpus=0.5, patch_bytes=int(whole)) == []
    (shared,) = found(2.2 * whole, gpus=0.25)
    assert shared.startswith("warning U-Net++ 128 on a GPU of node 192.0.2.7: a trial takes about")
    assert "4 trials share it" in shared
    assert "let a trial ask for 0.5 GPUs" in shared
    (alone,) = found(0.9 * whole, gpus=1)
    assert alone.startswith("warning")
    assert "GPUs" not in alone.rpartition(";")[2]
    (hopeless,) = found(CUDA_PROCESS_BYTES, gpus=1)
    assert hopeless.startswith("error")
    assert "a single patch takes about" in hopeless
    # Patches that take more than a quarter of the device stay on the host.
    assert found(1.1 * whole, gpus=1, patch_bytes=int(whole)) == []
    (beside,) = found(1.1 * whole, gpus=1, patch_bytes=int(0.2 * whole))
    assert beside.startswith("warning")


def test_trials_on_cpus_must_fit_into_the_nodes_memory_together() -> None:
    big = parameters("unetpp", 256, base_width=32, batch_size=25)
    assert NODE.memory_bytes == 32 * GIB_BYTES
    (few,) = too_big_for_node(NODE, resources=Resources(cpus=4, gpus=0), trials=[big])
    assert few.severity == "warning"
    assert "4 run at once" in few.what
    assert "ask for 8 CPUs" in few.remedy
    assert not list(too_big_for_node(NODE, resources=Resources(cpus=8, gpus=0), trials=[big]))
    small = [parameters("unet", 128)]
    assert not list(too_big_for_node(NODE, resources=Resources(cpus=1, gpus=0), trials=small))


def test_trials_that_train_as_one_take_the_memory_of_all_of_them() -> None:
    trial = parameters("unet", 128, batch_size=25)
    room = int(CUDA_PROCESS_BYTES + 4.2 * step_bytes(trial))

    def found(cohort: object) -> list[Finding]:
        resources = Resources.model_validate({"cpus": 1, "gpus": 1, "cohort": cohort})
        return list(too_big_for_device(NODE, room, resources=resources, trials=[trial], patch_bytes={128: 0}))

    assert [found(cohort) for cohort in ("auto", 1, 4)] == [[], [], []]
    (too_many,) = found(8)
    assert too_many.what.startswith("a cohort of 8 trials takes about")
    assert "lower batch_size or `resources.cohort`" in too_many.remedy


def test_as_many_trials_run_side_by_side_as_cpus_and_gpus_allow() -> None:
    assert trials_per_node(Resources(cpus=3, gpus=0), NODE, {"CPU": 3}) == 5
    assert trials_per_node(Resources(cpus=1, gpus=0.25), NODE, {"CPU": 1, "GPU": 0.25}) == 8
    assert trials_per_node(Resources(cpus=8, gpus=0.25), NODE, {"CPU": 8, "GPU": 0.25}) == 2
