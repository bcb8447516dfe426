"""The command `difference`, as it is typed: names and tags from the dates, and one line for what is wrong."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from glsweep import __version__
from glsweep.difference import TideDates, four_dates
from glsweep.run import main
from glsweep.scenes.raster import write_interferogram

GRID = (Affine(100, 0, -1_000_000, 0, -100, 500_000), CRS.from_epsg(3031))
WINTER, SUMMER = "S1A_20180620T081143_20180626T081143_wrapped", "ifg_VV_26Jun2018_02Jul2018"
NAME = "20180620_20180626-20180626_20180702.tif"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, phase_rad=0.5, size_px=40, **tags):
    row, col = np.indices((size_px, size_px))
    values = (0.7 * np.exp(1j * ((row + 2 * col) / 5 + phase_rad))).astype(np.complex64)
    values[:5] = 0
    path = Path(f"{name}.tif")
    write_interferogram(path, values, *GRID)
    if tags:
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(**tags)
    return str(path)


def run(first, second, *options):
    return main(["difference", first, second, *options])


def tags_of(path):
    with rasterio.open(path) as dataset:
        assert dataset.descriptions == ("real", "imaginary")
        assert dataset.nodata == 0
        return dataset.tags()


def test_the_dates_become_the_name_and_the_tags(capsys):
    assert run(write(WINTER), write(SUMMER, -0.2)) == 0
    tags = tags_of(NAME)
    assert tags["DATES"] == "20180620 20180626 20180626 20180702"
    assert tags["TIDE"] == "+2018-06-20 -2*2018-06-26 +2018-07-02"
    assert (tags["SOURCE_A"], tags["SOURCE_B"]) == (f"{WINTER}.tif", f"{SUMMER}.tif")
    assert tags["VERSION"] == __version__
    assert "SENSOR" not in tags, "only one of the two says what it is from"
    printed = capsys.readouterr().out
    assert f"tide: {tags['TIDE']}" in printed
    assert f"written to {NAME}: 40 x 40 pixels of 100 m, 88% of them with data" in printed
    with rasterio.open(NAME) as dataset:
        real, imaginary = dataset.read()
    np.testing.assert_allclose(np.arctan2(imaginary[5:], real[5:]), 0.7, atol=1e-6)
    assert not real[:5].any()


def test_of_one_radar_the_wavelength_is_known():
    second = write("b_20180626_20180702", PLATFORM="Sentinel-1B")
    assert run(write(WINTER), second) == 0
    tags = tags_of(NAME)
    assert tags["SENSOR"] == "Sentinel-1"
    assert float(tags["WAVELENGTH_M"]) == pytest.approx(0.0555, abs=1e-4)


@pytest.mark.parametrize("out", ["folder", "made/of/several"])
def test_a_folder_is_one_for_files_with_such_names(out):
    Path("folder").mkdir()
    assert run(write(WINTER), write(SUMMER), "--out", out) == 0
    assert tags_of(Path(out) / NAME)["DATES"]


def test_dates_that_names_do_not_tell_can_be_given():
    files = write("a"), write("b")
    assert run(*files, "--dates", "2018-06-20", "20180626", "26Jun2018", "2018_07_02") == 0
    assert tags_of(NAME)["TIDE"] == "+2018-06-20 -2*2018-06-26 +2018-07-02"


def test_a_name_of_ones_own_may_tell_the_dates():
    assert run(write("a"), write("b"), "--out", f"mine_{NAME}") == 0
    assert tags_of(f"mine_{NAME}")["DATES"] == "20180620 20180626 20180626 20180702"


def test_without_dates_a_name_of_ones_own_is_enough_and_it_is_told(capsys):
    assert run(write("a"), write("b"), "--out", "mine.TIF") == 0
    assert "the dates are not known" in capsys.readouterr().out
    assert not {"DATES", "TIDE"} & set(tags_of("mine.TIF"))


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ("a_20180620_20180626", "their tides cancel, what is left is noise"),
        ("a_20180626_20180620", "this is twice one of them"),
        ("a_20180702_20180714", "A spans 6 days and B 12: steady flow does not cancel"),
        ("a_20180702_20180708", None),
    ],
)
def test_what_speaks_against_the_dates_is_told(capsys, second, told):
    assert run(write("a_20180620_20180626"), write(second)) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert told in printed if told else "days" not in printed


@pytest.mark.parametrize(
    ("first", "second", "options", "told"),
    [
        (WINTER, "b", [], "b.tif: its name does not hold two dates; give --dates"),
        ("a", SUMMER, [], "a.tif: its name does not hold two dates"),
        ("a_20180620", SUMMER, [], "a_20180620.tif: its name does not hold two dates"),
        (NAME[:-4], SUMMER, [], "names 3 dates (2018-06-20, 2018-06-26, 2018-07-02)"),
        ("a", "b", ["--dates", "1", "2", "3", "4"], "--dates 1: is no date"),
        ("a", "b", ["--dates", "20180230", *["20180626"] * 3], "--dates 20180230: is no date"),
        (WINTER, SUMMER, ["--out", "20180101_20180107.tif"], "names other dates"),
        (WINTER, SUMMER, ["--out", "mine.png"], "--out mine.png: is no GeoTIFF"),
        (WINTER, SUMMER, ["--out", "notes"], "--out notes: is a file"),
        ("a", "b", ["--out", "b.tif", "--force"], "--out b.tif: is one of the two interferograms"),
        (WINTER, SUMMER, ["--out", "kept.tif"], "kept.tif: is there already"),
        (WINTER, "TSX_20180626_20180702", [], "in which a tide makes other fringes"),
        (WINTER, "gone_20180626_20180702", [], "there is no such file"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(capsys, first, second, options, told):
    Path("notes").write_text("of mine")
    write("kept", phase_rad=1)
    for name in {first, second}:
        if not name.startswith("gone"):
            write(name)
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert run(f"{first}.tif", f"{second}.tif", *options) == 2
    errors = capsys.readouterr().err.strip()
    assert told in errors
    assert len(errors.splitlines()) == 1
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_what_is_there_is_replaced_only_when_that_is_asked_for():
    files = write(WINTER), write(SUMMER)
    assert run(*files) == 0
    first = Path(NAME).read_bytes()
    write(SUMMER, 0.1)
    assert run(*files) == 2
    assert Path(NAME).read_bytes() == first
    assert run(*files, "--force") == 0
    assert Path(NAME).read_bytes() != first


days = st.dates(date(1992, 1, 1), date(2090, 1, 1))


@given(st.tuples(days, days, days, days))
def test_a_name_holds_its_dates_and_the_tides_add_up(four):
    dates = TideDates(four)
    assert four_dates(dates.name) == four_dates(dates.listed) == dates
    total = {}
    for term in dates.tide.split() if dates.tide != "0" else []:
        weight, day = term[1:].split("*") if "*" in term else ("1", term[1:])
        total[date.fromisoformat(day)] = int(term[0] + weight)
    for day in four:
        expected = sum(sign for sign, one in zip((1, -1, -1, 1), four, strict=True) if one == day)
        assert total.get(day, 0) == expected
    assert all(total.values())
