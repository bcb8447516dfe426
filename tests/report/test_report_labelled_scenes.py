"""The figure of what labelled scenes buy."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from synthetic_study import NONE
from synthetic_sweep import MadeSweep

from glsweep.config.trial import Stratum
from glsweep.report.figures import house_style
from glsweep.report.figures.labelled_scenes import draw_labelled_scenes, scene_curves
from glsweep.report.page import write_report
from glsweep.report.results import Results, read_results
from glsweep.sweep.records import records_of

UNET = Stratum("unet", 128)
BOX = "embedded@0123456789ab"
QUALITY = {("none", "2"): 0.2, ("none", "none"): 0.5, (BOX, "2"): 0.6, (BOX, "none"): 0.65}
PLAIN = {
    "fn_weight": "0.7",
    "fp_weight": "0.3",
    "gamma": "1.33",
    "bce_weight": "0.2",
    "ds_weights": "none",
    "base_width": "none",
    "weight_decay": "1e-05",
    "batch_size": "16",
    "gradient_clip": "1",
    "channels": "real,imag",
    "augmentation": "dihedral",
}


def with_trials(results: Results, quality: dict[tuple[str, str], float]) -> Results:
    """The results of a sweep that tried two learning rates for each start and number of scenes."""
    made = MadeSweep(results.config.space.search, np.random.default_rng(1))
    index = 0
    for (start, scenes), ceiling in quality.items():
        for rate, better in (("0.001", 0.05), ("0.01", 0.0)):
            facts: dict[str, Any] = {**PLAIN, "learning_rate": rate, "start": start}
            made.run(
                index,
                UNET,
                facts if scenes == "none" else {**facts, "train_scenes": scenes},
                ceiling + better,
                fails=False,
            )
            index += 1
    return replace(results, records=records_of(made.events))


@pytest.fixture
def results(make_study: Any) -> Results:
    return read_results(make_study(strata=(UNET,), repeats=1, scheduler=NONE, replicates=3))


def test_each_point_is_the_best_configuration_by_the_mean_over_its_seeds(results: Results) -> None:
    curves = scene_curves(with_trials(results, QUALITY), UNET)
    assert list(curves) == ["none", BOX], "from scratch first"
    for start, curve in curves.items():
        # Left out, all five scenes that the split gives to training.
        assert list(curve) == [2, 5]
        for number, scores in curve.items():
            better = QUALITY[start, "2" if number == 2 else "none"] + 0.05
            assert scores.mean == pytest.approx(better, abs=0.04)
            assert len(scores.values) == 3


def test_the_figure_has_a_curve_for_each_start_with_its_seeds_and_says_so_in_words(results: Results) -> None:
    with_curves = with_trials(results, QUALITY)
    with house_style():
        plate = draw_labelled_scenes(with_curves)
        assert plate is not None
        plate.figure.draw_without_rendering()
    (axes,) = plate.figure.axes
    curves = {line.get_label(): line for line in axes.lines if not str(line.get_label()).startswith("_")}
    assert list(curves) == ["from scratch", "from the network in the package"]
    assert len({(line.get_linestyle(), line.get_marker()) for line in curves.values()}) == 2, "in grey too"
    for line, curve in zip(curves.values(), scene_curves(with_curves, UNET).values(), strict=True):
        assert list(line.get_xdata()) == [2, 5]
        assert list(line.get_ydata()) == [scores.mean for scores in curve.values()]
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert ticks == ["2", "5"]
    mean = scene_curves(with_curves, UNET)[BOX][2].mean
    assert f"from the network in the package relaxed F1 {mean:.3f} with 2 scenes and " in plate.alt
    assert "validation" in plate.caption


def test_what_the_weights_score_as_they_are_is_a_level_below_the_curve_that_began_there(
    results: Results,
) -> None:
    judged = replace(with_trials(results, QUALITY), at_start={UNET.key: {BOX: 0.45}})
    with house_style():
        plate = draw_labelled_scenes(judged)
    assert plate is not None
    labels = {str(line.get_label()): line for line in plate.figure.axes[0].lines}
    level = labels["from the network in the package, with no scene"]
    assert set(level.get_ydata()) == {0.45}
    assert level.get_color() == labels["from the network in the package"].get_color()
    assert "from the network in the package relaxed F1 0.450 with no scene, " in plate.alt


def test_where_all_trials_saw_as_many_scenes_there_is_no_such_figure(results: Results) -> None:
    assert draw_labelled_scenes(results) is None
    same = {key: value for key, value in QUALITY.items() if key[1] == "2"}
    assert draw_labelled_scenes(with_trials(results, same)) is None


def test_the_page_shows_it(make_study: Any) -> None:
    study = make_study(strata=(UNET,), repeats=1, scheduler=NONE, replicates=2)
    write_report(study)
    assert 'id="labelled-scenes"' not in study.report_html.read_text()
    made = MadeSweep(study.config.space.search, np.random.default_rng(1))
    for index, scenes in enumerate(("2", "4")):
        made.run(index, UNET, {**PLAIN, "learning_rate": "0.01", "train_scenes": scenes}, 0.4, fails=False)
    # Further events of the same ledger, behind those of the study's own trials.
    with study.ledger_jsonl.open("a") as file:
        file.writelines(event.model_dump_json() + "\n" for event in made.events)
    write_report(study)
    page = study.report_html.read_text()
    assert 'id="labelled-scenes"' in page
    assert "What labelled scenes buy. U-Net 128: from scratch relaxed F1" in page
