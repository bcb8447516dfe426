"""The base of every configuration model, and the one way a file of it is read."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from glsweep.config.yaml_file import line_of, read_yaml
from glsweep.errors import ConfigError

Keys = Sequence[str | int]
"""The way to a value in a file: names of keys, and numbers of entries of a list."""


class Settings(BaseModel):
    """A frozen model in which a typo is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _takes_nothing_else_for_a_truth(cls, values: Any) -> Any:
        # Else pydantic reads a batch size of `true` as 1, and `"no"` in quotes as false.
        for name, field in cls.model_fields.items() if isinstance(values, dict) else ():
            value, asked = values.get(name), field.annotation
            if isinstance(value, bool) and asked not in (bool, Any):
                fault = "is not a matter of true or false"
            elif isinstance(value, str) and asked is bool:
                fault = "should be true or false, without quotes"
            else:
                continue
            raise misfit(fault, name)
        return values

    def content_hash(self) -> str:
        """Return 10 hexadecimal digits that change when any value does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:10]


def misfit(fault: str, *keys: str | int) -> PydanticCustomError:
    """Return the error of a validator of a whole model that finds fault with the value below `keys`."""
    return PydanticCustomError("misfit", "{fault}", {"fault": fault, "keys": keys})


def refusal(path: Path, keys: Keys, fault: str) -> ConfigError:
    """Return the error that names a file, the line and the key in it, and what is wrong there."""
    line = line_of(path, keys)
    place = [str(path), *([f"line {line}"] if line else []), *([_dotted(keys)] if keys else [])]
    return ConfigError(f"{': '.join(place)}: {fault}")


def _dotted(keys: Keys) -> str:
    return ".".join(map(str, keys))


AnySettings = TypeVar("AnySettings", bound=Settings)


def load_yaml(path: Path, model: type[AnySettings]) -> AnySettings:
    """Read `path` safely and validate it.

    Raises
    ------
    ConfigError
        When the file is missing, is not YAML, or does not fit `model`; the message names
        the file, the key, the value and what is wrong with it.
    """
    return validate(read_yaml(path), model, path)


def load_yaml_mapping(path: Path) -> dict[str, Any]:
    """Read `path` safely as a mapping that is yet to be validated.

    Raises
    ------
    ConfigError
        When the file is missing, is not YAML, or holds no mapping.
    """
    value = read_yaml(path)
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: holds no keys with values (it is {_shortened(value)}); write `name: ...`")
    return value


def validate(
    value: Any, model: type[AnySettings], path: Path, *, written: Callable[[Keys], Keys] | None = None
) -> AnySettings:
    """Validate a parsed value, naming `path` and the line in the error.

    `written` tells where in the file stands what the value has below some keys, if not below the same.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _refusal_of(error, model, path, written or tuple) from error


def _refusal_of(
    error: ValidationError, model: type[Settings], path: Path, written: Callable[[Keys], Keys]
) -> ConfigError:
    # A misspelt key is also missing under its right name; the misspelling tells more.
    first, *others = sorted(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    keys = (*first["loc"], *first.get("ctx", {}).get("keys", ()))
    if first["type"] == "extra_forbidden":
        known = ", ".join(_fields_at(model, first["loc"][:-1]))
        fault = f"unknown key; known here: {known}" if known else "unknown key"
    elif first["type"] == "missing":
        fault = "is missing; add it"
    else:
        message = first["msg"].removeprefix("Value error, ")
        remedy = ", so put it in quotes" if first["type"] == "string_type" else ""
        found = _value_at(first["input"], keys[len(first["loc"]) :])
        fault = f"{message[0].lower()}{message[1:]}{remedy} (it is {_shortened(found)})"
    fault += f" (and {len(others)} more)" if others else ""
    if not keys:
        return ConfigError(f"{path}: the file: {fault}")
    return refusal(path, written(keys), fault)


def _value_at(value: Any, keys: Keys) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else getattr(value, str(key), value)
    return value


def _shortened(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."


def _fields_at(model: type[Settings], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the model that lies at `location` below `model`."""
    models = [model]
    for step in location:
        fields = [m.model_fields[step] for m in models if step in m.model_fields]
        if fields:
            models = [inner for field in fields for inner in _models_in(field.annotation)]
        else:  # the tag of a union's member, or the key of a dict
            tagged = [m for m in models if any(f.default == step for f in m.model_fields.values())]
            models = tagged or models
    return sorted({name for m in models for name in m.model_fields})


def _models_in(annotation: Any) -> list[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
