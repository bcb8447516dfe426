"""Results that have no place to go to are told before any work is done."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glsweep.errors import ConfigError
from glsweep.files import check_output_file, check_output_folder
from glsweep.run import main

# The inputs are not there: if the place of the results were not looked at first, that would be told.
COMMANDS = {
    "predict": (["predict", "--scene", "gone.tif", "--out"], "folder"),
    "zone": (["zone", "gone.gpkg", "--out"], "file"),
    "compare": (["compare", "gone.gpkg", "gone.gpkg", "--table"], "file"),
    "check": (["check", "gone", "--sheet"], "file"),
    "study": (["--study"], "folder"),
    "sweep": (["sweep", "--data", "gone", "--storage"], "folder"),
    "doctor": (["doctor", "--storage"], "folder"),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("below", [False, True], ids=["in its place", "above it"])
def test_a_file_where_a_folder_belongs_and_the_reverse_are_told_first(
    tmp_path, monkeypatch, capsys, name, below
):
    monkeypatch.chdir(tmp_path)
    command, wants = COMMANDS[name]
    (tmp_path / "a_file").write_text("mine")
    (tmp_path / "a_folder.gpkg").mkdir()
    given_path = "a_file/below.gpkg" if below else "a_file" if wants == "folder" else "a_folder.gpkg"
    assert main([*command, given_path]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"{command[-1]} {given_path}: " in line
    assert ("no folder can be below it" if below else "; name a") in line
    assert (tmp_path / "a_file").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_file", "a_folder.gpkg"]


@given(st.lists(st.sampled_from(["a", "b", "file", "link"]), min_size=1, max_size=4), st.booleans())
def test_what_is_let_through_can_be_made(tmp_path_factory, parts, as_file):
    root = tmp_path_factory.mktemp("root")
    (root / "a").mkdir()
    (root / "file").write_text("mine")
    (root / "a" / "file").write_text("mine")
    (root / "link").symlink_to(root / "gone")
    path = root.joinpath(*parts)
    check = check_output_file if as_file else check_output_folder
    try:
        check("--out", path)
    except ConfigError as error:
        assert str(error).startswith(f"--out {path}: ")
        with pytest.raises(OSError):
            _make(path, as_file=as_file)
    else:
        _make(path, as_file=as_file)
    assert (root / "file").exists()


def _make(path: Path, *, as_file: bool) -> None:
    if as_file:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("made")
    else:
        path.mkdir(parents=True, exist_ok=True)


def test_addresses_of_other_machines_are_not_looked_for_here(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:").write_text("")
    assert main(["sweep", "--data", "gone", "--storage", "s3://bucket/folder"]) == 2
    assert "gone" in capsys.readouterr().err
