"""A data card: where the scenes and the lines are, and what must be known of them."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from glsweep.config.base import Settings, load_yaml
from glsweep.errors import ConfigError, DataError

LINE_SUFFIXES = (".gpkg", ".shp", ".geojson")
C_BAND_WAVELENGTH_M = 0.0555


class Layout(Settings):
    """Where files lie under the card's root, and which column joins lines to scenes.

    A line belongs to the scene whose file stem equals the stem of its `scene_column`.
    """

    rasters: str = "DInSAR/*.tif"
    lines: str = "all_manual_segm_gl.gpkg"
    scene_column: str = "source_file"


class Split(Settings):
    """How ground is shared out between training, validation and test.

    `scene` keeps scenes that share ground together and cuts the ground into blocks only where
    there are too few groups; `block` always cuts it; `patch` repeats the published protocol,
    in which overlapping patches leak from one split to another.
    """

    rule: Literal["scene", "block", "patch"] = "scene"
    train: float = Field(default=0.70, gt=0, lt=1)
    val: float = Field(default=0.15, gt=0, lt=1)
    test: float = Field(default=0.15, gt=0, lt=1)

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        if abs(self.train + self.val + self.test - 1) > 1e-6:
            raise ValueError("train, val and test must sum to 1")
        return self


class Simulation(Settings):
    """Scenes to be simulated, from the elastic-beam model (see `scenes.simulator`)."""

    scenes: int = Field(default=8, ge=1)
    rows: int = Field(default=512, ge=64)
    cols: int = Field(default=512, ge=64)
    posting_m: float = Field(default=100.0, gt=0)
    wavelength_m: float = Field(default=C_BAND_WAVELENGTH_M, gt=0)
    looks: int = Field(default=12, ge=1)
    crs: str = "EPSG:3031"


class DataCard(Settings):
    """One data set. `root` None means that `simulation` makes the scenes within the study."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    title: str = ""
    source: str = ""
    licence: str = ""
    citation: str = ""
    how_to_obtain: str = ""
    root: Path | None = None
    layout: Layout = Layout()
    posting_m: float | None = Field(default=None, gt=0)
    wavelength_m: float = Field(default=C_BAND_WAVELENGTH_M, gt=0)
    label: Literal["all_touched", "bresenham"] = "all_touched"
    split: Split = Split()
    simulation: Simulation | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.root is None) == (self.simulation is None):
            raise ValueError("name either `root` (a folder of scenes) or `simulation`, not both")
        return self


def load_card(data: Path) -> DataCard:
    """Return the card at `data`, or one made for the folder `data`.

    A relative `root` is taken from the card's own folder.
    """
    if data.is_dir():
        return card_for_folder(data)
    card = load_yaml(data, DataCard)
    if card.root is None:
        return card
    root = (data.parent / card.root).resolve()
    if not root.is_dir():
        raise ConfigError(f"{data}: root: {root} is not a folder; obtain the data or mend the path")
    return card.model_copy(update={"root": root})


def card_for_folder(folder: Path) -> DataCard:
    """Make a card for a folder in the study layout, or one with rasters and lines side by side."""
    folder = folder.resolve()
    rasters = next((g for g in ("DInSAR/*.tif", "*.tif") if any(folder.glob(g))), None)
    if rasters is None:
        raise DataError(
            f"{folder}: holds no DInSAR/*.tif and no *.tif; name a folder of scenes or write a data card"
        )
    lines = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in LINE_SUFFIXES)
    if len(lines) != 1:
        found = ", ".join(lines) or "none"
        raise DataError(
            f"{folder}: needs one file of lines ({', '.join(LINE_SUFFIXES)}), found {found}; "
            "add it or name it in a data card"
        )
    name = "".join(c if (c.isascii() and c.isalnum()) or c in "._-" else "-" for c in folder.name) or "folder"
    return DataCard(
        name=name,
        title=f"Scenes of {folder.name}",
        source=str(folder),
        root=folder,
        layout=Layout(rasters=rasters, lines=lines[0]),
    )
