"""The command `check`, on the data that is there and on data with faults."""

import hashlib
import re
import shutil

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.crs import CRS
from shapely import LineString

from glsweep.run import main
from glsweep.scenes.raster import write_interferogram

POLAR = CRS.from_epsg(3031)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")


def check(capsys, *arguments):
    code = main(["check", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def folder_of(root, *, count=4, side=160, lines=None):
    """Scenes of smooth fringes, each with a line, side by side."""
    rows = []
    for n in range(count):
        place = Affine(100, 0, n * 40_000, 0, -100, 0)
        row, col = np.indices((side, side))
        values = np.exp(1j * (row + 2 * col) / 9).astype(np.complex64)
        values[:, :16] = 0
        write_interferogram(root / "DInSAR" / f"s{n}.tif", values, place, POLAR)
        rows.append((f"s{n}.shp", LineString([place @ (30, 5), place @ (120, side - 5)])))
    names, geometries = zip(*rows, strict=True)
    table = gpd.GeoDataFrame({"source_file": names}, geometry=list(geometries), crs=3031)
    table.to_file(root / "lines.gpkg")
    return root


def test_getz_is_usable_and_it_is_said_why_three_rows_fall_away(getz, capsys, tmp_path):
    code, out = check(capsys, getz, "--sheet", tmp_path / "sheet.png")
    assert code == 0
    assert "3 of 76 rows of lines have no geometry and fall away" in out
    with_null = re.search(r"fall away: (.*)", out).group(1)
    table = gpd.read_file(getz / "all_manual_segm_gl.gpkg")
    for name in table.loc[table.geometry.isna(), "source_file"]:
        assert name.removesuffix(".shp") in with_null
    assert "coco20180930_20181006-20181006_20181012_003 is left out: no row" in out
    for path in (getz / "DInSAR").glob("*.tif"):
        with rasterio.open(path) as file:
            share = (file.read() != 0).any(axis=0).mean()
        row = next(line for line in out.splitlines() if line.strip().startswith(path.stem))
        assert f"{share:.0%}" in row
        assert "768 x 768" in row
        assert "EPSG:3031" in row
        assert "100 m" in row
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 1000
        assert len(np.unique(np.asarray(sheet.convert("L")))) > 50


def test_on_a_narrow_terminal_names_alone_are_shortened(getz, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out = check(capsys, getz, "--sheet", tmp_path / "sheet.png")
    row = next(line for line in out.splitlines() if "20180208_002" in line)
    assert "768 x 768 EPSG:3031 100 m   real, imag   96% 0.33 128.0    1" in row


def test_processor_output_is_refused_by_name_for_each_reason(getz, capsys, tmp_path):
    code, out = check(capsys, getz.parent / "sentinel1_geotiff")
    assert code == 2
    reasons = {
        "20180106-20180130_ifg": ["unwrapped phase", "EPSG:4326 is not projected"],
        "cropA_20180106-20180130_VV_8rlks_eqa_unw": ["unwrapped phase", "not projected", "too small"],
        "cropA_20180106-20180319_VV_8rlks_eqa_unw": ["unwrapped phase", "not projected", "too small"],
        "cropA_20180106-20180130_VV_8rlks_flat_eqa_cc": [
            "coherence or amplitude",
            "not projected",
            "too small",
        ],
        "cropA_20180106-20180319_VV_8rlks_flat_eqa_cc": [
            "coherence or amplitude",
            "not projected",
            "too small",
        ],
    }
    for name, words in reasons.items():
        told = [line for line in out.splitlines() if f": {name}: " in line]
        for word in words:
            assert any(word in line for line in told), (name, word)
        assert len(told) == len(words)
    assert "needs one file of lines" in out
    assert list(tmp_path.iterdir()) == [], "no sheet of nothing"


def test_all_faulty_scenes_are_named_not_the_first_alone(capsys, tmp_path):
    root = folder_of(tmp_path / "data")
    for name in ("s1", "s3"):
        path = root / "DInSAR" / f"{name}.tif"
        path.write_bytes(path.read_bytes()[:200])
    code, out = check(capsys, root)
    assert code == 2
    assert "refused: s1: cannot be read" in out
    assert "refused: s3: cannot be read" in out
    assert "not usable: 2 faults" in out


def test_a_file_cut_short_after_its_header_is_found_by_reading_it(capsys, tmp_path):
    root = folder_of(tmp_path / "data")
    path = root / "DInSAR" / "s2.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    code, out = check(capsys, root)
    assert code == 2
    assert re.search(r"refused: s2: .*cut short", out)


def test_smooth_fringes_are_coherent_and_noise_is_minded(capsys, tmp_path):
    root = folder_of(tmp_path / "data")
    noise = np.random.default_rng(0).uniform(-np.pi, np.pi, (160, 160))
    place = Affine(100, 0, 40_000, 0, -100, 0)
    write_interferogram(root / "DInSAR" / "s1.tif", np.exp(1j * noise).astype(np.complex64), place, POLAR)
    code, out = check(capsys, root)
    assert code == 0
    assert re.search(r"s1: its median local coherence is 0\.1\d, near that of noise", out)
    assert len(re.findall("near that of noise", out)) == 1


def test_checksums_of_the_card_are_compared(capsys, tmp_path):
    root = folder_of(tmp_path / "data")
    right = hashlib.sha256((root / "DInSAR" / "s0.tif").read_bytes()).hexdigest()
    card = tmp_path / "card.yaml"

    def with_sums(**sums):
        listed = "".join(f"  {name}: '{value}'\n" for name, value in sums.items())
        card.write_text(
            "name: sums\nroot: data\nlayout: {lines: lines.gpkg}\nposting_m: 100\nchecksums:\n" + listed
        )
        return check(capsys, card)

    assert with_sums(**{"DInSAR/s0.tif": right})[0] == 0
    code, out = with_sums(**{"DInSAR/s0.tif": "0" * 64, "DInSAR/gone.tif": right})
    assert code == 2
    assert "s0.tif: its SHA-256 is" in out
    assert "gone.tif: is not there" in out


def test_what_a_study_would_stop_at_is_said(capsys, tmp_path):
    root = folder_of(tmp_path / "data", side=100)
    code, out = check(capsys, root)
    assert code == 2
    assert "patch_size_px 128 is larger than scene" in out
    shutil.rmtree(root)
    code, out = check(capsys, root)
    assert code == 2
    assert str(root) in out
