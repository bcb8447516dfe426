"""Bins found in a table against a binary search."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from glsweep.metrics.thresholds import MOST_CELLS, Bins

CPU = torch.device("cpu")
NUMBERS = st.one_of(
    st.floats(-0.5, 1.5, width=32),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(0, 100).map(lambda n: n / 100),
)


def rows(most):
    return hnp.arrays(np.float32, st.integers(1, most), elements=NUMBERS.map(lambda n: float(np.float32(n))))


@settings(max_examples=300, deadline=None)
@given(edges=rows(12), values=rows(40))
def test_values_fall_into_the_bins_of_a_binary_search(edges, values):
    edges = torch.from_numpy(np.sort(edges))
    # Edges, and the numbers just beside them, are where a table could go wrong.
    beside = [torch.nextafter(edges, torch.tensor(way)) for way in (-torch.inf, torch.inf)]
    values = torch.cat([torch.from_numpy(values), edges, *beside, torch.tensor([-torch.inf, torch.inf])])
    found = Bins.between(edges, CPU).find(values)
    assert found.dtype == torch.int32
    assert torch.equal(found, torch.bucketize(values, edges, right=True, out_int32=True))


@pytest.mark.parametrize("count", [1, 2, 17, 49, 99])
def test_thresholds_at_equal_distances_have_a_table(count):
    edges = torch.linspace(0.01, 0.99, count)
    bins = Bins.between(edges, CPU)
    assert 0 < bins.cells <= 256
    assert bins.within.max() == 1


def test_edges_that_are_too_close_or_outside_are_searched_for():
    close = torch.tensor([0.5, 0.5 + 0.5 / MOST_CELLS])
    for edges in (close, torch.tensor([-0.1, 0.5]), torch.tensor([0.5, 1.1])):
        assert Bins.between(edges, CPU).cells == 0
