"""Data cards: read from YAML, made for folders without one, and several joined to one."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

from glsweep.config import find_shipped
from glsweep.config.contradictions import check_card, check_joined
from glsweep.config.data_card import (
    CORRECTIONS,
    GROUNDED_ICE,
    SECOND_ANALYST,
    UNSURE_LINES,
    DataCard,
    Layout,
)
from glsweep.config.settings import load_yaml_mapping, refusal, validate
from glsweep.errors import ConfigError, DataError
from glsweep.scenes.products import scene_stem
from glsweep.scenes.raster_files import rasters_of_card, scene_pattern

LINE_SUFFIXES = (".gpkg", ".shp", ".geojson", ".fgb", ".json")
NOT_LINES = (UNSURE_LINES, SECOND_ANALYST, CORRECTIONS, GROUNDED_ICE)
"""Files that may lie beside the one of lines, by their usual names."""


def load_card(data: Path, *, root: Path | None = None) -> DataCard:
    """Return the card at `data`, or one made for the folder `data`.

    A relative path in a card is taken from the card's own folder. `parts` are paths of cards or
    folders, or mappings with `data` and `test_only`.

    Parameters
    ----------
    data : Path
        A YAML file or a folder.
    root : Path, optional
        Where the scenes are, instead of the card's `root`.

    Raises
    ------
    ConfigError
        When the card is not valid, or its root is no folder; the message says how to obtain it.
    """
    data = find_shipped(data)
    if data.is_dir():
        if root is not None:
            raise ConfigError(f"--root {root}: is for a data card, and {data} is a folder of scenes itself")
        return card_for_folder(data)
    value = load_yaml_mapping(data)
    parts = value.get("parts")
    if isinstance(parts, list):
        value["parts"] = [_load_part(data, number, part) for number, part in enumerate(parts)]
    if root is not None:
        if value.get("root") is None:
            raise ConfigError(f"--root {root}: {data} names no `root` that it could replace; leave it out")
        value["root"] = root.resolve()
    card = validate(value, DataCard, data)
    check_card(card, value, data)
    card = _with_absolute_regions(_of_one_wavelength(card, value), data.parent)
    if card.simulation is not None and card.simulation.lines is not None:
        lines = (data.parent / card.simulation.lines).resolve()
        card = card.model_copy(update={"simulation": card.simulation.model_copy(update={"lines": lines})})
    if card.root is None:
        return card
    found = (data.parent / card.root).resolve()
    if not found.is_dir():
        how = f" ({' '.join(card.how_to_obtain.split())})" if card.how_to_obtain else ""
        remedy = f"obtain the data{how} and name its folder with --root, or mend the path"
        raise refusal(data, ("root",), f"{found} is not a folder; {remedy}")
    return _with_verdicts_noted(card.model_copy(update={"root": found}), found)


def _with_verdicts_noted(card: DataCard, root: Path) -> DataCard:
    """Note which verdicts its corrections hold, which decide what a study finds."""
    if card.layout.corrections is None:
        return card
    # Reading vector files takes a second to import, for which no other card need wait.
    from glsweep.scenes.corrections import corrections_hash, read_corrections  # noqa: PLC0415

    noted = corrections_hash(read_corrections(root / card.layout.corrections))
    return card.model_copy(update={"layout": card.layout.model_copy(update={"corrections_hash": noted})})


def load_data(data: Sequence[Path], test_data: Sequence[Path] = (), *, root: Path | None = None) -> DataCard:
    """Load the cards or folders that are named, and join them.

    Parameters
    ----------
    data, test_data : sequence of Path
        YAML files or folders; those of `test_data` are never trained on.
    root : Path, optional
        Where the scenes are, instead of the `root` of the one card.

    Raises
    ------
    ConfigError
        When a card is not valid, `root` is given for several, or two have the same name.
    """
    if root is not None and len(data) > 1:
        raise ConfigError(
            f"--root {root}: says where the scenes of one card are, --data names {len(data)}; "
            "write `root` into the cards"
        )
    cards = [load_card(path, root=root) for path in data]
    return join_cards(cards, [load_card(path) for path in test_data])


def join_test_data(card: DataCard, test_data: Sequence[Path]) -> DataCard:
    """Return a study's card with further test data; a test data set of the same name is replaced."""
    further = [load_card(path) for path in test_data]
    names = {part.name for part in further}
    parts = card.data_sets
    trained = [part for part in parts if not part.test_only]
    tested = [part for part in parts if part.test_only and part.name not in names]
    joined = join_cards(trained, [*tested, *further])
    # Split and label are those of the study, not of its first data set.
    rules = {"split": card.split, "label": card.label, "label_width_m": card.label_width_m}
    return joined.model_copy(update=rules)


def with_root(card: DataCard, root: Path) -> DataCard:
    """Return the card with its scenes in another folder.

    Raises
    ------
    ConfigError
        When it has no folder of scenes, or several.
    """
    if card.root is None:
        held = "several data sets; name them all by --data" if card.parts else "simulated scenes"
        raise ConfigError(f"--root {root}: says where the scenes of one card are; this study has {held}")
    if not root.is_dir():
        raise ConfigError(f"--root {root}: is not a folder; name the one that holds the scenes")
    return card.model_copy(update={"root": root.resolve()})


def join_cards(cards: Sequence[DataCard], test_only: Sequence[DataCard] = ()) -> DataCard:
    """Return one card for several data sets; those of `test_only` are never trained on.

    The split and the kind of label are the first card's.

    Raises
    ------
    ConfigError
        When two have the same name, or one is joined itself.
    """
    first, *others = cards
    if not others and not test_only:
        return first
    held_out = [card.model_copy(update={"test_only": True}) for card in test_only]
    return _joined([part for card in cards for part in card.data_sets] + held_out, first)


def join_to_test(cards: Sequence[DataCard], tested: Collection[str]) -> DataCard:
    """Return one card for several data sets, in their order; those named in `tested` are never trained on.

    A data set keeps its number whichever are trained on, and with it the scenes that are simulated for it.
    Where data of several wavelengths train, the card's is that of the first one that is tested: what such
    networks are for.

    Raises
    ------
    ConfigError
        As `join_cards`.
    """
    parts = [card.model_copy(update={"test_only": card.name in tested}) for card in cards]
    trained = [part for part in parts if not part.test_only]
    mixes = len({part.wavelength_m for part in trained}) > 1
    wavelength_m = next(part.wavelength_m for part in parts if part.test_only) if mixes else None
    return _joined(parts, trained[0], wavelength_m=wavelength_m)


def _joined(parts: Sequence[DataCard], first: DataCard, *, wavelength_m: float | None = None) -> DataCard:
    value: dict[str, Any] = {
        "name": "-".join(part.name for part in parts),
        "title": ", ".join(part.title or part.name for part in parts),
        "split": first.split,
        "label": first.label,
        "label_width_m": first.label_width_m,
        "parts": parts,
    }
    if wavelength_m is not None:
        value["wavelength_m"] = wavelength_m
    joined = validate(value, DataCard, Path("--data"))
    check_joined(joined, value, Path("--data"))
    return _of_one_wavelength(joined, value)


def _of_one_wavelength(card: DataCard, given: Mapping[str, Any]) -> DataCard:
    """Give a joined card that names no wavelength that of the parts that are trained on."""
    trained = [part.wavelength_m for part in card.parts if not part.test_only]
    return (
        card.model_copy(update={"wavelength_m": trained[0]})
        if trained and "wavelength_m" not in given
        else card
    )


def card_for_folder(folder: Path) -> DataCard:
    """Make a card for a folder in the study layout, or one with rasters and lines side by side."""
    folder = folder.resolve()
    rasters = scene_pattern(folder)
    lines = _find_lines(folder, {scene_stem(path) for path in rasters_of_card(folder, rasters).taken})
    card = DataCard(
        name=_card_name(folder),
        title=f"Scenes of {folder.name}",
        source=str(folder),
        root=folder,
        layout=Layout(
            rasters=rasters,
            lines=lines,
            unsure=_beside(folder, lines, UNSURE_LINES),
            second_analyst=_beside(folder, lines, SECOND_ANALYST),
            corrections=CORRECTIONS if (folder / CORRECTIONS).is_file() else None,
        ),
    )
    return _with_verdicts_noted(card, folder)


def _beside(folder: Path, lines: str, name: str) -> str | None:
    """Return the usual name of further lines if they lie beside the one file of lines."""
    return name if (folder / name).is_file() and "*" not in lines else None


def _find_lines(folder: Path, scenes: set[str]) -> str:
    """Return the file of lines, or the pattern of the files that are each named after a scene."""
    # macOS writes `._lines.gpkg` beside `lines.gpkg` on foreign disks.
    there = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    files = [p for p in there if p.suffix.lower() in LINE_SUFFIXES and p.name not in NOT_LINES]
    # Notes beside scenes are .json too.
    files = [p for p in files if p.suffix.lower() != ".json"] or files
    if len(files) == 1:
        return files[0].name
    suffixes = {path.suffix.lower() for path in files}
    # Letters with accents have two forms in file names.
    line_names, scene_names = (
        {normalize("NFC", n) for n in names} for names in ({p.stem for p in files}, scenes)
    )
    if len(suffixes) == 1 and len(line_names) > 1 and line_names <= scene_names:
        return f"*{suffixes.pop()}"
    found = ", ".join(path.name for path in files) or "none"
    raise DataError(
        f"{folder}: needs one file of lines ({', '.join(LINE_SUFFIXES)}), or one with each scene's name, "
        f"found {found}; add it or name it in a data card (a pattern such as lines: '*_gl.shp' does too)"
    )


def _card_name(folder: Path) -> str:
    return "".join(c if (c.isascii() and c.isalnum()) or c in "._-" else "-" for c in folder.name) or "folder"


def _load_part(card: Path, number: int, part: Any) -> Any:
    """Load one part of the joined card at `card`."""
    where = ("parts", number)
    given = part if isinstance(part, dict) else {"data": part}
    if not isinstance(given.get("data"), str) or set(given) - {"data", "test_only"}:
        expected = "the path of a card or folder, or a mapping with `data` and `test_only`"
        raise refusal(card, where, f"should be {expected} (it is {part!r})")
    loaded = load_card(card.parent / given["data"])
    test_only = given.get("test_only", loaded.test_only)
    if not isinstance(test_only, bool):
        raise refusal(card, (*where, "test_only"), f"should be true or false (it is {test_only!r})")
    return loaded.model_copy(update={"test_only": test_only})


def _with_absolute_regions(card: DataCard, folder: Path) -> DataCard:
    regions = tuple(
        region.model_copy(update={"polygons": region.polygons and (folder / region.polygons).resolve()})
        for region in card.split.regions
    )
    split = card.split.model_copy(update={"regions": regions})
    return card.model_copy(update={"split": split})
