"""Finds what a search space names: built-in things by name, the user's own by import path.

There are five kinds: architectures, losses, augmentations, samplers and stopping rules. All are called in
the same way: a callable gets, by name, those of the arguments in `offers` that its signature takes; the
other parameters of its signature are its own, which a search space may set.

A built-in is added by one line below. Nothing is imported until it is loaded, so that configuration can be
read without torch.
"""

import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from glsweep.errors import ConfigError

T = TypeVar("T", bound=Callable[..., Any])

_IMPORT_PATH = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*:[A-Za-z_]\w*", re.ASCII)
_KEYWORDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_LONGEST_CAUSE = 200


@dataclass(frozen=True)
class BuiltIn:
    """Where something built in is imported from, and its title.

    `defaults` are parameters of a trial that a search space may leave out with it.
    """

    path: str
    title: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Registry(Generic[T]):
    """One kind of thing that a search space may name.

    Attributes
    ----------
    kind : str
        What it is called in messages.
    built_in : mapping of str to BuiltIn
        By name, in the order in which they are shown.
    offers : frozenset of str
        Arguments that glsweep passes, by name, to a callable that takes them.
    needs : tuple of str
        Those of them that every callable must take.
    """

    kind: str
    built_in: Mapping[str, BuiltIn]
    offers: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()

    def fault_in(self, name: object) -> str | None:
        """Return what is wrong with a name, None if nothing is; nothing is imported."""
        if isinstance(name, str) and (name in self.built_in or _IMPORT_PATH.fullmatch(name)):
            return None
        *others, last = map(repr, self.built_in)
        known = f"{', '.join(others)} or {last}" if others else last
        importable = " or, for your own, package.module:Name" if isinstance(name, str) else ""
        return f"Input should be {known}{importable}"

    def load(self, name: str) -> T:
        """Return the object of a name; a user's own is searched on sys.path and in the current folder.

        Raises
        ------
        ConfigError
            When the name is unknown, or cannot be imported and called.
        """
        if self.fault_in(name) is not None:
            known_names = ", ".join(self.built_in)
            raise ConfigError(
                f"{self.kind}: {name!r} is unknown; known here: {known_names}, "
                "or package.module:Name for your own"
            )
        known = self.built_in.get(name)
        found: T = _imported(known.path if known else name, self.kind)
        return found

    def title(self, name: str) -> str:
        """Return the title of a name; of a user's own the name of the object."""
        known = self.built_in.get(name)
        return known.title if known and known.title else object_name(name)

    def rank(self, name: str | None) -> tuple[int, str]:
        """Return a key that sorts None first, then built-in names in their order, then users' own."""
        if name is None:
            return -1, ""
        known = list(self.built_in)
        return (known.index(name), "") if name in known else (len(known), name)

    def takes(self, name: str, parameter: str) -> bool:
        """Whether the object of a name takes a parameter.

        Raises
        ------
        ConfigError
            When it cannot be imported.
        """
        named, takes_any = self._signature(name)
        return takes_any or parameter in named

    def check_own(self, name: str, given: Collection[str]) -> None:
        """Make sure that the object takes the own parameters that are given, and lacks none.

        Raises
        ------
        ConfigError
            When it cannot be imported, does not take one of them, or lacks one without a default.
        """
        named, takes_any = self._signature(name)
        own = {key: parameter for key, parameter in named.items() if key not in self.offers}
        title = object_name(name)
        for key in given:
            if key not in own and not takes_any:
                known = f"it takes {', '.join(own)}" if own else "it takes none of its own"
                raise ConfigError(f"{title}.{key}: {title} takes no {key}; {known}")
        for key, parameter in own.items():
            if key not in given and parameter.default is inspect.Parameter.empty:
                raise ConfigError(f"{title}.{key}: {name} needs it; add it to `dimensions` or `fixed`")

    def bind(self, name: str, own: Mapping[str, Any]) -> Callable[..., Any]:
        """Return the object with its own parameters set; it gets only the `offers` that it takes.

        Raises
        ------
        ConfigError
            When it cannot be imported, or does not take what it needs.
        """
        named, takes_any = self._signature(name)
        taken = frozenset(self.offers if takes_any else self.offers & named.keys())
        return partial(_call, self.load(name), taken, own)

    def _signature(self, name: str) -> tuple[dict[str, inspect.Parameter], bool]:
        """Return the parameters that may be passed by name, and whether any other may be too.

        Needed parameters must be named, so that a space from somebody else cannot call any function, such as
        one that runs a shell.
        """
        try:
            parameters = inspect.signature(self.load(name)).parameters
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"{self.kind}: {name} has no signature that can be read; name a Python function"
            ) from error
        named = {key: parameter for key, parameter in parameters.items() if parameter.kind in _KEYWORDS}
        for need in self.needs:
            if need not in named:
                raise ConfigError(
                    f"{self.kind}: {name} takes no parameter called {need}, and glsweep passes everything by "
                    f"name; it must take {', '.join(self.needs)}"
                )
        return named, any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def is_imported(name: str) -> bool:
    """Whether a name is an import path, of something of the user's own."""
    return ":" in name


def object_name(name: str) -> str:
    """Return the object's name of an import path; a built-in's name as it is."""
    return name.rpartition(":")[2]


def files_of(names: Iterable[str]) -> list[Path]:
    """Return the files and package folders that import paths need and that are not installed.

    These are their top-level modules, and whatever else was imported from the same folders.

    Raises
    ------
    ConfigError
        When one cannot be imported.
    """
    named = set()
    for name in names:
        _imported(name, "import")
        named.add(_place(sys.modules[name.partition(":")[0].partition(".")[0]]))
    folders = {place.parent for place in named if place}
    tops = [
        module for key, module in list(sys.modules.items()) if not {".", "__main__", "glsweep"} & {key, *key}
    ]
    places = {place for place in map(_place, tops) if place and place.parent in folders and place.exists()}
    return sorted(place for place in places if not {"site-packages", "dist-packages"} & set(place.parts))


def _place(module: ModuleType) -> Path | None:
    """Return a module's file, or its folder where it is a package; None where it has none."""
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    path = Path(file).resolve()
    return path.parent if path.name == "__init__.py" else path


def _call(loaded: Callable[..., Any], taken: Collection[str], own: Mapping[str, Any], **offered: Any) -> Any:
    return loaded(**{key: value for key, value in offered.items() if key in taken}, **own)


def _imported(path: str, kind: str) -> Any:
    module_name, _, attribute = path.partition(":")
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)  # as with `python -m`, however glsweep was started
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigError(_fails(path, kind, error)) from error
        raise ConfigError(
            f"{kind}: {path} cannot be imported: there is no module {error.name} in {here} or on "
            "PYTHONPATH; run where it lies, or add its folder to PYTHONPATH"
        ) from error
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        raise ConfigError(_fails(path, kind, error)) from error
    found = getattr(module, attribute, None)
    if found is None:
        own = [
            key for key, value in vars(module).items() if getattr(value, "__module__", None) == module_name
        ]
        known = ", ".join(own) or "nothing of its own"
        raise ConfigError(f"{kind}: {path}: {module.__file__} has no {attribute}; it has {_short(known)}")
    if not callable(found):
        raise ConfigError(f"{kind}: {path} is {_short(repr(found))}; name a class or a function")
    return found


def _fails(path: str, kind: str, error: BaseException) -> str:
    cause = _short(f"{type(error).__name__}: {error}")
    return f"{kind}: {path} cannot be imported: its module fails ({cause}); mend the module"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_CAUSE else f"{text[: _LONGEST_CAUSE - 3]}..."


ARCHITECTURES: Registry[Callable[..., Any]] = Registry(
    "architecture",
    {
        "unet": BuiltIn("glsweep.nets.unet:UNet", "U-Net", {"base_width": 4}),
        "attention_unet": BuiltIn(
            "glsweep.nets.attention_unet:AttentionUNet", "Attention U-Net", {"base_width": 4}
        ),
        "unetpp": BuiltIn("glsweep.nets.unetpp:UNetPlusPlus", "U-Net++", {"base_width": 32}),
        "atrous_unet": BuiltIn("glsweep.nets.atrous_unet:AtrousUNet", "Atrous U-Net", {"base_width": 32}),
        "segformer": BuiltIn("glsweep.nets.segformer:SegFormer", "SegFormer", {"base_width": 32}),
        "two_head": BuiltIn("glsweep.nets.two_head:TwoHeadUNet", "Two-head U-Net", {"base_width": 4}),
        "hed": BuiltIn("glsweep.nets.hed:HED", "HED", {"base_width": 64}),
        "pretrained_unet": BuiltIn(
            "glsweep.nets.pretrained_unet:PretrainedUNet", "Pre-trained U-Net", {"base_width": 16}
        ),
    },
    offers=frozenset({"in_channels", "base_width"}),
    needs=("in_channels",),
)
UNTRAINED: Registry[Callable[..., Any]] = Registry(
    "architecture",
    {"phase_gradient": BuiltIn("glsweep.nets.phase_gradient:PhaseGradient", "Phase gradient")},
)
"""What draws lines without learning: a member may be one, a search space cannot name it."""
LOSSES: Registry[Callable[..., Any]] = Registry(
    "loss",
    {
        "focal_tversky_bce": BuiltIn("glsweep.losses:GroundingLineLoss", "focal Tversky and cross-entropy"),
        "weighted_bce": BuiltIn("glsweep.losses.weighted:weighted_bce", "weighted cross-entropy"),
        "balanced_bce": BuiltIn("glsweep.losses.weighted:balanced_bce", "class-balanced cross-entropy"),
        "cl_dice": BuiltIn("glsweep.losses.shapes:cl_dice", "clDice"),
        "skeleton_recall": BuiltIn("glsweep.losses.shapes:skeleton_recall", "skeleton recall"),
        "boundary": BuiltIn("glsweep.losses.shapes:boundary", "boundary loss"),
    },
    offers=frozenset({"logits", "label", "valid"}),
    needs=("logits", "label", "valid"),
)
AUGMENTATIONS: Registry[Callable[..., Any]] = Registry(
    "augmentation",
    {
        # In the order in which a radar's image comes about, which is that in which they are applied.
        "dihedral": BuiltIn("glsweep.patches.augmentation:augment_dihedral"),
        "conjugation": BuiltIn("glsweep.patches.augmentation:conjugate"),
        "phase_rotation": BuiltIn("glsweep.patches.augmentation:rotate_phase"),
        "amplitude_jitter": BuiltIn("glsweep.patches.augmentation:jitter_amplitude"),
        "speckle": BuiltIn("glsweep.patches.augmentation:add_speckle"),
        "filters": BuiltIn("glsweep.patches.augmentation:filter_patches"),
    },
    offers=frozenset({"image", "label", "generator"}),
    needs=("image", "generator"),
)
SAMPLERS: Registry[Callable[..., Any]] = Registry(
    "sampler",
    {
        "grid": BuiltIn("glsweep.search:grid_plan", "grid, every configuration once"),
        "random": BuiltIn("glsweep.search.draws:RandomPlan", "random, each configuration drawn by itself"),
        "tpe": BuiltIn(
            "glsweep.search.tpe:TpePlan",
            "TPE (tree-structured Parzen estimator), which proposes near what was good",
        ),
    },
    offers=frozenset({"space", "seed", "source", "begun"}),
    needs=("space", "seed", "source"),
)
STOPPING_RULES: Registry[Callable[..., Any]] = Registry(
    "stopping rule",
    {
        "asha": BuiltIn("glsweep.config.stopping:Asha"),
        "halving": BuiltIn("glsweep.config.stopping:Halving"),
        "median": BuiltIn("glsweep.config.stopping:Median"),
        "none": BuiltIn("glsweep.config.stopping:NoStopping"),
    },
)
