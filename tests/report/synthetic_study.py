"""A finished study that no stage has run: every file that the report reads, made from formulas."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from made_artifacts import baseline_row, network_row, study_table
from synthetic_curves import add_curves
from synthetic_members import QUALITY, write_member
from synthetic_sweep import FTL, make_sweep

from glsweep.config.data_card import DataCard
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum
from glsweep.study import Study, create_study
from glsweep.study.artifacts import (
    DataSummary,
    StageSummary,
    ThresholdCurve,
    ThresholdCurves,
    Winners,
    write_artifact,
)
from glsweep.study.configuration import STAGES, StudyConfig
from glsweep.study.evaluation_artifacts import BaselineRow, NetworkRow, StudyTable
from glsweep.sweep.overview import SweepTerms
from glsweep.sweep.records import read_records

ALL_STRATA = tuple(Stratum(a, s) for s in (128, 256) for a in ("unet", "attention_unet", "unetpp"))
WEIGHTS = {"unet": 68901, "attention_unet": 69528, "unetpp": 9163140}
ASHA = {"name": "asha", "grace_epochs": 1, "reduction_factor": 3}
MEDIAN = {"name": "median", "grace_epochs": 2}
NONE = {"name": "none"}


def write_study(
    folder: Path,
    *,
    strata: tuple[Stratum, ...] = ALL_STRATA,
    title: str = "Eight scenes of the Getz Ice Shelf",
    rule: str = "scene",
    edge: bool = True,
    failures: bool = True,
    repeats: int = 4,
    rank_by: str = "relaxed_f1",
    scheduler: dict[str, Any] = ASHA,
    replicates: int = 1,
    epochs: int = 9,
    intervals: bool = True,
) -> Study:
    """Write all files of a study whose sweep had `repeats` trials of each loss setting."""
    rng = np.random.default_rng(5)
    search = {"rank_by": rank_by, "scheduler": scheduler, "replicates": replicates, "epochs": epochs}
    study = create_study(folder, _config(title, rule, search))
    write_artifact(study.data_json, _data(rule, sorted({s.patch_size_px for s in strata})))
    made = make_sweep(study.config.space.search, strata, rng, failures=failures, repeats=repeats)
    winners = made.winners(strata)
    study.sweep.mkdir()
    with study.trials_csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(made.rows[0]))
        writer.writeheader()
        writer.writerows(made.rows)
    study.ledger_jsonl.write_text("".join(event.model_dump_json() + "\n" for event in made.events))
    write_artifact(study.winners_json, Winners(by_stratum=winners))
    for stratum in strata:
        write_member(study, stratum, winners.get(stratum.key), rng)
    curves = {s.key: _calibration(s, edge) for s in strata}
    write_artifact(study.calibration_json, ThresholdCurves(by_stratum=curves))
    write_artifact(study.table_json, _table(strata, intervals))
    add_curves(study, strata)
    for stage in STAGES[:-1]:
        wall_s = {"simulate": 4.2, "sweep": 187.0, "retrain": 96.4}.get(stage, 9.9)
        study.finish(stage, wall_s=wall_s, summary=StageSummary())
    return study


def _config(title: str, rule: str, search: dict[str, Any]) -> StudyConfig:
    card = DataCard.model_validate(
        {
            "name": "getz",
            "title": title,
            "source": "MEaSUREs lines with simulated phase",
            "citation": "Mouginot, Scheuchl & Rignot 2017: MEaSUREs Antarctic Boundaries. NSIDC-0709 v2.",
            "simulation": {"scenes": 8},
            "split": {"rule": rule},
        }
    )
    space = SearchSpace.model_validate(
        {
            "name": "demo",
            "title": "Three architectures & a few losses",
            "dimensions": {
                "architecture": {"choices": ["unet", "attention_unet", "unetpp"]},
                "patch_size_px": {"choices": [128, 256]},
                "ftl": {
                    "choices": [list(map(float, values)) for values in FTL],
                    "keys": ["alpha", "beta", "gamma"],
                },
                "bce_weight": {"choices": [0.2, 0.35]},
                "ds_weights": {
                    "choices": [None, [0.1, 0.2, 0.3, 0.4]],
                    "labels": ["none", "ramp"],
                    "when": {"architecture": "unetpp"},
                },
                "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True, "grid": [1e-3]},
            },
            "fixed": {"weight_decay": 1e-5, "batch_size": 16, "channels": ["real", "imag"]},
            "patches": {
                "with_line": 400,
                "without_line": 100,
                "valid_share": 0.5,
                "box_px": 32,
                "box_coverage": 2048,
                "fresh_share": 0.3,
                "fresh_coverage": 2,
            },
            "search": {
                "sampler": "random",
                "budget": {"trials": 200},
                "tolerance_m": 200,
                **search,
            },
            "resources": {"cpus": 1, "gpus": 0.25},
            "retraining": {
                "epochs": 40,
                "patience": 12,
                "monitor": "relaxed_f1",
                "learning_rate": 1e-4,
                "weight_decay": 1e-5,
                "batch_size": 25,
                "gradient_clip": 1,
            },
            "calibration": {"lowest": 0.1, "highest": 0.9, "count": 17, "criterion": "dice"},
        }
    )
    return StudyConfig(name="demo-2-patch-sizes", seed=7, card=card, space=space)


def _data(rule: str, sizes: list[int]) -> DataSummary:
    names = [f"getz_{number:02d}_20080{number}14" for number in range(1, 9)]
    bare = names[4]
    drawn = [name for name in names if name != bare]
    scenes = {"train": drawn[:5], "val": drawn[5:6], "test": drawn[6:]}
    by_scene = {
        name: {
            "rows": 768,
            "cols": 768,
            "posting_m": 100.0,
            "crs": "EPSG:3031",
            "lines": 0 if name == bare else 2 + place % 3,
            "line_km": 0.0 if name == bare else 61.5 + 7 * place,
        }
        for place, name in enumerate(names)
    }
    data: dict[str, Any] = {
        "catalogue": {
            "scenes": len(names),
            "posting_m": 100.0,
            "line_rows": 27,
            "rows_without_geometry": 3,
            "rows_without_geometry_by_scene": {names[1]: 2, names[3]: 1},
            "rows_without_scene": {"getz_99_20081231": 1},
            "remarks": [],
            "scenes_without_position": [],
            "scenes_without_row": [bare],
            "scenes_without_line": [bare],
            "scenes_with_lines_outside_only": [],
            "by_scene": by_scene,
        },
        "left_out": {bare: "no row in the file of lines"},
        "asked_rule": rule,
        "split": {
            "rule": rule,
            "reason": "7 groups of scenes that share no ground",
            "leak_proof": rule != "patch",
            "scenes": dict.fromkeys(scenes, drawn) if rule == "patch" else scenes,
            "line_km": {"train": 401.0, "val": 88.0, "test": 95.0},
        },
        "patches": {
            str(size): {
                split: {"with_line": count, "without_line": count // 4}
                for split, count in (("train", 1280), ("val", 61), ("test", 63))
            }
            for size in sizes
        },
        "too_small": {str(size): [] for size in sizes},
        "overlap": {str(size): {} for size in sizes},
    }
    if rule == "patch":
        data["proof"] = {"leak": {str(size): {"val": 0.91, "test": 0.934} for size in sizes}}
    else:
        data["proof"] = {"pairs_checked": 171432}
    return DataSummary.model_validate(data)


def _calibration(stratum: Stratum, edge: bool) -> ThresholdCurve:
    thresholds = np.linspace(0.1, 0.9, 17)
    at_edge = edge and stratum == Stratum("unet", 128)
    centre = 1.0 if at_edge else {"attention_unet": 0.6, "unetpp": 0.75}.get(stratum.architecture, 0.55)
    values = 0.6 * QUALITY[stratum.architecture] * np.exp(-(((thresholds - centre) / 0.5) ** 2))
    best = int(values.argmax())
    return ThresholdCurve(
        criterion="dice",
        tau=float(thresholds[best]),
        on_grid_edge=best in (0, 16),
        thresholds=thresholds.tolist(),
        values=values.tolist(),
    )


def _table(strata: tuple[Stratum, ...], intervals: bool) -> StudyTable:
    rows: list[NetworkRow | BaselineRow] = []
    for stratum in strata:
        quality = QUALITY[stratum.architecture] + 0.02 * (stratum.patch_size_px == 256)
        rows.append(
            network_row(
                stratum,
                **_figures(quality, stratum.patch_size_px),
                tau=_calibration(stratum, edge=True).tau,
                relaxed_f1_low=quality - 0.06 if intervals else None,
                relaxed_f1_high=quality + 0.05 if intervals else None,
                parameters=WEIGHTS.get(stratum.architecture, 250_000),
            )
        )
    for size in sorted({s.patch_size_px for s in strata}):
        kinds = [("all_line", None, 0.11), ("no_line", None, 0.0), ("phase_gradient", None, 0.3)]
        kinds += [("untrained", s, 0.12) for s in strata if s.patch_size_px == size]
        for kind, stratum, quality in kinds:
            row = baseline_row(kind, size, **_figures(quality, size))
            if stratum:
                network = {"stratum": stratum.key, "architecture": stratum.architecture, "tau": 0.5}
                told = {
                    "title": f"untrained {stratum.title}",
                    "parameters": WEIGHTS.get(stratum.architecture, 250_000),
                }
                row = row.model_copy(update={**network, **told})
            rows.append(row)
    return study_table(*rows)


def _figures(quality: float, size: int) -> dict[str, float]:
    return {
        "relaxed_f1": quality,
        "dice": 0.5 * quality,
        "precision": 0.55 * quality,
        "recall": 0.6 * quality,
        "bf": 0.9 * quality,
        "iou_tol2": 0.75 * quality,
        "hd95_px": (1 - quality) * 0.6 * size,
        **{f"{name}_with_line": 0.9 * quality for name in ("dice", "precision", "recall", "bf")},
        "hd95_px_with_line": (1 - quality) * 0.7 * size,
        "empty_with_line": 0.5 * (1 - quality),
        "empty_without_line": quality,
        **{f"{name}_micro": 0.45 * quality for name in ("dice", "precision", "recall")},
        "bf_100": 0.7 * quality,
        "bf_500": quality,
        "iou_tol2_literal": 0.3 * quality,
        "hd95_union_px": (1 - quality) * 0.3 * size,
    }


def running(study: Study, folder: Path) -> tuple[Study, SweepTerms]:
    """Return a copy of a made study as it was in the midst of its sweep, and the terms of the sweep."""
    shutil.copytree(study.directory, folder)
    copy = replace(study, directory=folder)
    for stage in STAGES[STAGES.index("sweep") :]:
        copy.stage_record(stage).unlink(missing_ok=True)
    events = study.ledger_jsonl.read_text().splitlines(keepends=True)
    copy.ledger_jsonl.write_text("".join(events[: len(events) // 2]))
    space = copy.config.space
    strata = {record.trial.stratum for record in read_records(study.ledger_jsonl).trials.values()}
    terms = SweepTerms(
        planned=dict.fromkeys(sorted(strata)),
        size=200,
        metric=space.search.rank_by,
        epochs=space.search.epochs,
        resources=space.resources,
        stopping=space.search.scheduler,
        budget=space.search.budget,
        replicates=space.search.replicates,
    )
    return copy, terms
