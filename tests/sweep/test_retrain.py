"""A member is its winner, trained with the winner's seed: the best epoch's weights, and a card that tells."""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from made_configs import study_config
from rich.console import Console
from safetensors.torch import save_file
from sweeps import figures, journal_at, planned

from glsweep import __version__
from glsweep.config.data_card import SPLITS
from glsweep.config.space import Budget
from glsweep.config.stopping import NoStopping
from glsweep.config.trial import TrialParameters
from glsweep.nets.ensemble import networks_of
from glsweep.nets.member import load_card_of, load_member
from glsweep.nets.published import digest
from glsweep.patches import PatchArrays
from glsweep.patches.store import open_patches, store_folder
from glsweep.retrain import plan_member, plan_members, retrain, retraining_job, write_members
from glsweep.search.plan import PlannedTrial
from glsweep.study import Study, create_study
from glsweep.study.artifacts import PatchCounts, PatchMeta, Winner, Winners, read_artifact, write_artifact
from glsweep.sweep.checkpoints import CheckpointStore
from glsweep.sweep.journal import Journal
from glsweep.sweep.outcomes import winners
from glsweep.sweep.queue import TrialQueue
from glsweep.sweep.records import read_records
from glsweep.training import EpochReport
from glsweep.training.fit import Schedule, fit
from glsweep.training.state import Progress, fresh_state, save_state

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
        (folder / "index.csv").write_text("scene\n" + "a\nb\n" * 3 + "c\n")
    counts = {split: PatchCounts(with_line=6, without_line=1) for split in SPLITS}
    meta = PatchMeta(size_px=SIZE_PX, posting_m=100.0, amplitude_scale=0.7, hash="", counts=counts)
    write_artifact(store_folder(study, SIZE_PX) / "meta.json", meta)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study whose sweep is over; what the retraining asks for differs from what the winner had."""
    return swept(tmp_path_factory.mktemp("retrained"), "unet", seeds=2)


def swept(folder: Path, *architectures: str, seeds: int = 1) -> Study:
    settings = {**OPTIMISER, "epochs": EPOCHS, "patience": 4, "monitor": "val_loss", "seeds": seeds}
    study = create_study(folder / "study", study_config(retraining=settings))
    write_patches(study)
    journal = journal_at(folder / "ledger.jsonl", epochs=1, stopping=NoStopping())
    for number, architecture in enumerate(architectures):
        trial = planned(SEED + number, architecture, SIZE_PX)
        parameters = trial.parameters.model_copy(
            update={"base_width": 2, "augmentation": ("dihedral",), "precision": "float32"}
        )
        journal.start(trial.model_copy(update={"parameters": parameters}))
        journal.report(trial.trial_id, 1, figures(0.5), last=True)
    write_artifact(study.winners_json, Winners(by_stratum=winners(journal.records, "relaxed_f1")))
    return study


def won(study: Study) -> TrialParameters:
    return read_artifact(study.winners_json, Winners).by_stratum[KEY].parameters


def test_a_member_has_its_winners_seed_and_its_configuration(study: Study) -> None:
    member = plan_member(study, 0, KEY, read_artifact(study.winners_json, Winners).by_stratum[KEY])
    assert member.seed == SEED
    assert member.parameters == won(study).model_copy(update=OPTIMISER)
    assert member.stratum.key == KEY


def arrays(study: Study, split: str) -> PatchArrays:
    return open_patches(study, SIZE_PX).arrays(split)  # type: ignore[arg-type]


@pytest.mark.ray
def test_each_network_of_a_member_is_the_best_epoch_of_the_plain_loop_with_its_seed(study: Study) -> None:
    summary = retrain(study, address=None, storage=None, console=Console(file=io.StringIO()))
    folder, parameters = study.member(won(study).stratum), won(study).model_copy(update=OPTIMISER)
    network, card = load_member(folder)
    first, second = card.seeds
    assert (card.seed, first) == (SEED, SEED)
    epochs = 0
    for seed, trained, history in zip(
        (first, second), networks_of(network), ("history.csv", "history-seed1.csv"), strict=True
    ):
        told, weights = plainly_trained(study, parameters, seed)
        for name, tensor in trained.state_dict().items():
            torch.testing.assert_close(tensor, weights[name], rtol=1e-5, atol=1e-6)
        kept = pd.read_csv(folder / history)
        assert list(kept["epoch"]) == [report.epoch for report in told]
        for metric in ("train_loss", "val_loss", "relaxed_f1"):
            of_loop = [dataclasses.asdict(report)[metric] for report in told]
            assert list(kept[metric]) == pytest.approx(of_loop, rel=1e-6)
        epochs += len(told)
    assert summary.epochs_of_members == {KEY: epochs}
    told, _ = plainly_trained(study, parameters, SEED)
    best = min(told, key=lambda report: report.val_loss)
    assert 1 <= best.epoch < len(told), "the last epoch is the best: this tests nothing"
    assert (card.best_epoch, card.amplitude_scale, card.tau) == (best.epoch, 0.7, None)
    assert card.figures["val_loss"] == pytest.approx(best.val_loss, rel=1e-6)
    assert TrialParameters.model_validate(card.parameters) == parameters


def plainly_trained(
    study: Study, parameters: TrialParameters, seed: int
) -> tuple[list[EpochReport], dict[str, torch.Tensor]]:
    """Every epoch's report, and the weights of the best one."""
    state = fresh_state(parameters, seed=seed, device=torch.device("cpu"))
    schedule = Schedule(EPOCHS, study.config.space.search.tolerance_m, "val_loss", patience=4, keep_best=True)
    train, val = arrays(study, "train"), arrays(study, "val")
    return list(fit(state, parameters, train, val, schedule, seed=seed)), state.best_weights


STRATA = ["attention_unet-32", "unet-32", "unetpp-32"]
BEST_EPOCH = 2


@dataclasses.dataclass
class Retraining:
    """A retraining whose epochs are played, and its checkpoints are written, without Ray."""

    study: Study
    checkpoints: CheckpointStore

    @classmethod
    def of(cls, study: Study) -> "Retraining":
        return cls(study, CheckpointStore(study.checkpoints(None, "members")))

    @property
    def won(self) -> dict[str, Winner]:
        return read_artifact(self.study.winners_json, Winners).by_stratum

    def plan(self) -> list[PlannedTrial]:
        return plan_members(self.study, self.won, self.checkpoints)

    def journal(self) -> Journal:
        path = self.study.members_ledger_jsonl
        path.parent.mkdir(parents=True, exist_ok=True)
        return journal_at(path, epochs=EPOCHS, stopping=NoStopping(), metric="val_loss")

    def train(self, member: PlannedTrial, *, epochs: int = EPOCHS) -> None:
        journal = self.journal()
        journal.start(member)
        for epoch in range(1, epochs + 1):
            journal.report(member.trial_id, epoch, figures(epoch / 10), last=epoch == EPOCHS)

    def keep_checkpoint(self, member: PlannedTrial) -> dict[str, torch.Tensor]:
        """Write a checkpoint whose newest weights are not its best; return the best."""
        state = fresh_state(member.parameters, seed=member.seed, device=torch.device("cpu"))
        state.progress = Progress(epoch=EPOCHS, best_epoch=BEST_EPOCH, best_value=0.1)
        state.best_weights = {name: tensor + 1 for name, tensor in state.network.state_dict().items()}
        file = self.study.directory / "state.safetensors"
        save_state(state, file)
        self.checkpoints.save(member.trial_id, file)
        return state.best_weights

    def write(self, members: list[PlannedTrial]) -> dict:
        records = read_records(self.study.members_ledger_jsonl)
        return write_members(self.study, members, records, self.won, self.checkpoints)


@pytest.fixture
def retraining(tmp_path: Path) -> Retraining:
    return Retraining.of(swept(tmp_path, "unetpp", "unet", "attention_unet"))


def strata(members: list[PlannedTrial]) -> list[str]:
    return [member.stratum.key for member in members]


def test_every_winner_is_planned_in_the_order_of_the_strata(retraining: Retraining) -> None:
    members = retraining.plan()
    assert strata(members) == STRATA
    assert [member.index for member in members] == [0, 1, 2]
    assert [member.seed for member in members] == [SEED + 2, SEED + 1, SEED]
    assert [member.trial_id.rpartition("-")[0] for member in members] == [f"member-{key}" for key in STRATA]


def test_what_stands_keeps_its_place_in_the_ledger_and_the_rest_follows(retraining: Retraining) -> None:
    _, second, third = retraining.plan()
    retraining.train(third)
    retraining.keep_checkpoint(third)
    retraining.train(second, epochs=1)
    assert strata(retraining.plan()) == [STRATA[2], STRATA[1], STRATA[0]]
    assert [member.index for member in retraining.plan()] == [0, 1, 2]
    assert list(read_records(retraining.study.members_ledger_jsonl).trials) == [
        third.trial_id,
        second.trial_id,
    ]


def test_a_member_that_failed_is_struck_from_the_ledger_and_trained_anew(retraining: Retraining) -> None:
    first, second, _ = retraining.plan()
    retraining.train(first, epochs=1)
    retraining.keep_checkpoint(first)
    retraining.journal().fail(first.trial_id, "a worker died")
    retraining.train(second, epochs=1)
    assert strata(retraining.plan()) == [STRATA[1], STRATA[0], STRATA[2]]
    assert list(read_records(retraining.study.members_ledger_jsonl).trials) == [second.trial_id]


def test_a_member_of_another_winner_is_struck_from_the_ledger(retraining: Retraining) -> None:
    retraining.train(retraining.plan()[0], epochs=1)
    won = retraining.won
    changed = won[STRATA[0]].model_copy(update={"seed": won[STRATA[0]].seed + 1})
    write_artifact(retraining.study.winners_json, Winners(by_stratum={**won, STRATA[0]: changed}))
    assert strata(retraining.plan()) == STRATA
    assert not read_records(retraining.study.members_ledger_jsonl).trials


def test_a_trained_member_stands_while_its_checkpoint_or_its_folder_does(retraining: Retraining) -> None:
    first, second, _ = members = retraining.plan()
    for member in (second, first):
        retraining.train(member)
        retraining.keep_checkpoint(member)
    retraining.write([first])
    retraining.checkpoints.discard(first.trial_id)
    assert strata(retraining.plan()) == [STRATA[1], STRATA[0], STRATA[2]]
    retraining.checkpoints.clear()
    assert strata(retraining.plan()) == STRATA
    records = read_records(retraining.study.members_ledger_jsonl)
    assert list(records.trials) == [members[0].trial_id]


@pytest.mark.parametrize(
    "change",
    [
        {"search__tolerance_m": 300.0},
        {"retraining__patience": 7},
        {"retraining__monitor": "dice"},
        {"retraining__annealing": "cosine"},
    ],
)
def test_a_member_is_another_once_anything_that_decides_its_weights_changes(
    retraining: Retraining, tmp_path: Path, change: dict[str, object]
) -> None:
    won = retraining.won[STRATA[0]]
    plain = create_study(tmp_path / "plain", study_config())
    other = create_study(tmp_path / "other", study_config(**change))
    assert plan_member(plain, 3, STRATA[0], won) == plan_member(plain, 3, STRATA[0], won)
    assert plan_member(plain, 3, STRATA[0], won).index == 3
    sharper = won.parameters.model_copy(update={"gamma": 1.5})
    ids = {
        plan_member(plain, 0, STRATA[0], won).trial_id,
        plan_member(other, 0, STRATA[0], won).trial_id,
        plan_member(plain, 0, STRATA[0], won.model_copy(update={"seed": 99})).trial_id,
        plan_member(plain, 0, STRATA[0], won.model_copy(update={"parameters": sharper})).trial_id,
    }
    assert len(ids) == 4


def test_members_train_in_full_by_the_settings_of_retraining(tmp_path: Path) -> None:
    asked = {"epochs": 9, "patience": 4, "monitor": "dice", "annealing": "cosine"}
    config = study_config(retraining=asked, search__tolerance_m=300.0, resources={"cpus": 2, "gpus": 0})
    study = create_study(tmp_path / "study", config)
    checkpoints = CheckpointStore(study.checkpoints(None, "members"))
    members = [planned(0, patch_size_px=SIZE_PX)]
    job = retraining_job(study, members, checkpoints)
    assert job.plan.trials == tuple(members)
    assert job.schedule == Schedule(9, 300.0, "dice", patience=4, keep_best=True, annealing="cosine")
    assert job.stopping == NoStopping()
    assert job.resources == config.space.resources
    assert (job.ledger_jsonl, job.storage) == (study.members_ledger_jsonl, checkpoints.root)
    assert job.keep_checkpoints
    assert not job.budget.is_limited
    assert job.start == {}


def test_members_begin_from_the_weights_from_which_their_trials_began(retraining: Retraining) -> None:
    study, weights = retraining.study, {"first": torch.arange(3.0)}
    digits = digest(weights)[:12]
    study.start(digits).parent.mkdir()
    save_file(weights, study.start(digits))
    fixed = {**study.config.space.fixed, "start": f"unet@{digits}"}
    config = study.config.model_copy(update={"space": study.config.space.model_copy(update={"fixed": fixed})})
    job = retraining_job(dataclasses.replace(study, config=config), [], retraining.checkpoints)
    torch.testing.assert_close(job.start[f"unet@{digits}"]["first"], weights["first"])


def test_a_members_folder_holds_its_best_weights_and_all_that_is_known_of_them(
    retraining: Retraining,
) -> None:
    (member,) = (one for one in retraining.plan() if one.stratum.key == KEY)
    retraining.train(member)
    best = retraining.keep_checkpoint(member)
    assert retraining.write([member]) == {}
    folder, config = retraining.study.member(member.stratum), retraining.study.config
    network, card = load_member(folder)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, best[name])
    assert (card.architecture, card.patch_size_px, card.base_width) == ("unet", SIZE_PX, 2)
    assert (card.channels, card.amplitude_scale, card.posting_m) == (("real", "imag"), 0.7, 100.0)
    assert (card.wavelength_m, card.trained_on) == (config.card.wavelength_m, config.card.trained_on)
    assert card.line == config.card.line_kind == "analyst"
    assert card.data_card_hash == config.card.content_hash()
    assert (card.seed, card.trial_id) == (member.seed, retraining.won[KEY].trial_id)
    assert TrialParameters.model_validate(card.parameters) == member.parameters
    assert set(card.changed_since_trial) == set(OPTIMISER)
    assert (card.best_epoch, card.figures) == (BEST_EPOCH, figures(BEST_EPOCH / 10))
    assert card.glsweep_version == __version__
    history = pd.read_csv(folder / "history.csv")
    assert list(history["epoch"]) == list(range(1, EPOCHS + 1))
    assert list(history["dice"]) == pytest.approx([epoch / 10 for epoch in range(1, EPOCHS + 1)])
    assert set(history.columns) == {"epoch", *figures(0)}


def test_a_member_that_fails_leaves_no_card_of_an_earlier_one_and_stops_no_other(
    retraining: Retraining,
) -> None:
    first, second, third = members = retraining.plan()
    for member in members:
        retraining.train(member)
        retraining.keep_checkpoint(member)
    assert retraining.write(members) == {}
    retraining.checkpoints.discard(third.trial_id)
    was = load_card_of(retraining.study.member(third.stratum))
    retraining.study.members_ledger_jsonl.unlink()
    (retraining.study.member(second.stratum) / "card.json").unlink()
    retraining.train(first, epochs=1)
    retraining.journal().fail(first.trial_id, "epoch 2: val_loss is nan")
    retraining.train(second)
    retraining.train(third)
    failed = retraining.write(members)
    assert list(failed) == [STRATA[0]]
    assert (failed[STRATA[0]].stage, failed[STRATA[0]].reason) == ("retrain", "epoch 2: val_loss is nan")
    assert not (retraining.study.member(first.stratum) / "card.json").exists()
    assert load_card_of(retraining.study.member(second.stratum)).seed == second.seed
    assert load_card_of(retraining.study.member(third.stratum)) == was
    # Once more, though nothing is left to be removed.
    assert list(retraining.write([first])) == [STRATA[0]]


# --- Members of several networks


def with_seeds(retraining: Retraining, seeds: int) -> Retraining:
    """The same study, extended or cut down to so many seeds."""
    space = retraining.study.config.space
    space = space.model_copy(update={"retraining": space.retraining.model_copy(update={"seeds": seeds})})
    config = retraining.study.config.model_copy(update={"space": space})
    return Retraining.of(dataclasses.replace(retraining.study, config=config))


def train_with_seeds(retraining: Retraining, member: PlannedTrial, seeds: int) -> list[dict]:
    """Train the networks that are wanting; return the best weights of each that was trained."""
    trained = []
    begun = read_records(retraining.study.members_ledger_jsonl).trials
    for trial in [member, *(member.replicated(number) for number in range(1, seeds))]:
        if trial.trial_id not in begun:
            retraining.train(trial)
            trained.append(retraining.keep_checkpoint(trial))
    return trained


def state_of(retraining: Retraining, member: PlannedTrial) -> list[dict[str, torch.Tensor]]:
    network, _ = load_member(retraining.study.member(member.stratum))
    return [one.state_dict() for one in networks_of(network)]


def is_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_member_of_one_network_is_named_and_written_as_before_there_were_several(
    retraining: Retraining,
) -> None:
    """The name is what an earlier version gave it: by it a study's members are known again."""
    member = next(one for one in retraining.plan() if one.stratum.key == KEY)
    assert member.trial_id == "member-unet-32-fbfc7384"
    (best,) = train_with_seeds(retraining, member, 1)
    retraining.write([member])
    folder = retraining.study.member(member.stratum)
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "history.csv", "model.safetensors"]
    save_file({name: tensor.contiguous() for name, tensor in best.items()}, folder / "alone.safetensors")
    assert (folder / "model.safetensors").read_bytes() == (folder / "alone.safetensors").read_bytes()
    assert "seeds" not in json.loads((folder / "card.json").read_text())


def test_other_seeds_are_added_to_a_member_that_is_there_and_taken_from_it_again(
    retraining: Retraining,
) -> None:
    member = next(one for one in retraining.plan() if one.stratum.key == KEY)
    (first,) = train_with_seeds(retraining, member, 1)
    retraining.write([member])
    retraining.checkpoints.clear()
    one_file = (retraining.study.member(member.stratum) / "model.safetensors").read_bytes()

    more = with_seeds(retraining, 3)
    (again,) = (one for one in more.plan() if one.stratum.key == KEY)
    assert again.trial_id == member.trial_id
    others = train_with_seeds(more, again, 3)
    assert len(others) == 2, "the first is there"
    assert more.write([again]) == {}
    more.checkpoints.clear()
    for found, expected in zip(state_of(more, again), [first, *others], strict=True):
        assert is_same(found, expected)
    card = load_card_of(more.study.member(member.stratum))
    assert card.seeds == (member.seed, *(member.replicated(number).seed for number in (1, 2)))
    assert len(set(card.seeds)) == 3

    fewer = with_seeds(retraining, 1)
    (again,) = (one for one in fewer.plan() if one.stratum.key == KEY)
    assert train_with_seeds(fewer, again, 1) == []
    assert fewer.write([again]) == {}
    folder = fewer.study.member(member.stratum)
    assert (folder / "model.safetensors").read_bytes() == one_file
    assert load_card_of(folder).seeds == ()
    assert not list(folder.glob("history-seed*"))


def test_seeds_that_stand_keep_their_place_in_the_ledger_and_the_others_are_due(tmp_path: Path) -> None:
    retraining = Retraining.of(swept(tmp_path, "unetpp", "unet", "attention_unet", seeds=2))
    first, second, third = retraining.plan()
    for member in (third, second):
        retraining.train(member)
        retraining.keep_checkpoint(member)
    for member in (third, second):
        retraining.train(member.replicated(1), epochs=1)
    retraining.journal().fail(third.replicated(1).trial_id, "a worker died")
    planned_now = retraining.plan()
    assert strata(planned_now) == [STRATA[2], STRATA[1], STRATA[0]]
    records = read_records(retraining.study.members_ledger_jsonl)
    assert set(records.trials) == {third.trial_id, second.trial_id, second.replicated(1).trial_id}
    assert {i: r.trial.trial_id for i, r in records.firsts.items()} == {0: third.trial_id, 1: second.trial_id}
    queue = TrialQueue(
        retraining_job(retraining.study, planned_now, retraining.checkpoints).plan,
        retraining.journal(),
        budget=Budget(),
        replicates=2,
        epochs=EPOCHS,
    )
    due = {trial.trial_id for _ in range(3) for trial in queue.next().trials}
    assert due == {third.replicated(1).trial_id, second.replicated(1).trial_id, first.trial_id}


def test_a_member_fails_with_any_of_its_networks(tmp_path: Path) -> None:
    retraining = Retraining.of(swept(tmp_path, "unet", seeds=2))
    (member,) = retraining.plan()
    train_with_seeds(retraining, member, 1)
    retraining.train(member.replicated(1), epochs=1)
    retraining.journal().fail(member.replicated(1).trial_id, "epoch 2: val_loss is nan")
    failed = retraining.write([member])
    assert failed[KEY].reason == "epoch 2: val_loss is nan"
    assert not retraining.study.member(member.stratum).exists()
