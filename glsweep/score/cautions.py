"""What a reader of the figures must know of models and data: said before the table, in a line each."""

import math
from collections.abc import Sequence

from glsweep.config.data_card import DataCard
from glsweep.predict.members import SAME
from glsweep.predict.network import Member
from glsweep.report.words import counted
from glsweep.scenes.scene_entry import SceneEntry


def cautions_of(members: Sequence[Member], card: DataCard, entries: Sequence[SceneEntry]) -> list[str]:
    """Return what to mind: models that know the data or another wavelength, scenes without a place.

    A model's card has the hash of the data card that it was trained on; a data set that was one of
    several then, or whose card was changed since, is not known again.
    """
    told = []
    known = {one.content_hash(): one.name for one in (card, *card.data_sets)}
    for member in members:
        name = known.get(member.card.data_card_hash)
        if name is not None:
            told.append(
                f"{member.name} was trained on {name} itself; what it draws on scenes that it knows says "
                "little, see its study's report for its test split"
            )
        for part in card.data_sets:
            if not math.isclose(part.wavelength_m, member.card.wavelength_m, rel_tol=SAME):
                told.append(
                    f"{member.name} was trained for a wavelength of {member.card.wavelength_m:g} m, in "
                    f"{part.name} it is {part.wavelength_m:g} m: a tide makes other fringes"
                )
    unplaced = sum(not entry.header.is_placed for entry in entries)
    if unplaced:
        told.append(
            f"{counted(unplaced, 'scene')} without a place: lengths hold, but files lie nowhere on the map"
        )
    return told
