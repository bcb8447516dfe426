import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from made_configs import CARD, SPACE, changed, write_yaml

from glsweep.config.settings import line_of, read_yaml, write_as_yaml
from glsweep.config.space import load_space
from glsweep.errors import ConfigError
from glsweep.scenes.cards import load_card

WORDS = [case(word) for word in ("y", "n", "yes", "no", "on", "off") for case in (str, str.title, str.upper)]


def written(tmp_path, text):
    path = tmp_path / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path, text):
    return read_yaml(written(tmp_path, text))


def refusal(path, load=read_yaml):
    with pytest.raises(ConfigError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-4", 1e-4),
        ("1E-4", 1e-4),
        (".5e-3", 5e-4),
        ("-.5", -0.5),
        ("1e5", 1e5),
        ("1.e+5", 1e5),
        ("2.5e+3", 2500.0),
        ("+3e0", 3.0),
        ("0x1F", 31),
        ("0o17", 15),
        ("-12", -12),
        ("0", 0),
        ("0.10", 0.1),
    ],
)
def test_a_number_of_yaml_1_2_is_a_number(tmp_path, text, number):
    (value,) = read(tmp_path, f"[{text}]")
    assert (value, type(value)) == (number, type(number))


@given(
    number=st.floats(allow_nan=False, allow_infinity=False), form=st.sampled_from(["{!r}", "{:e}", "{:E}"])
)
def test_every_way_in_which_python_writes_a_number_is_read_as_that_number(tmp_path_factory, number, form):
    text = form.format(number)
    value = read(tmp_path_factory.getbasetemp(), f"a: {text}")["a"]
    assert (value, type(value)) == (float(text), float)


@given(value=st.recursive(st.text() | st.floats(allow_nan=False) | st.integers() | st.none(), st.lists))
def test_what_a_study_writes_is_read_as_it_was(tmp_path_factory, value):
    assert read(tmp_path_factory.getbasetemp(), write_as_yaml({"a": value})) == {"a": value}


@pytest.mark.parametrize(
    "text", [*WORDS, "010", "08", "1e-4", "12:30", "2018-01-05", "1_0", "0b1", "<<", "~", "null", "true", ""]
)
def test_a_text_that_looks_like_something_else_is_written_in_quotes_where_it_must_be(tmp_path, text):
    assert read(tmp_path, write_as_yaml({text: [text]})) == {text: [text]}


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("place", ["a: b\nc: {}", "a: b\n{}: c", "a: b\nc: [x, {}]"])
def test_a_word_that_is_true_to_some_readers_is_refused_as_value_and_as_key(tmp_path, word, place):
    message = refusal(written(tmp_path, place.format(word)))
    assert message.startswith(f"line 2: {word} is true or false to some readers of YAML")
    assert "write true or false, or put the word in quotes" in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("010", "begins with 0"),
        ("-007", "begins with 0"),
        ("08", "begins with 0"),
        ("12:30:00", "base 60"),
        ("1:30", "base 60"),
        ("190:20:30.15", "base 60"),
        ("1_000", "without _"),
        ("20180105_20180117", "without _"),
        ("1_0.5", "without _"),
        ("0b101", "base 10"),
        ("-0x1F", "base 10"),
    ],
)
def test_a_number_to_some_readers_alone_is_refused_unless_it_is_in_quotes(tmp_path, text, told):
    message = refusal(written(tmp_path, f"a: b\nc:\n  - {text}"))
    assert message.startswith(f"line 3: {text} ")
    assert told in message
    assert read(tmp_path, f"c: '{text}'") == {"c": text}


@pytest.mark.parametrize("text", ["2018-01-05", "2020-13-45", "2018-01-05 12:30:00", "1.5.2", "5px", "nan"])
def test_a_date_and_a_word_stay_the_text_that_they_are(tmp_path, text):
    assert read(tmp_path, f"a: {text}") == {"a": text}


@given(text=st.from_regex(r"[-+.]?[0-9_:.xobeE+-]{1,8}|[a-zA-Z]{1,5}", fullmatch=True))
def test_no_plain_word_is_silently_another_thing_than_for_other_readers(tmp_path_factory, text):
    """Where version 1.1, which PyYAML follows, reads something else, it is a number of 1.2 or a date."""
    path = tmp_path_factory.getbasetemp() / "drawn.yaml"
    path.write_text(f"a: {text}")
    try:
        others = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, ValueError):
        return
    try:
        value = read_yaml(path)
    except ConfigError:
        return
    if repr(value) != repr(others):
        is_number = isinstance(others["a"], str) and value["a"] == (
            float(text) if "0o" not in text else int(text, 0)
        )
        assert is_number or not isinstance(others["a"], str | int | float | bool)


@pytest.mark.parametrize(
    ("text", "line", "other", "key"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, "a"),
        ("a:\n  b: 1\n  c: 2\n  'b': 3", 4, 2, "b"),
        ("a: [{b: 1, c: 2,\n  b: 3}]", 2, 1, "b"),
        ("a: &one {x: 1}\nb:\n  <<: *one\n  <<: *one", 4, 3, "<<"),
    ],
)
def test_a_key_that_is_there_twice_is_refused_with_both_lines(tmp_path, text, line, other, key):
    message = refusal(written(tmp_path, text))
    assert message.startswith(f"line {line}: the key {key} is there already, in line {other}; remove one")


KEYS = st.sampled_from("abcd")
NESTED = st.recursive(
    st.integers(0, 9),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3) | st.dictionaries(KEYS, inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@given(value=st.dictionaries(KEYS, NESTED, min_size=1, max_size=3), data=st.data())
@settings(max_examples=60)
def test_every_value_is_found_in_the_line_in_which_it_is_written(tmp_path_factory, value, data):
    """A mark is put in the place of one value, and looked for in the text."""
    keys, within = [], value
    while isinstance(within, dict | list):
        key = data.draw(st.sampled_from(sorted(within) if isinstance(within, dict) else range(len(within))))
        keys.append(key)
        holder, within = within, within[key]
    holder[key] = "here"
    path = written(tmp_path_factory.getbasetemp(), write_as_yaml(value))
    line = next(n for n, text in enumerate(path.read_text().splitlines(), start=1) if "here" in text)
    assert line_of(path, keys) == line
    assert line_of(path, [*keys, "more"]) == line
    assert line_of(path, ["nowhere", *keys]) is None


def test_a_merged_value_is_found_where_it_is_written(tmp_path):
    path = written(
        tmp_path, "one: &one\n  a: 1\n  b: 2\ntwo: &two\n  c: 3\nall:\n  <<: [*one, *two]\n  b: 4\n"
    )
    assert [line_of(path, ["all", key]) for key in ("a", "b", "c", "d")] == [2, 8, 5, 6]
    assert line_of(tmp_path / "nowhere.yaml", ["a"]) is None
    assert line_of(written(tmp_path, "a: [1, 2\n"), ["a"]) is None


def test_a_key_may_replace_one_that_is_merged_in(tmp_path):
    text = "one: &one {a: 1, b: 2}\ntwo: &two {<<: *one, b: 3}\nthree: {<<: *two, a: 4}"
    assert read(tmp_path, text)["three"] == {"a": 4, "b": 3}


@pytest.mark.parametrize(
    "text", ["a: 1\n\tb: 2", "a:\n\t- b", "a: 1\nb:\t2", "a: 1\nb: [1,\t2]", "a: b\t# c"]
)
def test_a_tab_is_told_with_its_line(tmp_path, text):
    line = text[: text.index("\t")].count("\n") + 1
    assert refusal(written(tmp_path, text)).startswith(f"line {line}: holds a tab where YAML allows spaces")


def test_a_tab_within_quotes_or_a_comment_is_nobodys_business(tmp_path):
    assert read(tmp_path, "a: 'b\tc'\n# d\te\n") == {"a": "b\tc"}


@pytest.mark.parametrize("key", ["1", "true", "~", "1.5", "1e5"])
def test_a_key_that_is_no_word_is_refused(tmp_path, key):
    assert refusal(written(tmp_path, f"a: b\n{key}: c")).startswith(f"line 2: the key {key} is no word")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("retraining.batch_size", True, "is not a matter of true or false (it is True)"),
        ("calibration.lowest", False, "is not a matter of true or false (it is False)"),
        ("resources.cuda_graphs", "no", "should be true or false, without quotes (it is 'no')"),
        ("title", 20180105, "so put it in quotes (it is 20180105)"),
    ],
)
def test_a_truth_a_number_and_a_text_are_not_taken_for_each_other(tmp_path, key, value, told):
    path = write_yaml(tmp_path / "space.yaml", changed(SPACE, key, value))
    message = refusal(path, load_space)
    assert re.match(rf"line \d+: {re.escape(key)}: ", message)
    assert told in message


def test_a_part_of_a_card_is_for_test_only_if_that_is_said(tmp_path):
    write_yaml(tmp_path / "one.yaml", CARD)
    path = written(tmp_path, "name: both\nparts:\n  - {data: one.yaml, test_only: 'no'}\n")
    assert refusal(path, load_card) == "line 3: parts.0.test_only: should be true or false (it is 'no')"


@pytest.mark.parametrize(
    "value",
    [
        "!!int x",
        "!!int ''",
        "!!int 010",
        "!!bool yes",
        "!!timestamp x",
        "!!set {x}",
        "!mine 1",
        "!!python/name:os.system x",
    ],
)
def test_a_tag_that_says_what_a_value_is_is_refused(tmp_path, value):
    told = f"line 2: the tag {value.split()[0]} is not read; leave it out, or put a text in quotes"
    assert refusal(written(tmp_path, f"a: 1\nb: {value}")) == told


def test_a_text_may_say_that_it_is_one(tmp_path):
    assert read(tmp_path, "a: !!str yes") == {"a": "yes"}


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "1" * 400, "1" * 400 + ".0"])
def test_a_number_too_long_for_python_is_refused(tmp_path, number):
    message = refusal(written(tmp_path, f"a: 1\nb: {number}"))
    assert message.startswith("line 2: ")
    assert message.endswith("is too long for a number; shorten it, or put it in quotes")


def test_what_is_nested_too_deep_is_told_in_one_line(tmp_path):
    assert refusal(written(tmp_path, "[" * 3000)).startswith("is nested too deep; ")
