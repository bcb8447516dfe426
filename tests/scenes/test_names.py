"""What cells say, and how two sets of names that do not meet are told apart."""

import datetime
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glsweep.scenes.names import cell_text, group_name, name_mismatch, scene_name


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_is_one_value_whatever_its_type(number):
    forms = [number, float(number), str(number), f"{number}.0", np.int64(number), np.float64(number)]
    assert {cell_text(form) for form in forms} == {str(number)}


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT"), "", " \t", "NaN"])
def test_an_empty_cell_says_nothing(value):
    assert cell_text(value) == scene_name(value) == group_name(value) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime.date(2019, 12, 17), "2019-12-17"),
        (datetime.datetime(2019, 12, 17), "2019-12-17"),
        (pd.Timestamp("2019-12-17 08:11:43"), "2019-12-17T08:11:43"),
        (np.datetime64("2019-12-17", "D"), "2019-12-17"),
        ("2019-12-17T00:00:00.000+00:00", "2019-12-17"),
        ("2019/12/17 00:00:00", "2019-12-17"),
        (True, "True"),
        (np.bool_(False), "False"),
        (2018.5, "2018.5"),
        (np.float32(0.1), "0.1"),
        (1e20, str(10**20)),
        ("007", "007"),
    ],
)
def test_a_cell_says_the_same_whatever_its_type(value, text):
    assert cell_text(value) == text


@given(st.text())
def test_letters_are_one_however_they_are_composed(text):
    assert cell_text(unicodedata.normalize("NFD", text)) == cell_text(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize("value", ["17/12/2019", "2018.5", "a/b", "Dr. Smith", "C:\\there", "v1.2"])
def test_only_a_scenes_name_loses_its_folder(value):
    assert group_name(value) == value


@pytest.mark.parametrize(
    "suffix", [".vrt", ".TIF", ".img", ".nc", ".h5", ".dim", ".SAFE", ".fgb", ".json", ".tif.vrt"]
)
@pytest.mark.parametrize("folder", ["", "D:\\lines\\", "../lines/"])
def test_suffixes_of_rasters_and_lines_are_no_part_of_a_scenes_name(suffix, folder):
    assert (
        scene_name(f"{folder}S1.2018-01{suffix}") == group_name(f"{folder}S1.2018-01{suffix}") == "S1.2018-01"
    )


@pytest.mark.parametrize(
    ("scenes", "values", "told"),
    [
        (["Pine_1", "Pine_2"], ["PINE_1", "PINE_2"], "upper and lower case alone"),
        (["pine_1", "pine_2"], ["pine_1-gl", "pine_2-gl"], "the column adds '-gl'"),
        (["pine_1", "pine_2"], ["gl_pine_1", "gl_pine_2"], "the column adds 'gl_'"),
        (["wrapped.pine_1.v2"], ["pine_1"], "the column lacks 'wrapped.' and '.v2'"),
        (["0001", "0002"], ["1", "2"], "(in QGIS's field calculator lpad(\"source\", 4, '0'))"),
        (["pine_1"], ["pine_01"], "differ in leading zeros alone, which a number does not keep; write both"),
        (["20180105_20180111"], ["2018-01-05 2018-01-11"], "the same dates in another form"),
        (["T12_05Jan2018"], ["T12_20180105"], "the same dates in another form"),
        (["Mühlig_1"], ["Mühlig_1".encode().decode("latin-1")], "UTF-8 that was read as Latin-1"),
    ],
)
def test_a_difference_is_named_with_an_example_of_both(scenes, values, told):
    near = name_mismatch(scenes, values, "source")
    assert told in near.explanation
    assert near.one in scenes
    assert near.other in values


@pytest.mark.parametrize(
    ("scenes", "values"),
    [
        (["1", "2"], ["10", "21"]),
        (["a"], ["b"]),
        (["pine_1"], ["pine_11"]),
        ([], ["a"]),
        (["T12_05Jan2018"], ["T13_20180105"]),
        (["10"], ["1"]),
    ],
)
def test_names_that_have_nothing_in_common_are_not_explained(scenes, values):
    assert name_mismatch(scenes, values) is None


def test_what_most_names_have_added_is_told():
    near = name_mismatch(["one_1", "two_2", "six_6"], ["one_1_old", "two_2_gl", "six_6_gl"])
    assert "'_gl'" in near.explanation
