"""From the options of a command to open networks and a way to draw: checked before anything is written."""

from rich.console import Console

from glsweep.errors import ConfigError
from glsweep.predict.members import EMBEDDED, choose_device, common_tau, open_members
from glsweep.predict.network import Member
from glsweep.predict.options import DrawingOptions
from glsweep.predict.scene import Drawing
from glsweep.predict.uncertainty import uncertainty_of
from glsweep.predict.windows import GRID_PX
from glsweep.training.host_memory import keep_freed_memory

PATCHES_A_WINDOW = 2


def check_options(options: DrawingOptions) -> None:
    """Make sure that every number can be meant.

    Raises
    ------
    ConfigError
        When an option has a bad value.
    """
    for name, value, low, high in (("overlap", options.overlap, 0, 0.9), ("tau", options.tau, 0, 1)):
        if value is not None and not low <= value <= high:
            raise ConfigError(f"--{name} {value:g}: is not between {low:g} and {high:g}; choose one that is")
    if options.window_px is not None and (options.window_px < GRID_PX or options.window_px % GRID_PX):
        raise ConfigError(f"--window-px {options.window_px}: is no multiple of {GRID_PX}; choose one that is")
    for name, value in (("shortest-m", options.shortest_m), ("bridge-m", options.bridge_m)):
        if value < 0:
            raise ConfigError(f"--{name} {value:g}: is negative; choose 0 or more")


def open_drawing(options: DrawingOptions, console: Console) -> tuple[list[Member], Drawing]:
    """Open the networks, and settle what the options leave to them.

    Raises
    ------
    ConfigError
        When the device cannot be used, or the models do not go together.
    StudyError
        When a model cannot be found or read.
    """
    keep_freed_memory()
    device = choose_device(options.device)
    members = open_members(options.model or (str(EMBEDDED),), device)
    if not options.model:
        console.print(
            "drawing with the network in the package, which knows simulated scenes alone "
            "(docs/network.md); name your own with --model",
            highlight=False,
        )
    tau = common_tau(members) if options.tau is None else options.tau
    drawing = Drawing(
        window_px=options.window_px or PATCHES_A_WINDOW * max(m.card.patch_size_px for m in members),
        overlap=options.overlap,
        turned=options.turned,
        tau=tau,
        shortest_m=options.shortest_m,
        bridge_m=options.bridge_m,
        formats=options.formats,
        device=device,
        uncertainty=uncertainty_of(members, tau=tau, turned=options.turned),
    )
    return members, drawing
