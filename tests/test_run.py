"""The command line as a user meets it: what is wrong is told in one line, and nothing is written."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from made_configs import CARD, SPACE, changed, study_config, write_yaml
from rasterio.crs import CRS
from shapely import LineString

from glsweep.config import DEMO_CARD, DEMO_SPACE
from glsweep.config.data_card import Simulation
from glsweep.run import COMMANDS, main
from glsweep.scenes.raster import write_interferogram
from glsweep.simulation import simulate_data
from glsweep.study import create_study, open_study
from glsweep.study.artifacts import StageSummary
from glsweep.study.configuration import STAGES

POLAR = CRS.from_epsg(3031)
NORTH_UP = Affine(100, 0, -1_000_000, 0, -100, 500_000)
LAYOUT_LINES = "all_manual_segm_gl.gpkg"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """Three scenes of 96 x 96 pixels in the study layout; not to be written to."""
    root = tmp_path_factory.mktemp("data") / "scenes"
    simulate_data(Simulation(scenes=3, rows=96, cols=96), root, seed=0)
    return root


def tree(folder):
    """Every file below `folder` with its size; a lock is no result."""
    return {p.relative_to(folder): p.stat().st_size for p in folder.rglob("*") if p.name != ".lock"}


def told(capsys, *arguments):
    """The one line on stderr with which a command is refused; nothing may have been written."""
    before = tree(Path.cwd())
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert code == 2, captured
    assert captured.err.startswith("error: ")
    assert captured.err.endswith("\n")
    assert captured.err.count("\n") == 1, captured.err
    assert "Traceback" not in captured.err
    assert tree(Path.cwd()) == before
    return captured.err


def space_file(key="name", to="small"):
    return write_yaml(Path("space.yaml"), changed(SPACE, key, to))


def scene_folder(*, crs=POLAR, transform=NORTH_UP, line=((0, 0), (40, 40)), line_crs=POLAR):
    """A folder of one scene of 40 x 40 pixels and one line, given in (col, row)."""
    root = Path("mine")
    values = np.exp(1j * np.indices((40, 40)).sum(axis=0)).astype(np.complex64)
    write_interferogram(root / "DInSAR" / "a.tif", values, transform, crs)
    geometry = LineString([transform @ point for point in line])
    table = gpd.GeoDataFrame({"source_file": ["a.shp"]}, geometry=[geometry], crs=line_crs.to_wkt())
    table.to_file(root / LAYOUT_LINES, driver="GPKG")
    return root


def test_an_empty_folder_is_told(capsys):
    Path("empty").mkdir()
    message = told(capsys, "--data", "empty")
    assert str(Path("empty").resolve()) in message
    assert "holds no raster (.tif" in message


def test_a_data_card_that_is_not_there_is_told(capsys):
    assert "nowhere.yaml: cannot be read" in told(capsys, "--data", "nowhere.yaml")


def test_a_raster_without_crs_is_told(capsys):
    message = told(capsys, "--data", scene_folder(crs=None))
    assert str(Path("mine/DInSAR/a.tif").resolve()) in message
    assert "has no CRS" in message
    assert "gdal_translate -a_srs" in message


def test_a_geographic_raster_is_told(capsys):
    degrees = Affine(0.001, 0, 10, 0, -0.001, -75)
    message = told(capsys, "--data", scene_folder(crs=CRS.from_epsg(4326), transform=degrees))
    assert str(Path("mine/DInSAR/a.tif").resolve()) in message
    assert "its CRS EPSG:4326 is not projected" in message


def test_lines_that_touch_no_scene_are_told(capsys):
    message = told(capsys, "--data", scene_folder(line=((1000, 1000), (1040, 1040))))
    assert str(Path(f"mine/{LAYOUT_LINES}").resolve()) in message
    assert "none of its lines touches" in message


def test_a_file_that_only_looks_like_a_raster_is_told(capsys):
    root = scene_folder()
    (root / "DInSAR" / "a.tif").write_text("not a raster")
    message = told(capsys, "--data", root)
    assert str(Path("mine/DInSAR/a.tif").resolve()) in message
    assert "cannot be read as a raster" in message


@pytest.mark.parametrize(
    ("key", "to", "words"),
    [
        ("search.epoch", 3, "search.epoch: unknown key; known here: budget, "),
        ("search.scheduler.graze", 3, "graze: unknown key; known here: grace_epochs, "),
        ("fixed.momentum", 0.9, "momentum: unknown key; known here: architecture, "),
        ("search.epochs", -3, "search.epochs: input should be greater than or equal to 1 (it is -3)"),
        ("dimensions.architecture.choices", ["vnet"], "(it is 'vnet')"),
        ("search.epochs", [3], "search.epochs: input should be a valid integer (it is [3])"),
        ("fixed.learning_rate", [1.0e-3], "learning_rate: input should be a valid number (it is [0.001])"),
        (
            "dimensions.bce_weight.choices",
            [[0.2]],
            "bce_weight.choices.0: input should be a valid number (it is [0.2])",
        ),
        ("dimensions.bce_weight.when", {"ds_weights": None}, "'ds_weights' is set by no earlier dimension"),
        ("dimensions", [1], "(it is [1])"),
    ],
)
def test_a_mistake_in_the_search_space_is_told_by_file_key_and_value(capsys, key, to, words):
    message = told(capsys, "--space", space_file(key, to))
    assert message.startswith("error: space.yaml: ")
    assert words in message


def test_a_search_space_that_is_not_yaml_is_told(capsys):
    Path("space.yaml").write_text("search: [1,\n  2\nfixed: }")
    assert told(capsys, "--space", "space.yaml").startswith("error: space.yaml: line 3: is not valid YAML (")


def test_words_in_brackets_are_printed_as_they_are(capsys):
    assert "(it is '[red]')" in told(capsys, "--space", space_file("search.epochs", "[red]"))


ZONED = [["two_head", 0.25], ["unetpp", None]]


@pytest.mark.parametrize(
    ("choices", "layout", "words"),
    [
        (ZONED, {}, "two_head: learns which ice is grounded, and the data card does not say; name a file"),
        (
            [["two_head", None], ["unetpp", None]],
            {"grounded": "grounded.gpkg"},
            "two_head: has a head for zones; set `zone",
        ),
        ([*ZONED, ["unet", 0.1]], {"grounded": "grounded.gpkg"}, "unet: has no head for zones; remove"),
    ],
)
def test_a_head_for_zones_without_zones_is_told_before_any_scene_is_made(capsys, choices, layout, words):
    card = write_yaml(Path("card.yaml"), {**CARD, "layout": layout})
    space = space_file(
        "dimensions.architecture", {"keys": ["architecture", "zone_weight"], "choices": choices}
    )
    message = told(capsys, "--data", card, "--space", space)
    assert message.startswith(f"error: space.yaml: architecture: {words}")
    main(["check", str(card), "--space", str(space)])
    assert words in " ".join(capsys.readouterr().out.split())


def test_a_head_for_zones_is_told_where_a_study_that_is_there_gets_one(capsys):
    card = write_yaml(Path("card.yaml"), CARD)
    assert main(["simulate", "--data", str(card), "--space", str(space_file()), "--study", "s"]) == 0
    zoned = {"keys": ["architecture", "zone_weight"], "choices": ZONED}
    space = space_file("dimensions.architecture", zoned)
    told(capsys, "simulate", "--space", space, "--study", "s")
    write_yaml(card, {**CARD, "layout": {"grounded": "grounded.gpkg"}})
    assert main(["simulate", "--data", str(card), "--space", str(space), "--study", "s"]) == 0
    told(capsys, "simulate", "--data", write_yaml(card, CARD), "--study", "s")


def test_a_patch_larger_than_every_simulated_scene_is_told(capsys):
    card = write_yaml(Path("card.yaml"), CARD)
    space = space_file("dimensions.patch_size_px.choices", [32, 112])
    message = told(capsys, "--data", card, "--space", space)
    assert "data card sim: patch_size_px 112 is larger than a simulated scene (96 x 96)" in message


def test_a_patch_larger_than_every_real_scene_is_told(capsys, scenes):
    message = told(
        capsys, "--data", scenes, "--space", space_file("dimensions.patch_size_px.choices", [32, 112])
    )
    assert str(scenes / "DInSAR") in message
    assert "patch_size_px 112 is larger than scene" in message


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:0"])
def test_a_simulation_in_no_projected_crs_is_told(capsys, crs):
    card = write_yaml(Path("card.yaml"), changed(CARD, "simulation.crs", crs))
    message = told(capsys, "--data", card, "--space", space_file())
    assert "data card sim: simulation.crs: " in message
    assert crs in message


def begun_study():
    """A study whose sweep has begun, and the data card and search space that it was made with."""
    card, space = write_yaml(Path("card.yaml"), CARD), space_file()
    study = create_study(Path("mine"), study_config())
    study.sweep.mkdir()
    began = '{"event":"began","unix_s":1.0,"cohorts":{}}'
    study.ledger_jsonl.write_text(f"{began}\n")
    return study, card, space


def test_a_study_of_another_configuration_is_told_by_every_key(capsys):
    begun_study()
    space = write_yaml(Path("other.yaml"), changed(changed(SPACE, "fixed.gamma", 1.0), "search.epochs", 9))
    message = told(capsys, "--data", "card.yaml", "--space", space, "--study", "mine", "--seed", 1)
    assert message.startswith("error: mine: its trials were run with other settings")
    assert "space.fixed.gamma was 1.33, is now 1.0" in message
    assert "seed was 0, is now 1" in message
    assert "epochs" not in message
    assert "name another folder with --study" in message


def test_a_seed_alone_meets_the_data_and_the_space_of_the_study_that_is_there(capsys):
    begun_study()
    message = told(capsys, "--study", "mine", "--seed", 1)
    assert "seed was 0, is now 1; put back" in message


def test_before_any_trial_has_begun_everything_may_change(capsys):
    card, space = write_yaml(Path("card.yaml"), CARD), space_file()
    given = ["simulate", "--data", str(card), "--space", str(space), "--study", "mine"]
    assert main(given) == 0
    capsys.readouterr()
    assert main([*given, "--seed", "1"]) == 0
    printed = capsys.readouterr().out
    assert "seed was 0, is now 1" in printed
    assert "to be run again: simulate" in printed
    assert [path.stem[-1] for path in open_study(Path("mine")).scenes.glob("DInSAR/*.tif")] == ["1"] * 3


def test_a_root_is_not_ignored_where_it_means_nothing(capsys, scenes):
    begun_study()
    for given in (["--study", "mine"], ["--data", "card.yaml"], ["--data", scenes]):
        assert "error: --root" in told(capsys, *given, "--root", scenes)


def test_a_folder_with_other_files_is_no_place_for_a_study(capsys):
    Path("thesis").mkdir()
    Path("thesis/chapter.tex").write_text("precious")
    message = told(capsys, "--study", "thesis")
    assert message.startswith("error: thesis: exists and is not a study")


@pytest.mark.parametrize("stage", STAGES[2:])
@pytest.mark.parametrize("there", [True, False])
def test_a_later_stage_does_not_make_a_study(capsys, stage, there):
    if there:
        Path("thesis").mkdir()
    message = told(capsys, stage, "--study", "thesis")
    assert message.startswith(f"error: thesis: is not a study yet, and stage `{stage}` cannot begin one; ")
    assert "run `python -m glsweep.run simulate`" in message


@pytest.mark.parametrize(("stage", "before"), list(zip(STAGES[2:], STAGES[1:-1], strict=True)))
def test_a_stage_before_its_predecessor_names_the_command_to_run(capsys, stage, before):
    study = create_study(Path("mine"), study_config())
    for done in STAGES[: STAGES.index(before)]:
        study.finish(done, 0, StageSummary())
    message = told(capsys, stage, "--study", "mine")
    assert f"stage `{before}` has not been run; " in message
    assert f"run `python -m glsweep.run {before} --study mine` first" in message


def test_a_study_that_another_process_works_on_is_told(capsys):
    from filelock import FileLock

    study = create_study(Path("mine"), study_config())
    with FileLock(study.directory / ".lock"):
        message = told(capsys, "simulate", "--study", "mine")
    assert "mine: another process works on this study" in message


def test_the_first_stages_run_and_are_then_passed_over(capsys):
    card, space = write_yaml(Path("card.yaml"), CARD), space_file()
    first = ["--data", str(card), "--space", str(space), "--seed", "3"]
    assert main(["simulate", *first]) == 0
    study = open_study(Path("studies/sim-small"))
    assert (study.config.name, study.config.seed) == ("sim-small", 3)
    assert len(list(study.scenes.glob("DInSAR/*.tif"))) == 3
    assert main(["prepare", "--study", str(study.directory)]) == 0
    assert study.is_done("prepare")
    assert capsys.readouterr().err == ""
    before = tree(study.directory)
    assert main(["simulate", *first]) == main(["prepare", *first]) == 0
    assert capsys.readouterr().out.count("done before") == 3
    assert tree(study.directory) == before


def test_real_scenes_have_nothing_to_simulate(capsys, scenes):
    untouched = tree(scenes)
    assert main(["simulate", "--data", str(scenes), "--space", str(space_file()), "--study", "mine"]) == 0
    assert open_study(Path("mine")).record("simulate").summary.skipped
    assert main(["prepare", "--study", "mine"]) == 0
    assert capsys.readouterr().err == ""
    assert tree(scenes) == untouched


def test_with_debug_the_whole_traceback_is_shown():
    from glsweep.errors import ConfigError

    with pytest.raises(ConfigError):
        main(["--data", "nowhere.yaml", "--debug"])


def test_the_defaults_are_shipped_and_valid():
    assert DEMO_CARD.is_file()
    assert DEMO_SPACE.is_file()


@pytest.mark.parametrize("arguments", [["swep"], ["--foo"], ["sweep", "--seed", "x"]])
def test_a_mistyped_command_ends_with_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert arguments[-1] in capsys.readouterr().err
    assert tree(Path.cwd()) == {}


def as_a_user(*arguments):
    environment = {**os.environ, "COLUMNS": "40"}
    return subprocess.run(
        [sys.executable, "-m", "glsweep.run", *map(str, arguments)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "."], "only 1 .yaml; name where the interferograms are"),
        (["--space", "space.yaml"], ": search.epochs: input should be a valid integer"),
        (["evaluate", "--study", "nowhere"], "nowhere: is not a study yet, and stage `evaluate` cannot"),
    ],
)
def test_a_process_ends_with_code_2_and_one_line_however_narrow_the_terminal(arguments, words):
    space_file("search.epochs", "many")
    before = tree(Path.cwd())
    run = as_a_user(*arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.count("\n") == 1, run.stderr
    assert run.stderr.startswith("error: ")
    assert words in run.stderr
    assert tree(Path.cwd()) == before


def test_help_takes_less_than_a_second_of_cpu_time():
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    run = as_a_user("--help")
    spent_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    assert run.returncode == 0
    assert all(command in run.stdout for command in ("study", *STAGES, *COMMANDS))
    assert spent_s < 1


def test_every_command_explains_its_options(capsys):
    for command in ("study", *STAGES):
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0
        shown = capsys.readouterr().out
        assert all(option in shown for option in ("--data", "--space", "--study", "--seed", "--address"))


def test_the_command_line_imports_nothing_heavy():
    code = (
        "import glsweep.run, sys; heavy = {'torch', 'ray', 'mlflow', 'rasterio', 'geopandas', 'pandas',"
        "'scipy', 'matplotlib'}; print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
