"""The same members on each data set apart, and what the difference comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from glsweep.config.space import Calibration
from glsweep.evaluate.held_out import HeldOut
from glsweep.evaluate.surroundings import data_facts_of, patch_coherence, recall_by_coherence
from glsweep.metrics.calibration import choose_threshold
from glsweep.metrics.thresholds import count_at_thresholds

Probability = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DataSets:
    """The test patches of one size, parted by the data set that they are from.

    Attributes
    ----------
    of_patch : str array (N,)
        The data set of each test patch.
    tests : mapping of str to HeldOut
        The patches of each data set, the study's own before those that are for test alone.
    coherence : mapping of str to float32 array (N, S, S)
        Local coherence of the same patches.
    """

    of_patch: npt.NDArray[np.str_]
    tests: Mapping[str, HeldOut]
    coherence: Mapping[str, npt.NDArray[np.float32]]

    def facts(self) -> dict[str, dict[str, Any]]:
        """Return what is to be known of each data set's patches."""
        return {name: data_facts_of(t.patches, self.coherence[name]) for name, t in self.tests.items()}

    def score(self, probability: Probability, tau: float, settings: Calibration) -> dict[str, Any]:
        """Score one network's probabilities (N, S, S) on each data set apart.

        Returns
        -------
        dict
            By data set: the table's figures at `tau`; `relaxed_precision` and `relaxed_recall`;
            `best_tau` and `best_relaxed_f1`, what a threshold chosen on these very patches would
            give; `recall_by_coherence`.
        """
        return {
            name: self._score_one(name, probability[self.of_patch == name], tau, settings)
            for name in self.tests
        }

    def _score_one(
        self, name: str, probability: Probability, tau: float, settings: Calibration
    ) -> dict[str, Any]:
        test = self.tests[name]
        given = torch.from_numpy(probability)
        counts = count_at_thresholds(given, test.truth, torch.tensor([tau]))
        own = choose_threshold(given, test.truth, settings.model_copy(update={"criterion": "relaxed_f1"}))
        predicted = (probability >= np.float32(tau)) & test.has_data
        return {
            **test.score(probability, tau),
            "relaxed_precision": float(counts.relaxed_precision()[0]),
            "relaxed_recall": float(counts.relaxed_recall()[0]),
            "best_tau": own["tau"],
            "best_relaxed_f1": max(own["values"]),
            "recall_by_coherence": recall_by_coherence(
                test.patches, self.coherence[name], predicted, test.tolerance_m
            ),
        }


def part_data_sets(test: HeldOut, of_patch: npt.NDArray[np.str_], order: list[str]) -> DataSets:
    """Part all test patches by data set, in `order`; data sets without a patch are left out."""
    tests = {name: test.select(of_patch == name) for name in order if name in of_patch}
    return DataSets(of_patch, tests, {name: patch_coherence(part.patches) for name, part in tests.items()})
