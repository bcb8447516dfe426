"""What keeps Ray from starting on a machine is found before it is tried, each with its own remedy."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glsweep.doctor import Finding, connection
from glsweep.doctor.connection import connected, limitations, missing_requirements, ray_folder
from glsweep.errors import ResourceError
from glsweep.run import main

ASK = "from glsweep.doctor.connection import missing_requirements; print(*missing_requirements(), sep='\\n')"
SUBJECT = [sys.executable, "-c", ASK]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces and other users")
AF_UNIX_BYTES = 107


@pytest.fixture(autouse=True)
def _own_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.delenv("TMPDIR", raising=False)


def found_after(preparation: str) -> str:
    """What is found in a shell in which something was taken away before."""
    shell = ["bash", "-c", f'{preparation}; exec "$@"', "bash", *SUBJECT]
    return subprocess.run(shell, capture_output=True, text=True, check=True).stdout.strip()


def only(findings: Iterator[Finding]) -> str:
    (finding,) = findings
    return str(finding)


def test_nothing_is_lacking_here() -> None:
    assert found_after("true") == ""


def test_few_open_files_are_told_with_the_limit_and_how_to_raise_it() -> None:
    told = found_after("ulimit -n 40")
    assert told.startswith("ulimit -n 40: ")
    assert "`ulimit -n 4096`" in told


@AS_ROOT
def test_a_machine_that_cannot_reach_itself_is_told() -> None:
    shell = ["unshare", "--net", *SUBJECT]
    told = subprocess.run(shell, capture_output=True, text=True, check=True).stdout
    assert told.startswith("this machine: nothing can be reached at 127.0.0.1 (")
    assert "`ip link set lo up`" in told


@AS_ROOT
def test_few_threads_are_told_to_all_but_root() -> None:
    assert found_after("ulimit -u 50") == ""
    # The reader of this interpreter may have to be somebody who may read everything.
    capability = "+dac_read_search"
    user = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
    user += [f"--inh-caps={capability}", f"--ambient-caps={capability}"]
    shell = ["bash", "-c", 'ulimit -u 50; exec "$@"', "bash", *user, *SUBJECT]
    told = subprocess.run(shell, capture_output=True, text=True, check=True).stdout
    assert told.startswith("ulimit -u 50: leaves room for ")
    assert "raise it to " in told


def test_few_threads_of_a_container_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CGROUPS", (tmp_path,))
    (tmp_path / "pids.current").write_text("30\n")
    (tmp_path / "pids.max").write_text("max\n")
    assert list(missing_requirements()) == []
    (tmp_path / "pids.max").write_text("100\n")
    assert "pids.max 100: leaves room for 70 more threads" in only(missing_requirements())


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_long_path_is_no_hindrance_and_told_with_where_the_files_go(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 60)
    long.mkdir()
    monkeypatch.setenv(variable, str(long))
    assert list(missing_requirements()) == []
    told = only(limitations(0))
    assert told.startswith(f"{variable}={long}: the path of {len(str(long))} bytes is too long")
    assert "; Ray's files go to /tmp; set TMPDIR or RAY_TMPDIR" in told
    with ray_folder() as folder:
        assert folder.parent == Path("/tmp")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "session").mkdir()
    assert not folder.exists()


@pytest.mark.parametrize("name", ["missing", "file", "/proc/self"])
def test_a_folder_that_cannot_be_written_to_is_replaced(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TMPDIR", str(tmp_path / name))
    assert list(missing_requirements()) == []
    assert "; Ray's files go to /tmp; " in only(limitations(0))
    assert not (tmp_path / "missing").exists()


def test_ray_has_its_own_choice_where_that_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(limitations(0)) == []
    with ray_folder() as folder:
        assert folder == Path("/tmp/ray")
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    with ray_folder() as folder:
        assert folder == Path("/var/tmp/ray")


def test_where_no_folder_will_do_the_line_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SHORT_FOLDERS", ("/proc",))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    told = only(missing_requirements())
    assert told.startswith(
        f"TMPDIR={tmp_path / 'missing'}: is no folder, nor can Ray's files go to /proc; set TMPDIR"
    )


@given(letters=st.text("aé日", min_size=1, max_size=60))
def test_whatever_folder_is_taken_its_sockets_have_an_address(letters: str) -> None:
    folder = Path("/") / letters
    if not connection.is_too_long(folder):
        longest = folder / "ray" / "session_2026-12-31_23-59-59_999999_4194304" / "sockets" / "plasma_store.1"
        assert len(os.fsencode(longest)) <= AF_UNIX_BYTES


def test_a_folder_without_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LEAST_FREE_BYTES", 2**60)
    assert "/tmp: " in (told := only(missing_requirements()))
    assert "make room there, or set TMPDIR to another folder" in told


def test_a_small_shared_memory_is_told_with_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = only(limitations(2**60))
    assert told.startswith("/dev/shm: has ")
    assert "--shm-size=" in told
    monkeypatch.setattr(connection, "SHARED_MEMORY", tmp_path / "missing")
    assert "has 0 MiB free" in only(limitations(1))


@pytest.mark.parametrize("key", [None, "", "abc"])
def test_only_without_a_home_for_its_key_is_ray_given_one(
    key: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    if key is not None:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text(key)
    connection.set_auth_token()
    assert ("RAY_AUTH_TOKEN" in os.environ) == (key == "")
    monkeypatch.setenv("HOME", "/proc/nohome")
    connection.set_auth_token()
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    # Not by `monkeypatch`, which would put this token back for all tests that come after.
    del os.environ["RAY_AUTH_TOKEN"]


@pytest.mark.ray
def test_ray_starts_without_a_home_under_a_long_temporary_folder_and_leaves_at_once_and_whole(
    tmp_path: Path,
) -> None:
    long = tmp_path / ("y" * 60)
    long.mkdir()
    program = """
import time
import ray
from glsweep.doctor.connection import connected
import psutil
with connected(None):
    print(ray.get(ray.remote(lambda: "it works").remote()))
    started = psutil.Process().children(recursive=True)
    assert len(started) > 5
    over_s = time.monotonic()
assert time.monotonic() - over_s < 4, "it waited for processes that do not hear it"
assert psutil.wait_procs(started, timeout=10)[1] == []
"""
    environment = {**os.environ, "HOME": "/proc/nohome", "TMPDIR": str(long)}
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (told.returncode, told.stdout) == (0, "it works\n"), told.stderr
    assert not (long / "ray").exists()


def test_a_sweep_that_cannot_start_ray_is_told_what_doctor_tells(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CGROUPS", (tmp_path,))
    (tmp_path / "pids.current").write_text("30")
    (tmp_path / "pids.max").write_text("100")
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(ResourceError) as refused, connected(None):
        pytest.fail("Ray was started")
    assert main(["doctor"]) == 2
    printed = capsys.readouterr().out
    told = only(missing_requirements())
    assert str(refused.value) == told
    for part in told.replace("; ", ": ").split(": "):
        assert part in printed
    assert "--address" not in printed
