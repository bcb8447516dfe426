"""Contradictions and settings without effect in a search space or a data card.

Only files that a user gives are checked, not those that a study keeps: what is refused here may stand in
studies of earlier versions, which go on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import TypeAdapter, ValidationError

from glsweep.config.data_card import DataCard, Split
from glsweep.config.dimension import (
    MOST_ENUMERATED,
    Dimension,
    DimensionSetting,
    Span,
    as_list,
    as_tuples,
    dimension_settings,
    parameters_of,
    set_by,
    span_of,
    unit_of,
)
from glsweep.config.settings import Keys, refusal
from glsweep.config.trial import TrialParameters, canonical
from glsweep.registry import is_imported

if TYPE_CHECKING:
    from glsweep.config.space import SearchSpace


Fault = tuple[Keys, str]
"""The key at which something is wrong, and what is wrong."""


def check_space(space: "SearchSpace", source: Path) -> None:
    """Raise `ConfigError`, naming `source` and the line, for a contradiction or a setting without effect."""
    for keys, fault in _faults(space):
        raise refusal(source, keys, fault)


def _faults(space: "SearchSpace") -> Iterator[Fault]:
    enumerated, draws = space.search.sampler == "grid", space.search.sampler in ("random", "tpe")
    for name, dimension in space.dimensions.items():
        where = ("dimensions", name)
        yield from _faults_of_keys(where, dimension)
        if dimension.choices is not None:
            yield from _faults_of_choices(where, name, dimension, dimension.choices)
        else:
            yield from _faults_of_range(where, dimension, span_of(name, dimension))
            yield from _faults_of_grid(where, name, dimension, enumerated=enumerated, draws=draws)
        for key, wanted in dimension.when.items():
            for value in as_list(wanted):
                yield from _faults_of_value((*where, "when", key), canonical(key), value)
    yield from _faults_of_fixed(space)
    yield from _faults_between(space)
    yield from _faults_of_stages(space)


def _faults_of_keys(where: Keys, dimension: Dimension) -> Iterator[Fault]:
    keys, labels = dimension.keys, dimension.labels
    for key, given in (("keys", keys), ("labels", labels)):
        if given is not None and dimension.choices is None:
            yield (*where, key), f"`{key}` belong to `choices`, not to a range; remove them"
    twice = _first_twice([canonical(key) for key in keys or ()])
    if twice is not None:
        yield (*where, "keys"), f"{_pair_of_names(keys or (), twice)} set one parameter; leave one of them"
    twice = _first_twice(list(labels or ()))
    if twice is not None:
        yield (*where, "labels", twice), f"the label {(labels or ())[twice]!r} is there twice; change one"


def _faults_of_choices(
    where: Keys, name: str, dimension: Dimension, choices: Sequence[Any]
) -> Iterator[Fault]:
    for number, choice in enumerate(choices):
        for parameter, value in set_by(name, dimension, number).items():
            yield from _faults_of_value((*where, "choices", number), parameter, value)
        if as_tuples(choice) in map(as_tuples, choices[:number]):
            yield (*where, "choices", number), f"{choice!r} is there twice; remove one"
    for number, label in enumerate(dimension.labels or ()):
        if label in choices and choices[number] != label:
            yield (*where, "labels", number), f"{label!r} is the name of another choice; use another word"


def _faults_of_range(where: Keys, dimension: Dimension, span: Span) -> Iterator[Fault]:
    parameter = canonical(str(where[-1]))
    for end in ("low", "high"):
        yield from _faults_of_value((*where, end), parameter, getattr(span, end))
    unit = unit_of(parameter)
    if unit is not None and dimension.step is not None and dimension.step % unit:
        of = "a whole number" if unit == 1 else f"a multiple of {unit}"
        yield (*where, "step"), f"should be {of}, as {where[-1]} is (it is {dimension.step:g})"
    if span.step is None:
        return
    if span.log and span.low != span.at(span.first):
        fault = f"should be a multiple of {span.step}, the step of a logarithmic range (it is {span.low:g})"
        yield (*where, "low"), fault
    elif not span.holds(span.high):
        below, above = span.neighbours(span.high)
        yield (
            (*where, "high"),
            f"{span.high:g} is never reached in steps of {span.step} from {span.low:g}; make it {below:g} "
            f"or {above:g}",
        )


def _faults_of_grid(
    where: Keys, name: str, dimension: Dimension, *, enumerated: bool, draws: bool
) -> Iterator[Fault]:
    span, grid = span_of(name, dimension), dimension.grid
    if grid is None:
        if enumerated and span.step is None:
            yield (
                where,
                "a range needs `grid` to be enumerated; add it, or a `step`, or use `sampler: random`",
            )
        elif enumerated and not span.is_enumerable:
            count = span.last - span.first + 1
            yield (
                where,
                f"has {count:,} values, more than the {MOST_ENUMERATED:,} that a grid takes; name some by "
                "`grid`, or raise `step`",
            )
        return
    if draws:
        yield (*where, "grid"), "is used by `sampler: grid` alone; remove it"
    for number, value in enumerate(grid):
        place = (*where, "grid", number)
        if not span.low <= value <= span.high:
            yield (
                place,
                f"{value:g} lies outside {span.low:g} to {span.high:g}; remove it, or widen the range",
            )
        elif not span.holds(value):
            below, above = span.neighbours(value)
            yield place, f"{value:g} lies between two steps; make it {below:g} or {above:g}"
        elif value in grid[:number]:
            yield place, f"{value:g} is there twice; remove one"


def _faults_of_value(where: Keys, parameter: str, value: Any) -> Iterator[Fault]:
    """Find a value that a parameter cannot have, or that would be converted, such as "256" to 256."""
    field = TrialParameters.model_fields.get(parameter)
    if field is None or value is None:  # both are reported better when trials are planned
        return
    annotation: Any = Annotated[field.annotation, field]
    try:
        read = TypeAdapter[Any](annotation).validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        yield where, f"{reason[0].lower()}{reason[1:]} (it is {value!r})"
        return
    if isinstance(value, bool):
        yield where, f"is not a matter of true or false (it is {value})"
    elif as_tuples(read) != as_tuples(value):
        yield where, f"{value!r} is a text, and {parameter} a number; write it without quotes"


def _faults_of_fixed(space: "SearchSpace") -> Iterator[Fault]:
    names = list(space.fixed)
    twice = _first_twice([canonical(name) for name in names])
    if twice is not None:
        yield ("fixed", names[twice]), f"{_pair_of_names(names, twice)} set one parameter; remove one of them"
    for name, value in space.fixed.items():
        yield from _faults_of_value(("fixed", name), canonical(name), value)


def _faults_between(space: "SearchSpace") -> Iterator[Fault]:
    """Find dimensions that never exist, or that set a parameter which another one or `fixed` sets too."""
    dimensions = space.dimensions
    situations = dimension_settings(dimensions, enumerated=space.search.sampler == "grid")
    together = {situation.names for situation in situations}
    sets = {name: parameters_of(name, dimension) for name, dimension in dimensions.items()}
    earlier: set[str] = set()
    for name, dimension in dimensions.items():
        # A condition on a later or unknown dimension is reported when the trials are planned.
        is_decidable = {canonical(key) for key in dimension.when} <= earlier
        if is_decidable and not any(name in names for names in together):
            yield ("dimensions", name, "when"), _never_met(dimension, situations)
        earlier |= sets[name]
    for one, other in combinations(dimensions, 2):
        both = sorted(sets[one] & sets[other])
        if both and any({one, other} <= names for names in together):
            fault = f"sets {both[0]}, which {one} sets too; remove one, or give each another `when`"
            yield ("dimensions", other), fault
    for key in space.fixed:
        setters = {name for name in dimensions if canonical(key) in sets[name]}
        if setters and all(names & setters for names in together):
            by = "the dimension" if len(setters) == 1 else "the dimensions"
            fault = f"is set by {by} {_listed(setters)} in every trial; remove it here, or there"
            yield ("fixed", key), fault


def _never_met(dimension: Dimension, situations: set[DimensionSetting]) -> str:
    reasons = []
    for key in dimension.when:
        known = [dict(situation.values) for situation in situations]
        values = {_as_text(values[canonical(key)]) for values in known if canonical(key) in values}
        reasons.append(f"{key} is {' or '.join(sorted(values))}" if values else f"there is no {key}")
    return f"can never be met ({', '.join(reasons)}); mend it, or remove the dimension"


def _faults_of_stages(space: "SearchSpace") -> Iterator[Fault]:
    search, resources, patches = space.search, space.resources, space.patches
    searched = {
        p: name for name, dimension in space.dimensions.items() for p in parameters_of(name, dimension)
    }
    for key in space.retraining.trial_overrides:
        if key in searched:
            fault = (
                f"is searched by the dimension {searched[key]}; remove it here, and a winner keeps its own"
            )
            yield ("retraining", key), fault
    # A user's own rule decides when it judges only once it is imported.
    grace = 0 if is_imported(search.scheduler.name) else getattr(search.scheduler, "grace_epochs", 0)
    if grace >= search.epochs:
        fault = (
            f"{grace} is not below the {search.epochs} epochs of a trial, so that none would be stopped; "
            "lower it, or write `scheduler: {name: none}`"
        )
        yield ("search", "scheduler", "grace_epochs"), fault
    is_open = (
        search.sampler in ("random", "tpe")
        or search.budget.epochs is not None
        or search.budget.hours is not None
    )
    if (is_open or is_imported(search.sampler)) and search.scheduler.name == "halving":
        fault = (
            "compares all trials of a grid at once, and here they are not known beforehand; take `asha`, or "
            "`sampler: grid` without a budget of epochs or hours"
        )
        yield ("search", "scheduler", "name"), fault
    if is_open and resources.cohort not in ("auto", 1):
        fault = "is for a grid without a budget of epochs or hours, whose trials are all known; remove it"
        yield ("resources", "cohort"), fault
    if resources.cuda_graphs and resources.gpus == 0:
        yield (
            ("resources", "cuda_graphs"),
            "is for trials on a GPU, and `gpus` is 0; remove it, or raise `gpus`",
        )
    if patches.tries_without_line is not None and patches.without_line == 0:
        fault = "is for patches without a line, and `without_line` is 0; remove it"
        yield ("patches", "tries_without_line"), fault


def _first_twice(values: Sequence[Any]) -> int | None:
    """Return the place of the first value that occurs before."""
    return next((place for place, value in enumerate(values) if value in values[:place]), None)


def _pair_of_names(names: Sequence[str], place: int) -> str:
    """Return the names of the key at a place and of the one before it that sets the same parameter."""
    other = next(name for name in names if canonical(name) == canonical(names[place]))
    return f"{other} and {names[place]}"


def _listed(names: Iterable[str]) -> str:
    return " and ".join(sorted(names))


def _as_text(value: Any) -> str:
    return "another number" if value != value else str(value)  # noqa: PLR0124  what is not equal to itself


# --- Data cards


def check_card(card: DataCard, given: Mapping[str, Any], source: Path) -> None:
    """Raise `ConfigError`, naming `source` and the line, for a setting without effect.

    Parameters
    ----------
    card : DataCard
        The card as it was read.
    given : mapping
        The file's own keys and values.
    source : Path
        The file.
    """
    for keys, fault in (*_faults_of_card_keys(card, given), *_faults_of_parts(card, given)):
        raise refusal(source, keys, fault)


def check_joined(card: DataCard, given: Mapping[str, Any], source: Path) -> None:
    """Raise `ConfigError` for settings of the parts of a joined card that would have no effect."""
    for keys, fault in _faults_of_parts(card, given):
        raise refusal(source, keys, fault)


def _faults_of_card_keys(card: DataCard, given: Mapping[str, Any]) -> Iterator[Fault]:
    layout = card.layout
    if _given_value(given, "layout", "scene_column") is not None:
        if layout.masks is not None or layout.holds_npz:
            yield ("layout", "scene_column"), "is for a file of lines, and here are masks; remove it"
        elif "*" in (layout.lines or ""):
            yield (
                ("layout", "scene_column"),
                "is for one file of lines; where each scene has its own, the name tells; remove it",
            )
    if _given_value(given, "split", "buffer_px") is not None and card.split.rule == "patch":
        yield ("split", "buffer_px"), "is for ground that is cut into blocks, which `rule: patch` never does"
    for key in ("layout", "checksums"):
        if given.get(key) and (card.parts or (key == "checksums" and card.root is None)):
            held = "its parts" if card.parts else "scenes that are simulated"
            yield (key,), f"is for a card with a `root`, and this one has {held}; remove it"


def _faults_of_parts(card: DataCard, given: Mapping[str, Any]) -> Iterator[Fault]:
    trained = [(number, part) for number, part in enumerate(card.parts) if not part.test_only]
    for number, part in trained:
        if part.split not in (Split(), card.split):
            yield (
                ("parts", number),
                f"the card {part.name} asks for another `split` (rule {part.split.rule}) than the whole "
                f"(rule {card.split.rule}), which counts; say it in a joined card, and not in {part.name}",
            )
    wavelengths_m = sorted({part.wavelength_m for _, part in trained})
    if len(wavelengths_m) > 1 and given.get("wavelength_m") is None:
        wavelengths = " and ".join(f"{wave_m:g}" for wave_m in wavelengths_m)
        yield (
            ("parts",),
            f"are of wavelengths of {wavelengths} m, in which a tide makes other fringes; say by "
            "`wavelength_m` in a joined card what networks trained on both are for, or train on one",
        )


def _given_value(given: Mapping[str, Any], part: str, key: str) -> Any:
    inner = given.get(part)
    return inner.get(key) if isinstance(inner, Mapping) else None


def remarks_on_lines(card: DataCard) -> list[str]:
    """Return what to mind where data sets that are joined to be trained on say that their lines differ."""
    kinds = {part.name: part.line_kind for part in card.parts if part.line_kind and not part.test_only}
    if len(set(kinds.values())) < 2:
        return []
    named = ", ".join(f"{name} has `line: {kind}`" for name, kind in kinds.items())
    return [
        f"the data mix conventions: {named}; a network that learns both draws neither, so train on data sets "
        "of one kind, and test the others as `test_only`"
    ]
