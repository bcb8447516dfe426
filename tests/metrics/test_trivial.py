"""What a network must beat before it is called good."""

from hypothesis import given
from hypothesis import strategies as st
from made_artifacts import baseline_row, patch_metrics, study_table

from glsweep.metrics.counts import best_trivial, is_better_than_trivial

shares = st.floats(0, 1)


def test_the_phase_gradient_is_no_trivial_predictor() -> None:
    rows = [baseline_row("all_line", 64, 0.2), baseline_row("phase_gradient", 64, 0.9)]
    best = best_trivial(study_table(*rows), 64)
    assert best is not None
    assert (best.kind, best.relaxed_f1) == ("all_line", 0.2)


@given(shares, shares, shares, shares)
def test_a_network_is_good_only_above_all_that_needs_no_training(
    own: float, everything: float, nothing: float, untrained: float
) -> None:
    kinds = {"all_line": everything, "no_line": nothing, "untrained": untrained}
    table = study_table(*(baseline_row(kind, 64, value) for kind, value in kinds.items()))
    assert is_better_than_trivial(patch_metrics(own), best_trivial(table, 64)) == (own > max(kinds.values()))


def test_other_patch_sizes_are_other_test_patches() -> None:
    table = study_table(
        baseline_row("all_line", 128, 0.9), baseline_row("all_line", 64, 0.2), baseline_row("no_line", 64, 0)
    )
    best = best_trivial(table, 64)
    assert best is not None
    assert (best.title, best.relaxed_f1, best.words) == ("all-line 64", 0.2, "drawing everything")
    assert best_trivial(table, 256) is None


def test_another_analyst_is_no_trivial_predictor() -> None:
    analyst = baseline_row("second_analyst", 64, 0.9)
    assert best_trivial(study_table(analyst), 64) is None
    best = best_trivial(study_table(analyst, baseline_row("all_line", 64, 0.2)), 64)
    assert best is not None
    assert best.kind == "all_line"


def test_nobody_is_good_where_no_patch_holds_a_line() -> None:
    right = patch_metrics(1.0, patches_with_line=0)
    for table in (study_table(), study_table(baseline_row("all_line", 64, 0.0))):
        assert not is_better_than_trivial(right, best_trivial(table, 64))
