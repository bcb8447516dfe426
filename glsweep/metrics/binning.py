"""Which bin between thresholds a value lies in, by a look into a table in place of a binary search."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# Beyond so many cells a table would not stay in the cache of a core.
MOST_CELLS = 2**14


@dataclass(frozen=True)
class Bins:
    """Ascending edges, and equal cells of [0, 1] so narrow that none holds two different ones.

    Attributes
    ----------
    edges : float32 Tensor (T,)
    cells : int
        A power of two, so that times it no value is rounded. 0 where edges are too close for a table.
    below : int32 Tensor (cells + 1,)
        How many edges lie in the cells before each.
    within : int32 Tensor (cells + 1,)
        How many edges lie in each.
    edge : float32 Tensor (cells + 1,)
        Which one that is.
    """

    edges: Tensor
    cells: int
    below: Tensor
    within: Tensor
    edge: Tensor

    @classmethod
    def between(cls, edges: Tensor, device: torch.device) -> "Bins":
        """Build the table of ascending edges that lie on the CPU, and put it on `device`."""
        cells = _cells(edges)
        at = _cell(edges, cells)
        within = torch.bincount(at, minlength=cells + 1)
        below = within.cumsum(0) - within
        edge = torch.zeros(cells + 1).index_put_((at.long(),), edges)
        edges, *tables = (one.to(device) for one in (edges, below.int(), within.int(), edge))
        return cls(edges, cells, *tables)

    def find(self, values: Tensor) -> Tensor:
        """Return how many edges each of the float32 `values` reaches, int32, of the same shape."""
        if not self.cells:
            return torch.bucketize(values, self.edges, right=True, out_int32=True)
        flat = values.flatten()
        at = _cell(flat, self.cells)
        reached = self.edge.index_select(0, at) <= flat
        found = self.below.index_select(0, at).addcmul_(self.within.index_select(0, at), reached.int())
        return found.view(values.shape)


def _cells(edges: Tensor) -> int:
    """Return the least power of two that parts all different edges, or 0 if it is too large."""
    if bool(((edges < 0) | (edges > 1)).any()):
        return 0
    gaps = edges.unique_consecutive().diff()
    cells = 2 ** math.ceil(-math.log2(float(gaps.min()))) if len(gaps) else 1
    return cells if cells <= MOST_CELLS else 0


def _cell(values: Tensor, cells: int) -> Tensor:
    return (values.clamp(0, 1) * cells).int()
