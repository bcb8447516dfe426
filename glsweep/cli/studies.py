"""Commands that look at a study: `status`, `effects`, `replay`, `review`, `track`, and `report` of a copy."""

import shutil
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from glsweep.cli import Debug, LogFormatOption, StudyFolder
from glsweep.config.data_card import SplitName
from glsweep.errors import ConfigError, StudyError
from glsweep.files import check_output_folder, replacing
from glsweep.output import open_console
from glsweep.progress import shown
from glsweep.study import locked, open_study


def status(
    study: StudyFolder,
    /,
    follow: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")] = False,
    price_per_gpu_hour: Annotated[
        float | None, tyro.conf.arg(metavar="PRICE", help_behavior_hint="(default: hours alone)")
    ] = None,
    log_format: LogFormatOption = "text",
    debug: Debug = False,
) -> None:
    """Show how a study stands, also while it runs: its stages, its trials, the time left, the cost so far.

    Parameters
    ----------
    follow
        Go on showing it, from another terminal too, until the study ends or Ctrl-C.
    price_per_gpu_hour
        Also say what the hours of GPUs cost.
    """
    if price_per_gpu_hour is not None and not price_per_gpu_hour >= 0:
        raise ConfigError(f"--price-per-gpu-hour {price_per_gpu_hour:g}: is no price; choose 0 or more")
    from glsweep.report.status import follow_status, print_status

    show = follow_status if follow else print_status
    show(study, open_console(log_format), price_per_gpu_hour=price_per_gpu_hour)


def effects(
    study: StudyFolder,
    /,
    of: Annotated[
        tuple[str, ...],
        tyro.conf.arg(metavar="DIMENSION...", help_behavior_hint="(default: all with several choices)"),
    ] = (),
    debug: Debug = False,
) -> None:
    """Compare the choices of a dimension over a sweep, all else alike, with intervals over seeds.

    Parameters
    ----------
    of
        Dimensions of the search space, such as channels.
    """
    from glsweep.report.effects import effects_of, effects_table, with_several_choices
    from glsweep.sweep.records import read_records

    opened = open_study(study)
    space, records, console = opened.config.space, read_records(opened.ledger_jsonl), open_console()
    for name in of or with_several_choices(space):
        found = effects_of(name, space, records)
        console.print(effects_table(name, found, rank_by=space.search.rank_by))


def replay(
    study: StudyFolder,
    /,
    scheduler: Annotated[
        tuple[str, ...],
        tyro.conf.arg(metavar="RULE...", help_behavior_hint="(default: all that fit the epochs)"),
    ] = (),
    orders: Annotated[int, tyro.conf.arg(metavar="N")] = 20,
    debug: Debug = False,
) -> None:
    """Play other stopping rules over the learning curves of a finished sweep, without training.

    Parameters
    ----------
    scheduler
        Rules: asha, halving, median (several of each), none; or one, as asha:GRACE:REDUCTION, median:GRACE.
    orders
        Shuffled orders of the trials that are played besides the plan's own.
    """
    from glsweep.report.console import replay_study

    replay_study(open_study(study), scheduler, orders=orders, console=open_console())


def track(study: StudyFolder, /, debug: Debug = False) -> None:
    """Send MLflow what it lacks of a study, such as after it did not answer for a while."""
    from glsweep.register import register_members
    from glsweep.sweep.mirror import track_study

    opened = open_study(study)
    with locked(opened):
        sent = track_study(opened)
        if opened.is_done("evaluate"):
            register_members(opened)
    open_console().print(
        f"{sent.mlflow_uri}: {sent.trials} trials are up to date", highlight=False, soft_wrap=True
    )


def review(
    study: StudyFolder,
    /,
    splits: Annotated[tuple[SplitName, ...], tyro.conf.arg(metavar="SPLIT...")] = ("test",),
    log_format: LogFormatOption = "text",
    debug: Debug = False,
) -> None:
    """Find labels that all members contradict, and write review.gpkg to correct them in.

    Parameters
    ----------
    splits
        Whose scenes. Those of val and train are drawn now, by members that have seen their labels.
    """
    from glsweep.evaluate.review import look_again

    opened, console = open_study(study), open_console(log_format)
    opened.record("evaluate")
    with locked(opened), shown("review", console):
        looked = look_again(opened, splits)
    if looked is None:
        raise StudyError(
            f"{study}: no member has drawn whole scenes of {', '.join(splits)} ground, so nothing can be "
            "compared with labels; split by scene or block, not by patch"
        )
    for line in (
        f"{len(looked.doubts)} lines worth a second look in {looked.scenes} scenes: {opened.review_gpkg}",
        *([f"what was written into it before is kept as {looked.kept_as}"] if looked.kept_as else []),
        f"pictures in the report: python -m glsweep.run report --study {study} --out NEW_FOLDER",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def report_elsewhere(study: Path, out: Path, console: Console) -> None:
    """Write page, figures and tables of an evaluated study into a new folder; the study is only read.

    Raises
    ------
    ConfigError
        When the folder is not empty, or cannot be made.
    StudyError
        When the study has not been evaluated.
    """
    check_output_folder("--out", out)
    if out.is_dir() and any(out.iterdir()):
        raise ConfigError(f"--out {out}: is not empty; name a new folder")
    from glsweep.report.page import write_report

    opened = open_study(study)
    with replacing(out.absolute()) as folder:
        write_report(opened, folder)
        tables = (
            opened.table_csv,
            opened.table_json,
            opened.lines_csv,
            opened.lines_json,
            opened.review_gpkg,
        )
        for table in filter(Path.is_file, tables):
            shutil.copy(table, folder)
    console.print(f"report: {out / opened.report_html.name}", soft_wrap=True, highlight=False)
