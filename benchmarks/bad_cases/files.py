"""Kind 6: files by their name, their suffix and their first bytes, and where results go."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bad_cases.case import (
    SCENES,
    Cases,
    card,
    coherence,
    differs,
    either,
    first,
    parts,
    phase_rad,
    raster,
    refused,
    right,
    values,
    write,
)
from glsweep.scenes.cards import load_card
from glsweep.scenes.catalogue import open_catalogue

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21{}\nsize 12345\n".format("0" * 58)
PAGE = "<!DOCTYPE html><html><head><title>401 Unauthorized</title></head><body>Log in</body></html>"


def suffixed(suffix: str) -> Callable[[Path], object]:
    """Return a change that gives the scene another suffix."""
    return lambda root: first(root).rename(first(root, suffix))


def zipped(root: Path) -> None:
    """Put the scene into an archive that has its name."""
    inside = first(root).rename(first(root, ".inside"))
    with zipfile.ZipFile(first(root), "w") as archive:
        archive.write(inside, "s1.tif")
    inside.unlink()


def cut(path: Path, share: float) -> None:
    """Keep the first part of a file."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def linked(root: Path, *, is_broken: bool = False) -> None:
    """Put a link in the place of the scene."""
    target = root / "kept.bin"
    first(root).rename(target)
    first(root).symlink_to(target)
    if is_broken:
        target.unlink()


def virtual(root: Path) -> None:
    """Describe the scene by a virtual raster, in its place."""
    target = root / "kept.bin"
    first(root).rename(target)
    band = (
        '<VRTRasterBand dataType="Float32" band="{0}"><NoDataValue>0</NoDataValue><Description>{1}'
        '</Description><SimpleSource><SourceFilename relativeToVRT="0">{2}</SourceFilename>'
        "<SourceBand>{0}</SourceBand></SimpleSource></VRTRasterBand>"
    )
    bands = "".join(band.format(n, name, target) for n, name in ((1, "real"), (2, "imaginary")))
    first(root, ".vrt").write_text(
        '<VRTDataset rasterXSize="160" rasterYSize="160"><SRS>EPSG:3031</SRS>'
        f"<GeoTransform>-1360000, 100, 0, -1000000, 0, -100</GeoTransform>{bands}</VRTDataset>"
    )


def product(root: Path) -> None:
    """Write a product of HyP3 in the place of the scenes: a file for each quantity."""
    shutil.rmtree(root / "DInSAR")
    name = "S1AA_20180105T081143_20180117T081143_VVP012_INT80_G_ueF_1A2B"
    quantities = {
        "wrapped_phase": phase_rad(),
        "corr": coherence(),
        "unw_phase": 5 * phase_rad(),
        "los_disp": 0.01 * phase_rad(),
        "lv_theta": 1 + 0.1 * phase_rad(),
        "dem": 900 * coherence(),
    }
    for quantity, band in quantities.items():
        write(root / f"{name}_{quantity}.tif", band)


def product_is_right(folder: Path, _told: str) -> str:
    """Make sure that the wrapped phase alone was drawn."""
    drawn = [path.name for path in (folder / "out").glob("*-lines.gpkg")]
    return "" if len(drawn) == 1 and "wrapped_phase" in drawn[0] else f"drawn is {drawn}"


def patches(root: Path, image: Callable[[int], Any], **options: Any) -> None:
    """Write the scenes as patches of the published layout, with a card."""
    for number in range(SCENES):
        mask = np.zeros((1, 160, 160), np.uint8)
        mask[0, 5:155, 80] = 1
        np.savez(root / f"s{number}_x0_y0_s160.npz", image=image(number), mask=mask, **options)
    shutil.rmtree(root / "DInSAR")
    card(root, "bands: npz, lines: null", "posting_m: 100\n", rasters="*.npz")


def patches_are_right(folder: Path, _told: str) -> str:
    """Compare what is read of the patches."""
    data_card = load_card(folder / "card.yaml")
    for number, entry in enumerate(open_catalogue(folder / "data", data_card).entries):
        wrong = differs(entry.read_pixels(), values(number))
        if wrong:
            return f"{entry.name}: {wrong}"
    return ""


def as_phase(number: int, unit_rad: float = 1.0) -> Any:
    """Return phase and magnitude, (2, rows, cols)."""
    pixels = values(number)
    return np.stack([np.angle(pixels) / unit_rad, np.abs(pixels)]).astype(np.float32)


PREDICT = "predict --scene data/DInSAR/s1.tif --out out"

CASES: Cases = {
    "an empty file": refused(lambda r: first(r).write_bytes(b""), "s1.tif"),
    "text": refused(lambda r: first(r).write_text("no raster"), "s1.tif"),
    "a web page": refused(lambda r: first(r).write_text(PAGE), "s1.tif"),
    "a pointer of Git LFS": refused(lambda r: first(r).write_text(POINTER), "s1.tif", "git lfs pull"),
    "a pointer of Git LFS for lines": refused(
        lambda r: (r / "lines.gpkg").write_text(POINTER), "lines.gpkg", "git lfs pull"
    ),
    "an archive": refused(zipped, "s1.tif"),
    "cut in its header": refused(lambda r: cut(first(r), 0.001), "s1.tif"),
    "cut in its pixels": refused(lambda r: cut(first(r), 0.6), "s1.tif", "cut short"),
    "a folder": either(lambda r: (first(r).unlink(), first(r).mkdir()), truth=lambda folder, told: ""),
    "a link": right(linked),
    "a broken link": refused(lambda r: linked(r, is_broken=True), "s1.tif"),
    "the suffix .TIF": right(suffixed(".TIF")),
    "the suffix .tiff": right(suffixed(".tiff")),
    "the suffix .Tiff": right(suffixed(".Tiff")),
    "a virtual raster": right(virtual),
    "ENVI's .img": right(
        lambda r: raster(r, *parts(), suffix=".img", driver="ENVI", names=("real", "imaginary"))
    ),
    "Erdas' .IMG": right(lambda r: raster(r, *parts(), suffix=".IMG", driver="HFA")),
    "a virtual raster of a file that is gone": refused(
        lambda r: (virtual(r), (r / "kept.bin").unlink()), "s1"
    ),
    "two of one name": refused(
        lambda r: (shutil.copytree(r / "DInSAR", r / "again"), card(r, rasters="*/*.tif")), "s0"
    ),
    "two of one stem": refused(lambda r: shutil.copy(first(r), first(r, ".TIFF")), "s1"),
    "no scene at all": refused(lambda r: shutil.rmtree(r / "DInSAR"), "data"),
    "statistics beside": right(lambda r: first(r, ".tif.aux.xml").write_text("<PAMDataset/>")),
    "a file of macOS beside": right(lambda r: (r / "DInSAR" / "._s1.tif").write_bytes(b"\0\5\x16\7")),
    "a product": right(
        product, command="predict --scene data --out out --window-px 64", truth=product_is_right
    ),
    "a scene that is not there": refused(lambda r: first(r).unlink(), "s1.tif", command=PREDICT),
    "results into a file": refused(lambda r: (r.parent / "out").write_text("mine"), "out", command=PREDICT),
    "results below a file": refused(
        lambda r: (r.parent / "out").write_text("mine"), "out", command=f"{PREDICT}/below"
    ),
    "a study in a file": refused(
        lambda r: (r.parent / "study").write_text("mine"),
        "study",
        command="prepare --data data --study study",
    ),
    "a table in a folder": refused(
        lambda r: (r.parent / "table").mkdir(),
        "table",
        command="compare data/lines.gpkg data/lines.gpkg --table table",
    ),
    "patches of real and imaginary part": either(
        lambda r: patches(r, lambda n: np.stack([values(n).real, values(n).imag])), truth=patches_are_right
    ),
    "patches of phase and magnitude": either(lambda r: patches(r, as_phase), "s0", truth=patches_are_right),
    "patches of phase over pi and magnitude": either(
        lambda r: patches(r, lambda n: as_phase(n, np.pi)), "s0", truth=patches_are_right
    ),
    "patches with pickled objects": refused(
        lambda r: patches(r, lambda n: np.array([{"a": 1}], dtype=object)), "_x0_y0_s160.npz"
    ),
    "patches of another size than their name's": refused(
        lambda r: patches(r, lambda n: as_phase(n)[:, :80, :80]), "_x0_y0_s160.npz"
    ),
    "patches cut short": refused(
        lambda r: (patches(r, as_phase), cut(r / "s0_x0_y0_s160.npz", 0.5)), "_x0_y0_s160.npz"
    ),
}
