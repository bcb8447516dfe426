"""Networks and scenes whose lines are known."""

import numpy as np
import rasterio
import torch
from affine import Affine
from rasterio.crs import CRS
from shapely import LineString
from torch import nn

from glsweep.nets import build_network
from glsweep.nets.member import ModelCard, save_member
from glsweep.prediction.blend import Member
from glsweep.scenes.masks import line_mask

POLAR = CRS.from_epsg(3031)
NORTH_UP = Affine(100, 0, -1_000_000, 0, -100, 500_000)


def card(**changes):
    values = {
        "architecture": "unet",
        "patch_size_px": 64,
        "base_width": 4,
        "channels": ("cos", "sin"),
        "amplitude_scale": 1.0,
        "posting_m": 100.0,
        "wavelength_m": 0.0555,
        "tau": 0.5,
        "data_card_hash": "",
        "seed": 0,
        "trial_id": "",
        "parameters": {},
        "best_epoch": 0,
        "figures": {},
        "glsweep_version": "",
    }
    return ModelCard.model_validate({**values, **changes})


class SeesOppositePhase(nn.Module):
    """Sure of a line where the phase is pi, and of none where it is 0."""

    def forward(self, image):
        return [-8 * image[:, :1]]


def seeing_member(**changes):
    return Member("seeing", SeesOppositePhase(), card(**changes))


def member_folder(folder, seed=0, **changes):
    """A real network that has learnt nothing."""
    made = card(seed=seed, **changes)
    network = build_network("unet", in_channels=len(made.channels), base_width=4, seed=seed)
    folder.mkdir(parents=True)
    save_member(folder, network, made)
    return folder


def seeing_member_folder(folder, **changes):
    """A real network whose weights were set so that it sees what `SeesOppositePhase` sees."""
    made = card(**changes)
    network = build_network("unet", in_channels=len(made.channels), base_width=4, seed=0)
    with torch.no_grad():
        for values in network.parameters():
            if values.ndim > 1:
                values.zero_()
        first, last = network.encoder[0], network.decoder[-1].conv
        first[0].weight[0, 0, 1, 1] = -1
        # Two channels come from below, then those of the skip.
        for weight, channel in ((first[3].weight, 0), (last[0].weight, 2), (last[3].weight, 0)):
            weight[0, channel, 1, 1] = 1
        network.head.weight[0, 0] = 16
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.bias.zero_()
        network.head.bias.fill_(-8)
    folder.mkdir(parents=True)
    save_member(folder, network, made)
    return folder


def scene_lines(shape, transform):
    """A long line that leaves the scene on one side, and an island."""
    rows, cols = shape
    long = [(0, 0.2 * rows), (0.3 * cols, 0.35 * rows), (0.6 * cols, 0.3 * rows), (0.9 * cols, 0.8 * rows)]
    angle = np.linspace(0, 2 * np.pi, 60)
    ring = np.column_stack([0.25 * cols + 12 * np.cos(angle), 0.75 * rows + 12 * np.sin(angle)])
    ring[-1] = ring[0]
    return [LineString([transform @ tuple(point) for point in points]) for points in (long, ring)]


NAMES = {"real_imaginary": ("real", "imaginary"), "complex": ("interferogram",), "wrapped_phase": ("phase",)}


def write_bands(path, bands, transform, crs, nodata=None, names=()):
    """Write bands, (count, rows, cols), as they are."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=bands.shape[1],
        width=bands.shape[2],
        count=len(bands),
        dtype=bands.dtype,
        crs=crs,
        transform=transform,
        nodata=nodata,
    ) as dataset:
        dataset.write(bands)
        if names:
            dataset.descriptions = names
    return path


def write_scene(
    path, lines, shape=(150, 210), transform=NORTH_UP, crs=POLAR, kind="real_imaginary", strength=1
):
    """Phase pi on the lines, with that magnitude, else 0, with a little noise; a corner without data."""
    on_line = line_mask(lines, shape, transform, "all_touched") > 0
    noise_rad = np.random.default_rng(0).normal(0, 0.01, shape)
    values = (np.where(on_line, -strength, 1) * np.exp(1j * noise_rad)).astype(np.complex64)
    values[-20:, -30:] = 0
    phase = np.where(values == 0, np.nan, np.angle(values)).astype(np.float32)
    bands = {
        "real_imaginary": np.stack([values.real, values.imag]),
        "complex": values[None],
        "wrapped_phase": phase[None],
    }[kind]
    return write_bands(
        path, bands, transform, crs, nodata=np.nan if kind == "wrapped_phase" else None, names=NAMES[kind]
    )
