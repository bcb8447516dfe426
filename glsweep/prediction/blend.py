"""A scene's probability: members over overlapping windows, blended and finished strip by strip."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from affine import Affine
from torch import Tensor, nn

from glsweep.config.trial import FilterName
from glsweep.errors import ConfigError, DataError
from glsweep.nets.ensemble import Ensemble, networks_of
from glsweep.nets.filters import filtered
from glsweep.nets.member import ModelCard, line_probability, load_member, network_probabilities, weights_hash
from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.resample import Interferogram, multilook
from glsweep.scenes.scene import row_strips
from glsweep.scenes.source import Window
from glsweep.tracking.registry import fetched_member

GRID_PX = 16
"""Networks halve the resolution four times: windows that start on this grid are halved alike."""
LEAST_WEIGHT = 1e-3


def window_starts(length_px: int, window_px: int, stride_px: int) -> list[int]:
    """Return where windows begin along an axis, so that each pixel lies in one at least.

    All begin on a grid of `GRID_PX`; the last may reach beyond the axis' end, by less than that.

    Parameters
    ----------
    length_px : int
        Length of the axis.
    window_px, stride_px : int
        Side of a window, and from one to the next; multiples of `GRID_PX`.
    """
    last = max(0, -(-(length_px - window_px) // GRID_PX) * GRID_PX)
    return [*range(0, last, stride_px), last]


def stride_of(window_px: int, overlap: float) -> int:
    """Return the step between windows that share `overlap` of their side, on the grid."""
    return max(GRID_PX, round(window_px * (1 - overlap) / GRID_PX) * GRID_PX)


def blending_weight(window_px: int) -> npt.NDArray[np.float32]:
    """Return how much each pixel of a window counts, (window_px, window_px).

    A raised cosine in both axes: 1 at the centre, nearly 0 at the border, where a network sees
    least around a pixel. Windows half a side apart add up to the same weight everywhere.
    """
    at = (np.arange(window_px) + 0.5) / window_px
    side = np.maximum(np.sin(np.pi * at) ** 2, LEAST_WEIGHT)
    return np.outer(side, side).astype(np.float32)


# --- The probabilities of several members


@dataclass(frozen=True)
class Member:
    """A trained network and what must be known of it.

    Attributes
    ----------
    name : str
        As the user named it.
    network : nn.Module
        In evaluation mode, on the device on which it is to predict.
    card : ModelCard
        Its channels, normalisation, posting, wavelength and threshold.
    weights_hash : str
        Of the file of its weights; empty where it is from none.
    """

    name: str
    network: nn.Module
    card: ModelCard
    weights_hash: str = ""

    def probabilities(self, image: Tensor, *, each_network: bool) -> Tensor:
        """Return its probability and, of several networks, those of each: (1 or more, B, S, S)."""
        if each_network and isinstance(self.network, Ensemble):
            return network_probabilities(self.network, self.card, image)
        return line_probability(self.network, self.card, image)[None]

    @property
    def bands(self) -> int:
        """How many probabilities it has with those of each network."""
        networks = networks_of(self.network)
        return 1 if len(networks) == 1 else 1 + len(networks)


@torch.inference_mode()
def member_probability(
    members: Sequence[Member],
    image: Tensor,
    *,
    turned: bool,
    filters: Sequence[FilterName] = ("raw",),
    each_network: bool = False,
) -> Tensor:
    """Return each member's probability for a batch of windows.

    Parameters
    ----------
    members : sequence of Member
        All on the image's device.
    image : Tensor (B, 2, S, S)
        Real and imaginary part; both 0 where there is no data.
    turned : bool
        Whether to average over the eight flips and quarter turns (test-time augmentation): a line
        stays one however a scene is turned.
    filters : sequence of str
        What the mean is taken over: the image as it is (raw), or filtered.
    each_network : bool
        Whether a member of several networks is followed by each of them.

    Returns
    -------
    Tensor (members, B, S, S)
        float32 on the image's device; 0 where there is no data.
    """
    ways = [(turns, flipped) for turns in range(4) for flipped in (False, True)] if turned else [(0, False)]
    bands = count_bands(members, each_network=each_network)
    total = torch.zeros((bands, len(image), *image.shape[-2:]), device=image.device)
    for name in filters:
        smooth = filtered(image, name)
        for turns, flipped in ways:
            way = torch.rot90(smooth.flip(-1) if flipped else smooth, turns, (-2, -1))
            band = 0
            for member in members:
                probability = member.probabilities(way, each_network=each_network)
                back = torch.rot90(probability, -turns, (-2, -1))
                total[band : band + len(back)] += back.flip(-1) if flipped else back
                band += len(back)
    return total / (len(ways) * len(filters))


def count_bands(members: Sequence[Member], *, each_network: bool) -> int:
    """Return how many probabilities `member_probability` gives."""
    return sum(member.bands if each_network else 1 for member in members)


# --- Opening members that go together

EMBEDDED = Path(__file__).with_name("embedded")
"""A network that knows simulated scenes alone; see docs/network.md."""
IN_PACKAGE = {"phase-gradient": Path(__file__).with_name("phase_gradient")}
"""Members that `--model` names by a word: the line drawn without learning."""
READ_PX = 2**20
"""Pixels of a scene that are read at once."""
SAME = 1e-3
"""Relative difference up to which two postings or wavelengths are the same."""


def open_members(names: Sequence[str], device: torch.device) -> list[Member]:
    """Load members from folders, from MLflow's model registry (`models:/NAME@ALIAS`), or from the package.

    Raises
    ------
    StudyError
        When one cannot be found or read.
    ConfigError
        When one has no threshold, or two are for other postings or wavelengths.
    """
    members = []
    for name in names:
        with ExitStack() as stack:
            registered = name.startswith("models:")
            named = IN_PACKAGE.get(name, Path(name))
            folder = stack.enter_context(fetched_member(name)) if registered else named
            network, card = load_member(folder)
            digits = weights_hash(folder)
        if card.tau is None:
            raise ConfigError(f"{name}: has no threshold yet; run the stage `calibrate`")
        members.append(Member(name, network.to(device), card, digits))
    first = members[0]
    for other in members[1:]:
        for what, one, two, unit in (
            ("posting", first.card.posting_m, other.card.posting_m, "m"),
            ("wavelength", first.card.wavelength_m, other.card.wavelength_m, "m"),
        ):
            if not math.isclose(one, two, rel_tol=SAME):
                raise ConfigError(
                    f"{other.name}: is for a {what} of {two:g} {unit}, {first.name} for {one:g} {unit}; "
                    "predict with each by itself"
                )
    return members


def common_tau(members: Sequence[Member]) -> float:
    """Return the mean of the members' thresholds, which suits the mean of their probabilities."""
    taus = [member.card.tau for member in members if member.card.tau is not None]
    return sum(taus) / len(taus)


def choose_device(name: str | None) -> torch.device:
    """Return the named device, or a GPU if there is one.

    Raises
    ------
    ConfigError
        When it is unknown or not there.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"--device {name}: cannot be used ({reason}); leave it out or say cpu") from error
    return device


# --- A scene at the members' posting


@dataclass(frozen=True)
class SceneInput:
    """A scene, averaged to the posting that the networks were trained at.

    Attributes
    ----------
    header : RasterHeader
        The raster.
    looks : int
        Pixels of the raster, in each axis, to one of this.
    """

    header: RasterHeader
    looks: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns after averaging; what is left of an incomplete pixel is dropped."""
        rows, cols = self.header.shape
        return rows // self.looks, cols // self.looks

    @property
    def transform(self) -> Affine:
        """From (col, row) pixel corners to map coordinates."""
        return self.header.transform @ Affine.scale(self.looks)

    def read_rows(self, row: int, rows: int) -> Interferogram:
        """Read whole rows, (rows, cols); 0 where there is no data."""
        n, cols = self.looks, self.shape[1]
        found = np.empty((rows, cols), np.complex64)
        # What reading holds besides is several times what is read.
        for strip in row_strips(rows, cols * n**2, most_px=READ_PX):
            values = self.header.read(Window((row + strip.row) * n, 0, strip.rows * n, cols * n))
            found[strip.row : strip.row + strip.rows] = values if n == 1 else multilook(values, n)
        return found


def fit_to(header: RasterHeader, members: list[Member]) -> SceneInput:
    """Return the scene at the members' posting.

    Raises
    ------
    DataError
        When its posting is neither theirs nor a whole part of it, or it has no place on a map.
    """
    wanted_m = members[0].card.posting_m
    looks = round(wanted_m / header.posting_m)
    if looks < 1 or not math.isclose(looks * header.posting_m, wanted_m, rel_tol=SAME):
        raise DataError(
            f"{header.path}: its posting is {header.posting_m:g} m, and {members[0].name} was trained at "
            f"{wanted_m:g} m; give a scene at that posting or at a whole part of it, or train at this one"
        )
    if min(header.shape) < looks:
        raise DataError(f"{header.path}: is smaller than one pixel of {wanted_m:g} m; give a larger scene")
    return SceneInput(header, looks)


# --- A scene's probability from overlapping windows, finished strip by strip

BATCH_WINDOWS = 8

ReadRows = Callable[[int, int], npt.NDArray[np.complex64]]


class ProbabilityStrip(NamedTuple):
    """Finished rows of a scene.

    Attributes
    ----------
    row : int
        The first of them.
    probability : float32 array (members, rows, cols)
        As `member_probability` has them; 0 where there is no data.
    interferogram : complex64 array (rows, cols)
        What was predicted from; 0 where there is no data.
    """

    row: int
    probability: npt.NDArray[np.float32]
    interferogram: npt.NDArray[np.complex64]


def predict_strips(
    read_rows: ReadRows,
    shape: tuple[int, int],
    members: Sequence[Member],
    *,
    window_px: int,
    overlap: float,
    turned: bool,
    device: torch.device,
    filters: Sequence[FilterName] = ("raw",),
    each_network: bool = False,
) -> Iterator[ProbabilityStrip]:
    """Predict a scene; no more is held than two rows of windows.

    Windows are blended on the device; only finished rows are copied from it.

    Parameters
    ----------
    read_rows : callable
        Given a first row and a number of rows, returns them as complex64 (rows, cols).
    shape : tuple of int
        The scene's rows and columns.
    members : sequence of Member
        On `device`.
    window_px : int
        Side of a window, a multiple of 16.
    overlap : float
        Share of its side that a window has in common with the next.
    turned : bool
        Whether to average over flips and quarter turns.
    device : torch.device
        Where the networks are.
    filters, each_network
        See `member_probability`.

    Yields
    ------
    ProbabilityStrip
        From the top down, each row once.
    """
    rows, cols = shape
    stride_px = stride_of(window_px, overlap)
    tops, lefts = window_starts(rows, window_px, stride_px), window_starts(cols, window_px, stride_px)
    width = lefts[-1] + window_px
    weight = torch.from_numpy(blending_weight(window_px)).to(device)
    band = np.zeros((window_px, width), np.complex64)
    bands = count_bands(members, each_network=each_network)
    total = torch.zeros(bands, window_px, width, device=device)
    weights = torch.zeros(window_px, width, device=device)
    pending: _Pending | None = None
    predict = partial(member_probability, members, turned=turned, filters=filters, each_network=each_network)
    for top, following in zip(tops, [*tops[1:], rows], strict=True):
        height = min(window_px, rows - top)
        band[:height, :cols] = read_rows(top, height)
        band[height:] = 0
        for left in lefts:
            weights[:, left : left + window_px] += weight
        for left, found in _windows(band, lefts, window_px, predict, device):
            total[:, :, left : left + window_px] += found * weight
        # What the next row of windows does not reach is finished.
        done = min(following - top, window_px)
        kept = min(done, rows - top)
        probability = (total[:, :kept] / weights[:kept])[:, :, :cols]
        # A device may still be at work on it: meanwhile the row before it is written, the next one read.
        if pending is not None:
            yield pending.finished()
        pending = _Pending(top, probability, band[:kept, :cols].copy())
        total = torch.cat([total[:, done:], torch.zeros_like(total[:, :done])], dim=1)
        weights = torch.cat([weights[done:], torch.zeros_like(weights[:done])])
    if pending is not None:
        yield pending.finished()


class _Pending(NamedTuple):
    """A strip whose probability may not be there yet."""

    row: int
    probability: Tensor
    interferogram: npt.NDArray[np.complex64]

    def finished(self) -> ProbabilityStrip:
        """Wait for the device."""
        return ProbabilityStrip(self.row, self.probability.cpu().numpy(), self.interferogram)


def _windows(
    band: npt.NDArray[np.complex64],
    lefts: Sequence[int],
    window_px: int,
    predict: Callable[[Tensor], Tensor],
    device: torch.device,
) -> Iterator[tuple[int, Tensor]]:
    """Yield the left column and the members' probability, (members, S, S), of each window with data."""
    filled = [left for left in lefts if band[:, left : left + window_px].any()]
    for first in range(0, len(filled), BATCH_WINDOWS):
        batch = filled[first : first + BATCH_WINDOWS]
        windows = np.stack([band[:, left : left + window_px] for left in batch])
        image = torch.from_numpy(np.stack([windows.real, windows.imag], axis=1)).to(device)
        yield from zip(batch, predict(image).unbind(dim=1), strict=True)
