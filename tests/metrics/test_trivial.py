"""What a network must beat before it is called good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glsweep.metrics.counts import best_trivial, is_better_than_trivial

shares = st.floats(0, 1)


def baseline(kind: str, relaxed_f1: float | None, size: int = 64) -> dict[str, object]:
    return {"kind": kind, "title": f"{kind} {size}", "relaxed_f1": relaxed_f1, "patch_size_px": size}


@given(shares, shares, shares, shares)
def test_a_network_is_good_only_above_all_that_needs_no_training(
    own: float, everything: float, nothing: float, untrained: float
) -> None:
    kinds = {"all_line": everything, "no_line": nothing, "untrained": untrained}
    table = {"baselines": [baseline(*pair) for pair in kinds.items()]}
    row = {"relaxed_f1": own, "patches_with_line": 3}
    assert is_better_than_trivial(row, best_trivial(table, 64)) == (own > max(kinds.values()))


def test_other_patch_sizes_are_other_test_patches() -> None:
    table = {
        "baselines": [baseline("all_line", 0.9, 128), baseline("all_line", 0.2), baseline("no_line", 0.0)]
    }
    best = best_trivial(table, 64)
    assert best is not None
    assert (best.title, best.relaxed_f1, best.words) == ("all_line 64", 0.2, "drawing everything")
    assert best_trivial(table, 256) is None


@pytest.mark.parametrize("row", [{"relaxed_f1": None}, {"relaxed_f1": 1.0, "patches_with_line": 0}])
def test_nobody_is_good_where_no_patch_holds_a_line(row: dict[str, object]) -> None:
    assert not is_better_than_trivial(row, best_trivial({"baselines": [baseline("all_line", None)]}, 64))
