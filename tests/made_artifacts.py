"""Files of a study as its stages would leave them, without running any."""

from glsweep.config.data_card import SPLITS
from glsweep.config.trial import Stratum, TrialParameters
from glsweep.study.artifacts import (
    CatalogueFindings,
    DataSummary,
    GroundProof,
    PatchCounts,
    SplitFindings,
    Winner,
)
from glsweep.study.evaluation_artifacts import BaselineRow, DataSetRow, HeldOutMetrics, NetworkRow, StudyTable

UNET = Stratum("unet", 32)


def winner(stratum: Stratum = UNET, **changes: object) -> Winner:
    """The best trial of a stratum."""
    parameters = {
        "architecture": stratum.architecture,
        "patch_size_px": stratum.patch_size_px,
        "fn_weight": 0.7,
        "fp_weight": 0.3,
        "gamma": 1.33,
        "bce_weight": 0.2,
        "learning_rate": 1e-3,
        "weight_decay": 1e-5,
        "batch_size": 4,
        "gradient_clip": 1.0,
        "channels": ("real", "imag"),
        "augmentation": (),
    }
    values = {
        "trial_id": "0000-abcdef01",
        "index": 0,
        "figure": "relaxed_f1",
        "value": 0.5,
        "replicates": 1,
        "spread": None,
        "epoch": 2,
        "seed": 7,
        "parameters": TrialParameters.model_validate(parameters),
    }
    return Winner.model_validate({**values, **changes})


def data_summary(*sizes_px: int) -> DataSummary:
    """What `prepare` found in no scene at all, with patches of some sizes."""
    counts = {split: PatchCounts(with_line=4, without_line=1) for split in SPLITS}
    return DataSummary(
        catalogue=CatalogueFindings(
            scenes=0,
            posting_m=100,
            line_rows=0,
            rows_without_geometry=0,
            rows_without_geometry_by_scene={},
            rows_without_scene={},
            remarks=(),
            scenes_without_row=(),
            scenes_without_line=(),
            scenes_with_lines_outside_only=(),
            scenes_without_position=(),
            by_scene={},
        ),
        left_out={},
        asked_rule="scene",
        split=SplitFindings(
            rule="scene",
            reason="",
            leak_proof=True,
            scenes=dict.fromkeys(SPLITS, ()),
            line_km=dict.fromkeys(SPLITS, 0.0),
        ),
        patches=dict.fromkeys(sizes_px, counts),
        too_small=dict.fromkeys(sizes_px, ()),
        overlap={size: dict.fromkeys(SPLITS, 0.0) for size in sizes_px},
        proof=GroundProof(pairs_checked=0),
    )


def patch_metrics(relaxed_f1: float = 0.5, **changes: object) -> HeldOutMetrics:
    """Metrics that rise with the relaxed F1."""
    values: dict[str, object] = dict.fromkeys(HeldOutMetrics.model_fields, 0.9 * relaxed_f1)
    counts = {"empty_predictions": 1, "patches_with_line": 63, "patches_without_line": 15}
    low, high = 0.9 * relaxed_f1, min(1.0, 1.1 * relaxed_f1)
    interval = {"relaxed_f1_low": low, "relaxed_f1_high": high, "interval_over": "scenes"}
    return HeldOutMetrics.model_validate(
        {**values, "relaxed_f1": relaxed_f1, **counts, **interval, **changes}
    )


def network_row(stratum: Stratum, relaxed_f1: float = 0.5, **changes: object) -> NetworkRow:
    """The table's row of a member."""
    values = {
        "stratum": stratum.key,
        "title": stratum.title,
        "kind": "network",
        "architecture": stratum.architecture,
        "patch_size_px": stratum.patch_size_px,
        **patch_metrics(relaxed_f1).model_dump(),
        "tau": 0.5,
        "parameters": 68901,
    }
    return NetworkRow.model_validate({**values, **changes})


def baseline_row(kind: str, patch_size_px: int, relaxed_f1: float = 0.1, **changes: object) -> BaselineRow:
    """The table's row of what needs no training."""
    values = {
        "stratum": None,
        "title": f"{kind.replace('_', '-')} {patch_size_px}",
        "kind": kind,
        "architecture": None,
        "patch_size_px": patch_size_px,
        **patch_metrics(relaxed_f1).model_dump(),
        "tau": None,
        "parameters": 0,
    }
    return BaselineRow.model_validate({**values, **changes})


def data_set_row(row: NetworkRow | BaselineRow, data_set: str, **changes: object) -> DataSetRow:
    """The same predictor's row on one data set."""
    shared = row.model_dump(exclude={"tau", "parameters"})
    apart = {"relaxed_precision": 0.5, "relaxed_recall": 0.5, "best_tau": 0.4, "best_relaxed_f1": 0.6}
    classes = [{"line_px": 100, "recall": 0.5}] * 3
    return DataSetRow.model_validate(
        {**shared, "data_set": data_set, **apart, "recall_by_coherence": classes, **changes}
    )


def study_table(*rows: NetworkRow | BaselineRow, **changes: object) -> StudyTable:
    """The table of these rows."""
    values = {
        "tolerance_m": 200.0,
        "posting_m": 100.0,
        "rows": tuple(row for row in rows if isinstance(row, NetworkRow)),
        "baselines": tuple(row for row in rows if isinstance(row, BaselineRow)),
        "failed": (),
        "data_sets": (),
        "by_data_set": (),
    }
    return StudyTable.model_validate({**values, **changes})
