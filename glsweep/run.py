"""The command line: `python -m glsweep.run [STAGE] [--data ...] [--space ...] [--study ...]`.

To add a command, write a function whose parameters are its options and whose first line of docstring is
its help, and enter it in `COMMANDS`.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import tyro
from rich.console import Console
from rich.text import Text

from glsweep.cli import keep_ray_on_loopback
from glsweep.cli.dashboard import dashboard
from glsweep.cli.lines import adapt, compare, predict, score, zone
from glsweep.cli.preparation import check, contract, difference, doctor, import_weights
from glsweep.cli.stages import Options, ReportOptions, TransferOptions
from glsweep.cli.studies import effects, replay, report_elsewhere, review, status, track
from glsweep.config import DEMO_CARD, DEMO_SPACE
from glsweep.config.contradictions import remarks_on_lines
from glsweep.config.data_card import DataCard
from glsweep.config.space import SearchSpace, load_space
from glsweep.config.start import starts_of
from glsweep.errors import ConfigError, GlsweepError, StudyError
from glsweep.files import check_output_folder, check_output_storage
from glsweep.output import LogFormat, open_console
from glsweep.scenes.cards import join_test_data, load_data, with_root
from glsweep.search import make_plan
from glsweep.search.draws import trials_of
from glsweep.search.plan import Plan, patch_sizes_px
from glsweep.signals import Ending, ending_in_order, ignore_further_signals
from glsweep.study import Study, check_extension, create_study, extend_study, is_study, locked, open_study
from glsweep.study.configuration import STAGES, Stage, StudyConfig, changes_between

if TYPE_CHECKING:
    from glsweep.sweep.start import StartWeights


# --- The commands that are not stages

COMMANDS: dict[str, Callable[..., int | None]] = {
    "predict": predict,
    "score": score,
    "adapt": adapt,
    "compare": compare,
    "zone": zone,
    "check": check,
    "difference": difference,
    "contract": contract,
    "import-weights": import_weights,
    "doctor": doctor,
    "status": status,
    "effects": effects,
    "replay": replay,
    "review": review,
    "track": track,
    "dashboard": dashboard,
}


# --- The stages as commands

DESCRIPTION = """Find the network that draws glacier grounding lines best.

Without a command the whole study runs, on simulated scenes unless --data names yours:
`python -m glsweep.run --data FOLDER`. Options: `python -m glsweep.run study --help`.

Exit codes: 0, all went well; 2, nothing was done that could not be, and one line says what to mend;
3, the study went on without a stratum that failed, which the table names with its reason and its remedy;
130, interrupted (128 + n after another signal n)."""

SOME_FAILED = 3

COMPLETION = ("--tyro-print-completion", "--tyro-write-completion")
"""What the library that reads the command line takes to print or write what a shell completes by."""

STAGE_COMMANDS: dict[str, tuple[tuple[Stage, ...], str]] = {
    "study": (STAGES, "All stages in their order: the default command."),
    "simulate": (("simulate",), "Simulate the scenes, if the data card says so."),
    "prepare": (("simulate", "prepare"), "Read scenes and lines, split the ground, cut the patches."),
    "sweep": (("sweep",), "Run every trial of the search space and find each stratum's winner."),
    "retrain": (("retrain",), "Train the winners in full."),
    "calibrate": (("calibrate",), "Choose each member's threshold on validation."),
    "evaluate": (("evaluate",), "Score members and baselines on the test split."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0, 2 for what a user can mend, 3 when some strata failed and the others went on, 128 + n after signal n.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", *COMPLETION)):
        given.insert(0, "study")
    with ending_in_order() as ending:
        return _run_command(given, ending)


def _run_command(given: list[str], ending: Ending) -> int:
    try:
        code: int | None = tyro.extras.subcommand_cli_from_dict(
            {
                **{name: _command(stages, text) for name, (stages, text) in STAGE_COMMANDS.items()},
                "report": _report,
                "transfer": _transfer,
                **COMMANDS,
            },
            # Shells complete the words of a command that has a name.
            prog="glsweep" if given[0] in COMPLETION else "python -m glsweep.run",
            description=DESCRIPTION,
            args=given,
        )
    except (GlsweepError, OSError) as error:  # an OSError names its file and what is wrong with it
        if "--debug" in given:
            raise
        console = open_console(_log_format(given), stderr=True)
        console.print(Text.assemble(("error: ", "red"), " ".join(str(error).split())), soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        open_console(_log_format(given)).print(
            "[yellow]stopped; the same command continues where it was[/yellow]"
        )
        return ending.exit_code
    return code or 0


def _log_format(given: Sequence[str]) -> LogFormat:
    """Return how a command that ends early is to say so: its options may not have been read."""
    words = " ".join(given).replace("=", " ").replace("log_format", "log-format").split()
    return "json" if ("--log-format", "json") in pairwise(words) else "text"


def _command(stages: Sequence[Stage], text: str) -> Callable[[Options], int]:
    def command(options: Annotated[Options, tyro.conf.arg(name="")]) -> int:
        return _run(stages, options)

    command.__doc__ = text
    return command


def _report(options: Annotated[ReportOptions, tyro.conf.arg(name="")]) -> int:
    """Write the page with the table and the figures."""
    if options.out is None:
        return _run(("report",), options)
    others = replace(options, study=None, out=None, log_format="text", debug=False)
    if options.study is None or others != ReportOptions():
        raise ConfigError(
            "--out: goes with --study and no other option; the study's own data and space are used"
        )
    report_elsewhere(options.study, options.out, open_console(options.log_format))
    return 0


def _transfer(options: Annotated[TransferOptions, tyro.conf.arg(name="")]) -> int:
    """Train on each data set, test on all others: a study for each, and one table."""
    from glsweep.transfer import plan_transfer, print_transfer, read_transfer, write_transfer

    trainings = plan_transfer(options.data, leave_one_out=options.leave_one_out)
    console = open_console(options.log_format)
    codes = []
    for number, training in enumerate(trainings, start=1):
        console.print(
            f"transfer {number} of {len(trainings)}: {training.name}", highlight=False, markup=False
        )
        one = Options(
            space=options.space,
            study=options.study / training.name,
            seed=options.seed,
            address=options.address,
            storage=options.storage,
            log_format=options.log_format,
        )
        codes.append(_run(STAGES, one, training.card))
    transfer = read_transfer(options.study, trainings)
    write_transfer(options.study, transfer)
    print_transfer(options.study, transfer, console)
    return max(codes)


def _run(stages: Sequence[Stage], options: Options, card: DataCard | None = None) -> int:
    from glsweep.stages import Context, run_stages
    from glsweep.sweep.outcomes import read_failures

    keep_ray_on_loopback(options.address)
    check_output_storage("--storage", options.storage)
    console = open_console(options.log_format)
    unused = [name for name in ("address", "storage") if getattr(options, name) is not None]
    for name in unused if not {"sweep", "retrain"} & set(stages) else ():
        console.print(Text(f"--{name} means nothing to `{stages[-1]}`, which trains nothing", style="yellow"))
    with ExitStack() as stack:
        study, plan = _open(options, stages[0], stack, console, card)
        size = "trials within a budget" if plan.size is None else f"{plan.size} configurations planned"
        console.print(f"study [bold]{study.directory}[/bold]: {size}", highlight=False)
        for remark in (*study.config.space.remarks, *remarks_on_lines(study.config.card)):
            console.print(Text(f"mind: {remark}", style="yellow"), soft_wrap=True)
        run_stages(study, stages, Context(plan, options.address, options.storage, console))
    failed = read_failures(study)
    if "report" in stages:
        from glsweep.report.console import print_results

        print_results(study, console)
    if failed:
        from glsweep.report.console import print_failures

        print_failures(failed.values(), console)
    return SOME_FAILED if failed else 0


def _open(
    options: Options, first: Stage, stack: ExitStack, console: Console, card: DataCard | None = None
) -> tuple[Study, Plan]:
    """Open, create or extend the study, and lock it for as long as `stack` lasts.

    Without a `card` the data are those that the options name. All checks are made before anything is written.
    """
    existing = open_study(options.study) if options.study is not None and is_study(options.study) else None
    source = options.space or (existing.config_yaml if existing else DEMO_SPACE)
    card = card or _requested_card(options, existing)
    if existing is None or options.space is not None:
        space, start = _with_start(load_space(source), source)
    else:
        space, start = existing.config.space, []
    name = card.name if card.name == space.name else f"{card.name}-{space.name}"
    directory = options.study or Path("studies") / name
    if existing is None and is_study(directory):
        existing = open_study(directory)
    own_seed = existing.config.seed if existing else 0
    seed = own_seed if options.seed is None else options.seed
    requested = StudyConfig(name=directory.resolve().name, seed=seed, card=card, space=space)
    plan = make_plan(space, seed=seed, source=source)
    if space.is_tried_first:
        from glsweep.sweep.imported import check_imported

        check_imported(space, plan, source)
    if existing is None or options.space is not None or options.data:
        from glsweep.training.targets import check_zones

        check_zones(trials_of(space, plan, source), card, source)
    if start:
        from glsweep.sweep.start import check_same_start, check_start, keep_start

        check_start(space, plan, source, start)
        if existing is not None:
            check_same_start(existing, space)
    study = _create(directory, requested, plan, first) if existing is None else existing
    stack.enter_context(locked(study))
    if existing is not None:
        study, plan = _extend(existing, requested, source, console)
    if start:
        keep_start(study, start)
    return study, plan


def _requested_card(options: Options, existing: Study | None) -> DataCard:
    """Return the requested data: those of the existing study, unless others are named."""
    if existing is None or options.data:
        return load_data(options.data or (DEMO_CARD,), options.test_data, root=options.root)
    card = existing.config.card
    if options.root is not None:
        card = with_root(card, options.root)
    return join_test_data(card, options.test_data) if options.test_data else card


def _create(directory: Path, config: StudyConfig, plan: Plan, first: Stage) -> Study:
    from glsweep.patches.prepare import check_data

    check_output_folder("--study", directory)
    _check_is_first(first, directory)
    check_data(Study(directory, config), patch_sizes_px(plan.strata))
    return create_study(directory, config)


def _extend(study: Study, requested: StudyConfig, source: Path, console: Console) -> tuple[Study, Plan]:
    """Change the study to the requested configuration, and print what changes."""
    from glsweep.patches.prepare import check_data, check_extended_data
    from glsweep.patches.store import missing_sizes
    from glsweep.sweep.records import read_records

    changes = check_extension(study, requested)
    extended = study.extended(requested)
    begun = read_records(study.ledger_jsonl).configurations
    plan = make_plan(extended.config.space, seed=requested.seed, source=source, begun=begun)
    sizes_px = patch_sizes_px(plan.strata)
    is_prepared_again = any("prepare" in change.stale for change in changes)
    if study.has_begun and (is_prepared_again or missing_sizes(study, sizes_px)):
        check_extended_data(extended, sizes_px)
    elif is_prepared_again:
        check_data(extended, sizes_px)
    again = [stage for stage in STAGES if study.is_done(stage) and any(stage in c.stale for c in changes)]
    extend_study(study, requested)
    kept = [f"{change.key} stays {change.was}" for change in changes_between(extended.config, requested)]
    lines = [*map(str, changes), *(f"{text}: a study only grows" for text in kept)]
    for text in lines:
        console.print(Text(text, style="yellow"), soft_wrap=True)
    if again:
        console.print(Text(f"to be run again: {', '.join(again)}", style="yellow"), soft_wrap=True)
    return extended, plan


def _with_start(space: SearchSpace, source: Path) -> "tuple[SearchSpace, list[StartWeights]]":
    """Read the weights to begin with, if there are any; only then is torch imported here."""
    if not space.start and not starts_of(space):
        return space, []
    from glsweep.sweep.start import read_start

    return read_start(space, source)


def _check_is_first(stage: Stage, directory: Path) -> None:
    """Make sure that no study is created for a stage that cannot begin it."""
    if stage != STAGES[0]:
        raise StudyError(
            f"{directory}: is not a study yet, and stage `{stage}` cannot begin one; "
            f"run `python -m glsweep.run {STAGES[0]}` with the same options first"
        )


# New objects after which Python looks for garbage: 700 unless it is told otherwise.
OBJECTS_BETWEEN_COLLECTIONS = 10_000


def run_and_exit() -> NoReturn:
    """Run the command and exit with its code, which no further signal changes.

    The libraries' modules are half a million objects, none of them garbage. Looked through as often as Python
    does by itself they take a fifth longer to import, and at the end another second and a half.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    exit_code = main()
    ignore_further_signals()
    gc.freeze()
    sys.exit(exit_code)


if __name__ == "__main__":
    run_and_exit()
