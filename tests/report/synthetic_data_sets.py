"""Figures of the same networks on a second data set, as the stage `evaluate` would leave them."""

from made_artifacts import data_set_row

from glsweep.study import Study
from glsweep.study.artifacts import read_artifact, write_artifact
from glsweep.study.evaluation_artifacts import BaselineRow, DataSetFacts, DataSetRow, NetworkRow, StudyTable


def add_data_set(study: Study, *, fall: float = 0.2) -> Study:
    """Let every network of a synthetic study score `fall` less on a data set for test alone."""
    table = read_artifact(study.table_json, StudyTable)
    sizes = sorted({row.patch_size_px for row in table.rows})
    data_sets = tuple(_facts(name, size) for size in sizes for name in ("sim", "getz"))
    by_data_set = tuple(
        _row(row, name, fall * (name == "getz") * (row.kind == "network"))
        for row in (*table.rows, *table.baselines)
        for name in ("sim", "getz")
    )
    apart = {"data_sets": data_sets, "by_data_set": by_data_set}
    write_artifact(study.table_json, table.model_copy(update=apart))
    return study


def _facts(name: str, size: int) -> DataSetFacts:
    away = name == "getz"
    return DataSetFacts(
        data_set=name,
        patch_size_px=size,
        test_only=away,
        patches_with_line=63,
        patches_without_line=15,
        valid_share=0.93,
        line_share=0.009,
        coherence=0.55 if away else 0.4,
        line_coherence=0.3 if away else 0.2,
    )


def _row(row: NetworkRow | BaselineRow, name: str, fall: float) -> DataSetRow:
    quality = max(0.0, row.relaxed_f1 - fall)
    classes = [(300, 0.5 * quality), (500, quality), (200, min(1.0, 1.2 * quality))]
    return data_set_row(
        row,
        name,
        relaxed_f1=quality,
        relaxed_f1_low=0.9 * quality,
        relaxed_f1_high=min(1.0, 1.1 * quality),
        relaxed_precision=quality,
        relaxed_recall=quality,
        dice=0.5 * quality,
        bf=0.9 * quality,
        best_relaxed_f1=quality + 0.05,
        recall_by_coherence=[{"line_px": count, "recall": recall} for count, recall in classes],
    )
