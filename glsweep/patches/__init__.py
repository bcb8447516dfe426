"""Training crops: where they are cut, how ground is split, and where they are kept."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


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
        What is trained on, 255 for a line, where the label is wider or softer than the line; the
        mask is what is scored in any case.
    """

    image: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint8]
    posting_m: float
    amplitude_scale: float
    target: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.image)

    @property
    def has_line(self) -> npt.NDArray[np.bool_]:
        """Whether each patch holds a line, (N,)."""
        return np.asarray(self.mask.any(axis=(1, 2)))
