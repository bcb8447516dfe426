"""What the page says of the same networks on several data sets."""

import pytest
from made_artifacts import data_set_row, network_row
from synthetic_data_sets import add_data_set

from glsweep.config.trial import Stratum
from glsweep.report.page import write_report
from glsweep.report.results import read_results
from glsweep.report.scene_tables import data_set_tables, explain, standardised_recall
from glsweep.study.evaluation_artifacts import PatchFacts


def row(**changes):
    """A network's figures on one data set, by default with as much line in every class."""
    classes = changes.pop("classes", [(100, 0.5), (100, 0.5), (100, 0.5)])
    values = {
        "relaxed_precision": 0.6,
        "relaxed_recall": 0.6,
        "best_tau": 0.5,
        "best_relaxed_f1": 0.62,
        "recall_by_coherence": [{"line_px": count, "recall": recall} for count, recall in classes],
        **changes,
    }
    return data_set_row(network_row(Stratum("unet", 64), 0.6), values.pop("data_set", "sim"), **values)


STRATA = (Stratum("unet", 128), Stratum("unetpp", 128))
FACTS = PatchFacts(
    patches_with_line=7,
    patches_without_line=1,
    valid_share=1,
    line_share=0.01,
    coherence=0.4,
    line_coherence=0.3,
)


def test_a_study_of_one_data_set_has_no_such_section(reported):
    assert data_set_tables(read_results(reported)) == []
    assert 'id="data-sets"' not in reported.report_html.read_text()


def test_figures_of_each_data_set_stand_side_by_side_with_their_difference_explained(make_study):
    study = add_data_set(make_study("two", strata=STRATA, repeats=1))
    write_report(study)
    page = study.report_html.read_text()
    assert 'id="data-sets"' in page
    assert "test alone" in page
    tables = data_set_tables(read_results(study))
    for table in tables:
        networks = [found for found in table.rows if found.kind == "network"]
        assert [found.data_set for found in networks] == ["sim", "getz"] * (len(networks) // 2)
        assert len(table.explanations) == len(networks) // 2
        assert all(text in page for text in table.explanations)
    assert (study.figures / "data-sets.png").stat().st_size > 10_000


def test_the_thresholds_part_of_a_difference_is_told():
    away = row(data_set="getz", relaxed_f1=0.4, best_relaxed_f1=0.47)
    assert "they differ by 0.150 instead of 0.200" in explain(row(), away, FACTS, FACTS)
    assert "no difference to explain" in explain(row(), row(data_set="getz"), FACTS, FACTS)


def test_noise_alone_explains_recall_that_is_equal_in_every_class():
    classes_here, classes_there = [(0, None), (50, 0.5), (50, 0.9)], [(50, 0.1), (50, 0.5), (0, 0.9)]
    assert standardised_recall(row(classes=classes_here), row(classes=classes_there)) == pytest.approx(0.7)


def test_recall_cannot_be_standardised_to_clear_ground_that_was_never_met():
    missing = row(classes=[(100, 0.2), (100, 0.4), (0, None)])
    assert standardised_recall(row(), missing) is None
    assert "Too little line" in explain(row(), missing.model_copy(update={"relaxed_f1": 0.3}), FACTS, FACTS)
