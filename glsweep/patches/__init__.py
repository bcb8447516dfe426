"""Training crops: where they are cut, how ground is split, and where they are kept."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glsweep.scenes import UNSURE

FARTHEST_PX2 = 2**15 - 1
"""Squared distance from a line, in pixels, of whatever lies as far as this (181 pixels) or farther."""


@dataclass(frozen=True)
class PatchArrays:
    """Patches of one split and one size.

    Attributes
    ----------
    image : float32 array (N, 2, S, S)
        Real and imaginary part as the scene has them; 0 where there is no data.
    mask : uint8 array (N, S, S)
        1 on the line, 0 elsewhere.
    posting_m : float
        Side of a pixel in metres.
    amplitude_scale : float
        Root mean square magnitude of the TRAINING split's valid pixels; the networks' input is
        divided by it, and it is stored with the weights.
    target : uint8 array (N, S, S) or None
        What is trained on where it differs from the mask: `FULL` for a line, less where the label is softer,
        `UNSURE` where nobody can tell. The mask is what is scored in any case.
    scene : int array (N,) or None
        Place of each patch's scene in the order in which `train_scenes` takes them; None where no trial
        may take fewer than all.
    distance_px2 : int16 array (N, S, S) or None
        Squared distance in pixels from the line that is scored, in the patch or beyond its edges, at most
        `FARTHEST_PX2`; a whole number, since it leads from pixel centre to pixel centre. None where no
        trial has a label of its own; `thin` likewise.
    thin : uint8 array (N, S, S) or None
        The line as Bresenham's algorithm draws it, with the values of `target`.
    zone : uint8 array (N, S, S) or None
        0 where ice is grounded, 1 where it floats; None where the card does not say.
    """

    image: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint8]
    posting_m: float
    amplitude_scale: float
    target: npt.NDArray[np.uint8] | None = None
    scene: npt.NDArray[np.int64] | None = None
    distance_px2: npt.NDArray[np.int16] | None = None
    thin: npt.NDArray[np.uint8] | None = None
    zone: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.image)

    @property
    def has_line(self) -> npt.NDArray[np.bool_]:
        """Whether each patch holds a line, (N,)."""
        return np.asarray(self.mask.any(axis=(1, 2)))

    @property
    def is_known(self) -> npt.NDArray[np.bool_]:
        """Pixels of which somebody can tell whether they are line, (N, S, S)."""
        return np.ones(self.mask.shape, np.bool_) if self.target is None else self.target != UNSURE

    def rows_of(self, scenes: int | None) -> npt.NDArray[np.int64] | None:
        """Return which patches an epoch on the first `scenes` scenes takes; None for each of all once.

        They are as many as there are in all, each several times: so trials on few scenes and on many
        take as many steps, and differ in what they see alone.
        """
        if scenes is None or self.scene is None:
            return None
        return np.resize(np.flatnonzero(self.scene < scenes), len(self))
