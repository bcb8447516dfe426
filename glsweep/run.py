"""The command line: `python -m glsweep.run [STAGE] [--data ...] [--space ...] [--study ...]`."""

import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from rich.text import Text

from glsweep.commands import COMMANDS, keep_ray_on_loopback
from glsweep.config.card_files import load_data
from glsweep.config.output_paths import check_output_folder, check_output_storage
from glsweep.config.shipped import DEMO_CARD, DEMO_SPACE
from glsweep.config.space import SearchSpace, load_space
from glsweep.config.study import StudyConfig
from glsweep.errors import GlsweepError, StudyError
from glsweep.spaces.plan import Plan, patch_sizes_px
from glsweep.spaces.samplers import make_plan
from glsweep.study import STAGES, Stage, Study, create_study, held, open_study

if TYPE_CHECKING:
    from glsweep.nets.published import PublishedWeights

_Path = Path | None
_Paths = tuple[Path, ...]


def _hint(metavar: str, default: str) -> object:
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


@dataclass(frozen=True)
class Options:
    """What every command takes.

    With `--study` of an existing study alone, its own data, space and seed are used.
    """

    data: Annotated[_Paths, _hint("CARD.yaml|FOLDER...", "simulated scenes")] = ()
    """A data card, or a folder of scenes with their lines; several are joined."""
    test_data: Annotated[_Paths, _hint("CARD.yaml|FOLDER...", "none")] = ()
    """Further data that is never trained on: every member is tested on it too."""
    root: Annotated[_Path, _hint("FOLDER", "the card's own")] = None
    """Where the scenes of the data card are."""
    space: Annotated[_Path, _hint("SPACE.yaml", "search_spaces/demo.yaml")] = None
    """A search space, with the settings of every stage."""
    study: Annotated[_Path, _hint("DIR", "studies/<data>-<space>")] = None
    """The study's folder, made if missing."""
    seed: Annotated[int | None, _hint("N", "0")] = None
    """Decides every random draw."""
    address: Annotated[str | None, _hint("ADDR", "this machine alone")] = None
    """A Ray cluster's address, such as `auto`."""
    storage: Annotated[str | None, _hint("FOLDER|URI", "the study's folder")] = None
    """Where checkpoints are kept: a folder that every node mounts, or s3://bucket/folder."""
    debug: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")] = False
    """Show whole tracebacks."""


DESCRIPTION = """Find the network that draws glacier grounding lines best.

Without a command the whole study runs, on simulated scenes unless --data names yours:
`python -m glsweep.run --data FOLDER`. Options: `python -m glsweep.run study --help`.

Exit codes: 0, all went well; 2, nothing was done that could not be, and one line says what to mend;
3, the study went on without a stratum that failed, which the table names with its reason and its remedy;
130, interrupted."""

SOME_FAILED = 3

STAGE_COMMANDS: dict[str, tuple[tuple[Stage, ...], str]] = {
    "study": (STAGES, "All stages in their order: the default command."),
    "simulate": (("simulate",), "Simulate the scenes, if the data card says so."),
    "prepare": (("simulate", "prepare"), "Read scenes and lines, split the ground, cut the patches."),
    "sweep": (("sweep",), "Run every trial of the search space and find each stratum's winner."),
    "retrain": (("retrain",), "Train the winners in full."),
    "calibrate": (("calibrate",), "Choose each member's threshold on validation."),
    "evaluate": (("evaluate",), "Score members and baselines on the test split."),
    "report": (("report",), "Write the page with the table and the figures."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0, 2 for what a user can mend, 3 when some strata failed and the others went on, 130 when interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help")):
        given.insert(0, "study")
    try:
        code: int | None = tyro.extras.subcommand_cli_from_dict(
            {name: _command(stages, text) for name, (stages, text) in STAGE_COMMANDS.items()} | COMMANDS,
            prog="python -m glsweep.run",
            description=DESCRIPTION,
            args=given,
        )
    except (GlsweepError, OSError) as error:  # an OSError names its file and what is wrong with it
        if "--debug" in given:
            raise
        Console(stderr=True, soft_wrap=True).print(
            Text.assemble(("error: ", "red"), " ".join(str(error).split()))
        )
        return 2
    except KeyboardInterrupt:
        Console().print("[yellow]stopped; the same command continues where it was[/yellow]")
        return 130
    return code or 0


def _command(stages: Sequence[Stage], text: str) -> Callable[[Options], int]:
    def command(options: Annotated[Options, tyro.conf.arg(name="")]) -> int:
        return _run(stages, options)

    command.__doc__ = text
    return command


def _run(stages: Sequence[Stage], options: Options) -> int:
    from glsweep.report.console import print_failures, print_results
    from glsweep.stages import Context, run_stages
    from glsweep.sweep.failures import read_failures

    keep_ray_on_loopback(options.address)
    check_output_storage("--storage", options.storage)
    console = Console()
    study, plan = _open(options, stages[0])
    size = "trials within a budget" if plan.size is None else f"{plan.size} configurations planned"
    console.print(f"study [bold]{study.directory}[/bold]: {size}", highlight=False)
    with held(study):
        run_stages(study, stages, Context(plan, options.address, options.storage, console))
    failed = read_failures(study)
    if "report" in stages:
        print_results(study, console)
    print_failures(failed.values(), console)
    return SOME_FAILED if failed else 0


def _open(options: Options, first: Stage) -> tuple[Study, Plan]:
    """Find or make the study; everything that can be wrong is found before anything is written."""
    from glsweep.patches.survey import check_data

    asks_for_its_own = (
        not (options.data or options.test_data or options.root)
        and options.space is None
        and options.seed is None
    )
    if options.study is not None and asks_for_its_own and (options.study / "study.yaml").is_file():
        study = open_study(options.study)
        return study, make_plan(study.config.space, seed=study.config.seed, source=study.config_yaml)
    source = options.space or DEMO_SPACE
    card = load_data(options.data or (DEMO_CARD,), options.test_data, root=options.root)
    space, start = _with_start(load_space(source), source)
    name = card.name if card.name == space.name else f"{card.name}-{space.name}"
    directory = options.study or Path("studies") / name
    check_output_folder("--study", directory)
    config = StudyConfig(name=directory.resolve().name, seed=options.seed or 0, card=card, space=space)
    plan = make_plan(space, seed=config.seed, source=source)
    if start:
        from glsweep.training.start import check_start, keep_start

        check_start(space, plan, source)
    if not (directory / "study.yaml").is_file():
        _check_is_first(first, directory)
        check_data(Study(directory, config), patch_sizes_px(plan.strata))
    study = create_study(directory, config)
    if start:
        keep_start(study, start)
    return study, plan


def _with_start(space: SearchSpace, source: Path) -> "tuple[SearchSpace, list[PublishedWeights]]":
    """Read the weights to begin with, if there are any: only then is torch needed here."""
    if not space.start:
        return space, []
    from glsweep.training.start import read_start

    return read_start(space, source)


def _check_is_first(stage: Stage, directory: Path) -> None:
    """Make sure that no study is made for a stage that cannot start it."""
    if stage != STAGES[0]:
        raise StudyError(
            f"{directory}: is not a study yet, and stage `{stage}` cannot begin one; "
            f"run `python -m glsweep.run {STAGES[0]}` with the same options first"
        )


if __name__ == "__main__":
    exit_code = main()
    # Python takes a moment to end, in which another Ctrl-C would change the code and print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(exit_code)
