"""The commands that are not stages; heavy imports wait inside them.

To add one, write a function whose parameters are its options and whose first line of docstring is
its help, and enter it in `COMMANDS`.
"""

from collections.abc import Callable

from glsweep.commands.common import keep_ray_on_loopback
from glsweep.commands.of_beginnings import check, difference, doctor, import_weights
from glsweep.commands.of_lines import compare, predict, score, zone
from glsweep.commands.of_studies import replay, status, track

__all__ = ["COMMANDS", "keep_ray_on_loopback"]

COMMANDS: dict[str, Callable[..., int | None]] = {
    "predict": predict,
    "score": score,
    "compare": compare,
    "zone": zone,
    "check": check,
    "difference": difference,
    "import-weights": import_weights,
    "doctor": doctor,
    "status": status,
    "replay": replay,
    "track": track,
}
