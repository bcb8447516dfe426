"""How patches are drawn from scenes."""

from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from glsweep.config.base import Settings

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
