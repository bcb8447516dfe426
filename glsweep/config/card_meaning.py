"""Whether a data card means what it says: nothing in it may be without effect.

As with a search space, this is asked of a file that a user gives, not of what a study has kept.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from glsweep.config.base import Keys, refusal
from glsweep.config.data_card import DataCard
from glsweep.config.split import Split

Fault = tuple[Keys, str]
"""Where something is wrong, and what."""


def check_card(card: DataCard, given: Mapping[str, Any], source: Path) -> None:
    """Raise `ConfigError`, naming `source` and the line, for what would be passed over in silence.

    Parameters
    ----------
    card : DataCard
        As it was read.
    given : mapping
        What the file itself says.
    source : Path
        The file.
    """
    for keys, fault in (*_faults_of_keys(card, given), *_faults_of_parts(card, given)):
        raise refusal(source, keys, fault)


def check_joined(card: DataCard, given: Mapping[str, Any], source: Path) -> None:
    """Raise `ConfigError` for what the parts of a joined card say and the whole would pass over."""
    for keys, fault in _faults_of_parts(card, given):
        raise refusal(source, keys, fault)


def _faults_of_keys(card: DataCard, given: Mapping[str, Any]) -> Iterator[Fault]:
    layout = card.layout
    if _said(given, "layout", "scene_column") is not None:
        if layout.masks is not None or layout.holds_npz:
            yield ("layout", "scene_column"), "is for a file of lines, and here are masks; remove it"
        elif "*" in (layout.lines or ""):
            yield (
                ("layout", "scene_column"),
                "is for one file of lines; where each scene has its own, the name tells; remove it",
            )
    if _said(given, "split", "buffer_px") is not None and card.split.rule == "patch":
        yield ("split", "buffer_px"), "is for ground that is cut into blocks, which `rule: patch` never does"
    for key in ("layout", "checksums"):
        if given.get(key) and (card.parts or (key == "checksums" and card.root is None)):
            held = "its parts" if card.parts else "scenes that are simulated"
            yield (key,), f"is for a card with a `root`, and this one has {held}; remove it"


def _faults_of_parts(card: DataCard, given: Mapping[str, Any]) -> Iterator[Fault]:
    trained = [(number, part) for number, part in enumerate(card.parts) if not part.test_only]
    for number, part in trained:
        if part.split not in (Split(), card.split):
            yield (
                ("parts", number),
                f"the card {part.name} asks for another `split` (rule {part.split.rule}) than the whole "
                f"(rule {card.split.rule}), which counts; say it in a joined card, and not in {part.name}",
            )
    waves_m = sorted({part.wavelength_m for _, part in trained})
    if len(waves_m) > 1 and given.get("wavelength_m") is None:
        told = " and ".join(f"{wave_m:g}" for wave_m in waves_m)
        yield (
            ("parts",),
            f"are of wavelengths of {told} m, in which a tide makes other fringes; say by `wavelength_m` in "
            "a joined card what networks trained on both are for, or train on one",
        )


def _said(given: Mapping[str, Any], part: str, key: str) -> Any:
    inner = given.get(part)
    return inner.get(key) if isinstance(inner, Mapping) else None
