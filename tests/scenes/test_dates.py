"""The dates in a scene's name, as processors and archives write them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glsweep.scenes.names import dates_in, only_dates

DAYS = st.dates(date(1990, 1, 1), date(2099, 12, 31))
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def snap(day):
    return f"{day.day:02}{MONTHS[day.month - 1]}{day.year}"


FORMS = {
    "compact": lambda day: f"{day:%Y%m%d}",
    "ISO": lambda day: f"{day:%Y-%m-%d}",
    "folders": lambda day: f"{day:%Y_%m_%d}",
    "with a time": lambda day: f"{day:%Y%m%d}T081143",
    "with a time run on": lambda day: f"{day:%Y%m%d}235959",
    "SNAP": snap,
    "SNAP in capitals": lambda day: snap(day).upper(),
    "hyphens around the month": lambda day: f"{day.day}-{MONTHS[day.month - 1]}-{day.year}",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@given(first=DAYS, second=DAYS, before=st.sampled_from(["", "ifg_VV_", "coco", "S1AA_", "track071-"]))
def test_every_form_gives_back_its_days_in_the_order_of_the_name(form, first, second, before):
    assert dates_in(f"{before}{form(first)}_{form(second)}_003") == [first, second]
    assert only_dates(f"{form(first)} {form(second)}") == [first, second]


@given(first=DAYS, second=DAYS)
def test_digits_with_the_day_first_are_read_where_no_other_order_is_possible(first, second):
    found = dates_in(f"{first:%d%m%Y}_{second:%d%m%Y}")
    # 01012020 cannot start with a year; of 20102010 both orders are a day, and the usual one goes first.
    assert found == [first, second] or first.day in (19, 20) or second.day in (19, 20)


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("ifg_17122019_30012020", "2019-12-17 2020-01-30"),
        ("20122010_x", "2010-12-20"),
        ("20101112_x", "2010-11-12"),
        ("S1B_IW_SLC__1SDH_20191217T031502_20191217T031529_019409_024A9C_7F", "2019-12-17 2019-12-17"),
        ("NISAR_L2_PR_GUNW_003_042_D_077_4005_SH_20260302T101500_20260302T101534", "2026-03-02 2026-03-02"),
        ("S1-GUNW-A-R-010-tops-20191229_20191217-101112-68E_70S-PP-v2", "2019-12-29 2019-12-17"),
        ("coco20180620_20180626-20180626_20180702_000", "2018-06-20 2018-06-26 2018-06-26 2018-07-02"),
        ("951105_951106", "1995-11-05 1995-11-06"),
        ("991230_000105", "1999-12-30 2000-01-05"),
    ],
)
def test_names_of_archives_are_understood(name, days):
    assert [day.isoformat() for day in dates_in(name)] == days.split()


@pytest.mark.parametrize(
    "name",
    [
        "scene_001",
        "20190230_20191301",  # no such days in any order
        "31042019",  # April has thirty
        "12252019_01022020",  # month first: the second alone would be read as the first of February
        "180105_180111",  # the 18th of January 2005 as well
        "951105",  # alone it may be an orbit
        "orbit_951105_099999",
        "18990101",
        "21000101",
        "05/01/2018",  # its order is anyone's guess
        "123201801059",  # a longer number
        "20Mad2018",
    ],
)
def test_what_is_no_date_or_may_be_another_is_not_read(name):
    assert dates_in(name) == []


@given(st.text())
def test_any_text_has_only_days_that_are_there(text):
    assert all(1990 <= day.year <= 2099 for day in dates_in(text))


def test_a_text_that_says_more_than_dates_is_not_one():
    assert only_dates("20180105_track7") == []
    assert only_dates("A 05Jan2018") == []
    assert only_dates("") == []


@pytest.mark.parametrize(
    "text",
    [
        "2018-01-05T08:11:43.123",
        "2018-01-05 08:11:43,5",
        "2018-01-05T08:11:43+00:00",
        "2018-01-05T08:11:43.000Z",
        "2018-01-05 08:11:43-0300",
        "2018/01/05 08:11:43+00",
        "2018-01-05 08:11 UTC",
        "2018/01/05",
        "20180105 00:00",
        "20180105_081143",
        "20180105T081143Z",
    ],
)
def test_a_time_of_day_belongs_to_its_date(text):
    assert [day.isoformat() for day in only_dates(text)] == ["2018-01-05"]
    again = [day.isoformat() for day in only_dates(f"{text}_2018-01-11")]
    assert again == ["2018-01-05", "2018-01-11"]


def test_what_may_be_the_second_date_of_a_pair_is_no_time():
    assert only_dates("20180105_180111") == []
    assert len(only_dates("20180105_081143_20180111_081143")) == 2
    assert len(only_dates("2018-01-05T08:11:43-2018-01-11T08:11:43")) == 2
    assert len(only_dates("2018-01-05T08:11:43-11Jan2018")) == 2
