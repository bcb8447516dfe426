"""A member is its winner, trained with the winner's seed: the best epoch's weights, and a card that tells."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from made_configs import study_config
from rich.console import Console
from sweeps import figures, journal_at, planned

from glsweep.config.space import NoStopping
from glsweep.config.trial import TrialParameters
from glsweep.files import read_json, write_json
from glsweep.nets.member import load_member
from glsweep.patches.arrays import PatchArrays
from glsweep.patches.store import open_patches, store_folder
from glsweep.retrain import plan_member, retrain
from glsweep.study import Study, create_study
from glsweep.sweep.winners import winners
from glsweep.training.fit import Schedule, fit
from glsweep.training.state import fresh_state

SIZE_PX, SEED, KEY = 32, 11, "unet-32"
EPOCHS = 5
OPTIMISER = {"learning_rate": 1.0, "weight_decay": 0.05, "batch_size": 3, "gradient_clip": 0.7}


def write_patches(study: Study) -> None:
    """Noise with one bright row, which is the line, written as the stage `prepare` writes it."""
    generator = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        folder = store_folder(study, SIZE_PX) / split
        folder.mkdir(parents=True)
        image = generator.normal(0, 0.3, (7, 2, SIZE_PX, SIZE_PX)).astype(np.float32)
        mask = np.zeros((7, SIZE_PX, SIZE_PX), np.uint8)
        for n in range(6):
            mask[n, 4 * n + 3] = 1
            image[n, :, 4 * n + 3] += 2
        np.save(folder / "image.npy", image)
        np.save(folder / "mask.npy", mask)
    meta = {"size_px": SIZE_PX, "posting_m": 100.0, "amplitude_scale": 0.7}
    write_json(store_folder(study, SIZE_PX) / "meta.json", meta)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study whose sweep is over; what the retraining asks for differs from what the winner had."""
    folder = tmp_path_factory.mktemp("retrained")
    settings = {**OPTIMISER, "epochs": EPOCHS, "patience": 4, "monitor": "val_loss"}
    study = create_study(folder / "study", study_config(retraining=settings))
    write_patches(study)
    journal = journal_at(folder / "ledger.jsonl", epochs=1, stopping=NoStopping())
    trial = planned(SEED, patch_size_px=SIZE_PX)
    parameters = trial.parameters.model_copy(
        update={"base_width": 2, "augmentation": ("dihedral",), "precision": "float32"}
    )
    journal.start(trial.model_copy(update={"parameters": parameters}))
    journal.report(trial.trial_id, 1, figures(0.5), last=True)
    write_json(study.winners_json, winners(journal.records, "relaxed_f1"))
    return study


def won(study: Study) -> TrialParameters:
    return TrialParameters.model_validate(read_json(study.winners_json)[KEY]["parameters"])


def test_a_member_has_its_winners_seed_and_its_configuration(study: Study) -> None:
    member = plan_member(study, 0, KEY, read_json(study.winners_json)[KEY])
    assert member.seed == SEED
    assert member.parameters == won(study).model_copy(update=OPTIMISER)
    assert member.stratum.key == KEY


def arrays(study: Study, split: str) -> PatchArrays:
    return open_patches(study, SIZE_PX).arrays(split)  # type: ignore[arg-type]


@pytest.mark.ray
def test_a_member_is_the_best_epoch_of_the_plain_loop_with_the_winners_seed(study: Study) -> None:
    retrain(study, address=None, storage=None, console=Console(file=io.StringIO()))
    parameters = won(study).model_copy(update=OPTIMISER)
    state = fresh_state(parameters, seed=SEED, device=torch.device("cpu"))
    schedule = Schedule(EPOCHS, study.config.space.search.tolerance_m, "val_loss", patience=4, keep_best=True)
    told = list(fit(state, parameters, arrays(study, "train"), arrays(study, "val"), schedule, seed=SEED))
    best = min(told, key=lambda report: report.val_loss)
    network, card = load_member(study.member(won(study).stratum))
    assert 1 <= best.epoch < len(told), "the last epoch is the best: this tests nothing"
    assert (card.best_epoch, card.seed, card.amplitude_scale, card.tau) == (best.epoch, SEED, 0.7, None)
    assert card.figures["val_loss"] == pytest.approx(best.val_loss, rel=1e-6)
    assert TrialParameters.model_validate(card.parameters) == parameters
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, state.best_weights[name], rtol=1e-5, atol=1e-6)
    history = pd.read_csv(Path(study.member(won(study).stratum)) / "history.csv")
    assert list(history["epoch"]) == [report.epoch for report in told]
    for figure in ("train_loss", "val_loss", "relaxed_f1"):
        assert list(history[figure]) == pytest.approx([dataclasses.asdict(r)[figure] for r in told], rel=1e-6)
