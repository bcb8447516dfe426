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
LineKind = Literal["analyst", "hinge"]


class Simulation(Settings):
    """Scenes that are simulated within the study, from the flexure of an elastic beam."""

    scenes: int = Field(default=8, ge=1, description="number of scenes")
    rows: int = Field(default=512, ge=64, description="height of a scene in pixels")
    cols: int = Field(default=512, ge=64, description="width of a scene in pixels")
    posting_m: float = Field(default=100.0, gt=0, description="side of a pixel in metres")
    wavelength_m: float = Field(
        default=C_BAND_WAVELENGTH_M, gt=0, description="of the radar: 0.0555 in C band, 0.0312 in X band"
    )
    looks: int = Field(default=12, ge=1, description="independent samples averaged into a pixel")
    crs: str = Field(default="EPSG:3031", description="map of the scenes, in metres")
    lines: Path | None = Field(
        default=None,
        description="file of closed grounding lines from which outlines are cut; without it they are random",
    )
    line: LineKind = Field(
        default="analyst",
        description="`analyst`: the landward edge of the dense fringes, where .4 to 1 cycle of tide has "
        "built up; `hinge`: where bending begins, which is farther inland and can hardly be seen",
    )
    tides: Tides = Field(
        default="gauges",
        description="`gauges`: as strong as at Antarctic tide gauges, where many a belt of fringes is finer "
        "than the posting resolves; `resolved`: only as strong as the posting resolves",
    )
    noise: float = Field(
        default=1.0, ge=0, le=1, description="1 is as noisy as real scenes, 0 the phase of the flexure alone"
    )
    disturbances: Disturbances = Field(
        default="as_real",
        description="atmosphere, motion, ramps and lost patches: `as_real`, as strong as in real scenes; "
        "`wide`, drawn more widely, to train on",
    )
    filtered_share: float = Field(
        default=0.0, ge=0, le=1, description="share of the scenes that are filtered as processors do it"
    )


# --- The split

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
"""Names of the splits in a column of the lines' file, in lower case."""


class Region(Settings):
    """Ground that is held out: scenes by name, or whatever lies within polygons."""

    split: Literal["val", "test"] = Field(description="who gets this ground; where regions overlap, test")
    scenes: tuple[str, ...] = Field(
        default=(), description="names of scenes, perhaps with `*` and `?`, such as `coco20181*`"
    )
    polygons: Path | None = Field(default=None, description="instead of `scenes`: a file of polygons")
    column: str = Field(default="name", description="the column of the polygons' file that holds their names")
    names: tuple[str, ...] = Field(default=(), description="names of the polygons that count; left out, all")

    @model_validator(mode="after")
    def _names_ground(self) -> Self:
        if bool(self.scenes) == (self.polygons is not None):
            raise ValueError("name either `scenes` or a file of `polygons`, not both")
        if self.names and self.polygons is None:
            raise ValueError("`names` choose among `polygons`; name their file")
        return self


class Split(Settings):
    """How ground is shared out between training, validation and test."""

    rule: Literal["scene", "block", "region", "column", "patch"] = Field(
        default="scene",
        description="`scene` keeps scenes that share ground together, and cuts the ground into blocks only "
        "where there are too few groups; `block` always cuts it; `region` holds out the ground of `regions` "
        "and shares the rest out by scene; `column` takes each scene's split from a column of the file of "
        "lines, and ground that several splits claim goes to test before validation before training; "
        "`patch` repeats the published protocol, in which overlapping patches leak from one split to another",
    )
    train: float = Field(default=0.70, gt=0, lt=1, description="share of the ground for training")
    val: float = Field(default=0.15, gt=0, lt=1, description="share of the ground for validation")
    test: float = Field(
        default=0.15, gt=0, lt=1, description="share of the ground for test; the three shares sum to 1"
    )
    buffer_px: int | None = Field(
        default=None,
        ge=0,
        description="strip left unused where ground is cut into blocks; left out, one largest patch wide",
    )
    regions: tuple[Region, ...] = Field(default=(), description="with `rule: region`, the ground held out")
    column: str | None = Field(
        default=None,
        description="with `rule: column`, the column of the file of lines that says train, val or test",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if abs(self.train + self.val + self.test - 1) > 1e-6:
            raise ValueError("train, val and test must sum to 1")
        if (self.rule == "region") != bool(self.regions):
            raise ValueError("`regions` go with `rule: region`, and only with it")
        if (self.rule == "column") != (self.column is not None):
            raise ValueError("`column` goes with `rule: column`, and only with it")
        return self


# --- The card

LineRule = Literal["all_touched", "bresenham"]
LabelRule = Literal["all_touched", "bresenham", "buffered", "soft"]


UNSURE_LINES = "unsure_lines.gpkg"
"""The usual name of a layout's `unsure`, by which a folder without a card is known to have one."""
SECOND_ANALYST = "second_analyst.gpkg"
"""The same of a layout's `second_analyst`."""
CORRECTIONS = "review.gpkg"
"""The same of a layout's `corrections`; a study writes such a file to be corrected."""
GROUNDED_ICE = "grounded.gpkg"
"""The file of polygons, for a layout's `grounded`, that a simulation writes."""


class Layout(Settings):
    """Where files lie under the card's root, and how rasters and lines belong together."""

    rasters: str = Field(
        default="DInSAR/*.tif", description="pattern of the rasters' paths; a scene is named after its raster"
    )
    bands: Bands = Field(
        default="auto",
        description="what a raster's bands hold, such as `real, imaginary` or `phase=2, coherence=corr`; "
        "`auto` tells by their names, units and values; `npz`: patches of NumPy",
    )
    nodata: NoData = Field(
        default=None,
        description="the stored number that stands for no data where the files do not say so; "
        "`as_tagged`: only what they say is no data",
    )
    lines: str | None = Field(
        default="all_manual_segm_gl.gpkg",
        description="file of lines, perhaps with a layer (`file.gpkg|layer`); or, with a `*` for the scene's "
        "name, one file for each scene",
    )
    scene_column: str | None = Field(
        default="source_file",
        description="column that names each line's scene; null: a line is of every scene that it touches",
    )
    masks: str | None = Field(
        default=None,
        description="instead of `lines`: pattern of rasters that mark the line; its `*` is what the `*` of "
        "`rasters` stands for, or a scene's name",
    )
    unsure: str | None = Field(
        default=None,
        description="file of lines that may run where nobody can tell, with the same `scene_column`; what "
        "lies near them is neither trained on nor judged",
    )
    unsure_within_m: float = Field(
        default=500.0, gt=0, description="how far from a line of `unsure` nobody can tell, in metres"
    )
    second_analyst: str | None = Field(
        default=None,
        description="file of another analyst's lines, with the same `scene_column`: they are scored "
        "beside the networks on test ground, and are neither trained on nor the truth",
    )
    corrections: str | None = Field(
        default=None,
        description="a study's `review.gpkg` with an analyst's verdicts, which correct the lines; rows "
        "without one change nothing",
    )
    corrections_hash: str | None = Field(
        default=None, description="left out in a card: which verdicts these are, as a study notes it"
    )
    grounded: str | None = Field(
        default=None,
        description="file of polygons of grounded ice, in any CRS: what a network with a head for zones "
        "learns beside the line; what lies outside of them floats",
    )
    group_pattern: str | None = Field(
        default=None,
        description="regular expression on scene names: scenes whose first group is the same stay in one "
        "split, such as the tiles of one interferogram",
    )

    @model_validator(mode="after")
    def _has_one_truth(self) -> Self:
        if self.holds_npz:
            if self.lines is not None or self.masks is not None:
                raise ValueError("npz patches hold masks themselves; set `lines: null` and no `masks`")
        elif (self.lines is None) == (self.masks is None):
            raise ValueError("name either `lines` (a vector file) or `masks` (rasters), not both")
        if self.unsure is not None and (self.lines is None or "*" in self.unsure):
            raise ValueError("`unsure` names one file of lines, beside `lines`")
        if self.second_analyst is not None and "*" in f"{self.lines or '*'}{self.second_analyst}":
            raise ValueError("`second_analyst` names one file of lines, beside one of `lines`")
        if self.corrections is not None and self.lines is None:
            raise ValueError("`corrections` are of files of `lines`; masks and patches must be drawn anew")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_unset(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A card's hash follows from what is written, and must not change for older studies.
        values: dict[str, Any] = serialise(self)
        later = ("nodata", "unsure", "second_analyst", "corrections", "corrections_hash", "grounded")
        unset = {name for name in later if getattr(self, name) is None}
        is_default = self.unsure_within_m == type(self).model_fields["unsure_within_m"].default
        if self.unsure is None and (is_default or not self.is_corrected):
            unset.add("unsure_within_m")
        return {key: value for key, value in values.items() if key not in unset}

    @property
    def is_corrected(self) -> bool:
        """Whether its corrections hold a verdict, or may hold one."""
        return self.corrections is not None and self.corrections_hash != ""

    @property
    def holds_npz(self) -> bool:
        """Whether scenes come as patches with their masks, in files of NumPy."""
        return self.bands == "npz" or self.rasters.lower().endswith(".npz")


CARD_TEXT = ("title", "source", "licence", "citation", "how_to_obtain", "line")
"""Keys of a card that inform and warn, and decide nothing."""


class DataCard(Settings):
    """One data set, or several joined.

    A card has exactly one of `root`, `simulation` and `parts`.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$", description="what files and messages call the data set")
    title: str = Field(default="", description="what the report calls it")
    source: str = Field(default="", description="where the data come from, for people")
    licence: str = Field(default="", description="under which licence they may be used, for people")
    citation: str = Field(default="", description="what to cite when they are used, for people")
    how_to_obtain: str = Field(
        default="", description="how to get the data; said in the message when they are missing"
    )
    root: Path | None = Field(
        default=None, description="folder of the scenes, from the card's own folder; `--root` overrides it"
    )
    layout: Layout = Layout()
    checksums: dict[str, str] = Field(
        default_factory=dict, description="SHA-256 by path below `root`, which `check` compares"
    )
    posting_m: float | None = Field(
        default=None,
        gt=0,
        description="side of a pixel in metres; left out, the rasters tell (`.npz` do not)",
    )
    wavelength_m: float = Field(
        default=C_BAND_WAVELENGTH_M,
        gt=0,
        description="radar wavelength in metres: 0.0555 in C band, 0.0312 in X band, 0.2384 in L band",
    )
    label: LabelRule = Field(
        default="all_touched",
        description="how a line becomes pixels to train on: all that it touches, one pixel wide "
        "(`bresenham`), a disk along it (`buffered`) or a bell (`soft`); what is scored is always narrow",
    )
    label_width_m: float | None = Field(
        default=None,
        gt=0,
        description="reach of a `buffered` label, or standard deviation of a `soft` one, in metres",
    )
    line: LineKind | None = Field(
        default=None,
        description="what the lines are: the landward edge of dense fringes (`analyst`) or where ice first "
        "bends (`hinge`); left out, what `simulation` says, else unknown",
    )
    split: Split = Split()
    simulation: Simulation | None = Field(
        default=None, description="instead of `root`: scenes that are simulated within the study"
    )
    parts: tuple["DataCard", ...] = Field(
        default=(), description="instead of both: other cards, each as `{data: CARD, test_only: true}`"
    )
    test_only: bool = Field(default=False, description="of a part: its scenes are never trained on")

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        sources = [self.root is not None, self.simulation is not None, bool(self.parts)]
        if sum(sources) != 1:
            raise ValueError("name exactly one of `root` (a folder of scenes), `simulation` and `parts`")
        if (self.label in ("buffered", "soft")) != (self.label_width_m is not None):
            raise ValueError("`label_width_m` goes with `label: buffered` or `soft`, and only with them")
        if self.layout.corrections is not None and self.root is None:
            raise ValueError("`layout.corrections` goes with `root`: lines that are simulated are the truth")
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
        """Return the values that decide which patches are cut: all but text, name, place and second lines.

        Corrections count by their verdicts; without one they are none.
        """
        values = self.model_dump(mode="json", exclude={"name", "root", "parts", *CARD_TEXT})
        values["layout"].pop("second_analyst", None)
        # What the verdicts are decides, not the file's name.
        values["layout"].pop("corrections", None)
        if not self.layout.is_corrected:
            values["layout"].pop("corrections_hash", None)
        if self.simulation is not None and self.simulation.lines is not None:
            values["simulation"]["lines"] = self.simulation.lines.name
        for region, written in zip(self.split.regions, values["split"]["regions"], strict=True):
            written["polygons"] = region.polygons and region.polygons.name
        return {**values, "parts": [part.decisive() for part in self.parts]}

    def content_hash(self) -> str:
        """Return 10 hexadecimal digits that change with any value but text and place."""
        named = [self.decisive(), *(part.name for part in self.data_sets)]
        return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:10]

    @property
    def line_rule(self) -> LineRule:
        """How the line that is scored is drawn; wider and softer labels are only for training."""
        return "bresenham" if self.label == "bresenham" else "all_touched"

    @property
    def has_zones(self) -> bool:
        """Whether every data set that is trained on says which ice is grounded."""
        return all(card.layout.grounded is not None for card in self.data_sets if not card.test_only)

    @property
    def line_kind(self) -> LineKind | None:
        """What its lines are, as the card or its simulation says; of parts, what all of them are."""
        if self.line is not None:
            return self.line
        if self.simulation is not None:
            return self.simulation.line
        kinds = {part.line_kind for part in self.parts if not part.test_only}
        return kinds.pop() if len(kinds) == 1 else None

    @property
    def data_sets(self) -> tuple["DataCard", ...]:
        """The parts, or the card itself."""
        return self.parts or (self,)

    @property
    def trained_on(self) -> str:
        """The titles of the data sets that are not for test alone."""
        return ", ".join(card.title or card.name for card in self.data_sets if not card.test_only)
