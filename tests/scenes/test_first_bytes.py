"""Files that are not what their suffix says are told as what they are."""

import gzip
import io
import os
import zipfile

import numpy as np
import pytest
from affine import Affine
from layouts import NORTH_UP, Place, write_raster

from glsweep.errors import DataError
from glsweep.scenes.formats import open_source
from glsweep.scenes.formats.gdal import open_with_gdal
from glsweep.scenes.source import Window


def zipped():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.tif", b"II*\x00")
    return packed.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
XML_ERROR = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'
CONTENTS = {
    "a pointer of git-lfs": (LFS, r"is a git-lfs pointer, not the file itself; fetch it \(git lfs pull\)"),
    "a page": (b"\n<!DOCTYPE html>\n<html><body>Earthdata Login</body></html>", "is a web page"),
    "a page with a mark of its bytes' order": (b"\xef\xbb\xbf<HTML><head>", "is a web page"),
    "a server's refusal": (XML_ERROR, "is a server's error message"),
    "a refusal as JSON": (b'{"message": "Unauthorized"}', r"is a text \(JSON\)"),
    "nothing": (b"", r"is empty \(0 bytes\); obtain it again"),
    "zeros": (bytes(5000), "begins with zeros alone, as a download does that was cut off"),
    "a zip archive": (zipped(), r"is a zip archive; unpack it \(unzip\)"),
    "a compressed file": (gzip.compress(b"II*\x00"), "is compressed; unpack it"),
    "NetCDF of another kind": (b"CDF\x05" + bytes(50), r"convert it \(nccopy -k nc4\)"),
    "text": (b"hello, world", "cannot be read as a raster .*obtain it again"),
}


@pytest.mark.parametrize("suffix", [".tif", ".h5", ".nc", ".GRD", ".img", ".vrt"])
@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_is_told_as_what_it_is_whatever_it_is_called(tmp_path, name, suffix):
    content, told = CONTENTS[name]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    if name == "zeros" and suffix in (".img", ".vrt"):  # raw numbers may begin with a border without data
        told = "cannot be read as a raster"
    with pytest.raises(DataError, match=told) as caught:
        open_source(path).__enter__()
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_mask_that_is_no_raster_is_told_alike(tmp_path):
    (tmp_path / "mask.tif").write_bytes(LFS)
    with pytest.raises(DataError, match="is a git-lfs pointer"):
        open_with_gdal(tmp_path / "mask.tif").__enter__()


def test_a_raster_is_known_by_its_first_bytes_and_not_by_its_suffix(tmp_path):
    values = np.arange(48, dtype=np.float32).reshape(1, 6, 8)
    write_raster(tmp_path / "a.tif", values, Place())
    for name in ("a.nc", "a.h5", "a.TIFF"):
        (tmp_path / name).symlink_to(tmp_path / "a.tif")
        with open_source(tmp_path / name) as source:
            assert source.transform == NORTH_UP
            np.testing.assert_array_equal(source.read([1], Window(0, 0, 6, 8)), values)


def test_folders_broken_links_and_descriptions_are_told(tmp_path):
    (tmp_path / "a.tif").mkdir()
    (tmp_path / "b.tif").symlink_to(tmp_path / "gone.tif")
    (tmp_path / "c.hdr").write_text("ENVI\n")
    for name, told in (
        ("a.tif", "is a folder; name the raster in it"),
        ("b.tif", r"is a link to .*gone\.tif, which is not there; mend the link"),
        ("c.hdr", "describes a raster; name the raster itself"),
        ("d.tif", "there is no such file; name a raster"),
    ):
        with pytest.raises(DataError, match=told):
            open_source(tmp_path / name).__enter__()


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9])
def test_a_raster_that_is_cut_short_is_told_as_such(tmp_path, share):
    path = tmp_path / "a.tif"
    write_raster(path, np.random.default_rng(0).normal(size=(2, 200, 150)).astype(np.float32), Place())
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(DataError, match="it may be cut short, obtain it again"), open_source(path) as source:
        source.read([1, 2], Window(0, 0, 200, 150))


def test_a_raw_file_that_is_cut_short_is_told_since_gdal_would_read_zeros(tmp_path):
    path = tmp_path / "a.img"
    np.arange(600, dtype="<f4").tofile(path)
    header = "ENVI\nsamples = 30\nlines = 20\nbands = 1\ndata type = 4\ninterleave = bsq\nbyte order = 0\n"
    (tmp_path / "a.hdr").write_text(header)
    with open_source(path) as source:
        assert source.transform == Affine.identity()
        assert source.read([1], Window(19, 29, 1, 1)) == 599
    os.truncate(path, 2300)
    with pytest.raises(DataError, match=r"a\.img: is cut short \(2300 of 2400 bytes\); obtain it again"):
        open_source(path).__enter__()


@pytest.mark.parametrize(("samples", "offset"), [(29, 0), (30, 8), (31, 0)])
def test_a_raw_file_of_another_size_than_its_header_tells_is_refused_since_its_rows_would_lie_askew(
    tmp_path, samples, offset
):
    path = tmp_path / "a.img"
    path.write_bytes(b"\x01" * (offset + 4 * 30 * 20))
    header = f"ENVI\nsamples = {samples}\nlines = 20\nbands = 1\ndata type = 4\ninterleave = bsq\n"
    (tmp_path / "a.hdr").write_text(f"{header}byte order = 0\n")
    told = "is cut short" if samples > 30 else r"its header describes \d+; mend samples, .* in a\.hdr"
    with pytest.raises(DataError, match=told):
        open_source(path).__enter__()
    (tmp_path / "a.hdr").write_text(
        f"{header}byte order = 0\nheader offset = {offset}\n".replace(f"samples = {samples}", "samples = 30")
    )
    with open_source(path) as source:
        assert source.shape == (20, 30)


def test_a_vrt_may_describe_some_bands_of_a_raw_file_but_not_too_short_rows(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"\x01" * (3 * 4 * 30 * 20))
    band = (
        '<VRTDataset rasterXSize="{cols}" rasterYSize="20"><VRTRasterBand dataType="Float32" band="1" '
        'subClass="VRTRawRasterBand"><SourceFilename relativeToVRT="1">a.raw</SourceFilename>'
        "<ImageOffset>{start}</ImageOffset><PixelOffset>{pixel}</PixelOffset><LineOffset>{line}</LineOffset>"
        "</VRTRasterBand></VRTDataset>"
    )
    path = tmp_path / "a.vrt"
    # By bands, by lines and by pixels.
    for start, pixel, line in [(0, 4, 120), (2400, 4, 120), (120, 4, 360), (4, 12, 360)]:
        path.write_text(band.format(cols=30, start=start, pixel=pixel, line=line))
        with open_source(path) as source:
            assert source.shape == (20, 30)
    path.write_text(band.format(cols=29, start=0, pixel=4, line=116))
    with pytest.raises(DataError, match=r"a\.raw: is 7200 bytes, its header describes 2320; mend"):
        open_source(path).__enter__()
