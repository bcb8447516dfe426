"""docs/study_protocol.md names keys and files that exist, and gives each deviation its reason."""

import re
from pathlib import Path

import pytest

from glsweep.config.yaml_file import read_yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "study_protocol.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| the study |"))
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_line_that_differs_has_its_reason(row):
    assert len(row) == 4
    _, _, ours, reason = row
    assert ours
    if not ours.startswith("the same") or ";" in ours:
        assert reason


def test_every_key_that_is_named_with_a_value_has_that_value_in_the_published_grid():
    space = read_yaml(ROOT / "search_spaces" / "seed_grid.yaml")
    named = re.findall(r"`(patches|search|fixed)\.(\w+): ([^`]+)`", TEXT)
    assert len(named) >= 8
    for part, key, value in named:
        assert str(space[part][key]).replace("'", "") == value


def test_the_files_that_it_names_exist():
    for link in re.findall(r"\]\(([^)#]+)", TEXT):
        assert (ROOT / "docs" / link).exists(), link
    for file in re.findall(r"`(glsweep/[\w/]+\.py|tests/[\w/]+\.py)`", TEXT):
        assert (ROOT / file).exists(), file
