"""Train here, test there: which studies are made, and the matrix of what they found."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from made_artifacts import baseline_row, data_set_row, network_row, study_table
from made_configs import SPACE, changed, write_yaml
from rich.console import Console

from glsweep.config.trial import Stratum
from glsweep.doctor.connection import connected
from glsweep.errors import ConfigError
from glsweep.report import DASH
from glsweep.run import main
from glsweep.scenes.cards import load_data
from glsweep.study.artifacts import ThresholdCurve, ThresholdCurves, read_artifact
from glsweep.study.evaluation_artifacts import (
    BandMetrics,
    BandsHeld,
    LineIntervals,
    LineMetrics,
    LinesOnDataSet,
    MemberLines,
    StudyLines,
)
from glsweep.transfer import Transfer, plan_transfer, transfer_frame, transfer_row, transfer_table

SPLIT = {"rule": "scene", "train": 0.5, "val": 0.25, "test": 0.25}
UNET, ATTENTION = Stratum("unet", 32), Stratum("attention_unet", 32)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def card(name, *, wavelength_m=0.0555, posting_m=100.0, **changes):
    simulation = {
        "scenes": 4,
        "rows": 96,
        "cols": 96,
        "posting_m": posting_m,
        "wavelength_m": wavelength_m,
        "noise": 0.2,
        "tides": "resolved",
    }
    values = {"name": name, "wavelength_m": wavelength_m, "split": SPLIT, "simulation": simulation}
    return write_yaml(Path(f"{name}.yaml"), {**values, **changes})


def only_tested(training):
    return {part.name for part in training.card.parts if part.test_only}


# --- Which studies are made


def test_each_data_set_is_trained_on_once_and_tested_by_all():
    trainings = plan_transfer([card("a"), card("b"), card("c")], leave_one_out=False)
    assert [training.name for training in trainings] == ["a", "b", "c"]
    assert [only_tested(training) for training in trainings] == [{"b", "c"}, {"a", "c"}, {"a", "b"}]
    assert {training.tested_on for training in trainings} == {("a", "b", "c")}


def test_all_but_one_is_tested_on_that_one_alone():
    trainings = plan_transfer([card("a"), card("b"), card("c")], leave_one_out=True)[3:]
    assert [training.name for training in trainings] == ["all_but_a", "all_but_b", "all_but_c"]
    assert [only_tested(training) for training in trainings] == [{"a"}, {"b"}, {"c"}]
    assert [training.tested_on for training in trainings] == [("a",), ("b",), ("c",)]


def test_a_data_set_keeps_its_number_and_with_it_its_simulated_scenes():
    trainings = plan_transfer([card("a"), card("b"), card("c")], leave_one_out=True)
    assert {tuple(part.name for part in training.card.parts) for training in trainings} == {("a", "b", "c")}


def test_a_network_of_several_bands_is_for_that_which_was_left_out():
    bands = [card("c", wavelength_m=0.0555), card("x", wavelength_m=0.0312), card("l", wavelength_m=0.2384)]
    cards = {one.name: one.card for one in plan_transfer(bands, leave_one_out=True)}
    assert [cards[name].wavelength_m for name in ("c", "x", "l")] == [0.0555, 0.0312, 0.2384]
    assert cards["all_but_l"].wavelength_m == 0.2384
    alike = [card("a"), card("b"), card("x", wavelength_m=0.0312)]
    assert plan_transfer(alike, leave_one_out=True)[-1].card.wavelength_m == 0.0555


@pytest.mark.parametrize(
    ("make", "leave_one_out", "message"),
    [
        (lambda: [card("a")], False, "--data a: a transfer needs two data sets or more"),
        (lambda: [card("a"), card("a")], False, "2 data sets are called a; give one card another `name`"),
        (
            lambda: [card("a"), card("b", posting_m=50.0)],
            False,
            "--data: b has a posting of 50 m, a one of 100 m, and patches are not resampled; resample the "
            "scenes (gdalwarp -tr), or leave one of them out",
        ),
        (lambda: [card("a"), card("b")], True, "--leave-one-out: of two data sets"),
        (lambda: [card("a"), card("all_but_b")], False, "--data all_but_b: rows of"),
        (
            lambda: [
                card("a"),
                card("b"),
                write_yaml(Path("ab.yaml"), {"name": "ab", "parts": ["a.yaml", "b.yaml"], "split": SPLIT}),
            ],
            False,
            "--data ab: is joined of several data sets",
        ),
    ],
)
def test_what_cannot_be_a_transfer_is_told_in_one_line(make, leave_one_out, message):
    with pytest.raises(ConfigError) as caught:
        plan_transfer(make(), leave_one_out=leave_one_out)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_data_of_another_wavelength_may_be_tested_on_but_not_trained_on_unsaid():
    near, far = card("c"), card("x", wavelength_m=0.0312)
    assert load_data([near], [far]).wavelength_m == 0.0555
    with pytest.raises(ConfigError, match=r"wavelengths of 0\.0312 and 0\.0555 m"):
        load_data([near, far])


# --- The matrix, from tables made by hand


def curves(**best):
    """Validation curves with these best values, by stratum."""
    return ThresholdCurves(
        by_stratum={
            key.replace("_32", "-32"): ThresholdCurve(
                criterion="relaxed_f1",
                tau=0.5,
                on_grid_edge=False,
                thresholds=(0.1, 0.5, 0.9),
                values=(0.0, value, 0.1),
            )
            for key, value in best.items()
        }
    )


def lines_on(data_set, completeness_500, mean_m):
    kilometres = dict.fromkeys(LineMetrics.model_fields, 10.0)
    pooled = {**kilometres, "completeness_500": completeness_500, "mean_m": mean_m}
    band = BandMetrics(held=None, low=None, high=None, mean_m=None)
    return LinesOnDataSet(
        data_set=data_set,
        scenes=3,
        pooled=LineMetrics.model_validate(pooled),
        intervals=LineIntervals(),
        bands=BandsHeld(km=0, scenes=0, band=band, uncertainty=None, unknown_because=""),
        curve=(),
    )


@pytest.fixture
def found():
    """Two networks trained on a: the one that is worse on validation is better on test data."""
    training = plan_transfer([card("a"), card("b")], leave_one_out=False)[0]
    unet, attention = network_row(UNET, 0.5), network_row(ATTENTION, 0.9)
    rows = [
        data_set_row(unet, "a", relaxed_f1=0.6),
        data_set_row(unet, "b", relaxed_f1=0.3, relaxed_f1_low=None),
        data_set_row(attention, "a", relaxed_f1=0.9),
        data_set_row(attention, "b", relaxed_f1=0.9),
        # An untrained network has the stratum of the one that it is compared with.
        data_set_row(baseline_row("untrained", 32, stratum=UNET.key), "a", relaxed_f1=0.01),
        data_set_row(baseline_row("untrained", 32, stratum=UNET.key), "b", relaxed_f1=0.01),
    ]
    table = study_table(unet, attention, by_data_set=rows)
    lines = StudyLines(
        tolerances_m=(200.0,),
        shortest_m=0,
        bridge_m=0,
        window_px=64,
        members=(
            MemberLines(
                stratum=UNET.key,
                title=UNET.title,
                architecture="unet",
                tau=0.5,
                data_sets=(lines_on("b", 0.75, 1234.0),),
                scenes=(),
            ),
        ),
    )
    return training, table, curves(unet_32=0.8, attention_unet_32=0.7), lines


def test_a_row_is_the_network_that_is_best_on_validation(found):
    row = transfer_row(*found)
    assert (row.trained_on, row.stratum, row.validation) == ("a", UNET.key, 0.8)
    own, other = row.cells
    assert (own.tested_on, own.is_own, own.relaxed_f1) == ("a", True, 0.6)
    assert (other.tested_on, other.is_own, other.relaxed_f1) == ("b", False, 0.3)


def test_what_is_not_known_is_left_empty(found):
    own, other = transfer_row(*found).cells
    assert own.interval == pytest.approx((0.45, 0.55))
    assert (own.completeness_500, own.mean_m, own.scenes) == (None, None, 0)
    assert other.interval is None
    assert (other.completeness_500, other.mean_m, other.scenes) == (0.75, 1234.0, 3)
    training, table, by_tau, _ = found
    without = table.model_copy(update={"by_data_set": ()})
    assert {cell.relaxed_f1 for cell in transfer_row(training, without, by_tau, None).cells} == {None}


def test_the_matrix_marks_what_was_trained_on_and_leaves_other_cells_of_left_out_data_empty(found):
    row = transfer_row(*found)
    left_out = row.model_copy(update={"trained_on": "all_but_b", "cells": row.cells[1:]})
    transfer = Transfer(tolerance_m=200.0, data_sets=("a", "b"), rows=(row, left_out))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(transfer_table(transfer))
    printed = console.export_text().splitlines()
    first = next(line for line in printed if "│ a " in line)
    assert first.split("│")[2].strip() == f"* 0.600 (0.450{DASH}0.550)"
    assert first.split("│")[3].strip() == "0.300"
    assert any("75%, 1,234 m" in line for line in printed)
    last = next(line for line in printed if "│ all_but_b " in line)
    assert last.split("│")[2].strip() == ""
    assert last.split("│")[3].strip() == "0.300"
    frame = transfer_frame(transfer)
    assert list(zip(frame.trained_on, frame.tested_on, strict=True)) == [
        ("a", "a"),
        ("a", "b"),
        ("all_but_b", "b"),
    ]


# --- The whole command


@pytest.fixture
def ray():
    """One Ray for every study."""
    with connected(None):
        yield


@pytest.mark.ray
@pytest.mark.slow
def test_two_data_sets_are_each_trained_on_and_tested_by_the_other_and_nothing_is_done_twice(
    ray, monkeypatch, capsys
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    space = changed(SPACE, "dimensions", {"patch_size_px": {"choices": [32]}})
    space = changed(space, "fixed.architecture", "unet")
    space = changed(space, "fixed.bce_weight", 0.2)
    space = changed(space, "search.epochs", 1)
    space = changed(space, "search.scheduler", {"name": "none"})
    write_yaml(Path("space.yaml"), space)
    cards = [str(card("near")), str(card("far", wavelength_m=0.0312))]
    command = ["transfer", "--data", *cards, "--space", "space.yaml", "--study", "both"]
    assert main(command) == 0
    assert "* the data that it was trained on" in " ".join(capsys.readouterr().out.split())
    transfer = read_artifact(Path("both/transfer.json"), Transfer)
    for row in transfer.rows:
        table = json.loads(Path("both", row.trained_on, "table.json").read_text())
        scored = {
            one["data_set"]: one["relaxed_f1"] for one in table["by_data_set"] if one["kind"] == "network"
        }
        assert {cell.tested_on: cell.relaxed_f1 for cell in row.cells} == scored
        assert [cell.tested_on for cell in row.cells if cell.is_own] == [row.trained_on]
        assert {cell.tested_on: cell.scenes for cell in row.cells if not cell.is_own} == {
            name: 4 for name in ("near", "far") if name != row.trained_on
        }
    assert len(pd.read_csv("both/transfer.csv")) == 4
    for name in ("near", "far"):
        scenes = sorted(Path("both/near/scenes", name, "DInSAR").glob("*.tif"))
        assert len(scenes) == 4
        for path in scenes:
            with (
                rasterio.open(path) as one,
                rasterio.open(str(path).replace("both/near", "both/far")) as other,
            ):
                assert np.array_equal(one.read(), other.read())
                assert one.transform == other.transform
    records = {path: path.stat().st_mtime_ns for path in Path("both").glob("*/stages/*.json")}
    assert len(records) == 14
    Path("both/transfer.json").unlink()
    assert main(command) == 0, "the same command goes on"
    assert {path: path.stat().st_mtime_ns for path in records} == records
    assert read_artifact(Path("both/transfer.json"), Transfer) == transfer
