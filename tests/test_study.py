import pytest
from made_configs import CARD, changed, study_config

from glsweep.errors import StudyError
from glsweep.study import STAGES, create_study, open_study


def test_a_study_is_opened_as_it_was_made(tmp_path):
    made = create_study(tmp_path / "new" / "study", study_config())
    assert open_study(made.directory) == made
    assert create_study(made.directory, study_config()) == made
    assert [p.name for p in made.directory.iterdir()] == ["study.yaml"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 1}, "seed: 0 there, 1 here"),
        ({"search__epochs": 5}, "space.search.epochs: 4 there, 5 here"),
        ({"fixed__gamma": 1.0}, "space.fixed.gamma: 1.33 there, 1.0 here"),
        ({"dimensions__bce_weight__choices": [0.2]}, "choices: [0.2, 0.35] there, [0.2] here"),
        ({"card": changed(CARD, "simulation.rows", 128)}, "card.simulation.rows: 96 there, 128 here"),
        ({"search__scheduler": {"name": "none"}}, "space.search.scheduler.name: 'asha' there, 'none' here"),
        ({"dimensions__architecture__when": {"bce_weight": 0.2}}, "when: {} there, None here"),
    ],
)
def test_another_configuration_is_refused_by_the_key_that_differs(tmp_path, changes, told):
    study = create_study(tmp_path / "study", study_config())
    before = study.config_yaml.read_text()
    with pytest.raises(StudyError, match="another configuration") as caught:
        create_study(study.directory, study_config(**changes))
    assert str(study.directory) in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert study.config_yaml.read_text() == before


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
    study.finish("prepare", 1.234, {"patches": 3})
    assert [stage for stage in STAGES if study.is_done(stage)] == ["prepare"]
    record = study.record("prepare")
    assert (record["wall_s"], record["summary"]) == (1.23, {"patches": 3})
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
