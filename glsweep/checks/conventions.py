"""What the lines of a data set are, by the fringes along them, and which of them lie elsewhere than most."""

import math
from collections.abc import Mapping, Sequence

from glsweep.checks.findings import SceneFindings, SceneNote
from glsweep.config.data_card import DataCard
from glsweep.report import counted
from glsweep.scenes.bending import Convention, convention_of

ELSEWHERE = "shifted, of another date, or another hand"


def note_odd_lines(scenes: Sequence[SceneFindings]) -> Convention:
    """Find out what the lines of all scenes are, and mark those that lie elsewhere than most."""
    convention = convention_of([one for scene in scenes for one in scene.bendings])
    first = 0
    for scene in scenes:
        count = len(scene.bendings)
        odd = [number - first for number in convention.odd if first <= number < first + count]
        first += count
        if not odd:
            continue
        if scene.thumbnail is not None:
            scene.thumbnail.odd_lines.update(odd)
        verb = "lies" if len(odd) == 1 else "lie"
        scene.notes.append(
            SceneNote(
                "odd lines",
                f"{len(odd)} of its {counted(count, 'line')} {verb} elsewhere than most lines: {ELSEWHERE}",
            )
        )
    return convention


def in_words(convention: Convention, lines: int) -> str:
    """Return where lines are drawn, and how many lie elsewhere."""
    if convention.kind is None:
        return (
            f"the fringes tell of {convention.measured} of {counted(lines, 'line')} where ice begins to "
            "bend; too few to say whether lines are drawn there or seaward of it"
        )
    text = f"lines are {_drawn(convention)} (`line: {convention.kind}`), by {convention.measured} of {lines}"
    if convention.odd:
        verb = "lies" if len(convention.odd) == 1 else "lie"
        text += f"; {len(convention.odd)} of {counted(lines, 'line')} {verb} elsewhere: {ELSEWHERE}"
    return text


def contradiction(card: DataCard, convention: Convention) -> str | None:
    """Return what to mind where the fringes do not show what a card says of its lines."""
    if convention.kind is None or card.line_kind in (None, convention.kind):
        return None
    return (
        f"{card.name}: the data card says `line: {card.line_kind}`, and the lines are {_drawn(convention)}; "
        f"say `line: {convention.kind}`, or make sure that lines and scenes belong together"
    )


def mixture(conventions: Mapping[str, Convention]) -> str | None:
    """Return what to mind where joined data sets differ in what their lines are."""
    known = {name: one for name, one in conventions.items() if one.kind is not None}
    if len({one.kind for one in known.values()}) < 2:
        return None
    parts = "; ".join(f"{name}: {_drawn(one)}" for name, one in known.items())
    return (
        f"mixes conventions ({parts}); a network that learns both draws neither, so train on data sets of "
        "one kind, and test the others as `test_only`"
    )


def _drawn(convention: Convention) -> str:
    level = f"{convention.level_cycles:.1f} cycle".removeprefix(
        "0" if convention.level_cycles >= 0.05 else ""
    )
    if math.isnan(convention.hinge_m):
        return f"drawn at {level}"
    hinge_m = round(convention.hinge_m, -1)
    side = "seaward" if hinge_m >= 0 else "landward"
    return f"drawn at {level}, {abs(hinge_m):.0f} m {side} of the first bending"
