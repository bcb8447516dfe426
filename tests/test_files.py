import json
import math

import pytest

from glsweep.files import read_json, replacing, write_json, write_text


class CutOffError(Exception):
    pass


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_file_takes_the_place_of_the_old_one(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")
    write_text(target, "new ü")
    assert target.read_text(encoding="utf-8") == "new ü"
    assert names(tmp_path) == ["a.txt"]


def test_missing_parents_are_made(tmp_path):
    write_json(tmp_path / "a" / "b" / "c.json", {"x": [1, None]})
    assert read_json(tmp_path / "a" / "b" / "c.json") == {"x": [1, None]}


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(CutOffError), replacing(target) as beside:
        beside.write_text("half of the n")
        assert target.read_text() == "old"
        raise CutOffError
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_exception_leaves_no_file_where_there_was_none(tmp_path):
    with pytest.raises(CutOffError), replacing(tmp_path / "a.txt") as beside:
        beside.write_text("half")
        raise CutOffError
    assert names(tmp_path) == []


def test_a_folder_takes_the_place_of_the_old_one(tmp_path):
    target = tmp_path / "folder"
    (target / "inner").mkdir(parents=True)
    (target / "inner" / "old.txt").touch()
    with replacing(target) as beside:
        beside.mkdir()
        (beside / "new.txt").touch()
        assert names(target) == ["inner"]
    assert names(target) == ["new.txt"]
    assert names(tmp_path) == ["folder"]


def test_an_exception_leaves_the_old_folder_whole(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with pytest.raises(CutOffError), replacing(target) as beside:
        beside.mkdir()
        (beside / "new.txt").touch()
        raise CutOffError
    assert (target / "old.txt").read_text() == "old"
    assert names(tmp_path) == ["folder"]


def test_a_block_that_writes_nothing_leaves_the_old_one(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "folder").mkdir()
    for name in ("a.txt", "folder"):
        with pytest.raises(FileNotFoundError), replacing(tmp_path / name):
            pass
    assert names(tmp_path) == ["a.txt", "folder"]


def test_the_suffix_is_kept_for_drivers_that_look_at_it(tmp_path):
    with replacing(tmp_path / "lines.gpkg") as beside:
        assert beside.suffix == ".gpkg"
        assert not beside.exists()
        beside.touch()


@pytest.mark.parametrize("bad", [math.nan, math.inf, {1, 2}])
def test_what_json_cannot_hold_leaves_the_old_file(tmp_path, bad):
    target = tmp_path / "a.json"
    write_json(target, {"figure": 1.0})
    with pytest.raises((ValueError, TypeError)):
        write_json(target, {"figure": bad})
    assert json.loads(target.read_text()) == {"figure": 1.0}
    assert names(tmp_path) == ["a.json"]
