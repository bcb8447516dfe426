"""The commands that are not stages, as a user meets them."""

from pathlib import Path

import pytest
from made_configs import study_config

from glsweep.errors import StudyError
from glsweep.run import COMMANDS, main
from glsweep.study import create_study
from glsweep.study.artifacts import StageSummary


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("status", ["STUDY", "--debug"]),
        ("replay", ["STUDY", "--scheduler", "--orders", "--debug"]),
        ("review", ["STUDY", "--splits", "--debug"]),
        ("track", ["STUDY", "--debug"]),
        ("doctor", ["CLUSTER.yaml", "--address", "--space", "--storage", "--debug"]),
    ],
)
def test_a_command_that_is_no_stage_explains_its_options(command, options, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in options)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command):
    first, *_ = (COMMANDS[command].__doc__ or "").splitlines()
    assert first.endswith((".", ":")), "the first line is the help"


@pytest.mark.parametrize("command", ["status", "replay", "review", "track"])
def test_a_command_on_a_folder_that_is_no_study_is_told(capsys, command):
    Path("thesis").mkdir()
    assert main([command, "thesis"]) == 2
    assert capsys.readouterr().err.startswith("error: thesis: is not a study")
    with pytest.raises(StudyError):
        main([command, "thesis", "--debug"])


def test_status_shows_the_stages_and_writes_nothing(capsys):
    study = create_study(Path("mine"), study_config())
    study.finish("simulate", 61, StageSummary())
    before = sorted(Path.cwd().rglob("*"))
    assert main(["status", "mine"]) == 0
    shown = capsys.readouterr().out
    assert "simulate  done in 1 min 01 s" in shown
    assert "prepare   not done" in shown
    assert [p for p in sorted(Path.cwd().rglob("*")) if p.name != ".lock"] == before
    assert not study.lock.exists()
