"""Which files of a folder are scenes: one rule for every command, for folders and for data cards."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from glsweep.errors import DataError
from glsweep.scenes.products import (
    NAMES_OF_GDAL,
    RASTER_SUFFIXES,
    PassedOver,
    keep_wrapped_phases,
    list_names,
    scene_stem,
)

SCENE_FOLDER = "DInSAR"
EVERY_RASTER = "*"
"""As the last part of a data card's pattern: all files with the suffix of a raster."""
PREDICTED_SUFFIXES = ("-probability.tif", "-view.vrt")
ARCHIVE_SUFFIXES = (".zip", ".gz", ".tgz", ".tar", ".7z", ".bz2", ".xz")


@dataclass(frozen=True)
class SceneFiles:
    """The scenes among files, and all other rasters there.

    Attributes
    ----------
    taken : tuple of Path
        By name.
    passed_over : tuple of PassedOver
        Rasters that are not scenes, one entry for each product or reason.
    """

    taken: tuple[Path, ...]
    passed_over: tuple[PassedOver, ...] = ()


def choose_scenes(paths: Iterable[Path]) -> SceneFiles:
    """Separate scenes from files that belong to another file or hold another quantity of a product."""
    # macOS writes `._a.tif` beside `a.tif` on foreign disks. A broken link is a scene that is missed.
    left = sorted(path for path in paths if not path.is_dir() and not path.name.startswith("."))
    passed_over = []
    for belongs, reason in (
        (_is_predicted, "drawn by `predict`, not a scene"),
        (_is_of_dimap, "belongs to the .dim file beside its folder, which names the scene"),
    ):
        found = tuple(path for path in left if belongs(path))
        if found:
            passed_over.append(_passed_over(found, reason))
            left = [path for path in left if path not in found]
    left, described = _without_redundant_vrts(left)
    taken, others = keep_wrapped_phases(left)
    return SceneFiles(tuple(sorted(taken, key=scene_stem)), (*passed_over, *described, *others))


def rasters_of_folder(folder: Path) -> SceneFiles:
    """Return the scenes of a folder, whatever their format."""
    return choose_scenes(path for path in folder.iterdir() if _is_raster(path))


def rasters_of_card(root: Path, pattern: str, masks: str | None = None) -> SceneFiles:
    """Return the scenes that a data card's pattern matches, and nearby rasters that it does not.

    Letters match in either case.

    Parameters
    ----------
    root : Path
        The folder that both patterns start from.
    pattern : str
        Of the rasters; where it ends in `*`, files with another suffix than a raster's are left out.
    masks : str, optional
        Of files that are masks and no scenes.
    """
    are_masks = set(matching_paths(root, masks)) if masks else set()
    found = [path for path in matching_paths(root, pattern) if path not in are_masks]
    if Path(pattern).name == EVERY_RASTER:
        found = [path for path in found if _is_raster(path)]
    choice = choose_scenes(found)
    if not choice.taken:
        return choice
    folders = {path.parent for path in choice.taken}
    if Path(pattern).parts[0].lower() == SCENE_FOLDER.lower():
        folders.add(root)
    nearby = {path for folder in folders for path in folder.iterdir() if _is_raster(path) and path.is_file()}
    known = {*choice.taken, *are_masks, *(path for line in choice.passed_over for path in line.paths)}
    known |= {path.resolve() for path in choice.taken}
    unused = tuple(path for path in _without_redundant_vrts(sorted(nearby))[0] if not _is_one_of(path, known))
    if not unused:
        return choice
    not_matched = _passed_over(unused, f"not used, since {pattern} does not match")
    return SceneFiles(choice.taken, (*choice.passed_over, not_matched))


def scenes_folder(folder: Path) -> Path:
    """Return where the scenes of a folder without a data card lie: in its folder DInSAR, or in itself."""
    for below in sorted(path for path in folder.iterdir() if path.is_dir()):
        if below.name.lower() == SCENE_FOLDER.lower() and any(map(_is_raster, below.iterdir())):
            return below
    return folder


def scene_pattern(folder: Path) -> str:
    """Return the pattern of the scenes of a folder without a data card.

    Raises
    ------
    DataError
        When it holds no scene.
    """
    where = scenes_folder(folder)
    check_scenes_found(where, rasters_of_folder(where))
    return EVERY_RASTER if where == folder else f"{where.name}/{EVERY_RASTER}"


def matching_paths(root: Path, pattern: str) -> list[Path]:
    """Return what a pattern matches below a folder, letters in either case, sorted.

    Raises
    ------
    DataError
        When it is empty or not relative to the folder.
    """
    if not pattern or Path(pattern).is_absolute():
        raise DataError(
            f"{root}: the pattern {pattern!r} does not start from this folder; mend `layout` in the data card"
        )
    parts = re.split(r"(\[[^]]*\])", pattern)  # a set in brackets says itself what it takes
    loose = "".join(part if n % 2 else _in_either_case(part) for n, part in enumerate(parts))
    return sorted(root.glob(loose))


def check_scenes_found(folder: Path, choice: SceneFiles) -> None:
    """Make sure that a folder holds a scene.

    Raises
    ------
    DataError
        When nothing was taken: what there is, why it was not, and what to do.
    """
    if choice.taken:
        return
    if choice.passed_over:
        raise DataError(f"{folder}: holds no interferogram: {'; '.join(map(str, choice.passed_over))}")
    dim = folder.with_suffix(".dim")
    if folder.suffix.lower() == ".data" and dim.is_file():
        raise DataError(f"{folder}: holds the bands of {dim.name}; name that file")
    raise DataError(f"{folder}: holds no raster ({list_names(RASTER_SUFFIXES, 99)}), {_contents(folder)}")


def distinct_scenes(paths: Sequence[Path], remedy: str) -> list[Path]:
    """Return the paths, each once, if no two scenes have one name.

    Raises
    ------
    DataError
        When two have.
    """
    unique = list(dict.fromkeys(paths))
    # Letters with accents have two forms in file names.
    names = [normalize("NFC", scene_stem(path)) for path in unique]
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        twins = [str(path) for path, own in zip(unique, names, strict=True) if own == name]
        raise DataError(f"{twins[1]}: has the name of {twins[0]} ({name}); {remedy}")
    return unique


def is_raster_there(path: Path) -> bool:
    """Whether a path, or GDAL's name of a variable, leads to a file."""
    match = NAMES_OF_GDAL.fullmatch(str(path))
    return path.is_file() or path.is_symlink() or (match is not None and Path(match["file"]).is_file())


def _passed_over(paths: tuple[Path, ...], reason: str) -> PassedOver:
    return PassedOver(paths, f"{list_names([path.name for path in paths])}: {reason}")


def _is_one_of(path: Path, known: set[Path]) -> bool:
    ways = (path, path.resolve(), path.with_name(f"{path.name}.vrt"))
    return path.name.startswith(".") or any(way in known for way in ways)


def _is_raster(path: Path) -> bool:
    return path.suffix.lower() in RASTER_SUFFIXES


def _is_predicted(path: Path) -> bool:
    return path.name.endswith(PREDICTED_SUFFIXES)


def _is_of_dimap(path: Path) -> bool:
    return path.parent.suffix.lower() == ".data" and path.parent.with_suffix(".dim").is_file()


def _without_redundant_vrts(paths: list[Path]) -> tuple[list[Path], list[PassedOver]]:
    """Leave out each .vrt that describes another of the files, so that the pair counts once."""
    rest, passed_over = [], []
    for path in paths:
        if path.suffix.lower() != ".vrt":
            rest.append(path)
        elif path.with_suffix("") not in paths:  # `a.geo.vrt` beside `a.geo` is the same raster
            twin = _raster_of_vrt(path, paths)
            if twin is None:
                rest.append(path)
            else:
                passed_over.append(_passed_over((path,), f"describes {twin.name}, which is read"))
    return rest, passed_over


def _raster_of_vrt(vrt: Path, paths: Sequence[Path]) -> Path | None:
    same_stem = [path for path in paths if path.stem == vrt.stem and path != vrt]
    text = vrt.read_text(encoding="utf-8", errors="replace") if same_stem else ""
    return next((path for path in same_stem if f"{path.name}</SourceFilename>" in text), None)


def _in_either_case(text: str) -> str:
    return "".join(f"[{c.lower()}{c.upper()}]" if c.isascii() and c.isalpha() else c for c in text)


def _contents(folder: Path) -> str:
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if not inside:
        return "it is empty; name where the interferograms are"
    folders = sorted(path.name for path in inside if path.is_dir())
    suffixes = Counter(path.suffix.lower() or "without a suffix" for path in inside if not path.is_dir())
    counts = [f"{count} {suffix}" for suffix, count in suffixes.most_common()]
    kinds = [*counts, *([f"the folders {list_names(folders)}"] if folders else [])]
    remedy = "name where the interferograms are"
    if any(suffix in ARCHIVE_SUFFIXES for suffix in suffixes):
        remedy = "unpack what is packed"
    elif folders:
        remedy = "name the folders that hold the scenes"
    return f"only {', '.join(kinds)}; {remedy}"
