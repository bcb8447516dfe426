"""The stage `calibrate`: on validation, the probability from which a pixel is line, and how far lines err."""

from typing import Any

from glsweep.config.trial import Stratum
from glsweep.files import read_json, write_json
from glsweep.nets.member import load_member, write_card
from glsweep.patches.store import open_patches
from glsweep.predict.network import Member
from glsweep.predict.split_scenes import split_scenes
from glsweep.predict.uncertainty import learn_uncertainty
from glsweep.study import Study
from glsweep.training.inference import calibrate_on


def calibrate(study: Study) -> dict[str, Any]:
    """Choose every member's threshold, learn its lines' uncertainty, and write both into its card.

    Thresholds are written into `calibration.json` too.
    """
    settings, tolerance_m = study.config.space.calibration, study.config.space.search.tolerance_m
    scenes, curves = split_scenes(study, "val"), {}
    for key in read_json(study.winners_json):
        stratum = Stratum.parse(key)
        network, card = load_member(study.member(stratum))
        val = open_patches(study, stratum.patch_size_px).arrays("val")
        curves[key] = calibrate_on(val, network, card.channels, settings, tolerance_m=tolerance_m)
        card = card.model_copy(update={"tau": curves[key]["tau"]})
        uncertainty = learn_uncertainty(Member(key, network, card), scenes, study.member(stratum))
        write_card(study.member(stratum), card.model_copy(update={"uncertainty": uncertainty}))
    write_json(study.calibration_json, curves)
    return {key: {name: curve[name] for name in ("tau", "on_grid_edge")} for key, curve in curves.items()}
