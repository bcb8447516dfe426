"""A data card: where the scenes and the lines are, and what must be known of them."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from glsweep.config.bands import Bands, NoData
from glsweep.config.base import Settings
from glsweep.config.simulation import C_BAND_WAVELENGTH_M, Simulation
from glsweep.config.split import Split

LineRule = Literal["all_touched", "bresenham"]
LabelRule = Literal["all_touched", "bresenham", "buffered", "soft"]


class Layout(Settings):
    """Where files lie under the card's root, and how rasters and lines belong together.

    A line belongs to the scene whose file stem equals the stem of its `scene_column`; where that is
    None, to every scene that it touches. `lines` may name a layer (`file.gpkg|layer`), or hold a `*`
    for the scene's name where each has a file of its own, in which no column is asked for. Instead of
    `lines`, `masks` may name rasters: its `*`
    stands for what the `*` of `rasters` stands for, or for a raster's whole stem. `bands` says what
    a raster holds (`auto` looks; else as `parse_bands` reads it), and `nodata` which stored number
    stands for no data where the files do not say so. `group_pattern` is a regular expression on
    scene names; scenes whose first group is the same are never parted, such as the tiles of one
    interferogram.
    """

    rasters: str = "DInSAR/*.tif"
    bands: Bands = "auto"
    nodata: NoData = None
    lines: str | None = "all_manual_segm_gl.gpkg"
    scene_column: str | None = "source_file"
    masks: str | None = None
    group_pattern: str | None = None

    @model_validator(mode="after")
    def _has_one_truth(self) -> Self:
        if self.holds_npz:
            if self.lines is not None or self.masks is not None:
                raise ValueError("npz patches hold masks themselves; set `lines: null` and no `masks`")
        elif (self.lines is None) == (self.masks is None):
            raise ValueError("name either `lines` (a vector file) or `masks` (rasters), not both")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A card's hash follows from what is written: those of before there was a `nodata` stay.
        values: dict[str, Any] = serialise(self)
        return {key: value for key, value in values.items() if (key, value) != ("nodata", None)}

    @property
    def holds_npz(self) -> bool:
        """Whether scenes come as patches with their masks, in files of NumPy."""
        return self.bands == "npz" or self.rasters.lower().endswith(".npz")


CARD_TEXT = ("title", "source", "licence", "citation", "how_to_obtain")
"""Keys of a card that people read and that decide nothing."""


class DataCard(Settings):
    """One data set, or several joined.

    Of `root` (a folder of scenes), `simulation` (scenes made within the study) and `parts` (other
    cards) there is exactly one. The scenes of a part that is `test_only` are never trained on.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    title: str = ""
    source: str = ""
    licence: str = ""
    citation: str = ""
    how_to_obtain: str = ""
    root: Path | None = None
    layout: Layout = Layout()
    checksums: dict[str, str] = Field(default_factory=dict, description="SHA-256 by path below root")
    posting_m: float | None = Field(default=None, gt=0)
    wavelength_m: float = Field(default=C_BAND_WAVELENGTH_M, gt=0)
    label: LabelRule = "all_touched"
    label_width_m: float | None = Field(default=None, gt=0)
    split: Split = Split()
    simulation: Simulation | None = None
    parts: tuple["DataCard", ...] = ()
    test_only: bool = False

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        sources = [self.root is not None, self.simulation is not None, bool(self.parts)]
        if sum(sources) != 1:
            raise ValueError("name exactly one of `root` (a folder of scenes), `simulation` and `parts`")
        if (self.label in ("buffered", "soft")) != (self.label_width_m is not None):
            raise ValueError("`label_width_m` goes with `label: buffered` or `soft`, and only with them")
        return self

    @model_validator(mode="after")
    def _joins_what_fits(self) -> Self:
        names = [part.name for part in self.parts]
        if len(set(names)) < len(names):
            raise ValueError(f"two parts have one name ({', '.join(names)}); rename a card")
        if any(part.parts for part in self.parts):
            raise ValueError("a part must be a data set of its own, not a joined one")
        for part in self.parts:
            if part.label not in ("all_touched", self.label):
                raise ValueError(
                    f"the part {part.name} asks for `label: {part.label}`, and the joined card for "
                    f"`{self.label}`; all parts are drawn as the joined card says, so say it there"
                )
        if self.parts and all(part.test_only for part in self.parts):
            raise ValueError("every part is `test_only`; leave one to be trained on")
        return self

    def decisive(self) -> dict[str, Any]:
        """Return what decides which patches are cut: all but text, name and place."""
        values = self.model_dump(mode="json", exclude={"name", "root", "parts", *CARD_TEXT})
        if self.simulation is not None and self.simulation.lines is not None:
            values["simulation"]["lines"] = self.simulation.lines.name
        for region, told in zip(self.split.regions, values["split"]["regions"], strict=True):
            told["polygons"] = region.polygons and region.polygons.name
        return {**values, "parts": [part.decisive() for part in self.parts]}

    def content_hash(self) -> str:
        """Return 10 hexadecimal digits that change with any value but text and place."""
        named = [self.decisive(), *(part.name for part in self.data_sets)]
        return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:10]

    @property
    def line_rule(self) -> LineRule:
        """How the line that is scored is drawn; wider and softer labels are for training alone."""
        return "bresenham" if self.label == "bresenham" else "all_touched"

    @property
    def data_sets(self) -> tuple["DataCard", ...]:
        """The parts, or the card itself."""
        return self.parts or (self,)

    @property
    def trained_on(self) -> str:
        """What people call the data sets that are not for test alone."""
        return ", ".join(card.title or card.name for card in self.data_sets if not card.test_only)
