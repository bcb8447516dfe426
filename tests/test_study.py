import pytest
from made_configs import CARD, changed, study_config

from glsweep.errors import StudyError
from glsweep.study import create_study, extend_study, open_study
from glsweep.study.artifacts import PrepareSummary, StageSummary
from glsweep.study.configuration import STAGES


def begun(study):
    """Leave what a sweep leaves that has begun a trial."""
    study.sweep.mkdir()
    study.ledger_jsonl.write_text("{}\n")
    return study


def test_a_study_is_opened_as_it_was_made(tmp_path):
    made = create_study(tmp_path / "new" / "study", study_config())
    assert open_study(made.directory) == made
    assert extend_study(made, made.config) == made
    assert [p.name for p in made.directory.iterdir()] == ["study.yaml"]


def test_a_study_is_called_as_its_folder_is(tmp_path):
    made = create_study(tmp_path / "old", study_config())
    assert made.config.name == "old"
    made.directory.rename(tmp_path / "new")
    assert open_study(tmp_path / "new").config.name == "new"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 1}, "seed was 0, is now 1"),
        ({"fixed__gamma": 1.0}, "space.fixed.gamma was 1.33, is now 1.0"),
        ({"card": changed(CARD, "simulation.rows", 128)}, "card.simulation.rows was 96, is now 128"),
        ({"search__scheduler": {"name": "none"}}, "space.search.scheduler.name was asha, is now none"),
    ],
)
def test_what_cannot_be_extended_is_refused_by_every_key_once_trials_have_begun(tmp_path, changes, told):
    study = create_study(tmp_path / "study", study_config())
    study.finish("prepare", 1.0, StageSummary())
    asked = study_config(**changes)
    assert extend_study(study, asked).config.space == asked.space
    assert not study.is_done("prepare") or changes.keys() <= {"fixed__gamma", "search__scheduler"}
    study = begun(create_study(tmp_path / "begun", study_config()))
    before = study.config_yaml.read_text()
    with pytest.raises(StudyError, match="could not be compared") as caught:
        extend_study(study, asked)
    assert str(study.directory) in str(caught.value)
    assert told in str(caught.value)
    assert "delete" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert study.config_yaml.read_text() == before


def test_an_extended_study_runs_again_what_no_longer_holds_and_nothing_else(tmp_path):
    study = begun(create_study(tmp_path / "study", study_config()))
    for stage in STAGES:
        study.finish(stage, 1.0, StageSummary())
    study = extend_study(study, study_config(calibration__count=5))
    assert [stage for stage in STAGES if study.is_done(stage)] == list(STAGES[:4])
    study = extend_study(study, study_config(calibration__count=5, search__epochs=6))
    assert [stage for stage in STAGES if study.is_done(stage)] == ["simulate", "prepare"]
    assert open_study(study.directory).config.space.search.epochs == 6


def test_less_than_there_is_takes_nothing_away(tmp_path):
    study = begun(create_study(tmp_path / "study", study_config()))
    study.finish("sweep", 1.0, StageSummary())
    less = study_config(search__epochs=2, dimensions__bce_weight__choices=[0.2])
    assert extend_study(study, less) == study
    assert study.is_done("sweep")


def test_nothing_in_a_study_says_where_it_or_its_data_lie(tmp_path):
    card = {"name": "real", "root": str(tmp_path / "data")}
    study = create_study(tmp_path / "studies" / "one", study_config(card=card))
    assert str(tmp_path) not in study.config_yaml.read_text()
    assert open_study(study.directory).config.card.root == tmp_path / "data"
    known = study.id
    assert study.checkpoints("/shared", "sweep") == f"/shared/{known}/sweep"
    study.directory.parent.rename(tmp_path / "archive")
    (tmp_path / "archive" / "one").rename(tmp_path / "archive" / "two")
    moved = open_study(tmp_path / "archive" / "two")
    assert moved.config.card.root == tmp_path / "data"
    assert moved.checkpoints("/shared", "sweep") == f"/shared/{known}/sweep"


def test_a_folder_with_foreign_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(StudyError, match="exists and is not a study"):
        create_study(tmp_path, study_config())
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_empty_folder_becomes_a_study(tmp_path):
    assert create_study(tmp_path, study_config()).config_yaml.is_file()


def test_a_file_is_no_place_for_a_study(tmp_path):
    (tmp_path / "file").touch()
    for directory in (tmp_path / "file", tmp_path / "file" / "study"):
        with pytest.raises(StudyError, match="--study") as caught:
            create_study(directory, study_config())
        assert str(directory) in str(caught.value)


def test_a_folder_that_is_no_study_cannot_be_opened(tmp_path):
    with pytest.raises(StudyError, match=r"is not a study \(no study.yaml\)"):
        open_study(tmp_path)


def test_a_stage_is_done_when_its_record_says_so(tmp_path):
    study = create_study(tmp_path, study_config())
    assert not any(study.is_done(stage) for stage in STAGES)
    study.finish("prepare", 1.234, PrepareSummary(patches={16: {}}))
    assert [stage for stage in STAGES if study.is_done(stage)] == ["prepare"]
    record = study.record("prepare")
    assert (record.wall_s, record.summary) == (1.23, PrepareSummary(patches={16: {}}))
    assert open_study(tmp_path).is_done("prepare")


def test_the_record_of_a_stage_that_was_not_run_names_the_command_to_run(tmp_path):
    study = create_study(tmp_path, study_config())
    command = f"run `python -m glsweep.run prepare --study {tmp_path}` first"
    with pytest.raises(StudyError) as caught:
        study.record("prepare")
    assert str(caught.value) == f"{tmp_path}: stage `prepare` has not been run; {command}"


def test_scenes_lie_in_the_study_unless_the_card_names_a_folder(tmp_path):
    assert create_study(tmp_path / "a", study_config()).scenes == tmp_path / "a" / "scenes"
    card = {"name": "real", "root": str(tmp_path / "data")}
    assert create_study(tmp_path / "b", study_config(card=card)).scenes == tmp_path / "data"
