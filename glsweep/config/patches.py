"""How many patches are drawn from scenes, and from where."""

from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from glsweep.config.settings import Settings

COVERAGE_KEYS = ("box_px", "box_coverage", "fresh_share", "fresh_coverage")


class PatchSettings(Settings):
    """How many patches are drawn, and from where.

    Patches with a line and without one are counted apart, for each patch size. The coverage of a pixel,
    by which `published` keeps patches apart, is the number of earlier patches that hold it.
    """

    rule: Literal["published", "balanced"] = Field(
        default="published",
        description="`published` draws positions uniformly and drops what earlier patches have covered; "
        "`balanced` spreads patches evenly along the line",
    )
    with_line: int = Field(gt=0, description="most patches with a line, over all scenes")
    without_line: int = Field(ge=0, description="most patches without a line, over all scenes")
    valid_share: float = Field(ge=0, le=1, description="least share of a patch's pixels that holds data")
    box_px: int | None = Field(
        default=None,
        ge=1,
        description="`published`: side of the box at a patch's centre whose coverage is summed",
    )
    box_coverage: int | None = Field(
        default=None, ge=0, description="`published`: up to this sum over its box a patch is kept"
    )
    fresh_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="`published`: beyond that sum a patch with a line is kept if this share of it is fresh",
    )
    fresh_coverage: int | None = Field(
        default=None, ge=1, description="`published`: a pixel is fresh if its coverage is below this"
    )
    tries_without_line: int | None = Field(
        default=None,
        ge=1,
        description="`published`: positions without a line that are tried in each scene; left out, thirty "
        "for each patch that is asked for",
    )
    near_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="`balanced`: of patches without a line, the share that lies near to one",
    )

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
    def _without_unset_tries(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Patches are named by a hash of what is written, which must not change for older studies.
        values: dict[str, Any] = serialise(self)
        return {k: v for k, v in values.items() if (k, v) != ("tries_without_line", None)}
