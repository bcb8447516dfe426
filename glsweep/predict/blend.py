"""A scene's probability from overlapping windows, finished strip by strip."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glsweep.predict.network import Member, member_probability
from glsweep.predict.windows import blending_weight, starts, stride_of

BATCH_WINDOWS = 8

Read = Callable[[int, int], npt.NDArray[np.complex64]]


class Strip(NamedTuple):
    """Finished rows of a scene.

    Attributes
    ----------
    row : int
        The first of them.
    probability : float32 array (members, rows, cols)
        0 where there is no data.
    interferogram : complex64 array (rows, cols)
        What was predicted from; 0 where there is no data.
    """

    row: int
    probability: npt.NDArray[np.float32]
    interferogram: npt.NDArray[np.complex64]


def predict_strips(
    read_rows: Read,
    shape: tuple[int, int],
    members: Sequence[Member],
    *,
    window_px: int,
    overlap: float,
    turned: bool,
    device: torch.device,
) -> Iterator[Strip]:
    """Predict a scene; no more is held than two rows of windows.

    Windows are blended on the device, which is asked for nothing but finished rows.

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

    Yields
    ------
    Strip
        From the top down, each row once.
    """
    rows, cols = shape
    stride_px = stride_of(window_px, overlap)
    tops, lefts = starts(rows, window_px, stride_px), starts(cols, window_px, stride_px)
    width = lefts[-1] + window_px
    weight = torch.from_numpy(blending_weight(window_px)).to(device)
    total = torch.zeros(len(members), window_px, width, device=device)
    weights = torch.zeros(window_px, width, device=device)
    before: _Pending | None = None
    for top, following in zip(tops, [*tops[1:], rows], strict=True):
        band = np.zeros((window_px, width), np.complex64)
        height = min(window_px, rows - top)
        band[:height, :cols] = read_rows(top, height)
        for left in lefts:
            weights[:, left : left + window_px] += weight
        for left, found in _windows(band, lefts, window_px, members, turned=turned, device=device):
            total[:, :, left : left + window_px] += found * weight
        # What the next row of windows does not reach is finished.
        done = min(following - top, window_px)
        kept = min(done, rows - top)
        probability = (total[:, :kept] / weights[:kept])[:, :, :cols]
        # A device may still be at work on it: meanwhile the row before it is written, the next one read.
        if before is not None:
            yield before.finished()
        before = _Pending(top, probability, band[:kept, :cols])
        total = torch.cat([total[:, done:], torch.zeros_like(total[:, :done])], dim=1)
        weights = torch.cat([weights[done:], torch.zeros_like(weights[:done])])
    if before is not None:
        yield before.finished()


class _Pending(NamedTuple):
    """A strip whose probability may not be there yet."""

    row: int
    probability: Tensor
    interferogram: npt.NDArray[np.complex64]

    def finished(self) -> Strip:
        """Wait for the device."""
        return Strip(self.row, self.probability.cpu().numpy(), self.interferogram)


def _windows(
    band: npt.NDArray[np.complex64],
    lefts: Sequence[int],
    window_px: int,
    members: Sequence[Member],
    *,
    turned: bool,
    device: torch.device,
) -> Iterator[tuple[int, Tensor]]:
    """Yield the left column and the members' probability, (members, S, S), of each window with data."""
    filled = [left for left in lefts if band[:, left : left + window_px].any()]
    for first in range(0, len(filled), BATCH_WINDOWS):
        batch = filled[first : first + BATCH_WINDOWS]
        windows = np.stack([band[:, left : left + window_px] for left in batch])
        image = torch.from_numpy(np.stack([windows.real, windows.imag], axis=1)).to(device)
        found = member_probability(members, image, turned=turned)
        yield from zip(batch, found.unbind(dim=1), strict=True)
