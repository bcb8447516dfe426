"""Curves of every member on the test patches, as the stage `evaluate` would leave them."""

import numpy as np
import torch
from synthetic_members import QUALITY

from glsweep.config.trial import Stratum
from glsweep.evaluate.patches import HeldOut, member_curves
from glsweep.patches import PatchArrays
from glsweep.study import Study
from glsweep.study.artifacts import write_artifact
from glsweep.study.evaluation_artifacts import Curves, MemberCurves

SIZE_PX = 48


def add_curves(study: Study, strata: tuple[Stratum, ...]) -> Study:
    """Measure members that are the surer of the line the better they are."""
    mask = np.zeros((6, SIZE_PX, SIZE_PX), np.uint8)
    mask[:, :, SIZE_PX // 2] = 1
    test = HeldOut(PatchArrays(np.ones((6, 2, SIZE_PX, SIZE_PX), np.float32), mask, 100.0, 1.0), 200.0, 0)
    members = tuple(
        MemberCurves(
            stratum=stratum.key,
            title=stratum.title,
            kind="network",
            architecture=stratum.architecture,
            patch_size_px=stratum.patch_size_px,
            **member_curves(test, _probability(mask, QUALITY[stratum.architecture]), 0.5).model_dump(),
        )
        for stratum in strata
    )
    write_artifact(study.curves_json, Curves(tolerance_m=200.0, members=members))
    return study


def _probability(mask: np.ndarray, quality: float) -> np.ndarray:
    """Return noise above which a line stands out, one column off in some patches and five in others."""
    rng = np.random.default_rng(1)
    off = np.stack([np.roll(one, 1 if n % 3 else 5, axis=1) for n, one in enumerate(mask)])
    logit = rng.normal(-3, 1.5, mask.shape) + off * 8 * quality
    return torch.from_numpy(logit).sigmoid().numpy().astype(np.float32)
