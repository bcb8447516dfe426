"""Commands for before a study: `doctor`, `check`, `contract`, `difference`, `import-weights`."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from glsweep.cli import (
    BandsOption,
    Debug,
    LogFormatOption,
    NoDataOption,
    SpaceOption,
    keep_ray_on_loopback,
)
from glsweep.config import DEMO_SPACE
from glsweep.config.data_card import C_BAND_WAVELENGTH_M
from glsweep.config.trial import Channel
from glsweep.errors import ConfigError
from glsweep.files import check_output_file, check_output_storage
from glsweep.output import open_console
from glsweep.progress import shown


def doctor(
    cluster_yaml: Annotated[Path | None, tyro.conf.arg(metavar="[CLUSTER.yaml]")] = None,
    /,
    address: Annotated[
        str | None, tyro.conf.arg(metavar="ADDR", help_behavior_hint="(default: this machine)")
    ] = None,
    space: SpaceOption = DEMO_SPACE,
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
    check_output_storage("--storage", storage)
    from glsweep.config.space import load_space
    from glsweep.doctor.examine import doctor as examine
    from glsweep.doctor.memory import requirements_of

    search_space = load_space(space)
    if search_space.imported:
        from glsweep.search import make_plan
        from glsweep.sweep.imported import check_imported

        check_imported(search_space, make_plan(search_space, seed=0, source=space), space)
    return examine(
        cluster_yaml=cluster_yaml,
        address=address,
        requirements=requirements_of(search_space, space),
        storage=storage,
        console=open_console(),
    )


def check(
    data: Annotated[
        Path, tyro.conf.arg(metavar="DATA", help="A data card, a folder of scenes, or a raster.")
    ],
    /,
    *,
    root: Annotated[
        Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: the card's own)")
    ] = None,
    bands: Annotated[
        str | None,
        tyro.conf.arg(metavar="ROLE[=BAND],...", help_behavior_hint="(default: as card and files say)"),
    ] = None,
    nodata: NoDataOption = None,
    space: SpaceOption = DEMO_SPACE,
    sheet: Annotated[
        Path | None, tyro.conf.arg(metavar="FILE.png", help_behavior_hint="(default: check-<data>.png)")
    ] = None,
    log_format: LogFormatOption = "text",
    debug: Debug = False,
) -> int:
    """Read every file of a data set: what is there, what will go wrong, and how to mend it.

    Parameters
    ----------
    root
        Where the scenes of the data card are.
    bands
        What the rasters' bands hold, as `predict` takes it.
    nodata
        What stands for no data in the rasters, as `predict` takes it.
    space
        The search space whose patches are to be cut.
    sheet
        Where the contact sheet is written.
    """
    picture = sheet or Path(f"check-{data.resolve().stem}.png")
    check_output_file("--sheet", picture)
    from glsweep.api import check as check_data
    from glsweep.checks.messages import draw_sheet, print_check
    from glsweep.report import counted

    console = open_console(log_format)
    with shown("check", console):
        findings = check_data(data, space=space, root=root, bands=bands, nodata=nodata)
    print_check(findings, console)
    drawn = draw_sheet(findings, picture)
    if drawn:
        message = f"contact sheet of {counted(drawn, 'scene')}: {picture}"
        console.print(message, soft_wrap=True, highlight=False)
    return 0 if findings.is_usable else 2


def contract(
    name: Annotated[str, tyro.conf.arg(metavar="PACKAGE.MODULE:NAME")],
    /,
    *,
    loss: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")] = False,
    parameters: Annotated[
        tuple[str, ...],
        tyro.conf.arg(
            name="set", metavar="NAME=VALUE...", help_behavior_hint="(default: those of its signature)"
        ),
    ] = (),
    sizes_px: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N...")] = (128, 256),
    channels: Annotated[int, tyro.conf.arg(metavar="N")] = 2,
    debug: Debug = False,
) -> int:
    """Check that a network or loss of your own does what training relies on; exit code 2 if not.

    Parameters
    ----------
    name
        A class or function in a module here or on PYTHONPATH, or a built-in name.
    loss
        It is a loss, not a network.
    parameters
        What it is made or called with, such as depth=3.
    sizes_px
        Sides of the patches that a network must take.
    channels
        How many channels a network is given.
    """
    from rich.table import Table

    from glsweep.contract import check_loss, check_network, parameters_given

    own = parameters_given(parameters)
    if loss:
        verdicts = check_loss(name, own)
    else:
        base_width = own.pop("base_width", None)
        if base_width is not None and not isinstance(base_width, int):
            raise ConfigError(f"--set base_width={base_width}: is no whole number; choose 2, 4, 6, ...")
        verdicts = check_network(
            name, in_channels=channels, sizes_px=sizes_px, base_width=base_width, own=own
        )
    table = Table(title=f"The contract of {name}")
    for heading in ("what must be so", "", "what was found"):
        table.add_column(heading)
    for verdict in verdicts:
        table.add_row(verdict.check, "kept" if verdict.is_kept else "BROKEN", verdict.finding)
    open_console().print(table)
    return 0 if all(verdict.is_kept for verdict in verdicts) else 2


def difference(
    first: Annotated[Path, tyro.conf.arg(metavar="A", help="An interferogram.")],
    second: Annotated[Path, tyro.conf.arg(metavar="B", help="The one that is taken from it.")],
    /,
    *,
    out: Annotated[
        Path | None,
        tyro.conf.arg(metavar="FILE.tif|FOLDER", help_behavior_hint="(default: ./<d1>_<d2>-<d3>_<d4>.tif)"),
    ] = None,
    dates: Annotated[
        tuple[str, str, str, str] | None,
        tyro.conf.arg(metavar="D1 D2 D3 D4", help_behavior_hint="(default: those in the names)"),
    ] = None,
    bands: BandsOption = "auto",
    bands_b: Annotated[
        str | None, tyro.conf.arg(metavar="ROLE[=BAND],...", help_behavior_hint="(default: as --bands)")
    ] = None,
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")] = False,
    debug: Debug = False,
) -> None:
    """Take the double difference of two interferograms: A times the conjugate of B, where both hold data.

    Parameters
    ----------
    out
        Where the scene goes.
    dates
        First and second date of A, then of B.
    bands
        What the bands of A hold, as for `predict`.
    bands_b
        What those of B hold.
    force
        Replace a file that is there already.
    """
    from glsweep.difference import take_difference

    take_difference(
        first,
        second,
        open_console(),
        out=out,
        dates=dates,
        bands=bands,
        bands_of_second=bands if bands_b is None else bands_b,
        force=force,
    )


def import_weights(
    weights: Annotated[Path, tyro.conf.arg(metavar="WEIGHTS.pth")],
    /,
    *,
    patch_size_px: Annotated[int, tyro.conf.arg(metavar="N")],
    tau: Annotated[float, tyro.conf.arg(metavar="P")],
    posting_m: Annotated[float, tyro.conf.arg(metavar="M")],
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")],
    architecture: Annotated[
        Literal["unet", "attention_unet"] | None,
        tyro.conf.arg(help_behavior_hint="(default: what the file holds)"),
    ] = None,
    wavelength_m: Annotated[float, tyro.conf.arg(metavar="M")] = C_BAND_WAVELENGTH_M,
    channels: tuple[Channel, ...] = ("phase", "magnitude"),
    debug: Debug = False,
) -> None:
    """Make a member for `predict` and `score` of a published U-Net's or Attention U-Net's weights.

    Parameters
    ----------
    weights
        A file of torch.save that holds a state dict; objects are never unpickled.
    patch_size_px
        Side of the patches that the network was trained on.
    tau
        Probability from which a pixel is line.
    posting_m
        Side of a pixel of its training data.
    out
        Where the member goes: model.safetensors and card.json.
    architecture
        Which network the file must hold.
    wavelength_m
        The radar's, of its training data.
    channels
        What the network sees, in order; magnitudes as they are.
    """
    from glsweep.nets.published import import_member

    card = import_member(
        weights,
        out,
        architecture=architecture,
        patch_size_px=patch_size_px,
        tau=tau,
        posting_m=posting_m,
        wavelength_m=wavelength_m,
        channels=channels,
    )
    summary = f"{card.architecture} {card.patch_size_px}, sees {', '.join(card.channels)}, tau {card.tau:g}"
    open_console().print(f"{summary}; written to {out}", highlight=False, soft_wrap=True)
