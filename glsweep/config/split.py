"""How ground is shared out between training, validation and test."""

from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from glsweep.config.base import Settings

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
