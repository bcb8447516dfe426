"""Data cards and search spaces by the names that README and `--help` use, also from a wheel."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from glsweep.config import SHIPPED, find_shipped
from glsweep.config.space import load_space
from glsweep.scenes.cards import load_data

PROJECT = Path(__file__).parents[2]
FOLDERS = ("glsweep", "search_spaces", "datasets")
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")


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


def files_below(root: Path) -> Iterator[str]:
    for folder in FOLDERS:
        for path in (root / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path.relative_to(root))


def within_package(name: str) -> str:
    return name if name.startswith("glsweep/") else f"glsweep/{name}"


def test_a_wheel_holds_every_file_and_runs_without_the_checkout(tmp_path: Path) -> None:
    source, site = tmp_path / "source", tmp_path / "site"
    for folder in FOLDERS:
        shutil.copytree(PROJECT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in SOURCES:
        shutil.copy(PROJECT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(source)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(site)
    shutil.rmtree(source)
    assert {within_package(name) for name in files_below(PROJECT)} == set(files_below(site))
    assert {path.name for path in site.iterdir()} == {"glsweep", f"{wheel.name.rsplit('-', 3)[0]}.dist-info"}

    program = "import sys; sys.path[0] = sys.argv.pop(1); from glsweep.run import main; sys.exit(main())"
    command = [sys.executable, "-c", program, str(site), "check", "datasets/demo.yaml"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    assert "usable: a study of this data would run" in told.stdout
