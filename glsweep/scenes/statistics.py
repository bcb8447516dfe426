"""What can be said of an interferogram without knowing its lines."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

COHERENCE_BOX_PX = 5


def local_coherence(
    interferogram: npt.NDArray[np.complex64], box_px: int = COHERENCE_BOX_PX
) -> npt.NDArray[np.float32]:
    """Return how well the phases around each pixel agree: 1 where they are equal.

    The length of the mean of the unit phasors in a box of `box_px` x `box_px`. Noise alone gives
    sqrt(pi) / (2 box_px), .18 for 5 px.

    Parameters
    ----------
    interferogram : complex64 array (rows, cols)
        0 where there is no data.
    box_px : int
        Side of the box, odd.

    Returns
    -------
    float32 array (rows, cols)
        NaN where any pixel of the box holds no data or lies outside.
    """
    valid = interferogram != 0
    phasor = np.divide(interferogram, np.abs(interferogram), out=np.zeros_like(interferogram), where=valid)
    mean = uniform_filter(phasor.real, box_px, mode="constant") + 1j * uniform_filter(
        phasor.imag, box_px, mode="constant"
    )
    whole = uniform_filter(valid.astype(np.float32), box_px, mode="constant") > 1 - 0.5 / box_px**2
    return np.where(whole, np.abs(mean), np.nan).astype(np.float32)
