"""How well a network holds on scenes without labels: what its lines tell of themselves."""

from collections.abc import Sequence
from typing import NamedTuple

from glsweep.adaptation.scenes import LinePixels, TaughtScene
from glsweep.config.trial import FilterName
from glsweep.nets.member import Agreement
from glsweep.prediction.blend import Member
from glsweep.prediction.drawing import Drawing

CHECKED_FILTERS: tuple[FilterName, ...] = ("boxcar3", "goldstein.6", "multilooked")
TAUS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Near(NamedTuple):
    """How many pixels of some lines are near others, and how many there are."""

    near: int
    all: int

    @classmethod
    def of(cls, own: LinePixels, other: LinePixels) -> "Near":
        """Count pixels of `own` within the tolerance of `other`."""
        return cls(int((own.lines & other.surroundings).sum()), int(own.lines.sum()))


class SceneCounts(NamedTuple):
    """What is drawn in one scene at one threshold, counted without labels.

    Attributes
    ----------
    filtered : tuple of pairs of Near
        For each filter: its lines near those from raw phase, and the other way round.
    sure : Near
        The teacher's sure lines near those from raw phase.
    possible : Near
        Lines from raw phase near those that the teacher takes for possible.
    drawn_km : float
        Length of the lines from raw phase.
    """

    filtered: tuple[tuple[Near, Near], ...]
    sure: Near
    possible: Near
    drawn_km: float


def count_lines(
    scene: TaughtScene, member: Member, drawing: Drawing, taus: Sequence[float]
) -> list[SceneCounts]:
    """Draw a scene from raw and filtered phase at each threshold, and count what agrees."""
    names: tuple[FilterName, ...] = ("raw", *CHECKED_FILTERS)
    probabilities = [scene.part.probability(member, drawing, filters=(name,)) for name in names]
    found = []
    for tau in taus:
        raw, *filtered = (scene.part.line_pixels(one, tau, drawing.shortest_m) for one in probabilities)
        found.append(
            SceneCounts(
                tuple((Near.of(one, raw), Near.of(raw, one)) for one in filtered),
                Near.of(scene.sure, raw),
                Near.of(raw, scene.possible),
                int(raw.lines.sum()) * scene.part.posting_m / 1000,
            )
        )
    return found


def agreement(scenes: Sequence[SceneCounts], tau: float) -> Agreement:
    """Return the shares of several scenes, pooled by length, and their harmonic mean.

    It punishes both ways to agree with oneself for nothing: what draws nothing keeps none of the teacher's
    sure lines, what draws everything draws where even the teacher sees nothing.
    """
    by_filter = zip(*(one.filtered for one in scenes), strict=True)
    relaxed_f1 = [
        _harmonic_mean([_share([pair[side] for pair in pairs]) for side in (0, 1)]) for pairs in by_filter
    ]
    filters_agree = sum(relaxed_f1) / len(relaxed_f1)
    sure_kept, borne_out = _share([one.sure for one in scenes]), _share([one.possible for one in scenes])
    return Agreement(
        tau=tau,
        filters_agree=filters_agree,
        sure_kept=sure_kept,
        borne_out=borne_out,
        score=_harmonic_mean([filters_agree, sure_kept, borne_out]),
        drawn_km=sum(one.drawn_km for one in scenes),
    )


def _share(counts: Sequence[Near]) -> float:
    """Return the share of all lines that is near; 0 where there is no line."""
    return sum(one.near for one in counts) / max(1, sum(one.all for one in counts))


def _harmonic_mean(values: Sequence[float]) -> float:
    return len(values) / sum(1 / value for value in values) if min(values) > 0 else 0.0
