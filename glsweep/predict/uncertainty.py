"""How uncertain drawn lines are, in metres: learnt on validation scenes, held to account on test scenes."""

from collections.abc import Sequence
from pathlib import Path

from glsweep.metrics.line_uncertainty import NEAR_M, SHARE, factor_that_holds
from glsweep.nets.member import LineUncertainty
from glsweep.predict.network import Member
from glsweep.predict.scene import draw_scene
from glsweep.predict.split_scenes import SplitScene, drawing_of_study


def learn_uncertainty(
    member: Member, scenes: Sequence[SplitScene], folder: Path
) -> tuple[LineUncertainty | None, str]:
    """Let a member draw the validation scenes, and learn how far the true lines lie from its own.

    Parameters
    ----------
    member : Member
        With its threshold, on the CPU.
    scenes : sequence of SplitScene
        Those of validation.
    folder : Path
        Where there is room for a scene's probability meanwhile.

    Returns
    -------
    LineUncertainty or None, str
        None where too few scenes, or too different ones, have lines near a true one; the text says which.

    Raises
    ------
    DataError
        When a scene cannot be read.
    """
    drawing = drawing_of_study(member.card)
    found = [one.pieces_in_band(draw_scene(one.header, member, drawing, folder)) for one in scenes]
    learnt = factor_that_holds(found)
    if learnt.value is None:
        return None, learnt.unknown_because
    uncertainty = LineUncertainty(
        factor=learnt.value,
        share=SHARE,
        near_m=NEAR_M,
        tau=drawing.tau,
        km=sum(float(one.length_m.sum()) for one in found) / 1000,
        scenes=learnt.scenes,
    )
    return uncertainty, ""


def uncertainty_of(members: Sequence[Member], *, tau: float, turned: bool) -> LineUncertainty | None:
    """Return what makes metres of the width of bands that are drawn so.

    None where nobody has measured such bands: those of several members' mean, of turned copies, or at
    another threshold than that of the validation.
    """
    uncertainty = members[0].card.uncertainty
    if len(members) > 1 or turned or uncertainty is None or uncertainty.tau != tau:
        return None
    return uncertainty
