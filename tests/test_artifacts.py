"""Files that stages hand each other: whole, of this version, and typed."""

import json
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_artifacts import data_summary, network_row, study_table, winner
from made_configs import study_config

from glsweep.comparison.scored_scenes import Scores
from glsweep.config.settings import Settings
from glsweep.config.trial import Stratum, TrialParameters
from glsweep.errors import StudyError
from glsweep.run import main
from glsweep.study import create_study
from glsweep.study.artifacts import (
    VERSION,
    Artifact,
    DataSummary,
    StageSummary,
    Winners,
    read_artifact,
    write_artifact,
)
from glsweep.study.evaluation_artifacts import StudyTable


def every_artifact(model: type[Artifact] = Artifact) -> Iterator[type[Artifact]]:
    for below in model.__subclasses__():
        yield from (below, *every_artifact(below))


def of_type(kind: Any) -> st.SearchStrategy[Any]:
    """Values that a field of this type may have."""
    parts = get_args(kind)
    if kind is TrialParameters:
        return st.just(winner().parameters)
    if kind is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if kind is str:
        return st.text(min_size=1, max_size=8)
    if get_origin(kind) is Literal:
        return st.sampled_from(parts)
    if get_origin(kind) in (Union, UnionType):
        return st.one_of(*map(of_type, parts))
    if get_origin(kind) is tuple and parts[-1] is ...:
        return st.lists(of_type(parts[0]), max_size=2).map(tuple)
    if get_origin(kind) is tuple:
        return st.tuples(*map(of_type, parts))
    if get_origin(kind) is dict:
        return st.dictionaries(*map(of_type, parts), max_size=2)
    if isinstance(kind, type) and issubclass(kind, Settings):
        fields = {name: field.annotation for name, field in kind.model_fields.items() if name != "version"}
        return st.builds(kind, **{name: of_type(annotation) for name, annotation in fields.items()})
    return st.from_type(kind)


@pytest.mark.parametrize("model", sorted(every_artifact(), key=lambda model: model.__name__))
def test_what_is_written_is_what_is_read(tmp_path_factory, model):
    path = tmp_path_factory.mktemp("artifacts") / "file.json"

    @given(of_type(model))
    @settings(max_examples=5, deadline=None)
    def reads_what_was_written(value):
        write_artifact(path, value)
        assert read_artifact(path, model) == value
        assert json.loads(path.read_text())["version"] == VERSION

    reads_what_was_written()


def test_every_file_of_a_study_and_of_a_score_is_among_them():
    assert {DataSummary, Winners, StudyTable, Scores} <= set(every_artifact())


@pytest.mark.parametrize("version", [VERSION + 1, None, "1"])
def test_a_file_of_another_version_is_refused_with_what_helps(tmp_path, version):
    path = tmp_path / "data.json"
    path.write_text(json.dumps({**data_summary(32).model_dump(mode="json"), "version": version}))
    with pytest.raises(StudyError, match=r"another version of glsweep .* in a new folder") as refusal:
        read_artifact(path, DataSummary)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


def test_a_study_of_another_version_is_refused_by_the_command_in_one_line(tmp_path, capsys):
    study = create_study(tmp_path / "study", study_config())
    study.finish("prepare", 1.0, StageSummary())
    record = study.stage_record("prepare")
    record.write_text(record.read_text().replace(f'"version": {VERSION}', f'"version": {VERSION + 1}'))
    assert main(["status", str(study.directory)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {record}: was written by another version of glsweep")


@given(st.integers(0, 2000))
@settings(max_examples=40, deadline=None)
def test_a_file_that_was_cut_anywhere_is_refused_by_name(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("cut") / "table.json"
    table = study_table(network_row(Stratum("unet", 32)))
    write_artifact(path, table)
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    if length >= len(whole) - 1:  # but for the line's end, nothing is missing
        assert read_artifact(path, StudyTable) == table
        return
    with pytest.raises(StudyError, match=r"is not readable JSON .* stages/evaluate\.json") as refusal:
        read_artifact(path, StudyTable)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("relaxed_f1", None, "rows.0.relaxed_f1: input should be a valid number"),
        ("relaxed_f1", "NaN", "rows.0.relaxed_f1: input should be a finite number"),
        ("relaxd_f1", 0.5, "rows.0.relaxd_f1: extra inputs are not permitted"),
        ("kind", "baseline", "rows.0.kind: input should be 'network'"),
    ],
)
def test_a_bad_value_is_named_with_its_file_and_the_remedy(tmp_path, key, value, told):
    path = tmp_path / "table.json"
    content = study_table(network_row(Stratum("unet", 32))).model_dump(mode="json")
    content["rows"][0][key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(StudyError) as refusal:
        read_artifact(path, StudyTable)
    assert str(refusal.value).startswith(f"{path}: {told}")
    assert str(refusal.value).endswith(
        "delete it and stages/evaluate.json in the study's folder, then run the study again"
    )


def test_a_damaged_file_is_made_anew_as_its_refusal_says(tmp_path):
    study = create_study(tmp_path / "study", study_config())
    first = study.id
    study.tracking_json.write_text('{"version": 1, "study')
    with pytest.raises(StudyError, match=r"tracking\.json: .*; delete it, then run the study again"):
        _ = study.id
    study.tracking_json.unlink()
    assert study.id != first


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "winners.json"
    write_artifact(path, Winners(by_stratum={"unet-32": winner()}))
    before = path.read_bytes()
    spoilt = winner().model_copy(update={"value": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        write_artifact(path, Winners.model_construct(by_stratum={"unet-32": spoilt}))
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["winners.json"]
