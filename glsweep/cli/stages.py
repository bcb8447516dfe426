"""The options of the commands that run stages."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from glsweep.config import DEMO_SPACE_NAME
from glsweep.output import LogFormat

_Path = Path | None
_Paths = tuple[Path, ...]


def _hint(metavar: str, default: str) -> object:
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


@dataclass(frozen=True)
class Options:
    """What every command takes.

    With `--study` of an existing study its own data, space and seed are used where no others are named.
    More choices, trials, epochs, seeds or test data extend it; title, resources and places may change.
    """

    data: Annotated[_Paths, _hint("CARD.yaml|FOLDER...", "simulated scenes")] = ()
    """A data card, or a folder of scenes with their lines; several are joined."""
    test_data: Annotated[_Paths, _hint("CARD.yaml|FOLDER...", "none")] = ()
    """Further data that is never trained on: every member is tested on it too."""
    root: Annotated[_Path, _hint("FOLDER", "the card's own")] = None
    """Where the scenes of the data card are."""
    space: Annotated[_Path, _hint("SPACE.yaml", DEMO_SPACE_NAME)] = None
    """A search space, with the settings of every stage."""
    study: Annotated[_Path, _hint("DIR", "studies/<data>-<space>")] = None
    """The study's folder, made if missing."""
    seed: Annotated[int | None, _hint("N", "0")] = None
    """Decides every random draw."""
    address: Annotated[str | None, _hint("ADDR", "this machine alone")] = None
    """A Ray cluster's address, such as `auto`."""
    storage: Annotated[str | None, _hint("FOLDER|URI", "the study's folder")] = None
    """Where checkpoints are kept: a folder that every node mounts, or s3://bucket/folder."""
    log_format: Annotated[LogFormat, tyro.conf.arg(metavar="text|json")] = "text"
    """How the log is written; json is one object a line, for a cluster's log collector."""
    debug: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")] = False
    """Show whole tracebacks."""


@dataclass(frozen=True)
class ReportOptions(Options):
    """What `report` takes."""

    out: Annotated[_Path, _hint("FOLDER", "the study's folder")] = None
    """A new folder for page, figures and tables; the study is only read."""


@dataclass(frozen=True)
class TransferOptions:
    """What `transfer` takes."""

    data: Annotated[_Paths, tyro.conf.arg(metavar="CARD.yaml|FOLDER...")]
    """Two data sets or more, each of them in turn trained on."""
    study: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """The folder of the studies, one for each row, and of the table."""
    space: Annotated[_Path, _hint("SPACE.yaml", DEMO_SPACE_NAME)] = None
    """A search space, with the settings of every stage."""
    leave_one_out: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")] = False
    """Also train on all data sets but one, and test on that one."""
    seed: Annotated[int | None, _hint("N", "0")] = None
    """Decides every random draw."""
    address: Annotated[str | None, _hint("ADDR", "this machine alone")] = None
    """A Ray cluster's address, such as `auto`."""
    storage: Annotated[str | None, _hint("FOLDER|URI", "the studies' folders")] = None
    """Where checkpoints are kept."""
    log_format: Annotated[LogFormat, tyro.conf.arg(metavar="text|json")] = "text"
    """How the log is written; json is one object a line, for a cluster's log collector."""
    debug: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")] = False
    """Show whole tracebacks."""
