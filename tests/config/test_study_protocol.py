"""docs/study_protocol.md names keys and files that exist, and gives each deviation its reason."""

import re
from pathlib import Path

import pytest
import torch

from glsweep.config.settings import read_yaml
from glsweep.config.space import Budget, load_space
from glsweep.evaluate import patches as bootstrap
from glsweep.losses import SMALLEST_SHORTFALL, SMOOTH
from glsweep.metrics.patches import IOU_TOLERANCE_PX
from glsweep.patches.augmentation import MOST_GAIN, MOST_SPECKLE
from glsweep.patches.sampler import ROUNDS, TRIES
from glsweep.sweep.journal import CRASHES_IN_A_ROW

ROOT = Path(__file__).resolve().parents[2]
GRID = ROOT / "search_spaces" / "seed_grid.yaml"
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


def test_what_may_be_left_out_is_written_out_in_the_published_grid():
    """All but what is text, and what is nothing when it is left out."""
    written, space = read_yaml(ROOT / "search_spaces" / "seed_grid.yaml"), load_space(GRID)
    for part in ("patches", "search", "resources", "retraining", "calibration"):
        left_out = {
            key: getattr(getattr(space, part), key) for key in type(getattr(space, part)).model_fields
        }
        left_out = {key: value for key, value in left_out.items() if key not in written[part]}
        nothing = {"first": (), "parallel": None, "budget": Budget(), "near_share": None}
        assert left_out == {key: nothing[key] for key in left_out}


def test_the_constants_are_those_of_the_code():
    table = {row[0].split(":")[0]: row[2] for row in ROWS if len(row) == 4}
    adam = torch.optim.Adam([torch.zeros(1)]).defaults
    assert (adam["betas"], adam["eps"]) == ((0.9, 0.999), 1e-8)
    assert ".9, .999, 1e-8" in table["Adam's decay rates and epsilon"]
    code = {
        "Tversky index": SMOOTH,
        "1 - TI, kept above": SMALLEST_SHORTFALL,
        "augmentation": (MOST_SPECKLE, MOST_GAIN),
        "`rule": (TRIES, ROUNDS),
        "crashes without an epoch between that fail a trial": CRASHES_IN_A_ROW,
        "IoU_tol2": IOU_TOLERANCE_PX,
        "interval in the table": bootstrap.DRAWS,
    }
    for name, value in code.items():
        numbers = [float(n) for n in re.findall(r"\d*\.?\d+(?:e-\d+)?", table[name].replace(",000", "000"))]
        assert numbers == list(value if isinstance(value, tuple) else (value,)), name


def test_the_files_that_it_names_exist():
    for link in re.findall(r"\]\(([^)#]+)", TEXT):
        assert (ROOT / "docs" / link).exists(), link
    for file in re.findall(r"`(glsweep/[\w/]+\.py|tests/[\w/]+\.py)`", TEXT):
        assert (ROOT / file).exists(), file
