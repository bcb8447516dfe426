"""Shells complete the words of the command `glsweep`."""

import re
import subprocess
from pathlib import Path

import pytest

from glsweep.run import COMMANDS, STAGE_COMMANDS, main


def script(capsys: pytest.CaptureFixture[str], shell: str) -> str:
    """What a shell is to read."""
    with pytest.raises(SystemExit) as caught:
        main(["--tyro-print-completion", shell])
    assert caught.value.code in (0, None)
    return capsys.readouterr().out


@pytest.fixture
def of_bash(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Path:
    (tmp_path / "glsweep.bash").write_text(script(capsys, "bash"))
    return tmp_path / "glsweep.bash"


def completed(of_bash: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    quoted = " ".join(f"'{word}'" for word in ("glsweep", *words))
    lines = f"""
        source {of_bash}
        COMP_WORDS=({quoted})
        COMP_CWORD={len(words)}
        _tyro_glsweep glsweep '{words[-1]}' '{("glsweep", *words)[-2]}'
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return subprocess.run(["bash", "-c", lines], check=True, capture_output=True, text=True).stdout.split()


def test_bash_offers_every_command_its_options_and_their_choices(of_bash: Path) -> None:
    subprocess.run(["bash", "-n", str(of_bash)], check=True)
    assert {*COMMANDS, *STAGE_COMMANDS, "report", "transfer"} <= {*completed(of_bash, "")}
    assert completed(of_bash, "pred") == ["predict"]
    assert {"--scene", "--out", "--log-format"} <= {*completed(of_bash, "predict", "--")}
    assert completed(of_bash, "predict", "--log-format", "") == ["text", "json"]


def test_no_help_text_has_several_lines_which_bash_would_offer_as_options(of_bash: Path) -> None:
    (described,) = re.findall("^COMPLETION_SPEC = .*$", of_bash.read_text(), re.MULTILINE)
    assert re.findall(r"[^']*\\n[^']*", described) == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_every_command_too(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    text = script(capsys, shell)
    assert "python -m" not in text.splitlines()[0]
    assert all(name in text for name in (*COMMANDS, *STAGE_COMMANDS, "report", "transfer"))
