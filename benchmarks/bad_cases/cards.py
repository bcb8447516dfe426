"""Data cards and search spaces that say what cannot be."""

import shutil
from collections.abc import Callable
from pathlib import Path

from bad_cases.case import Cases, card, either, refused, right

SPACE = Path(__file__).resolve().parents[2] / "search_spaces" / "demo.yaml"


def text(words: str) -> Callable[[Path], object]:
    """Return a change that writes a card as it is."""
    return lambda root: (root.parent / "card.yaml").write_text(words)


def more(words: str) -> Callable[[Path], object]:
    """Return a change that adds to a good card."""
    return lambda root: card(root, more=words)


def space(old: str, new: str) -> Callable[[Path], object]:
    """Return a change that writes a search space beside the data."""

    def change(root: Path) -> None:
        found = SPACE.read_text()
        assert old in found, old
        (root.parent / "space.yaml").write_text(found.replace(old, new, 1))

    return change


PREPARE = "prepare --data data --study study --space space.yaml"

CASES: Cases = {
    "an unknown key": refused(more("colour: blue\n"), "card.yaml", "colour"),
    "a key in the wrong place": refused(more("bands: auto\n"), "card.yaml", "bands"),
    "no YAML": refused(text("name: [\n"), "card.yaml"),
    "an empty card": refused(text(""), "card.yaml"),
    "a list": refused(text("- name: x\n"), "card.yaml"),
    "a Python object": refused(text("name: !!python/object/apply:os.system ['true']\n"), "card.yaml"),
    "a tab": refused(text("name: x\nroot: data\nlayout:\n\tlines: lines.gpkg\n"), "card.yaml"),
    "a key twice": refused(more("posting_m: 100\nposting_m: 50\n"), "card.yaml", "posting_m"),
    "yes for a name": either(text("name: yes\nroot: data\nlayout: {lines: lines.gpkg}\n"), "card.yaml"),
    "bytes that are no text": refused(
        lambda r: (r.parent / "card.yaml").write_bytes(b"name: \xff\xfe\n"), "card.yaml"
    ),
    "a byte-order mark": right(
        lambda r: (r.parent / "card.yaml").write_bytes(
            b"\xef\xbb\xbfname: x\nroot: data\nlayout: {lines: lines.gpkg}\n"
        )
    ),
    "a root that is not there": refused(lambda r: (card(r), shutil.rmtree(r)), "card.yaml", "not a folder"),
    "a root that is a file": refused(
        text("name: x\nroot: data/lines.gpkg\nlayout: {lines: lines.gpkg}\n"), "card.yaml", "not a folder"
    ),
    "a negative posting": refused(more("posting_m: -100\n"), "card.yaml", "posting_m"),
    "a posting with its unit": refused(more("posting_m: 100 m\n"), "card.yaml", "posting_m"),
    "another posting than the scenes'": refused(more("posting_m: 50\n"), "s0.tif", "posting"),
    "a number in scientific form": right(more("posting_m: 1e2\n")),
    "a band that is none": refused(lambda r: card(r, ", bands: colour"), "s0", "colour"),
    "bands that are no interferogram": refused(
        lambda r: card(r, ', bands: "real, coherence"'), "card.yaml", "interferogram"
    ),
    "no raster that matches": refused(lambda r: card(r, rasters="elsewhere/*.tif"), "elsewhere/*.tif"),
    "a file of lines that is not there": refused(lambda r: card(r, "lines: other.gpkg"), "other.gpkg"),
    "lines and masks": refused(lambda r: card(r, "lines: lines.gpkg, masks: '*.png'"), "card.yaml", "masks"),
    "splits that do not sum to 1": refused(more("split: {train: 0.9}\n"), "card.yaml", "sum to 1"),
    "a region that is not there": refused(
        more("split: {rule: region, regions: [{split: test, scenes: [x*]}]}\n"), "x*"
    ),
    "a column that is not there": refused(
        more("split: {rule: column, column: dataset}\n"), "lines.gpkg", "dataset"
    ),
    "soft labels without a width": refused(more("label: soft\n"), "card.yaml", "label_width_m"),
    "a checksum that is wrong": refused(
        more(f"checksums: {{DInSAR/s0.tif: '{'0' * 64}'}}\n"),
        command="check card.yaml --sheet sheet.png",
        truth=lambda folder, told: "" if "s0.tif: its SHA-256" in told else "is not told",
    ),
    "a card of two that have one name": refused(
        text("name: both\nparts: [data, data]\n"), "card.yaml", "data"
    ),
    "a space with an unknown key": refused(
        space("name:", "colour: blue\nname:"), "space.yaml", "colour", command=PREPARE
    ),
    "a space with a key twice": refused(
        space("name:", "name: other\nname:"), "space.yaml", "name", command=PREPARE
    ),
    "a space that is not there": refused(lambda r: None, "space.yaml", command=PREPARE),
}
