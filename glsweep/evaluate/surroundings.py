"""How clear patches are, all over and where the line runs: what makes one data set harder than another."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from glsweep.metrics.tolerance import radius_px
from glsweep.nets.channels import has_data
from glsweep.patches.arrays import PatchArrays
from glsweep.scenes.statistics import local_coherence

NEAR_LINE_PX = 3
COHERENCE_EDGES = (0.3, 0.6)
"""Below the first fringes can hardly be seen, above the last they are clear."""


def patch_coherence(patches: PatchArrays) -> npt.NDArray[np.float32]:
    """Return the local coherence of every pixel, (N, S, S); NaN where data is missing nearby."""
    return np.stack([local_coherence(real + 1j * imaginary) for real, imaginary in patches.image])


def data_facts_of(patches: PatchArrays, coherence: npt.NDArray[np.float32]) -> dict[str, float | int | None]:
    """Return what is to be known of patches: their number, data, lines and coherence.

    Parameters
    ----------
    patches : PatchArrays
        Of one data set.
    coherence : float32 array (N, S, S)
        As `patch_coherence` gives it.

    Returns
    -------
    dict
        Counts of patches; `valid_share` (of pixels); `line_share` (of the pixels with data of patches
        with a line); `coherence` and `line_coherence`, medians over all pixels and over those within
        NEAR_LINE_PX of the line, None where there is none.
    """
    with_line, seen = patches.has_line, has_data(patches.image)
    near = np.stack([_distance_px(mask > 0) <= NEAR_LINE_PX for mask in patches.mask])
    return {
        "patches_with_line": int(with_line.sum()),
        "patches_without_line": int((~with_line).sum()),
        "valid_share": float(seen.mean()),
        "line_share": float(patches.mask[seen & with_line[:, None, None]].mean()) if with_line.any() else 0.0,
        "coherence": _median(coherence),
        "line_coherence": _median(coherence[near]),
    }


def recall_by_coherence(
    patches: PatchArrays,
    coherence: npt.NDArray[np.float32],
    predicted: npt.NDArray[np.bool_],
    tolerance_m: float,
) -> list[dict[str, float | int | None]]:
    """Return the relaxed recall apart for line pixels in noisy, fair and clear surroundings.

    Parameters
    ----------
    patches : PatchArrays
        Of one data set.
    coherence : float32 array (N, S, S)
        As `patch_coherence` gives it; line pixels where it is NaN count as noisy.
    predicted : bool array (N, S, S)
        The prediction at its threshold, where there is data.
    tolerance_m : float
        A line pixel is found when a prediction lies within.

    Returns
    -------
    list of dict
        One a class of coherence, ascending: `line_px`, and `recall` (None without line pixels).
    """
    radius = radius_px(tolerance_m, patches.posting_m)
    on_line = patches.mask > 0
    hits = np.concatenate(
        [_distance_px(one)[line] <= radius for one, line in zip(predicted, on_line, strict=True)]
    )
    classes = np.digitize(np.nan_to_num(coherence[on_line]), COHERENCE_EDGES)
    rows: list[dict[str, float | int | None]] = []
    for number in range(len(COHERENCE_EDGES) + 1):
        here = hits[classes == number]
        rows.append({"line_px": len(here), "recall": float(here.mean()) if len(here) else None})
    return rows


def _distance_px(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return each pixel's distance to the nearest true one of `mask` (S, S); infinite if there is none."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return np.asarray(distance_transform_edt(~mask))


def _median(values: npt.NDArray[np.float32]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None
