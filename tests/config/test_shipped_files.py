"""Data cards and search spaces by the names that README and `--help` use, from any folder."""

import shutil
from pathlib import Path

import pytest

from glsweep.config import SHIPPED, find_shipped
from glsweep.config.space import load_space
from glsweep.scenes.cards import load_data


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_is_shipped_is_found_by_its_name_from_any_folder() -> None:
    assert load_space(Path("search_spaces/wide.yaml")).name == "wide"
    assert load_data([Path("datasets/demo.yaml")]).name == "demo"


def test_a_file_of_ones_own_goes_before_one_that_is_shipped() -> None:
    mine = Path("search_spaces/wide.yaml")
    mine.parent.mkdir()
    shutil.copy(SHIPPED / "search_spaces" / "demo.yaml", mine)
    assert find_shipped(mine) == mine
    assert load_space(mine).name == "demo"


@pytest.mark.parametrize(
    "name", ["search_spaces/none.yaml", "demo.yaml", "pyproject.toml", ".", "search_spaces"]
)
def test_nothing_else_is_looked_for_among_what_is_shipped(name: str) -> None:
    assert find_shipped(Path(name)) == Path(name)
