"""What a sweep needs, what is compared between nodes, and what the command prints."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from doctor_needs import parameters
from made_configs import SPACE, changed
from rich.console import Console

from glsweep.config.space import Resources, SearchSpace, load_space
from glsweep.doctor import error, warning
from glsweep.doctor.examine import doctor, print_findings
from glsweep.doctor.memory import SweepRequirements, largest_of_each_stratum, requirements_of
from glsweep.doctor.nodes import too_many_threads, version_differences
from glsweep.errors import ConfigError
from glsweep.tracking.address import StoreError, check_reachable

SEED_GRID = Path(__file__).parents[2] / "search_spaces" / "seed_grid.yaml"
SOURCE = Path("space.yaml")


def needed(**dimensions: object) -> SweepRequirements:
    """The need of the small space with other dimensions."""
    space = changed(SPACE, "dimensions", {**SPACE["dimensions"], **dimensions})
    space["fixed"] = {key: value for key, value in space["fixed"].items() if key not in dimensions}
    return requirements_of(SearchSpace.model_validate(space), SOURCE)


def test_a_grid_needs_one_trial_of_each_stratum() -> None:
    requirements = requirements_of(load_space(SEED_GRID), SEED_GRID)
    keys = [trial.stratum.key for trial in requirements.trials]
    assert keys == sorted(
        f"{name}-{size}" for name in ("unet", "attention_unet", "unetpp") for size in (128, 256)
    )
    assert requirements.patch_bytes == {size: 16_000 * size**2 * 9 for size in (128, 256)}


def test_the_largest_of_what_a_space_may_propose_is_needed() -> None:
    requirements = needed(
        base_width={"choices": [2, 8, 4]},
        small={"keys": ["batch_size", "gamma"], "choices": [[2, 1.0], [4, 1.5]], "when": {"bce_weight": 0.2}},
        large={
            "keys": ["batch_size", "gamma"],
            "choices": [[9, 1.0], [16, 1.5]],
            "when": {"bce_weight": 0.35},
        },
        learning_rate={"low": 1e-4, "high": 1e-2, "log": True},
    )
    assert [(trial.base_width, trial.batch_size) for trial in requirements.trials] == [(8, 16), (8, 16)]


def test_of_a_range_its_upper_end_is_needed() -> None:
    requirements = needed(batch_size={"low": 2, "high": 32})
    assert {trial.batch_size for trial in requirements.trials} == {32}


def test_tied_sizes_stay_tied() -> None:
    tied = {"keys": ["patch_size", "batch_size"], "choices": [[32, 8], [64, 2]]}
    space = changed(SPACE, "dimensions", {"architecture": {"choices": ["unet"]}, "sizes": tied})
    del space["fixed"]["batch_size"]
    requirements = requirements_of(
        SearchSpace.model_validate({**space, "fixed": {**space["fixed"], "bce_weight": 0.2}}), SOURCE
    )
    assert [(trial.patch_size_px, trial.batch_size) for trial in requirements.trials] == [(32, 8), (64, 2)]


def test_a_space_that_cannot_be_planned_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"space.yaml: .*'depth' is not a parameter"):
        needed(depth={"choices": [1]})


def test_a_wider_network_counts_for_more_than_a_larger_batch() -> None:
    narrow, wide = parameters("unet", 64, base_width=2, batch_size=50), parameters("unet", 64, base_width=4)
    assert largest_of_each_stratum([wide, narrow]) == (wide,)


def test_versions_are_compared_without_the_builds_label() -> None:
    here = {"python": "3.12.1", "ray": "2.60.0", "torch": "2.13.0+cpu", "glsweep": "0.1.0 (source aa)"}
    same = {**here, "torch": "2.13.0+cu128"}
    other = {**here, "ray": "2.59.0", "glsweep": "0.1.0 (source bb)", "torch": None}
    (found,) = version_differences(here, {"a": same, "b": other})
    assert found.where == "node b"
    assert "ray 2.59.0 instead of 2.60.0" in found.what
    assert "torch none instead of 2.13.0+cpu" in found.what
    assert "glsweep 0.1.0 (source bb) instead of 0.1.0 (source aa)" in found.what
    assert "python" not in found.what


def test_threads_are_counted_against_cores() -> None:
    asked = Resources(cpus=2, gpus=0)

    def count(together: int, cores: int, **threads: str) -> int:
        return len(
            list(too_many_threads("n", resources=asked, together=together, cores=cores, threads=threads))
        )

    assert count(4, 8) == 0
    assert count(5, 8) == 1
    assert count(1, 8, OMP_NUM_THREADS="2", MKL_NUM_THREADS="8") == 1
    assert count(0, 8, OMP_NUM_THREADS="8") == 0


def printed(findings: list, checks: int = 7) -> str:
    console = Console(record=True, width=160)
    print_findings(findings, console, checks=checks)
    return console.export_text()


def test_findings_are_printed_with_errors_first() -> None:
    assert printed([]) == "no findings: 7 checks\n"
    text = printed(
        [
            warning("is [slow]", where="node a", remedy="wait"),
            error("is gone", where="node b", remedy="start it"),
        ]
    )
    assert text.index("error") < text.index("warning")
    assert "[slow]" in text
    assert "2 findings: 7 checks" in text


def test_a_file_is_examined_without_a_cluster(tmp_path: Path) -> None:
    path, console = tmp_path / "cluster.yaml", Console(record=True, width=300)
    requirements = SweepRequirements(Resources(cpus=1, gpus=0), ())
    path.write_text("cluster_name: x\nprovider: {type: moon}\n")
    assert (
        doctor(cluster_yaml=path, address=None, requirements=requirements, storage=None, console=console) == 2
    )
    assert "Unsupported node provider: moon" in console.export_text()


@pytest.mark.ray
def test_this_machine_is_examined_and_mlflow_out_of_reach_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    console = Console(record=True, width=300)
    requirements = SweepRequirements(Resources(cpus=1, gpus=0.25), (parameters("unet", 32),))
    assert (
        doctor(
            cluster_yaml=None, address=None, requirements=requirements, storage=str(tmp_path), console=console
        )
        == 0
    )
    text = console.export_text()
    assert "MLFLOW_TRACKING_URI" in text
    assert "1 findings" in text
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_that_does_not_answer_is_a_finding() -> None:
    console = Console(record=True, width=300)
    requirements = SweepRequirements(Resources(cpus=1, gpus=0), ())
    assert (
        doctor(
            cluster_yaml=None, address="127.0.0.1:1", requirements=requirements, storage=None, console=console
        )
        == 2
    )
    assert "does not answer" in console.export_text()


@pytest.fixture
def server() -> Iterator[tuple[str, list[int]]]:
    """A server whose answers have the status that a test puts into the list."""
    status = [200]

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_address[1]}", status
        served.shutdown()


def test_mlflow_is_reached_where_something_answers(server: tuple[str, list[int]], tmp_path: Path) -> None:
    uri, status = server
    check_reachable(uri)
    status[0] = 401  # it wants a password
    check_reachable(uri)
    status[0] = 502
    with pytest.raises(StoreError, match="502"):
        check_reachable(uri)
    check_reachable(f"sqlite:///{tmp_path / 'mlflow.db'}")
    check_reachable(f"sqlite:///{tmp_path / 'none' / 'mlflow.db'}")
    assert not any(tmp_path.iterdir()), "what is only asked for was made"
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file is no folder that can be written"):
        check_reachable(f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}")
