"""What the report says of the data: the one place that knows the shape of `data.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glsweep.report.words import DASH, counted

SPLIT_TITLES = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class SceneRow:
    """One scene: its size, its lines, and the splits that draw patches from it."""

    name: str
    shape: str
    lines: int
    line_km: float
    rows_without_geometry: int
    splits: str
    left_out: str


@dataclass(frozen=True)
class PatchRow:
    """Patches of one size and split.

    `overlap` is the largest share of pixels that two of them have in common; None where a study
    was prepared before it was measured.
    """

    patch_size_px: int
    split: str
    with_line: int
    without_line: int
    overlap: float | None = None

    @property
    def overlap_text(self) -> str:
        """Return the overlap in percent, or a dash."""
        return DASH if self.overlap is None else f"{self.overlap:.0%}"


@dataclass(frozen=True)
class DataFacts:
    """The data's counts, ready for the page.

    `leak` is the share of patches that share ground with a training patch, by patch size and
    split; None when the split is leak-proof, which `proof` then says in words.
    """

    scenes: list[SceneRow]
    patches: list[PatchRow]
    line_rows: int
    rows_without_geometry: int
    null_rows_by_scene: dict[str, int]
    rows_without_scene: dict[str, int]
    remarks: list[str]
    scenes_without_line: list[str]
    left_out: dict[str, str]
    too_small: dict[int, list[str]]
    posting_m: float
    rule: str
    asked_rule: str
    reason: str
    proof: str
    leak: dict[int, dict[str, float]] | None

    def leak_text(self, row: PatchRow) -> str:
        """Return the share of a row's patches that share ground with training, or a dash."""
        names = {title: split for split, title in SPLIT_TITLES.items()}
        share = (self.leak or {}).get(row.patch_size_px, {}).get(names[row.split])
        return DASH if share is None else f"{share:.0%}"


def data_facts(data: Mapping[str, Any]) -> DataFacts:
    """Arrange `data.json` for the page."""
    found, split = data["catalogue"], data["split"]
    left_out = dict(data.get("left_out", {}))
    leak = data.get("leak")
    return DataFacts(
        scenes=_scene_rows(found, split, left_out),
        patches=_patch_rows(data["patches"], data.get("overlap", {})),
        line_rows=found["line_rows"],
        rows_without_geometry=found["rows_without_geometry"],
        null_rows_by_scene=found.get("rows_without_geometry_by_scene", {}),
        rows_without_scene=found.get("rows_without_scene", {}),
        remarks=found.get("remarks", []),
        scenes_without_line=list(found["scenes_without_line"]),
        left_out=left_out,
        too_small={int(size): names for size, names in data.get("too_small", {}).items() if names},
        posting_m=found["posting_m"],
        rule=split["rule"],
        asked_rule=split.get("asked_rule", split["rule"]),
        reason=split["reason"],
        proof=_proof(data),
        leak=None if leak is None else {int(size): shares for size, shares in leak.items()},
    )


def _scene_rows(
    found: Mapping[str, Any], split: Mapping[str, Any], left_out: Mapping[str, str]
) -> list[SceneRow]:
    null_rows = found.get("rows_without_geometry_by_scene", {})
    whole = split["rule"] == "patch"
    return [
        SceneRow(
            name=name,
            shape=f"{facts['rows']} \N{MULTIPLICATION SIGN} {facts['cols']}",
            lines=facts["lines"],
            line_km=facts["line_km"],
            rows_without_geometry=null_rows.get(name, 0),
            splits="all" if whole and name not in left_out else _splits_of(name, split["scenes"]),
            left_out=left_out.get(name, ""),
        )
        for name, facts in found["by_scene"].items()
    ]


def _splits_of(name: str, scenes: Mapping[str, list[str]]) -> str:
    return ", ".join(title for split, title in SPLIT_TITLES.items() if name in scenes.get(split, []))


def _patch_rows(
    patches: Mapping[str, Mapping[str, Mapping[str, int]]], overlap: Mapping[str, Mapping[str, float]]
) -> list[PatchRow]:
    return [
        PatchRow(
            int(size),
            title,
            by_split[split]["with_line"],
            by_split[split]["without_line"],
            overlap.get(size, {}).get(split),
        )
        for size, by_split in sorted(patches.items(), key=lambda item: int(item[0]))
        for split, title in SPLIT_TITLES.items()
        if split in by_split
    ]


def _proof(data: Mapping[str, Any]) -> str:
    checked = data.get("shared_ground", {}).get("pairs_checked")
    if checked is None:
        return ""
    pairs = counted(checked, "pair")
    return f"{pairs} of patches of different splits were compared on the map, all sizes: none share ground."
