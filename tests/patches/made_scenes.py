"""Small scenes made for the tests: in memory as entries of a catalogue, or on disk as a study."""

from pathlib import Path

import geopandas as gpd
import numpy as np
from affine import Affine
from rasterio.crs import CRS
from shapely import LineString

from glsweep.config.data_card import Split
from glsweep.config.patches import PatchSettings
from glsweep.config.space import load_space
from glsweep.patches.ground import WindowOrigins
from glsweep.scenes.cards import card_for_folder
from glsweep.scenes.raster import RasterHeader, write_interferogram
from glsweep.scenes.scene import SceneEntry
from glsweep.study import Study, create_study
from glsweep.study.configuration import StudyConfig

POLAR = CRS.from_epsg(3031)
POSTING_M = 100.0
DEMO = Path(__file__).resolve().parents[2] / "search_spaces" / "demo.yaml"


def settings(**changes):
    """Patch settings that keep nearly everything, with `changes`."""
    generous = {
        "with_line": 30,
        "without_line": 12,
        "valid_share": 0.2,
        "box_px": 5,
        "box_coverage": 100,
        "fresh_share": 0.4,
        "fresh_coverage": 3,
    }
    return PatchSettings(**{**generous, **changes})


def all_origins(*arguments, **limits):
    """Every row of `WindowOrigins` at once."""
    origins = WindowOrigins(*arguments, **limits)
    return origins.rows(0, origins.shape[0])


def entry_at(name, left_px, top_px, shape, *, degrees=0.0, crs=POLAR, line_cols=None):
    """An entry on a 100 m grid with one line down `line_cols` (from, to), by default the diagonal."""
    rows, cols = shape
    transform = (
        Affine.translation(left_px * POSTING_M, -top_px * POSTING_M)
        @ Affine.rotation(degrees)
        @ Affine.scale(POSTING_M, -POSTING_M)
    )
    start, stop = line_cols or (0.3, cols - 0.3)
    line = LineString([transform @ (start, 0.2), transform @ (stop, rows - 0.2)])
    return SceneEntry(RasterHeader(Path(f"{name}.tif"), shape, transform, crs), (line,), 0, True)


def write_folder(root, scenes, lines):
    """Write the study layout: `scenes` name -> (interferogram, transform), `lines` [(name, geometry)]."""
    for name, (interferogram, transform) in scenes.items():
        write_interferogram(root / "DInSAR" / f"{name}.tif", interferogram, transform, POLAR)
    table = gpd.GeoDataFrame(
        {"source_file": [f"{name}.shp" for name, _ in lines]},
        geometry=[geometry for _, geometry in lines],
        crs="EPSG:3031",
    )
    table.to_file(root / "all_manual_segm_gl.gpkg", driver="GPKG")


def numbered(shape, empty_cols=0):
    """An interferogram whose parts are the row and the column, from 1, of either sign."""
    row, col = np.indices(shape)
    values = ((-1) ** (row + col) * ((row + 1) + 1j * (col + 1))).astype(np.complex64)
    values[:, :empty_cols] = 0
    return values


def numbered_folder(root, shape=(96, 160), count=4, gap_px=20):
    """Scenes side by side with one slanted line each, and one more without a row."""
    scenes, lines = {}, []
    for i in range(count + 1):
        left_m = i * (shape[1] + gap_px) * POSTING_M
        transform = Affine(POSTING_M, 0, left_m, 0, -POSTING_M, 0)
        scenes[f"s{i}"] = (numbered(shape, empty_cols=10), transform)
        if i < count:
            # The line runs through the empty columns too.
            ends = (0, 20 + 3 * i), (shape[1], shape[0] - 30)
            lines.append((f"s{i}", LineString([transform @ end for end in ends])))
    lines.append(("s0", None))
    write_folder(root, scenes, lines)
    return root


def study_of(folder, directory, *, rule="scene", seed=0, **changes) -> Study:
    """A study of `folder` with the demo's space and patch settings `changes`."""
    card = card_for_folder(folder).model_copy(update={"split": Split(rule=rule)})
    space = load_space(DEMO).model_copy(update={"patches": settings(**changes)})
    return create_study(directory, StudyConfig(name="test", seed=seed, card=card, space=space))
