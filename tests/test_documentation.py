"""The documentation against what it describes; `make docs` builds the site and follows every link in it."""

import re
import tomllib
from pathlib import Path
from textwrap import dedent
from typing import Any, Literal

import pytest
import yaml
from made_configs import write_yaml
from program_reference import commands_in, help_of, python_page
from pydantic import Field
from settings_reference import PAGES, Page, settings_pages

import glsweep
from glsweep import __version__
from glsweep.config.data_card import DataCard
from glsweep.config.settings import Settings, load_yaml_mapping
from glsweep.config.space import SearchSpace, load_space
from glsweep.config.trial import TrialParameters
from glsweep.contract import check_network
from glsweep.registry import ARCHITECTURES, AUGMENTATIONS, LOSSES
from glsweep.run import COMMANDS, STAGE_COMMANDS
from glsweep.search import make_plan
from glsweep.study.configuration import StudyConfig

PROJECT = Path(__file__).parents[1]
FOLDERS = ("docs", "datasets", "benchmarks")
WRITTEN = [*PROJECT.glob("*.md"), *(path for folder in FOLDERS for path in (PROJECT / folder).rglob("*.md"))]


class Gate(Settings):
    """A gate made for these tests.

    Nobody need open it.
    """

    state: Literal["open", "shut"] = Field(default="open", description="at night it is `shut`")
    width_m: float = Field(gt=0, le=4, description="between its posts. It is never lost.")
    colours: tuple[str, ...] | None = Field(default=None, min_length=2, description="any will do")
    maker: str = Field(default="", description="who built it: a|b")


class Fence(Settings):
    """A fence with a gate in it."""

    gate: Gate


def row(page: str, key: str) -> list[str]:
    """The cells of a key's row: what it may be, its default, its meaning."""
    (line,) = re.findall(rf"^\| `{key}` \| (.*) \|$", page, flags=re.MULTILINE)
    return [cell.strip() for cell in re.split(r" \| ", line)]


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> str:
    page = Page("gate.md", "Keys of a fence", "No data card.", {Fence: "A fence"})
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
    headings = re.findall(r"^## (.*) \{#(.*)\}$", "\n".join(pages.values()), flags=re.MULTILINE)
    titles, anchors = zip(*headings, strict=True)
    assert len(set(anchors)) == len(anchors)
    assert len(set(titles)) == len(titles)
    assert "`search.scheduler`: `asha`" in titles and "`search.scheduler`: your own" in titles


def test_limits_and_defaults_are_told_as_the_models_have_them() -> None:
    space = settings_pages()["reference/search_space.md"]
    assert row(space, "patch_size_px")[:2] == ["whole number ≥ 16 and a multiple of 16", "*required*"]
    assert row(space, "cohort")[:2] == ["`auto` or whole number ≥ 1", "`auto`"]
    assert row(space, "ds_weights")[:2] == ["list of numbers (at least 1, at most 4) or null", "`null`"]


def test_a_key_means_what_its_description_says(gate: str) -> None:
    assert row(gate, "state") == ["`open`, `shut`", "`open`", "At night it is `shut`."]
    assert row(gate, "width_m") == [
        "number > 0 and ≤ 4",
        "*required*",
        "Between its posts. It is never lost.",
    ]
    assert row(gate, "colours") == ["list of texts (at least 2) or null", "`null`", "Any will do."]
    assert row(gate, "maker") == ["text", "empty", "Who built it: a\\|b."]


def test_a_key_that_holds_keys_means_what_their_docstring_says_first(gate: str) -> None:
    assert row(gate, "gate") == ["[`gate`](#gate)", "*required*", "A gate made for these tests."]
    assert "\n\nA gate made for these tests.\n\nNobody need open it.\n\n|" in gate


@pytest.mark.parametrize("place", [page.place for page in PAGES])
def test_no_key_is_without_words_or_with_another_keys(place: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*?) ?\|$", settings_pages()[place], flags=re.MULTILINE)
    assert len(rows) > 3
    assert [key for key, meaning in rows if not meaning or meaning.startswith("See ")] == []


def test_no_key_is_explained_by_a_module_of_the_code() -> None:
    pages = "\n".join(settings_pages().values())
    assert re.findall(r"\bglsweep\.\w+", pages) == []


def test_package_project_and_citation_name_one_version() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    assert __version__ == project["version"] == citation["version"]


def test_every_name_of_the_package_is_on_the_page_on_python_functions_first() -> None:
    named = re.findall(r"^::: glsweep\.[\w.]+\.(\w+)$", python_page(), flags=re.MULTILINE)
    assert sorted(named) == sorted(glsweep.__all__)
    assert named[:2] == ["simulate", "check"] and named[-1] == "OpenedStudy"


def blocks(page: str, language: str) -> list[str]:
    """The pieces of code on a page of docs/, out of the lists in which they may stand."""
    text = (PROJECT / "docs" / page).read_text()
    return [
        dedent(code) for code in re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    ]


def test_the_page_on_python_names_only_what_there_is() -> None:
    code = "\n".join(blocks("python.md", "python"))
    compile(code, "python.md", "exec")
    things = {"drawn": glsweep.Prediction, "adapted": glsweep.Adapted, "study": glsweep.OpenedStudy}
    for name, thing in things.items():
        known = {*dir(thing), *getattr(thing, "__dataclass_fields__", {})}
        assert set(re.findall(rf"\b{name}\.(\w+)", code)) <= known
    called = set(re.findall(r"\bglsweep\.(\w+)\(", code))
    assert called == {"simulate", "check", "predict", "score", "adapt", "compare", "open_study"}


def test_the_shortest_way_to_an_own_network_leads_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ice.py").write_text(blocks("extending.md", "python")[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert [v.finding for v in check_network("ice:IceNet", sizes_px=(32,)) if not v.is_kept] == []
    demo = load_yaml_mapping(PROJECT / "search_spaces" / "demo.yaml")
    added = yaml.safe_load(blocks("extending.md", "yaml")[0])["dimensions"]
    write_yaml(tmp_path / "space.yaml", {**demo, "dimensions": {**demo["dimensions"], **added}})
    plan = make_plan(load_space(tmp_path / "space.yaml"), seed=0, source=tmp_path / "space.yaml")
    assert [stratum.architecture for stratum in plan.strata].count("ice:IceNet") == 1
    assert plan.size == 16 + 8


def test_no_example_of_something_of_ones_own_is_called_like_something_built_in() -> None:
    built_in = {name for of in (ARCHITECTURES, AUGMENTATIONS, LOSSES) for name in of.built_in}
    for path in (PROJECT / "docs" / "extending.md", PROJECT / "examples" / "own_network.yaml"):
        own = set(re.findall(r"\bmy_\w+:(\w+)", path.read_text()))
        assert own and not own & built_in


@pytest.mark.parametrize("command", ["predict", "score"])
def test_what_draws_without_a_network_is_named_where_a_model_is(command: str) -> None:
    assert "phase-gradient" in " ".join(help_of(command).split())


def test_every_command_has_its_section() -> None:
    assert set(commands_in(help_of())) == {*STAGE_COMMANDS, "report", "transfer", *COMMANDS}
