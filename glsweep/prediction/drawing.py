"""How scenes are predicted and lines are drawn, and the note of it beside what was made."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from glsweep.config.trial import FilterName
from glsweep.files import write_json
from glsweep.nets.member import LineUncertainty
from glsweep.prediction import Format, Scheme
from glsweep.prediction.blend import Member, SceneInput
from glsweep.prediction.near import Prior
from glsweep.vectorize import DrawnLine


@dataclass(frozen=True)
class Drawing:
    """How scenes are predicted and lines are drawn.

    Attributes
    ----------
    window_px : int
        Side of a window.
    overlap : float
        Share of its side that a window has in common with the next.
    turned : bool
        Whether to average over flips and quarter turns.
    tau : float
        Probability from which a pixel is line.
    shortest_m, bridge_m : float
        Shorter lines are left out; gaps up to this length are bridged.
    formats : tuple of str
        Of the files of lines.
    device : torch.device
        Where the networks are.
    uncertainty : LineUncertainty or None
        What makes metres of a band's width; None where it was not learnt for lines that are drawn so.
    prior : Prior or None
        Only what lies near these lines is kept.
    filters : tuple of str
        What probabilities are averaged over besides: the phase as it is (raw), or filtered.
    scheme : str
        Whose columns the files of lines have.
    """

    window_px: int
    overlap: float
    turned: bool
    tau: float
    shortest_m: float
    bridge_m: float
    formats: tuple[Format, ...]
    device: torch.device
    uncertainty: LineUncertainty | None = None
    prior: Prior | None = None
    filters: tuple[FilterName, ...] = ("raw",)
    scheme: Scheme = "glsweep"

    def settings(self) -> dict[str, float | bool | tuple[FilterName, ...]]:
        """Return all on which the lines depend, to be written beside them."""
        return {
            "tau": self.tau,
            "window_px": self.window_px,
            "overlap": self.overlap,
            "turned": self.turned,
            "filters": self.filters,
            "shortest_m": self.shortest_m,
            "bridge_m": self.bridge_m,
        }


def length_km(lines: Sequence[DrawnLine]) -> float:
    """Return the length of all lines on the ground, in km."""
    return sum(one.length_m for one in lines) / 1000


def write_note(
    path: Path,
    scene: SceneInput,
    members: Sequence[Member],
    drawing: Drawing,
    lines: Sequence[DrawnLine],
    *,
    noted_as: str,
    before_km: float | None,
) -> None:
    """Write down how the files were made, so that they can be made again."""
    write_json(
        path,
        {
            "scene": noted_as,
            "posting_m": scene.header.posting_m,
            "looks": scene.looks,
            "members": [
                {
                    "name": member.name,
                    "weights_hash": member.weights_hash,
                    "card": member.card.model_dump(mode="json"),
                }
                for member in members
            ],
            **drawing.settings(),
            "uncertainty": drawing.uncertainty.model_dump(mode="json") if drawing.uncertainty else None,
            "lines": len(lines),
            "length_km": length_km(lines),
            "near": drawing.prior and {**drawing.prior.settings(), "length_km_before": before_km},
        },
    )
