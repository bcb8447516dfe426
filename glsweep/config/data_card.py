"""A data card: where scenes and lines are, what must be known of them, how they are split and cut."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from glsweep.config.bands import Bands, NoData
from glsweep.config.settings import Settings

C_BAND_WAVELENGTH_M = 0.0555

Tides = Literal["gauges", "resolved"]
Disturbances = Literal["as_real", "wide"]


class Simulation(Settings):
    """Scenes to be simulated, from the elastic-beam model (see `scenes.simulator`).

    `lines` is a file of closed grounding lines from which outlines are cut; without it they are
    random. `tides` are as strong as at Antarctic gauges, where many a belt is finer than the posting
    resolves, or only as strong as it does resolve. `noise` 1 is as noisy as real scenes are, 0 is
    the flexure's phase alone. `disturbances` are as strong as in real scenes, or drawn
    more widely, to train on. Of the scenes with noise `filtered_share` are filtered as processors
    filter them.
    """

    scenes: int = Field(default=8, ge=1)
    rows: int = Field(default=512, ge=64)
    cols: int = Field(default=512, ge=64)
    posting_m: float = Field(default=100.0, gt=0)
    wavelength_m: float = Field(default=C_BAND_WAVELENGTH_M, gt=0)
    looks: int = Field(default=12, ge=1)
    crs: str = "EPSG:3031"
    lines: Path | None = None
    tides: Tides = "gauges"
    noise: float = Field(default=1.0, ge=0, le=1)
    disturbances: Disturbances = "as_real"
    filtered_share: float = Field(default=0.0, ge=0, le=1)


# --- How ground is shared out between training, validation and test

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)

SPLIT_WORDS: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""What a column of lines may call the splits, in lower case."""


class Region(Settings):
    """Ground that is held out: scenes by name, or whatever lies within polygons.

    `scenes` are shell patterns of scene names. `polygons` is a file of polygons, of which `names`
    (values of `column`) choose some; without `names` all count.
    """

    split: Literal["val", "test"]
    scenes: tuple[str, ...] = ()
    polygons: Path | None = None
    column: str = "name"
    names: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_ground(self) -> Self:
        if bool(self.scenes) == (self.polygons is not None):
            raise ValueError("name either `scenes` or a file of `polygons`, not both")
        if self.names and self.polygons is None:
            raise ValueError("`names` choose among `polygons`; name their file")
        return self


class Split(Settings):
    """How ground is shared out between training, validation and test.

    `scene` keeps scenes that share ground together and cuts the ground into blocks only where
    there are too few groups; `block` always cuts it, and leaves a strip of `buffer_px` (the
    largest patch, unless given) unused at each cut; `region` holds out the ground of `regions` and
    shares the rest out by scene; `column` takes each scene's split from `column` of the file of
    lines, and ground that several splits claim goes to test before validation before training;
    `patch` repeats the published protocol, in which overlapping patches leak from one split to
    another.
    """

    rule: Literal["scene", "block", "region", "column", "patch"] = "scene"
    train: float = Field(default=0.70, gt=0, lt=1)
    val: float = Field(default=0.15, gt=0, lt=1)
    test: float = Field(default=0.15, gt=0, lt=1)
    buffer_px: int | None = Field(default=None, ge=0)
    regions: tuple[Region, ...] = ()
    column: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if abs(self.train + self.val + self.test - 1) > 1e-6:
            raise ValueError("train, val and test must sum to 1")
        if (self.rule == "region") != bool(self.regions):
            raise ValueError("`regions` go with `rule: region`, and only with it")
        if (self.rule == "column") != (self.column is not None):
            raise ValueError("`column` goes with `rule: column`, and only with it")
        return self


# --- How patches are drawn from scenes

COVERAGE_KEYS = ("box_px", "box_coverage", "fresh_share", "fresh_coverage")


class PatchSettings(Settings):
    """How many patches are drawn, and from where.

    `published` draws positions uniformly and keeps one if the coverage summed over the `box_px` x
    `box_px` box at its centre is at most `box_coverage`, or, of those with a line, if at least
    `fresh_share` of its pixels were covered fewer than `fresh_coverage` times. Patches with a line and
    without are counted apart. `balanced` spreads them evenly along the line; of those without a line,
    `near_share` lie within one patch of it and the others farther away.
    Both keep only positions of which at least `valid_share` holds data. `tries_without_line` is how
    many positions without a line `published` tries in each scene; left out, thirty for each patch
    that is asked for.
    """

    rule: Literal["published", "balanced"] = "published"
    with_line: int = Field(gt=0, description="most patches with a line, over all scenes")
    without_line: int = Field(ge=0, description="most patches without a line, over all scenes")
    valid_share: float = Field(ge=0, le=1)
    box_px: int | None = Field(default=None, ge=1)
    box_coverage: int | None = Field(default=None, ge=0)
    fresh_share: float | None = Field(default=None, ge=0, le=1)
    fresh_coverage: int | None = Field(default=None, ge=1)
    tries_without_line: int | None = Field(default=None, ge=1)
    near_share: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _has_the_keys_of_its_rule(self) -> Self:
        published = {key: getattr(self, key) is not None for key in COVERAGE_KEYS}
        if self.rule == "published" and not all(published.values()):
            missing = next(key for key, given in published.items() if not given)
            raise ValueError(f"`rule: published` needs `{missing}`")
        if self.rule == "balanced" and (any(published.values()) or self.near_share is None):
            raise ValueError(f"`rule: balanced` needs `near_share`, and none of {', '.join(COVERAGE_KEYS)}")
        if self.rule == "balanced" and self.tries_without_line is not None:
            raise ValueError("`tries_without_line` goes with `rule: published`, and only with it")
        if self.rule == "published" and self.near_share is not None:
            raise ValueError("`near_share` goes with `rule: balanced`, and only with it")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_left_out(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Patches are named after what is written: those of before there was this key stay.
        values: dict[str, Any] = serialise(self)
        return {k: v for k, v in values.items() if (k, v) != ("tries_without_line", None)}


# --- A data card: where the scenes and the lines are, and what must be known of them

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
