"""Every layout as patches: what is cut is what was written, rows before columns."""

import numpy as np
import pandas as pd
import pytest
from layouts import LAYOUTS, Place, interferogram

from glsweep.patches.store import PatchWriter, SceneLabels
from glsweep.scenes.catalogue import open_catalogue

SIZE = 16


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(48, 80), (80, 48)])
def test_patches_are_windows_of_what_was_written(tmp_path, layout, shape):
    made = LAYOUTS[layout](tmp_path, interferogram(shape), Place())
    (entry,) = open_catalogue(tmp_path, made.card).entries
    corners = [(0, 0), (shape[0] - SIZE, shape[1] - SIZE), (5, 30), (30, 5), (17, 21)]
    index = pd.DataFrame(corners, columns=["row", "col"]).assign(
        scene=entry.name, has_line=True, split=["train", "train", "train", "val", "test"]
    )
    writer = PatchWriter(tmp_path / "store", index, SIZE, made.card)
    writer.cut(entry, SceneLabels(entry, made.card))
    writer.finish(entry.posting_m, "hash")
    for split in ("train", "val", "test"):
        images, masks = (np.load(tmp_path / "store" / split / f"{name}.npy") for name in ("image", "mask"))
        rows = index[index["split"] == split].itertuples()
        for at, image, mask in zip(rows, images, masks, strict=True):
            window = np.s_[at.row : at.row + SIZE, at.col : at.col + SIZE]
            wanted = made.interferogram[window]
            np.testing.assert_allclose(image[0] + 1j * image[1], wanted, atol=1e-5)
            np.testing.assert_array_equal(mask, made.mask[window] * (wanted != 0))
