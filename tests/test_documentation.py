"""The documentation against what it describes; `make docs` builds the site and follows every link in it."""

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from program_reference import commands_in, help_of
from pydantic import Field
from settings_reference import PAGES, Page, settings_pages

from glsweep import __version__
from glsweep.config.data_card import DataCard
from glsweep.config.settings import Settings
from glsweep.config.space import SearchSpace
from glsweep.config.trial import TrialParameters
from glsweep.run import COMMANDS, STAGE_COMMANDS
from glsweep.study.configuration import StudyConfig

PROJECT = Path(__file__).parents[1]
FOLDERS = ("docs", "datasets", "benchmarks")
WRITTEN = [*PROJECT.glob("*.md"), *(path for folder in FOLDERS for path in (PROJECT / folder).rglob("*.md"))]


class Gate(Settings):
    """A gate made for these tests. Everything is `shut` at night.

    `width_m` is that between its posts; `locked` needs a key. It is never lost. Of `colours` any will do.
    """

    state: Literal["open", "shut"] = "open"
    width_m: float = Field(gt=0, le=4)
    locked: bool = False
    colours: tuple[str, ...] | None = Field(default=None, min_length=2)
    maker: str = Field(default="", description="who built it: a|b")


def row(page: str, key: str) -> list[str]:
    """The cells of a key's row: what it may be, its default, its meaning."""
    (line,) = re.findall(rf"^\| `{key}` \| (.*) \|$", page, flags=re.MULTILINE)
    return [cell.strip() for cell in re.split(r" \| ", line)]


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> str:
    page = Page("gate.md", "Keys of a gate", "No data card.", {Gate: "A gate"})
    monkeypatch.setattr("settings_reference.PAGES", (page,))
    return settings_pages()["gate.md"]


@pytest.mark.parametrize("file", WRITTEN, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_every_link_to_a_file_of_the_repository_leads_to_one(file: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", file.read_text())
    there = [link for link in links if not link.startswith("reference/")]  # made with the site
    assert [link for link in there if not (file.parent / link).exists()] == []


@pytest.mark.parametrize("file", WRITTEN, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_every_list_stands_apart_from_the_text_above_it(file: Path) -> None:
    text = re.sub(r"^```.*?^```", "```", file.read_text(), flags=re.MULTILINE | re.DOTALL)
    # GitHub makes a list of it all the same, the site does not.
    assert re.findall(r"^(?![-#\s]|\d+\. ).+\n(?:-|\d+\.) .*", text, flags=re.MULTILINE) == []


@pytest.mark.parametrize("model", [DataCard, SearchSpace, TrialParameters, StudyConfig])
def test_every_key_that_pydantic_knows_is_in_the_reference(model: type[Settings]) -> None:
    schema = model.model_json_schema(mode="validation")
    models: list[dict[str, Any]] = [schema, *schema.get("$defs", {}).values()]
    keys = {key for known in models for key in known.get("properties", {})}
    pages = "\n".join(settings_pages().values())
    assert len(keys) > 3
    assert {key for key in keys if f"\n| `{key}` | " not in pages} == set()


def test_each_page_begins_with_its_title_and_no_model_stands_on_two() -> None:
    pages = settings_pages()
    assert [pages[page.place].splitlines()[0] for page in PAGES] == [f"# {page.title}" for page in PAGES]
    anchors = re.findall(r"^## .* \{#(.*)\}$", "\n".join(pages.values()), flags=re.MULTILINE)
    assert len(set(anchors)) == len(anchors)


def test_limits_and_defaults_are_told_as_the_models_have_them() -> None:
    space = settings_pages()["reference/search_space.md"]
    assert row(space, "patch_size_px")[:2] == ["whole number ≥ 16 and a multiple of 16", "*required*"]
    assert row(space, "cohort")[:2] == ["`auto` or whole number ≥ 1", "`auto`"]
    assert row(space, "ds_weights")[:2] == ["list of 4 numbers or null", "`null`"]


def test_a_key_means_what_its_description_or_the_sentence_on_it_says(gate: str) -> None:
    assert row(gate, "width_m") == [
        "number > 0 and ≤ 4",
        "*required*",
        "`width_m` is that between its posts.",
    ]
    assert row(gate, "locked")[2] == "`locked` needs a key. It is never lost."
    assert row(gate, "colours") == [
        "list of texts (at least 2) or null",
        "`null`",
        "Of `colours` any will do.",
    ]
    assert row(gate, "maker") == ["text", "empty", "Who built it: a\\|b."]


def test_a_sentence_on_a_value_tells_of_the_key_that_takes_it(gate: str) -> None:
    assert row(gate, "state") == ["`open`, `shut`", "`open`", "Everything is `shut` at night."]
    assert "\n\nA gate made for these tests.\n\n|" in gate, "what speaks of no key stands above the table"


def test_package_project_and_citation_name_one_version() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    assert __version__ == project["version"] == citation["version"]


def test_every_command_has_its_section() -> None:
    assert set(commands_in(help_of())) == {*STAGE_COMMANDS, "report", *COMMANDS}
