"""All figures of a test set of 1,000 patches of 256 px, against loops over MONAI and MedPy.

The package computes every column of its table and the bootstrap interval; the rivals' loops compute
what they have of it: Dice, precision, recall, 95 % Hausdorff distance (MONAI also the surface Dice).
Their Hausdorff distances are compared with the package's, patch by patch.

Needs the rivals: `pip install monai medpy`. Run: `python benchmarks/metrics.py` (some minutes).
"""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import torch
import tyro
from measured import Measured, MeasuredFile, add
from medpy.metric import binary as medpy_binary
from monai.metrics import (
    compute_confusion_matrix_metric,
    compute_hausdorff_distance,
    compute_surface_dice,
    get_confusion_matrix,
)
from rich.console import Console
from rich.table import Table
from scipy.ndimage import binary_dilation, shift

from glsweep.config.data_card import Simulation
from glsweep.evaluate.patches import HeldOut
from glsweep.metrics.patches import IOU_TOLERANCE_PX, MaskPairs
from glsweep.patches import PatchArrays
from glsweep.scenes.masks import line_mask
from glsweep.simulation import simulate_scene

Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Options:
    """What is scored."""

    patches: int = 1000
    size_px: int = 256
    repetitions: int = 3
    measured: MeasuredFile = None


def made(options: Options) -> tuple[Masks, Masks]:
    """Return true lines and predictions as a network gives them: broad, off by some pixels, with gaps."""
    generator = np.random.default_rng(0)
    simulation = Simulation(rows=512, cols=512, tides="resolved")
    scenes = [
        simulate_scene(simulation, seed=n, name="metrics", origin_xy_m=(0.0, 0.0), noise=0) for n in range(8)
    ]
    lines = [line_mask(scene.lines, scene.shape, scene.transform, "all_touched") > 0 for scene in scenes]
    truth, predicted = [], []
    while len(truth) < options.patches:
        whole = lines[generator.integers(len(lines))]
        row, col = generator.integers(512 - options.size_px, size=2)
        one = whole[row : row + options.size_px, col : col + options.size_px]
        off = shift(one.astype(np.uint8), generator.integers(-4, 5, size=2), order=0) > 0
        off[:, : generator.integers(1, options.size_px // 2)] = False
        broad = binary_dilation(off, np.ones((3, 3)))
        spots = binary_dilation(generator.random(one.shape) < 2e-5, np.ones((3, 9)))
        truth.append(one if generator.random() < 0.85 else np.zeros_like(one))
        predicted.append(broad | spots)
    return np.stack(truth), np.stack(predicted)


def monai_loop(truth: Masks, predicted: Masks) -> list[float]:
    """Score patch after patch with MONAI."""
    found = []
    for one, line in zip(predicted, truth, strict=True):
        ours, theirs = (torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (one, line))
        counts = get_confusion_matrix(ours, theirs)
        for name in ("f1 score", "precision", "recall"):
            compute_confusion_matrix_metric(name, counts)
        found.append(float(compute_hausdorff_distance(ours, theirs, include_background=True, percentile=95)))
        compute_surface_dice(ours, theirs, class_thresholds=[2.0], include_background=True)
    return found


def medpy_loop(truth: Masks, predicted: Masks) -> list[float]:
    """Score patch after patch with MedPy, which has no answer where a mask is empty."""
    found = []
    for one, line in zip(predicted, truth, strict=True):
        medpy_binary.dc(one, line)
        medpy_binary.precision(one, line)
        medpy_binary.recall(one, line)
        both = one.any() and line.any()
        found.append(float(medpy_binary.hd95(one, line)) if both else float("nan"))
    return found


def timed(run: Callable[[], object], repetitions: int) -> float:
    """Return the median time of a run."""
    taken_s = []
    for _ in range(repetitions):
        begun = time.perf_counter()
        run()
        taken_s.append(time.perf_counter() - begun)
    return statistics.median(taken_s)


def main(options: Options) -> None:
    """Time all three, and compare their Hausdorff distances."""
    torch.set_num_threads(1)
    truth, predicted = made(options)
    shape = (len(truth), 2, options.size_px, options.size_px)
    image = np.broadcast_to(np.float32(1), shape)
    patches = PatchArrays(image, truth.astype(np.uint8), 100.0, 1.0)
    held_out = HeldOut(patches, 200.0, 0)
    probability = predicted.astype(np.float32)
    package_s = timed(lambda: held_out.score(probability, 0.5), options.repetitions)
    table = Table("", "s", "times the package's", "largest difference of HD95, px")
    table.add_row("package, all figures", f"{package_s:.2f}", "1.0", "")
    both = predicted.any(axis=(1, 2)) & truth.any(axis=(1, 2))
    for name, loop, own in (
        ("MONAI", monai_loop, MaskPairs.hd95),
        ("MedPy", medpy_loop, MaskPairs.hd95_union),
    ):
        taken_s = timed(lambda loop=loop: loop(truth, predicted), 1)
        theirs = np.array(loop(truth[both][:100], predicted[both][:100]))
        ours = own(MaskPairs(predicted[both][:100], truth[both][:100], IOU_TOLERANCE_PX))
        difference = np.abs(theirs - ours).max()
        table.add_row(f"{name} loop", f"{taken_s:.2f}", f"{taken_s / package_s:.1f}", f"{difference:.1e}")
        add(
            [Measured("all figures of 1,000 patches", f"{name}'s loop", taken_s / package_s, at_least=20)],
            options.measured,
        )
    Console(width=100).print(table)
    print(
        f"{options.patches} patches of {options.size_px} px; torch {version('torch')}, "
        f"monai {version('monai')}, medpy {version('medpy')}, {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main(tyro.cli(Options))
