"""The commands that are not stages: each looks at a study or at a machine, and heavy imports wait inside.

To add one, write a function whose parameters are its options and whose first line of docstring is
its help, and enter it in `COMMANDS`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from glsweep.config.data_card import Bands
from glsweep.config.shipped import DEMO_SPACE
from glsweep.study import held, open_study

StudyFolder = Annotated[Path, tyro.conf.arg(metavar="STUDY", help="The study's folder.")]
Debug = Annotated[
    bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help="Show whole tracebacks.", help_behavior_hint="")
]


def keep_ray_on_loopback(address: str | None) -> None:
    """Let a Ray that is started on this machine listen on the loopback address alone, as on a laptop.

    Ray reads this when it is imported. At an `address` a cluster runs already.
    """
    if address is None:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def status(study: StudyFolder, /, debug: Debug = False) -> None:
    """Show how a study stands, also while it runs: its stages, its trials, the time left."""
    from glsweep.report.status_page import print_status
    from glsweep.sweep.status import read_status

    opened = open_study(study)
    print_status(opened, read_status(opened), Console())


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
        Rules to compare: asha:GRACE:REDUCTION, median:GRACE, none; asha or median alone for several.
    orders
        Shuffled orders of the trials that are played besides the plan's own.
    """
    from glsweep.report.replay_report import replay_study

    replay_study(open_study(study), scheduler, orders=orders, console=Console())


def track(study: StudyFolder, /, debug: Debug = False) -> None:
    """Send MLflow what it lacks of a study, such as after a time in which it did not answer."""
    from glsweep.register import register_members
    from glsweep.sweep.tracked import track_study

    opened = open_study(study)
    with held(opened):
        sent = track_study(opened)
        if opened.is_done("evaluate"):
            register_members(opened)
    Console().print(
        f"{sent['mlflow_uri']}: {sent['trials']} trials are up to date", highlight=False, soft_wrap=True
    )


def doctor(
    cluster_yaml: Annotated[Path | None, tyro.conf.arg(metavar="[CLUSTER.yaml]")] = None,
    /,
    address: Annotated[
        str | None, tyro.conf.arg(metavar="ADDR", help_behavior_hint="(default: this machine)")
    ] = None,
    space: Annotated[Path, tyro.conf.arg(metavar="SPACE.yaml")] = DEMO_SPACE,
    storage: Annotated[
        str | None, tyro.conf.arg(metavar="FOLDER|URI", help_behavior_hint="(default: not checked)")
    ] = None,
    debug: Debug = False,
) -> int:
    """Check a cluster file, a cluster or this machine before a sweep: what is wrong, and what to do.

    Parameters
    ----------
    cluster_yaml
        A file for `ray up`.
    address
        A Ray cluster's address, such as `auto`.
    space
        The search space whose trials are to run.
    storage
        Where checkpoints will be kept.
    """
    keep_ray_on_loopback(address)
    from glsweep.config.space import load_space
    from glsweep.sweep.doctor.command import doctor as examine
    from glsweep.sweep.doctor.need import need_of

    return examine(
        cluster_yaml=cluster_yaml,
        address=address,
        need=need_of(load_space(space), space),
        storage=storage,
        console=Console(),
    )


def check(
    data: Annotated[Path, tyro.conf.arg(metavar="DATA", help="A data card, or a folder of scenes.")],
    /,
    root: Annotated[
        Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: the card's own)")
    ] = None,
    space: Annotated[Path, tyro.conf.arg(metavar="SPACE.yaml")] = DEMO_SPACE,
    sheet: Annotated[
        Path | None, tyro.conf.arg(metavar="FILE.png", help_behavior_hint="(default: check-<data>.png)")
    ] = None,
    debug: Debug = False,
) -> int:
    """Read every file of a data set: what is there, what will go wrong, and how to mend it.

    Parameters
    ----------
    root
        Where the scenes of the data card are.
    space
        The search space whose patches are to be cut.
    sheet
        Where the contact sheet is written.
    """
    from glsweep.check.contact_sheet import draw_sheet
    from glsweep.check.examine import examine
    from glsweep.check.told import tell
    from glsweep.config.space import load_space
    from glsweep.spaces.plan import patch_sizes_px
    from glsweep.spaces.samplers import make_plan

    console = Console()
    loaded = load_space(space)
    sizes_px = patch_sizes_px(make_plan(loaded, seed=0, source=space).strata)
    findings = examine(data, loaded, sizes_px, root=root)
    tell(findings, console)
    picture = sheet or Path(f"check-{data.resolve().stem}.png")
    drawn = draw_sheet(findings, picture)
    if drawn:
        console.print(f"contact sheet of {drawn} scenes: {picture}", soft_wrap=True, highlight=False)
    return 0 if findings.is_usable else 2


def predict(
    *,
    model: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FOLDER|models:/NAME@ALIAS...")],
    scene: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE|FOLDER...")],
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")],
    window_px: Annotated[
        int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: twice the patch size)")
    ] = None,
    overlap: Annotated[float, tyro.conf.arg(metavar="SHARE")] = 0.5,
    turned: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")] = False,
    tau: Annotated[
        float | None, tyro.conf.arg(metavar="P", help_behavior_hint="(default: the model card's)")
    ] = None,
    shortest_m: Annotated[float, tyro.conf.arg(metavar="M")] = 1000.0,
    bridge_m: Annotated[float, tyro.conf.arg(metavar="M")] = 500.0,
    formats: Annotated[tuple[Literal["gpkg", "geojson", "shp"], ...], tyro.conf.arg()] = ("gpkg",),
    bands: Bands = "auto",
    wavelength_m: Annotated[
        float | None, tyro.conf.arg(metavar="M", help_behavior_hint="(default: the model card's)")
    ] = None,
    device: Annotated[
        str | None, tyro.conf.arg(metavar="DEVICE", help_behavior_hint="(default: a GPU if there is one)")
    ] = None,
    debug: Debug = False,
) -> int:
    """Draw the grounding lines of scenes: probability, lines and a picture of each.

    Parameters
    ----------
    model
        A member's folder, or a registered model; several are averaged.
    scene
        Interferograms, or folders of them.
    out
        Where the files go.
    window_px
        Side of the windows that a network sees at a time, a multiple of 16.
    overlap
        Share of its side that a window has in common with the next.
    turned
        Average over the eight flips and quarter turns; takes eight times as long.
    tau
        Probability from which a pixel is line.
    shortest_m
        Shorter lines are left out.
    bridge_m
        Gaps up to this length are bridged where a line goes straight on.
    formats
        Files of lines to be written.
    bands
        What the rasters' bands hold.
    wavelength_m
        The radar's, to be compared with the model card's; rasters do not tell it.
    device
        Such as cpu or cuda:1.
    """
    from glsweep.predict.command import Request, predict_scenes

    request = Request(
        models=model,
        scenes=scene,
        out=out,
        window_px=window_px,
        overlap=overlap,
        turned=turned,
        tau=tau,
        shortest_m=shortest_m,
        bridge_m=bridge_m,
        formats=formats,
        bands=bands,
        wavelength_m=wavelength_m,
        device=device,
    )
    return predict_scenes(request, Console())


def compare(
    lines: Annotated[Path, tyro.conf.arg(metavar="LINES")],
    reference: Annotated[Path, tyro.conf.arg(metavar="REFERENCE")],
    /,
    *,
    by: Annotated[
        str | None, tyro.conf.arg(metavar="COLUMN", help_behavior_hint="(default: all rows together)")
    ] = None,
    reference_by: Annotated[
        str | None, tyro.conf.arg(metavar="COLUMN", help_behavior_hint="(default: as --by)")
    ] = None,
    tolerance_m: Annotated[tuple[float, ...], tyro.conf.arg(metavar="M...")] = (100.0, 200.0, 500.0),
    table: Annotated[
        Path | None, tyro.conf.arg(metavar="FILE.csv", help_behavior_hint="(default: none)")
    ] = None,
    debug: Debug = False,
) -> None:
    """Measure lines against a reference: how far off, how much missed, how much invented.

    Parameters
    ----------
    lines
        The lines that are judged: .gpkg, .shp or .geojson, in any CRS.
    reference
        What they are measured against.
    by
        A column that names scenes or regions: rows are compared with those of the same name.
    reference_by
        The same in the reference.
    tolerance_m
        Within so many metres a line counts as found.
    table
        Also write the figures to this file.
    """
    from glsweep.compare.pairs import read_pairs
    from glsweep.compare.told import measure, tell, write_table

    found = measure(read_pairs(lines, reference, by=by, reference_by=reference_by), tolerance_m)
    tell(found, tolerance_m, Console())
    if table is not None:
        write_table(found, table)


COMMANDS: dict[str, Callable[..., int | None]] = {
    "predict": predict,
    "compare": compare,
    "check": check,
    "doctor": doctor,
    "status": status,
    "replay": replay,
    "track": track,
}
