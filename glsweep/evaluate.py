"""The stage `evaluate`: the study's table, on patches that no network has seen."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from glsweep.config.trial import Stratum
from glsweep.files import read_json, replacing, write_json
from glsweep.metrics.boundary import boundary_scores
from glsweep.metrics.pixel import pixel_scores
from glsweep.metrics.thresholds import ThresholdCounts, count_at_thresholds, truth_within
from glsweep.nets.build import build_network, count_parameters
from glsweep.nets.member import load_card_of, load_member
from glsweep.patches.arrays import PatchArrays
from glsweep.patches.store import open_patches
from glsweep.randomness import generator_for
from glsweep.study import Study
from glsweep.training.inference import calibrate_on, predict_patches

EXAMPLES = 4
BOOTSTRAP_DRAWS = 1000


@dataclass(frozen=True)
class HeldOut:
    """The test patches of one size, and what is needed to score predictions on them."""

    patches: PatchArrays
    tolerance_m: float
    seed: int

    def score(self, probability: npt.NDArray[np.float32], tau: float) -> dict[str, Any]:
        """Return every figure of the table for probabilities (N, S, S) at one threshold."""
        predicted = probability >= np.float32(tau)
        truth = self.patches.mask.astype(bool)
        posting_m = self.patches.posting_m
        rows = []
        for one, line in zip(predicted, truth, strict=True):
            boundary = boundary_scores(one, line, tolerance_m=self.tolerance_m, posting_m=posting_m)
            rows.append({**pixel_scores(one, line)._asdict(), **vars(boundary)})
        scores = pd.DataFrame(rows).rename(columns={"bf_score": "bf"})
        has_line = self.patches.has_line
        counts = count_at_thresholds(
            torch.from_numpy(predicted.astype(np.float32)),
            truth_within(self.patches.mask, self.tolerance_m, posting_m),
            torch.tensor([0.5]),
        )
        low, high = self._interval(counts)
        return {
            **{str(name): float(value) for name, value in scores.mean().items()},
            "dice_with_line": float(scores["dice"][has_line].mean()),
            "dice_micro": float(counts.dice()[0]),
            "hd95_m": float(scores["hd95_px"].mean()) * posting_m,
            "relaxed_f1": float(counts.relaxed_f1()[0]),
            "relaxed_f1_low": low,
            "relaxed_f1_high": high,
            "empty_predictions": int((~predicted.any(axis=(1, 2))).sum()),
            "patches_with_line": int(has_line.sum()),
            "patches_without_line": int((~has_line).sum()),
        }

    def _interval(self, counts: ThresholdCounts) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of the relaxed F1 over patches.

        Patches that overlap are not independent, so that the true interval is wider.
        """
        generator = generator_for(self.seed, "bootstrap", len(counts))
        draws = torch.from_numpy(generator.integers(len(counts), size=(BOOTSTRAP_DRAWS, len(counts))))
        values = [float(counts.select(draw).relaxed_f1()[0]) for draw in draws]
        low, high = np.percentile(values, [2.5, 97.5])
        return float(low), float(high)


def evaluate(study: Study) -> dict[str, Any]:
    """Score members and baselines on the test split; write the table and each member's examples."""
    tolerance_m, seed = study.config.space.search.tolerance_m, study.config.seed
    strata = [Stratum.parse(key) for key in read_json(study.winners_json)]
    sizes = sorted({stratum.patch_size_px for stratum in strata})
    tests = {size: HeldOut(open_patches(study, size).arrays("test"), tolerance_m, seed) for size in sizes}
    rows, baselines = [], []
    for size in sizes:
        baselines += _trivial_rows(tests[size], size)
    for stratum in strata:
        test = tests[stratum.patch_size_px]
        rows.append(_member_row(study, stratum, test))
        baselines.append(_untrained_row(study, stratum, test))
    posting_m = tests[sizes[0]].patches.posting_m
    table = {"tolerance_m": tolerance_m, "posting_m": posting_m, "rows": rows, "baselines": baselines}
    write_json(study.table_json, table)
    with replacing(study.table_csv) as beside:
        pd.DataFrame([*rows, *baselines]).to_csv(beside, index=False)
    return {row["stratum"]: {"relaxed_f1": row["relaxed_f1"], "dice": row["dice"]} for row in rows}


def _member_row(study: Study, stratum: Stratum, test: HeldOut) -> dict[str, Any]:
    network, card = load_member(study.member(stratum))
    probability = predict_patches(network, test.patches, card.channels)
    _keep_examples(study, stratum, test.patches, probability)
    assert card.tau is not None, "calibrated before it is evaluated"
    return {
        **_identity(stratum, stratum.title, "network"),
        **test.score(probability, card.tau),
        "tau": card.tau,
        "parameters": count_parameters(network),
    }


def _untrained_row(study: Study, stratum: Stratum, test: HeldOut) -> dict[str, Any]:
    """Score the network as it is before training, with a threshold chosen like any other."""
    card = load_card_of(study.member(stratum))
    network = build_network(
        card.architecture, in_channels=len(card.channels), base_width=card.base_width, seed=card.seed
    ).eval()
    val = open_patches(study, stratum.patch_size_px).arrays("val")
    settings = study.config.space.calibration
    tau = calibrate_on(val, network, card.channels, settings, tolerance_m=test.tolerance_m)["tau"]
    probability = predict_patches(network, test.patches, card.channels)
    return {
        **_identity(stratum, f"untrained {stratum.title}", "untrained"),
        **test.score(probability, tau),
        "tau": tau,
        "parameters": count_parameters(network),
    }


def _trivial_rows(test: HeldOut, size_px: int) -> list[dict[str, Any]]:
    """Score the two predictors that look at nothing: a line everywhere, and a line nowhere."""
    shape = test.patches.mask.shape
    kinds = {"all_line": np.ones(shape, np.float32), "no_line": np.zeros(shape, np.float32)}
    return [
        {
            "stratum": None,
            "title": f"{kind.replace('_', '-')} {size_px}",
            "kind": kind,
            "architecture": None,
            "patch_size_px": size_px,
            **test.score(probability, 0.5),
            "tau": None,
            "parameters": 0,
        }
        for kind, probability in kinds.items()
    ]


def _identity(stratum: Stratum, title: str, kind: str) -> dict[str, Any]:
    return {
        "stratum": stratum.key,
        "title": title,
        "kind": kind,
        "architecture": stratum.architecture,
        "patch_size_px": stratum.patch_size_px,
    }


def _keep_examples(
    study: Study, stratum: Stratum, patches: PatchArrays, probability: npt.NDArray[np.float32]
) -> None:
    """Keep patches spread evenly over those with a line, the same for every member of a size."""
    with_line = np.flatnonzero(patches.has_line)
    chosen = with_line[np.linspace(0, len(with_line) - 1, min(EXAMPLES, len(with_line))).round().astype(int)]
    with replacing(study.member(stratum) / "examples.npz") as beside:
        np.savez_compressed(
            beside,
            image=patches.image[chosen],
            mask=patches.mask[chosen],
            probability=probability[chosen],
        )
