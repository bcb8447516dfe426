"""The section of the report on lines that are worth a second look."""

import base64
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from glsweep.config.trial import Stratum
from glsweep.geodesy import place_in_words
from glsweep.report import counted, joined
from glsweep.study import Study
from glsweep.study.artifacts import read_artifact
from glsweep.study.second_look import DoubtfulLine, SecondLook

MOST_ROWS = 12
"""On the page; all of them are in the file."""
WHAT = {
    "missed": "labelled, and no member sees it",
    "unlabelled": "drawn by every member, and not labelled",
}
WHAT_ALONE = {"missed": "labelled, and the member does not see it", "unlabelled": "drawn, and not labelled"}


@dataclass(frozen=True)
class SecondLookRow:
    """One line: what the file says of it, why it is shown, where it lies in words, and its picture."""

    doubt: DoubtfulLine
    what: str
    place: str
    picture: Markup | None


@dataclass(frozen=True)
class SecondLookSection:
    """What `second_look.html` shows; `found` counts both kinds, `members` names who looked."""

    looked: SecondLook
    rows: list[SecondLookRow]
    found: str
    members: str
    file: str
    kept_as: str


def second_look_section(study: Study) -> SecondLookSection | None:
    """Return what the page says of a study's lines worth a second look; None where none were looked for."""
    if not study.second_look_json.is_file():
        return None
    looked = read_artifact(study.second_look_json, SecondLook)
    words = WHAT if len(looked.members) > 1 else WHAT_ALONE
    pictures = study.second_look_json.parent
    rows = [
        SecondLookRow(
            doubt,
            words[doubt.kind],
            place_in_words(doubt.lon, doubt.lat, digits=3),
            _picture(pictures / doubt.thumbnail) if doubt.thumbnail else None,
        )
        for doubt in looked.doubts[:MOST_ROWS]
    ]
    kinds = [doubt.kind for doubt in looked.doubts]
    return SecondLookSection(
        looked=looked,
        rows=rows,
        found=(
            f"{counted(kinds.count('missed'), 'labelled stretch', 'labelled stretches')} missed, "
            f"{counted(kinds.count('unlabelled'), 'stretch', 'stretches')} without a label"
        ),
        members=joined([Stratum.parse(key).title for key in looked.members]),
        file=study.review_gpkg.name,
        kept_as=looked.kept_as,
    )


def _picture(path: Path) -> Markup:
    return Markup("data:image/webp;base64,") + base64.b64encode(path.read_bytes()).decode("ascii")
