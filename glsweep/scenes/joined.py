"""Several data sets as one: the scenes of a study, wherever they are from."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from glsweep.config.data_card import DataCard
from glsweep.scenes.catalogue import Catalogue, check_postings, open_catalogue


def open_data(card: DataCard, roots: Mapping[str, Path], *, any_posting: bool = False) -> Catalogue:
    """Open every data set of a card, and join their scenes.

    Where there are several, a scene's name begins with its data set's: `getz/scene_001`.

    Parameters
    ----------
    card : DataCard
        One data set, or several parts.
    roots : mapping of str to Path
        Where the scenes of each data set are, by its name.
    any_posting : bool
        Whether scenes may differ in posting.

    Raises
    ------
    DataError
        When a data set cannot be used, or postings differ between them.
    """
    catalogues = [
        open_catalogue(roots[part.name], part, row=row, any_posting=any_posting)
        for row, part in enumerate(card.data_sets)
    ]
    if not card.parts:
        return catalogues[0]
    entries = tuple(
        replace(entry, prefix=f"{part.name}/", test_only=part.test_only)
        for part, catalogue in zip(card.parts, catalogues, strict=True)
        for entry in catalogue.entries
    )
    if not any_posting:
        check_postings([entry.header for entry in entries], card.posting_m)
    strangers = Counter[str]()
    for catalogue in catalogues:
        strangers.update(catalogue.rows_without_scene)
    rows, remarks = sum(c.line_rows for c in catalogues), tuple(r for c in catalogues for r in c.remarks)
    return Catalogue(catalogues[0].root, entries, rows, dict(strangers), remarks)
