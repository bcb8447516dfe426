"""Several data sets opened as one."""

import pytest
import shapely
from affine import Affine
from layouts import LAYOUTS, NORTH_UP, Place, interferogram

from glsweep.config.data_card import DataCard
from glsweep.errors import DataError
from glsweep.scenes.catalogue import open_data


def joined(tmp_path, *places, layouts=("real and imaginary", "npz patches"), test_only=(False, True)):
    parts = []
    for number, layout in enumerate(layouts):
        root = tmp_path / f"part{number}"
        root.mkdir()
        made = LAYOUTS[layout](root, interferogram(), places[number] if places else Place())
        parts.append(made.card.model_copy(update={"name": f"part{number}", "test_only": test_only[number]}))
    card = DataCard(name="joined", parts=tuple(parts))
    return open_data(card, {part.name: part.root for part in parts})


def test_names_begin_with_the_data_set_and_pixels_are_the_parts_own(tmp_path):
    catalogue = joined(tmp_path)
    one, other = catalogue.entries
    assert (one.name, one.data_set, one.test_only) == ("part0/a", "part0", False)
    assert (other.name, other.data_set, other.test_only) == ("part1/scene_b", "part1", True)
    assert one.read_pixels().shape == other.read_pixels().shape == (48, 80)
    assert catalogue.findings().line_rows == 2
    assert catalogue.findings().scenes_without_position == ("part1/scene_b",)


def test_scenes_without_a_place_share_no_ground_across_data_sets(tmp_path):
    one, other = joined(tmp_path, layouts=("npz patches", "tile without a place")).entries
    assert not shapely.intersects(one.ground(), other.ground())


def test_postings_that_differ_are_refused(tmp_path):
    finer = Place(NORTH_UP @ Affine.scale(0.5))
    with pytest.raises(DataError, match=r"posting is 50 m, a\.tif has 100 m"):
        joined(tmp_path, Place(), finer, layouts=("real and imaginary", "complex"))
