"""The stage `calibrate`: on validation, the probability from which a pixel is line, and how far lines err."""

from collections.abc import Sequence
from typing import Any

from glsweep.config.trial import Stratum
from glsweep.files import read_json, write_json
from glsweep.nets.member import load_member, write_card
from glsweep.patches.store import open_patches
from glsweep.predict.network import Member
from glsweep.predict.split_scenes import SplitScene, split_scenes
from glsweep.predict.uncertainty import learn_uncertainty
from glsweep.study import Study
from glsweep.sweep.failures import Failures, kept_apart, surviving, told
from glsweep.training.inference import calibrate_on


def calibrate(study: Study) -> dict[str, Any]:
    """Choose every member's threshold, learn its lines' uncertainty, and write both into its card.

    Thresholds are written into `calibration.json` too.

    Returns
    -------
    dict
        `chosen`, from a stratum's key `tau` and `on_grid_edge`; `failed`, the members that have none.
    """
    scenes = split_scenes(study, "val")
    curves: dict[str, dict[str, Any]] = {}
    failed: Failures = {}
    for key in surviving(study, read_json(study.winners_json)):
        with kept_apart(failed, study, "calibrate", key):
            curves[key] = _calibrated(study, Stratum.parse(key), scenes)
    write_json(study.calibration_json, curves)
    chosen = {key: {name: curve[name] for name in ("tau", "on_grid_edge")} for key, curve in curves.items()}
    return {"chosen": chosen, "failed": told(failed)}


def _calibrated(study: Study, stratum: Stratum, scenes: Sequence[SplitScene]) -> dict[str, Any]:
    settings, tolerance_m = study.config.space.calibration, study.config.space.search.tolerance_m
    network, card = load_member(study.member(stratum))
    val = open_patches(study, stratum.patch_size_px).arrays("val")
    curve = calibrate_on(val, network, card.channels, settings, tolerance_m=tolerance_m)
    card = card.model_copy(update={"tau": curve["tau"]})
    uncertainty, why_not = learn_uncertainty(
        Member(stratum.key, network, card), scenes, study.member(stratum)
    )
    learnt = {"uncertainty": uncertainty, "uncertainty_unknown": why_not}
    write_card(study.member(stratum), card.model_copy(update=learnt))
    return curve
