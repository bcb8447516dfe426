"""What a search space may name, and what is said of what it may not."""

import os
from pathlib import Path

import pytest

from glsweep.config.trial import BUILT_IN_LOSS
from glsweep.errors import ConfigError
from glsweep.registry import (
    ARCHITECTURES,
    AUGMENTATIONS,
    LOSSES,
    SAMPLERS,
    STOPPING_RULES,
    BuiltIn,
    Registry,
    files_of,
)

EVERY = [ARCHITECTURES, LOSSES, AUGMENTATIONS, SAMPLERS, STOPPING_RULES]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a module that is found, under a name of its own in each test."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> Path:
        file = tmp_path / f"{name}.py"
        file.write_text(text)
        return file

    return write


@pytest.mark.parametrize(
    ("registry", "name"), [(registry, name) for registry in EVERY for name in registry.built_in]
)
def test_everything_built_in_is_found_and_takes_what_it_needs(registry: Registry, name: str) -> None:
    assert callable(registry.load(name))
    if name != BUILT_IN_LOSS:  # it is made with its weights, see `loss_of`
        assert callable(registry.bind(name, {}))


@pytest.mark.parametrize("name", ["my_nets:TinyNet", "a.b.c:D", "_m1:f_2"])
def test_an_import_path_is_a_name_without_being_imported(name: str) -> None:
    assert all(registry.fault_in(name) is None for registry in EVERY)


@pytest.mark.parametrize(
    "name", ["my_nets", "my_nets:", ":Net", "a/b:Net", "../a:Net", "a:b.c", "a b:Net", "a:Net-1", "", 3, None]
)
def test_anything_else_is_refused_with_the_names_that_there_are(name: object) -> None:
    fault = ARCHITECTURES.fault_in(name)
    assert fault is not None
    assert "'unet', 'attention_unet', 'unetpp'" in fault


def test_only_what_a_callable_takes_is_passed_and_the_rest_is_its_own(module) -> None:
    module("taking", "def some(b, x, scale=2):\n    return b, x, scale\n")
    registry = Registry("thing", {"none": BuiltIn("x:y")}, offers=frozenset({"a", "b"}), needs=("b",))
    assert registry.bind("taking:some", {"x": 5})(a=1, b=2) == (2, 5, 2)
    registry.check_own("taking:some", ["x"])
    with pytest.raises(ConfigError, match=r"^some\.y: some takes no y; it takes x, scale$"):
        registry.check_own("taking:some", ["x", "y"])
    with pytest.raises(ConfigError, match=r"^some\.x: taking:some needs it; add it to"):
        registry.check_own("taking:some", [])


def test_what_takes_any_keyword_takes_every_own_parameter(module) -> None:
    module("open_handed", "def some(a, **everything):\n    return a, everything\n")
    registry = Registry("thing", {}, offers=frozenset({"a"}), needs=("a",))
    registry.check_own("open_handed:some", ["x", "y"])
    assert registry.bind("open_handed:some", {"x": 5})(a=1) == (1, {"x": 5})


def test_what_does_not_take_its_input_is_refused(module) -> None:
    module("deaf", "def loss(prediction, label, valid):\n    pass\n")
    with pytest.raises(ConfigError, match=r"^loss: deaf:loss takes no parameter called logits"):
        LOSSES.check_own("deaf:loss", [])


@pytest.mark.parametrize("registry", [ARCHITECTURES, LOSSES, AUGMENTATIONS, SAMPLERS])
@pytest.mark.parametrize("name", ["os:system", "subprocess:run", "builtins:exec", "shutil:rmtree"])
def test_a_file_that_is_handed_over_cannot_have_just_any_function_called(registry, name) -> None:
    with pytest.raises(ConfigError, match=r"takes no parameter called|has no signature"):
        registry.bind(name, {"command": "false", "args": "false"})


def test_a_module_that_is_not_there_is_refused_with_where_it_was_looked_for() -> None:
    with pytest.raises(ConfigError, match=rf"no module nowhere_at_all in {Path.cwd()} or on PYTHONPATH; run"):
        ARCHITECTURES.load("nowhere_at_all:Net")


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        (
            "breaks_down",
            "raise ValueError('no such\\nthing')",
            "(ValueError: no such thing); mend",
        ),
        (
            "lacks_another",
            "import not_installed_here",
            "(ModuleNotFoundError: No module named 'not_",
        ),
        ("ends_all", "import sys; sys.exit('done')", "(SystemExit: done); mend the module"),
        ("is_no_python", "def :", "(SyntaxError: "),
    ],
)
def test_a_module_that_fails_is_refused_with_its_cause_in_one_line(module, name, text, cause) -> None:
    module(name, text)
    with pytest.raises(ConfigError) as refused:
        LOSSES.load(f"{name}:loss")
    told = str(refused.value)
    assert told.startswith(f"loss: {name}:loss cannot be imported: its module fails ")
    assert cause in told
    assert "\n" not in told


def test_an_object_that_is_not_there_is_refused_with_those_of_the_module(module) -> None:
    file = module("has_others", "import os\n\nclass Net:\n    pass\n\nSIZE = 3\n")
    with pytest.raises(ConfigError) as refused:
        ARCHITECTURES.load("has_others:Nett")
    assert str(refused.value) == f"architecture: has_others:Nett: {file} has no Nett; it has Net"
    with pytest.raises(ConfigError, match="has_others:SIZE is 3; name a class or a function"):
        ARCHITECTURES.load("has_others:SIZE")


def test_the_current_folder_is_looked_in_however_the_command_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lies_here.py").write_text("def some(logits, label, valid):\n    pass\n")
    monkeypatch.setattr("sys.path", [entry for entry in os.sys.path if entry not in ("", str(tmp_path))])
    monkeypatch.chdir(tmp_path)
    assert callable(LOSSES.load("lies_here:some"))


def test_files_are_those_of_the_named_modules_and_of_what_lies_beside_them(module, tmp_path: Path) -> None:
    module("used_beside", "SCALE = 3\n")
    module("never_used", "raise ValueError\n")
    file = module("names_it", "from used_beside import SCALE\nfrom math import pi\n\ndef some():\n    pass\n")
    package = tmp_path / "packaged"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("def some():\n    pass\n")
    assert files_of(["names_it:some"]) == [file, tmp_path / "used_beside.py"]
    assert set(files_of(["packaged.inner:some"])) >= {package}
    assert files_of([]) == []
    assert files_of(["torch.nn:Identity"]) == [], "what is installed is not sent"


def test_titles_and_order_fall_back_to_the_objects_name() -> None:
    assert ARCHITECTURES.title("unetpp") == "U-Net++"
    assert ARCHITECTURES.title("my_nets:TinyNet") == "TinyNet"
    names = ["b:Net", "unetpp", None, "a:Net", "unet"]
    assert sorted(names, key=ARCHITECTURES.rank) == [None, "unet", "unetpp", "a:Net", "b:Net"]
