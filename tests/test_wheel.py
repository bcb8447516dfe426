"""The package as strangers get it: built, installed, and used in an environment without the checkout.

What glsweep needs is not installed anew, which takes minutes: the new environment sees that of the tests,
in which a `.pth` file shows the checkout; of a folder that is merely on the path such files are not read.
"""

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from affine import Affine
from made_configs import SPACE, changed, write_yaml
from made_input import POLAR

from glsweep.run import main
from glsweep.scenes.raster import write_interferogram

PROJECT = Path(__file__).parents[1]
PLACE = Affine(100, 0, -1_500_000, 0, -100, -700_000)
SHIPPED = ("datasets", "search_spaces")
CARD = {"name": "few", "simulation": {"scenes": 4, "rows": 192, "cols": 160, "tides": "resolved"}}

pytestmark = pytest.mark.slow


class Built(NamedTuple):
    """A source distribution, and the wheel that was made of it."""

    source: Path
    wheel: Path


class Installed(NamedTuple):
    """An environment with the wheel, and a folder far from the checkout to work in."""

    environment: Path
    folder: Path

    def run(self, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment as a user would, who has no checkout on a path."""
        command = [str(self.environment / "bin" / program), *map(str, arguments)]
        return subprocess.run(
            command, cwd=self.folder, env=a_strangers(), capture_output=True, text=True, check=False
        )


def a_strangers() -> dict[str, str]:
    """Return the environment variables of one who has set nothing for Python, whatever other tests did."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(folder)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    (source,) = folder.glob("*.tar.gz")
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True)
    (made,) = folder.glob("*.whl")
    return Built(source, made)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    environment, folder = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    options = ["--quiet", "--no-deps", "--no-index", "--ignore-installed", "--no-warn-script-location"]
    python = str(environment / "bin" / "python")
    install = [sys.executable, "-m", "pip", "--python", python, "install", *options, str(built.wheel)]
    subprocess.run(install, check=True, env=a_strangers())
    (site,) = environment.glob("lib/python*/site-packages")
    # Only now: pip would find the checkout's glsweep there, and install no other.
    seen = [entry for entry in sys.path if Path(entry).name == "site-packages"]
    (site / "of_the_tests.pth").write_text("\n".join(seen))
    return Installed(environment, folder)


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    """Return what was printed by a command that went well and had nothing to complain of."""
    assert done.returncode == 0, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout


def files_of(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(PROJECT).as_posix()


def test_the_source_distribution_holds_what_builds_and_tests_it(built: Built) -> None:
    with tarfile.open(built.source) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    needed = {name for folder in ("glsweep", "tests", *SHIPPED) for name in files_of(PROJECT / folder)}
    beside = {"Makefile", "LICENSE", "README.md", "pyproject.toml", "requirements-dev.lock", "cluster.yaml"}
    assert needed | beside <= held


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
    package = set(files_of(PROJECT / "glsweep"))
    assert "glsweep/py.typed" in package
    assert held == package | {f"glsweep/{name}" for folder in SHIPPED for name in files_of(PROJECT / folder)}


def test_what_runs_is_the_wheel_and_not_the_checkout(installed: Installed) -> None:
    where = succeeded(installed.run("python", "-c", "import glsweep; print(glsweep.__file__)"))
    assert Path(where.strip()).is_relative_to(installed.environment)


def test_the_command_and_both_modules_are_one(installed: Installed) -> None:
    helps = [
        succeeded(installed.run(*command, "--help"))
        for command in (["glsweep"], ["python", "-m", "glsweep"], ["python", "-m", "glsweep.run"])
    ]
    assert "Find the network that draws glacier grounding lines best." in helps[0]
    assert helps[0] == helps[1] == helps[2]


def test_the_command_ends_with_the_code_of_what_went_wrong(installed: Installed) -> None:
    refused = installed.run("glsweep", "status", "nowhere")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: nowhere")


def test_doctor_examines_the_machine_for_a_search_space_that_is_shipped(installed: Installed) -> None:
    done = installed.run("glsweep", "doctor", "--space", "search_spaces/demo.yaml")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_check_finds_a_shipped_card_by_its_name(installed: Installed) -> None:
    told = installed.run("glsweep", "check", "datasets/demo.yaml")
    assert (told.returncode, told.stderr) == (0, "")
    assert "usable: a study of this data would run" in told.stdout


def test_a_study_begins_with_a_search_space_that_is_shipped(installed: Installed) -> None:
    card = write_yaml(installed.folder / "few.yaml", CARD)
    asked = ["--data", card, "--space", "search_spaces/demo.yaml", "--study", "begun"]
    assert "16 configurations planned" in succeeded(installed.run("glsweep", "prepare", *asked))


@pytest.mark.ray
def test_trials_run_in_processes_that_find_the_wheel_too(
    installed: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    space = changed(SPACE, "dimensions", {"architecture": "unet", "patch_size_px": 32, "bce_weight": 0.2})
    card, study = write_yaml(installed.folder / "card.yaml", CARD), str(installed.folder / "study")
    asked = ["--data", str(card), "--space", str(write_yaml(installed.folder / "space.yaml", space))]
    # What comes before and after runs in this process, which has loaded the libraries.
    assert main(["prepare", *asked, "--study", study]) == 0
    succeeded(installed.run("glsweep", "sweep", "--study", study))
    capsys.readouterr()
    assert main(["status", study]) == 0
    assert "1 of 1 trials over" in capsys.readouterr().out


def test_predict_draws_with_the_network_in_the_package(installed: Installed) -> None:
    row, col = np.indices((160, 192))
    still = np.exp(1j * (0.02 * row + 0.01 * col)).astype(np.complex64)
    write_interferogram(installed.folder / "still.tif", still, PLACE, POLAR)
    succeeded(installed.run("glsweep", "predict", "--scene", "still.tif", "--out", "lines"))
    written = {path.name for path in (installed.folder / "lines").iterdir()}
    assert {"still-probability.tif", "still-lines.gpkg", "still.json", "still.png"} <= written
