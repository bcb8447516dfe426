"""The command `dashboard`: a sweep in Optuna's dashboard, also while it runs."""

import shlex
from typing import Annotated

import tyro

from glsweep.cli import Debug, StudyFolder
from glsweep.output import open_console
from glsweep.study import open_study

LOOKS_EVERY_S = 2.0


def dashboard(
    study: StudyFolder,
    /,
    open: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
    port: Annotated[int, tyro.conf.arg(metavar="N")] = 8080,
    debug: Debug = False,
) -> None:
    """Bring a sweep's Optuna study up to date, and say how to open it in Optuna's dashboard.

    Parameters
    ----------
    open
        Serve the dashboard on this machine alone, in step with the sweep, until Ctrl-C.
    port
        Where it is served.
    """
    from glsweep.sweep.optuna_file import Follower, sqlite_url

    opened, console = open_study(study), open_console()
    with Follower(opened) as follower:
        follower.look()
        if not open:
            command = shlex.join(["optuna-dashboard", sqlite_url(opened.optuna_db)])
            console.print(command, soft_wrap=True, highlight=False, markup=False)
            return
        from glsweep.sweep.dashboard import serving

        with serving(follower.storage, port) as address:
            console.print(f"{address} (Ctrl-C ends it)", soft_wrap=True, highlight=False)
            while True:
                follower.look_and_wait(LOOKS_EVERY_S)
