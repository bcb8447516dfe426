"""What `check` says that files are, used or not, and its contact sheet."""

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.enums import ColorInterp
from scipy.ndimage import gaussian_filter
from shapely import LineString

from glsweep.checks.messages import NOTED, REFUSED, SHORT, short_title
from glsweep.config.bands import PHASES, STRENGTHS
from glsweep.run import main
from glsweep.scenes.reading import Reading, UsedBand
from glsweep.scenes.source import BandFacts

SIDE = 160


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def check(capsys, *arguments):
    code = main(["check", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def scene(seed=0):
    """Phase in radians and coherence of an interferogram with a collar of zeros."""
    generator = np.random.default_rng(seed)
    row, col = np.indices((SIDE, SIDE))
    phase_rad = (row + 2 * col) / 12 + 30 * gaussian_filter(generator.normal(size=(SIDE, SIDE)), 12)
    phase_rad += 0.7 * generator.normal(size=(SIDE, SIDE))
    coherence = generator.uniform(0.2, 0.9, (SIDE, SIDE))
    coherence[col + row / 5 < 12] = 0
    return np.angle(np.exp(1j * phase_rad)), coherence


def place(number=0):
    return Affine(100, 0, -1_000_000 + 40_000 * number, 0, -100, 500_000)


def write(path, bands, *, names=None, units=None, scales=None, colours=None, number=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = np.stack(bands)
    if bands.dtype.kind == "f":
        bands = bands.astype(np.float32)
    size = {"count": len(bands), "height": SIDE, "width": SIDE, "dtype": bands.dtype}
    where = {"transform": place(number), "crs": "EPSG:3031"} | options
    with rasterio.open(path, "w", driver="GTiff", **size, **where) as file:
        if colours:
            file.colorinterp = colours
        file.write(bands)
        if names:
            file.descriptions = names
        if units:
            file.units = units
        if scales:
            file.scales = scales
        if colours:
            file.colorinterp = colours
    return path


def line(number=0):
    return LineString([place(number) @ (60, 5), place(number) @ (120, SIDE - 5)])


def folder_of(root, count=4):
    """Scenes with a line each; the first is written by the test."""
    for number in range(1, count):
        phase_rad, coherence = scene(number)
        write(root / "DInSAR" / f"s{number}.tif", [phase_rad, coherence], number=number)
    names = [f"s{number}" for number in range(count)]
    lines = [line(number) for number in range(count)]
    gpd.GeoDataFrame({"source_file": names}, geometry=lines, crs=3031).to_file(root / "lines.gpkg")
    return root / "DInSAR" / "s0.tif"


def test_it_is_said_which_band_is_read_as_what_in_which_unit_and_what_is_not(capsys, tmp_path):
    phase_rad, coherence = scene()
    height = np.linspace(0, 900, SIDE**2).reshape(SIDE, SIDE)
    hundredths = (100 * np.rad2deg(phase_rad)).round().astype(np.int32)
    thousandths = (1000 * coherence).round().astype(np.int32)
    write(
        tmp_path / "a.tif",
        [height.astype(np.int32), thousandths, hundredths],
        names=("dem", "coh", "wrapped phase"),
        units=("m", "", "degrees"),
        scales=(1, 0.001, 0.01),
    )
    _, out = check(capsys, tmp_path / "a.tif")
    told = next(row for row in out.splitlines() if row.startswith("bands: a: "))
    assert "phase_degrees is band 3 (wrapped phase), degrees, numbers times 0.01" in told
    assert "coherence is band 2 (coh), numbers times 0.001" in told
    assert "band 1 (dem) is passed over" in told
    assert "deg, coh." in next(row for row in out.splitlines() if row.startswith("a "))


def test_a_mask_a_value_for_no_data_and_what_is_clipped_are_said(capsys, tmp_path):
    phase_rad, coherence = scene()
    over = np.where((coherence > 0.895), coherence + 0.12, coherence)
    filled = np.where(coherence == 0, -9999, phase_rad)
    known = np.where(np.indices((SIDE, SIDE))[0] < 8, 0, 255).astype(float)
    colours = [ColorInterp.gray, ColorInterp.undefined, ColorInterp.alpha]
    write(tmp_path / "a.tif", [filled, over, known], colours=colours)
    _, out = check(capsys, tmp_path / "a.tif", "--nodata", "-9999")
    told = next(row for row in out.splitlines() if row.startswith("bands: a: "))
    assert "mask is band 3" in told
    assert "-9999 is no data" in told
    assert f"{((over > 1).sum() / over.size):.2%} of it clipped to 0 to 1" in told
    assert "beyond 0 and 1 and was clipped" in out


def test_plain_bands_need_no_words(capsys, tmp_path):
    write(tmp_path / "a.tif", scene())
    _, out = check(capsys, tmp_path / "a.tif")
    assert "bands: " not in out
    assert "phase, coh." in out


@pytest.mark.parametrize("strength", [None, *STRENGTHS])
@pytest.mark.parametrize("phase", PHASES)
def test_every_reading_has_a_short_title(phase, strength):
    roles = [phase, *([strength] if strength else [])]
    title = short_title(Reading(tuple(UsedBand(n, role, BandFacts()) for n, role in enumerate(roles, 1))))
    assert len(title) <= 11
    assert strength is None or title.endswith(SHORT[strength])


def test_the_table_keeps_to_80_columns_whatever_is_read(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("glsweep.output.LOG_WIDTH", 80)
    for role in PHASES:
        phase_rad, coherence = scene()
        per_turn = {"phase_pi": 2, "phase_cycles": 1, "phase_degrees": 360}.get(role, 2 * np.pi)
        path = tmp_path / "a-scene-with-a-name-of-many-many-letters.tif"
        write(path, [phase_rad / (2 * np.pi) * per_turn, coherence])
        _, out = check(capsys, path, "--bands", f"{role}, coherence")
        table = out.split("valid: ")[0].splitlines()
        assert all(len(row) <= 80 for row in table)
        assert "coh" in table[-1]
        assert "many-letters" in table[-1]
        assert "\N{HORIZONTAL ELLIPSIS}" not in table[-1][1:], "a cell was cut"


def test_a_reading_can_be_tried_before_a_card_is_written(capsys, tmp_path):
    first = folder_of(tmp_path / "data")
    phase_rad, coherence = scene()
    write(first, [coherence, np.where(coherence == 0, -7, phase_rad)])
    code, out = check(capsys, tmp_path / "data")
    assert code == 2
    assert "refused: s0: " in out
    code, out = check(capsys, tmp_path / "data", "--bands", "coherence=1, phase=2", "--nodata", "-7")
    assert code == 2, "the others have the bands in the other order"
    assert "refused: s0: " not in out
    code, out = check(capsys, first, "--bands", "nonsense=1")
    assert code == 2
    assert out.startswith("error: --bands 'nonsense=1'")
    assert out.count("\n") == 1


def test_one_refused_scene_hides_nothing_of_the_others(capsys, tmp_path):
    first = folder_of(tmp_path / "data")
    first.write_bytes(b"")
    code, out = check(capsys, tmp_path / "data", "--sheet", "sheet.png")
    assert code == 2
    assert "refused: s0: " in out
    rows = [row for row in out.splitlines() if row.startswith(("s1 ", "s2 ", "s3 "))]
    assert len(rows) == 3
    assert all("9" in row and "%" in row for row in rows), "how much is valid"
    assert "lines were not looked at" in out
    assert "contact sheet of 4 scenes" in out


def colours_of(path):
    with Image.open(path) as sheet:
        return {tuple(colour) for _, colour in sheet.convert("RGB").getcolors(maxcolors=2**24)}


def rgb(colour):
    return tuple(int(colour[n : n + 2], 16) for n in (1, 3, 5))


def test_frames_on_the_contact_sheet_mark_what_is_minded_and_what_is_refused(capsys, tmp_path):
    first = folder_of(tmp_path / "data")
    phase_rad, coherence = scene()
    write(first, [phase_rad, coherence])
    assert check(capsys, tmp_path / "data", "--sheet", "good.png")[0] == 0
    phase_rad[50:90, 50:90] = 1
    write(first, [phase_rad, coherence])
    options = ("--bands", "phase, coherence", "--nodata", "as_tagged")
    code, out = check(capsys, tmp_path / "data", "--sheet", "minded.png", *options)
    assert code == 0
    assert "mind: s0: 6% of its pixels lie in areas of one phase" in out
    first.write_bytes(b"")
    assert check(capsys, tmp_path / "data", "--sheet", "refused.png", *options)[0] == 2
    for sheet, marks in (("good", set()), ("minded", {NOTED}), ("refused", {REFUSED})):
        found = colours_of(tmp_path / f"{sheet}.png")
        assert {mark for mark in (NOTED, REFUSED) if rgb(mark) in found} == marks


def test_a_folder_of_anything_is_said_to_be_what_it_is(capsys, tmp_path):
    phase_rad, coherence = scene()
    data = tmp_path / "data"
    write(data / "good.tif", [phase_rad, coherence])
    write(data / "coherence.tif", [coherence])
    write(data / "unwrapped.tif", [phase_rad * 9])
    (data / "broken.tif").write_text("no raster")
    for name in ("one", "two"):
        gpd.GeoDataFrame(geometry=[line()], crs=3031).to_file(data / f"{name}.gpkg")
    (data / "bad.geojson").write_text("{")
    (data / "card.yaml").write_text("name: x")
    (data / "notes.txt").write_text("by hand")
    np.savez(data / "patch.npz", image=np.zeros(3))
    code, out = check(capsys, data)
    assert code == 2
    for told in (
        "refused: coherence: ",
        "refused: unwrapped: ",
        "refused: broken: ",
        "beside: one.gpkg: 1 row of lines in WGS 84 / Antarctic Polar Stereographic",
        "beside: two.gpkg: 1 row of lines",
        "beside: bad.geojson: refused as lines: ",
        "beside: card.yaml: perhaps a data card",
        "beside: notes.txt: no scene and no lines",
        "beside: patch.npz: perhaps patches",
        "fault: needs one file of lines",
    ):
        assert told in out
    assert "refused: good" not in out
    assert "Traceback" not in out


def test_one_raster_can_be_checked_by_itself(capsys, tmp_path):
    path = write(tmp_path / "a.tif", scene())
    code, out = check(capsys, path, "--sheet", "sheet.png")
    assert code == 2, "no study can use it"
    assert "fault: is one file" in out
    assert "phase, coh." in out
    assert (tmp_path / "sheet.png").is_file()
