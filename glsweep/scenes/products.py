"""Products of several files: which one holds the wrapped phase, and what its scene is called."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

RASTER_SUFFIXES = (
    *(".tif", ".tiff", ".vrt", ".img", ".dim"),
    *(".nc", ".nc4", ".h5", ".hdf5", ".he5", ".grd"),
    *(".geo", ".int", ".flat", ".unw", ".cor"),
)
"""In lower case; a file's suffix may be in either."""
NAMES_OF_GDAL = re.compile(r'(?:NETCDF|HDF5):"?(?P<file>.+?)"?:/*(?P<variable>[^:"]+)', re.IGNORECASE)
"""GDAL's name of one variable in a file: NETCDF:"file.nc":phase, HDF5:file.h5://group/phase."""

ISCE_SUFFIXES = (".geo", ".int", ".flat", ".unw", ".cor")
SAME_IN_EVERY_FOLDER = re.compile(r"(?:filt_)?(?:topophase|fine)|phase(?:filt)?(?:_mask)?(?:_[a-z]+)?")
STEPS = ("merged", "interferogram", "geocoded", "insar")
DATE = re.compile(r"(?<!\d)(?:19|20)\d{6}(?!\d)|(?<!\d)\d{6}(?!\d)|(?<!\d)(?:19|20)\d{5}(?!\d)")
"""20180620, 180620, or GMTSAR's year with the day of the year."""


class ProductFamily(NamedTuple):
    """How one processor names the files of a product.

    Attributes
    ----------
    title : str
        The processor; empty where any may have made it.
    member : pattern
        Matches the name of each file. Files whose `key` is the same are one product; without such a
        group those of one folder and the same dates are.
    wrapped : tuple of pattern
        Found in the name of the wrapped phase, the best one first.
    remedy : str
        What to do when a product has none; empty if its files are then scenes of their own.
    """

    title: str
    member: re.Pattern[str]
    wrapped: tuple[re.Pattern[str], ...]
    remedy: str = ""


def _patterns(*texts: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(text, re.IGNORECASE) for text in texts)


QUANTITIES = "|".join(
    (
        *("wrapped(?:_?phase)?", "ifg", "diff(?:_unfiltered)?_pha", "unw(?:rapped)?(?:_?phase)?"),
        *("corr", "coh", "coherence", "cc", "conn_?comp", "connected_?components", "amp", "amplitude"),
        *("intensity", "los_disp", "vert_disp", "displacement", "lv_phi", "lv_theta", "inc_map(?:_ell)?"),
        *("incidence(?:_angle)?", "dem", "water_mask", "mask", "browse"),
    )
)
RASTER = r"\.(?:tiff?|img|vrt|nc4?)"
FAMILIES = (
    ProductFamily(
        "HyP3",
        re.compile(r"(?P<key>S1.*_INT\d+_(?:.+_)?[0-9A-F]{4})_[a-z_]+\.tiff?", re.IGNORECASE),
        _patterns("_wrapped_phase"),
        "order it with the option include_wrapped_phase, or name its unw_phase file and add "
        "--bands unwrapped_phase",
    ),
    ProductFamily(
        "ISCE",
        re.compile(r".+(?:" + "|".join(map(re.escape, ISCE_SUFFIXES)) + r")(?:\.vrt)?", re.IGNORECASE),
        _patterns(
            r"^filt_.*\.(?:flat|int)\.geo",
            r"\.(?:flat|int)\.geo",
            r"^filt_.*\.(?:flat|int)$",
            r"\.(?:flat|int)$",
        ),
        "name its .unw.geo file and add --bands unwrapped_phase=2",
    ),
    ProductFamily(
        "GMTSAR",
        re.compile(
            r"(?:[xy]?phase|phasefilt|phasegrad|corr|filtcorr|unwrap|los|display_amp|amp|real|imag|mask|"
            r"landmask|con_comp|conncomp|dem|topo)\d?(?:_.*)?\.grd",
            re.IGNORECASE,
        ),
        # What lies on a projected map goes before degrees (ll), and both before radar coordinates.
        _patterns(
            *(r"^phasefilt_(?!mask|ll\b)", r"^phasefilt_ll", r"^phasefilt_mask_", r"^phase_"),
            *(r"^phasefilt\.", r"^phasefilt", r"^phase\."),
        ),
        "name its unwrap file and add --bands unwrapped_phase",
    ),
    ProductFamily(
        "",
        re.compile(rf"(?P<key>.+?)[_.-](?:{QUANTITIES}){RASTER}", re.IGNORECASE),
        _patterns(rf"[_.-]wrapped(?:_?phase)?{RASTER}$", rf"[_.-]diff_pha{RASTER}$", rf"[_.-]ifg{RASTER}$"),
    ),
)


class PassedOver(NamedTuple):
    """Files that are not read as scenes, and the message that says so."""

    paths: tuple[Path, ...]
    message: str

    def __str__(self) -> str:
        return self.message


def list_names(names: Sequence[str], most: int = 12) -> str:
    """Return the first names, separated by commas, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def keep_wrapped_phases(paths: Sequence[Path]) -> tuple[list[Path], list[PassedOver]]:
    """Take the wrapped phase of each product, and every file that belongs to none.

    Where only one file of a product is given, it is taken whatever it holds: the user has chosen.
    """
    products: dict[tuple[ProductFamily, Path, str], list[Path]] = {}
    taken = []
    for path in paths:
        family = next((f for f in FAMILIES if f.member.fullmatch(path.name)), None)
        if family is None:
            taken.append(path)
        else:
            products.setdefault((family, path.parent, _key(family, path.name)), []).append(path)
    passed_over = []
    for (family, folder, key), members in products.items():
        chosen = _wrapped(family, members)
        if len(members) == 1 or (chosen is None and not family.remedy):
            taken += members
            continue
        others = tuple(path for path in members if path != chosen)
        name = (key or folder.absolute().name) + (f" ({family.title})" if family.title else "")
        left = list_names([_quantity(path, key) for path in others])
        if chosen is None:
            message = f"{name}: has no wrapped phase among {left}; {family.remedy}"
        else:
            taken.append(chosen)
            message = f"{name}: {_quantity(chosen, key)} is read, passed over are {left}"
        passed_over.append(PassedOver(others, message))
    return taken, passed_over


def _key(family: ProductFamily, name: str) -> str:
    match = family.member.fullmatch(name)
    if match is not None and "key" in match.groupdict():
        return match["key"]
    return "_".join(DATE.findall(name))


def _quantity(path: Path, key: str) -> str:
    """Return the quantity in a file's name: what follows the name of the product."""
    rest = path.name.removeprefix(key)
    return path.name if rest == path.name else Path(rest.lstrip("_.-")).stem


def _wrapped(family: ProductFamily, members: Sequence[Path]) -> Path | None:
    for pattern in family.wrapped:
        found = sorted(path for path in members if pattern.search(path.name.removesuffix(".vrt")))
        if found:
            return found[0]
    return None


def scene_stem(path: Path) -> str:
    """Return the stem that a scene is called by: its file's name without the suffixes of its format.

    Some processors use the same file name in the folder of every pair; the folder then names the scene.

    Parameters
    ----------
    path : Path
        A raster, or GDAL's name of a variable.
    """
    match = NAMES_OF_GDAL.fullmatch(str(path))
    path = Path(match["file"]) if match else path
    name = Path(path.stem)
    # A .vrt describes a file with a suffix of its own; ISCE appends one with each step.
    last = path.suffix.lower()
    while last in (".vrt", *ISCE_SUFFIXES) and name.suffix.lower() in RASTER_SUFFIXES:
        last, name = name.suffix.lower(), Path(name.stem)
    if path.suffix.lower() in (*ISCE_SUFFIXES, ".vrt", ".grd") and SAME_IN_EVERY_FOLDER.fullmatch(name.name):
        folders = [folder.name for folder in path.absolute().parents if folder.name]
        return next((folder for folder in folders if folder.lower() not in STEPS), name.name)
    return name.name
