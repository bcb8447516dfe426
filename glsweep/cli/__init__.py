"""The commands that are not stages, one module a family; here, the options that several of them share."""

import os
from pathlib import Path
from typing import Annotated

import tyro

from glsweep.config import DEMO_SPACE_NAME
from glsweep.config.bands import NoData
from glsweep.output import LogFormat

StudyFolder = Annotated[Path, tyro.conf.arg(metavar="STUDY", help="The study's folder.")]
Debug = Annotated[
    bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help="Show whole tracebacks.", help_behavior_hint="")
]

LogFormatOption = Annotated[
    LogFormat,
    tyro.conf.arg(
        metavar="text|json",
        help="How the log is written; json is one object a line, for a cluster's log collector.",
    ),
]

SpaceOption = Annotated[
    Path, tyro.conf.arg(metavar="SPACE.yaml", help_behavior_hint=f"(default: {DEMO_SPACE_NAME})")
]
BandsOption = Annotated[
    str, tyro.conf.arg(metavar="ROLE[=BAND],...", help_behavior_hint="(default: their names and values tell)")
]
NoDataOption = Annotated[
    NoData, tyro.conf.arg(metavar="VALUE|as_tagged", help_behavior_hint="(default: as the files say)")
]


def keep_ray_on_loopback(address: str | None) -> None:
    """Keep a Ray that is started on this machine to the loopback address, as on a laptop.

    Ray reads this when it is imported. At an `address` a cluster runs already.
    """
    if address is None:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
