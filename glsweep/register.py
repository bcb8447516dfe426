"""Registers members in MLflow's model registry, and decides which is the champion of its stratum."""

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from glsweep.config.trial import Stratum
from glsweep.errors import GlsweepError
from glsweep.metrics.counts import TrivialBaseline, best_trivial, is_better_than_trivial
from glsweep.metrics.thresholds import count_at_thresholds
from glsweep.nets.member import CARD, WEIGHTS, ModelCard, load_card_of, load_member
from glsweep.patches import PatchArrays
from glsweep.patches.store import open_patches
from glsweep.study import Study
from glsweep.study.artifacts import read_artifact
from glsweep.study.evaluation_artifacts import NetworkRow, StudyTable
from glsweep.tracking.address import Tags
from glsweep.tracking.registry import ModelRegistry
from glsweep.tracking.tracker import Tracker, track_members
from glsweep.training.memory import predict_patches, truth_of

EXAMPLE_PATCHES = 2
EXAMPLE_SIZE_PX = 32
SAME = 1e-3
"""Relative difference up to which two postings or wavelengths are the same."""


class _MisfitError(GlsweepError):
    """A champion that cannot be scored on this study's patches."""


@dataclass(frozen=True)
class Registered:
    """A member's version in MLflow's model registry.

    Attributes
    ----------
    model : str
        Name of the registered model.
    number : str
        Of the version.
    is_champion : bool
        Whether it holds the alias `champion`.
    reason : str
        A clause that says why, or why not.
    """

    model: str
    number: str
    is_champion: bool
    reason: str


def register_members(study: Study) -> dict[str, Registered]:
    """Register each evaluated member, once, as a version of `glsweep-<architecture>-<patch size>`.

    The alias `champion` goes to a member when there is no champion, or when it beats the champion
    on the relaxed F1 over this study's test patches, each at its own threshold. A member that does
    not beat the trivial baselines on these patches never gets it, see `glsweep.metrics.counts`.

    Returns
    -------
    dict
        By stratum key.

    Raises
    ------
    StoreError
        When the store cannot be reached or used; the next call goes on from there.
    """
    table = read_artifact(study.table_json, StudyTable)
    rows = {row.stratum: row for row in table.rows}
    tracker = Tracker.open(study)
    if any(tracker.member_run_id(key) is None for key in rows):
        track_members(study)
        tracker = Tracker.open(study)
    return {key: _register(study, tracker, Stratum.parse(key), row, table) for key, row in rows.items()}


def _register(
    study: Study, tracker: Tracker, stratum: Stratum, row: NetworkRow, table: StudyTable
) -> Registered:
    registry, folder = ModelRegistry(tracker.store, f"glsweep-{stratum.key}"), study.member(stratum)
    test = open_patches(study, stratum.patch_size_px).arrays("test")
    content = _content_hash(folder)
    version = registry.find(content)
    if version is None:
        version = registry.add(
            folder,
            content=content,
            example=_example(test),
            run_id=str(tracker.member_run_id(stratum.key)),
            tags={"study_id": study.id, **_tags(load_card_of(folder), row)},
        )
    champion = registry.champion()
    if champion == version:
        return Registered(registry.model, version, is_champion=True, reason="is the champion")
    fault = _fault_against_trivial(row, best_trivial(table, stratum.patch_size_px))
    is_better, why = not fault, fault or "is the first"
    if is_better and champion is not None:
        is_better, why = _compare(study, registry, champion, test, row.relaxed_f1)
    if is_better:
        registry.make_champion(version)
    registry.add_tags(version, {"verdict": why})
    return Registered(registry.model, version, is_better, why)


def _fault_against_trivial(row: NetworkRow, trivial: TrivialBaseline | None) -> str:
    """Return why a member cannot be champion at all; empty if it beats the trivial baselines."""
    if is_better_than_trivial(row, trivial):
        return ""
    if not row.patches_with_line or trivial is None:
        return "has no relaxed F1 on this test split, which holds no line"
    return (
        f"does not beat {trivial.words}: relaxed F1 {row.relaxed_f1:.4f} against "
        f"{trivial.relaxed_f1:.4f} of {trivial.title}"
    )


def _compare(
    study: Study, registry: ModelRegistry, champion: str, test: PatchArrays, own: float
) -> tuple[bool, str]:
    """Return whether a relaxed F1 beats that of the champion on the same patches, and why."""
    try:
        with registry.downloaded_member(champion) as folder:
            theirs = _relaxed_f1(study, folder, test)
    except _MisfitError as error:
        return False, f"was not compared with version {champion}, which {error}"
    verb = "beats" if own > theirs else "does not beat"
    return own > theirs, f"{verb} version {champion}: relaxed F1 {own:.4f} against {theirs:.4f}"


def _relaxed_f1(study: Study, folder: Path, test: PatchArrays) -> float:
    """Score a member from anywhere on this study's test patches, at its own threshold."""
    try:
        network, card = load_member(folder)
    except GlsweepError as error:
        raise _MisfitError(f"cannot be read here ({error})") from error
    if card.tau is None:
        raise _MisfitError("has no threshold")
    for name, theirs, ours, unit in (
        ("posting", card.posting_m, test.posting_m, "m"),
        ("wavelength", card.wavelength_m, study.config.card.wavelength_m, "m"),
    ):
        if not math.isclose(theirs, ours, rel_tol=SAME):
            raise _MisfitError(f"was trained for a {name} of {theirs:g} {unit}, and this data has {ours:g}")
    # Its input is divided by the amplitude of its own training data.
    patches = replace(test, amplitude_scale=card.amplitude_scale)
    probability = torch.from_numpy(
        predict_patches(network, patches, card.channels, temperature=card.temperature)
    )
    truth = truth_of(test, study.config.space.search.tolerance_m)
    return float(count_at_thresholds(probability, truth, torch.tensor([card.tau])).relaxed_f1()[0])


def _tags(card: ModelCard, row: NetworkRow) -> Tags:
    metrics = {f"test.{name}": value for name, value in row if isinstance(value, float)}
    return {
        "tau": card.tau,
        "data_card": card.data_card_hash,
        "trial_id": card.trial_id,
        "posting_m": card.posting_m,
        "wavelength_m": card.wavelength_m,
        "channels": card.channels,
        **{f"glsweep.{name}": value for name, value in metrics.items()},
    }


def _content_hash(folder: Path) -> str:
    """Return a hash of the weights and the card."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes() + (folder / CARD).read_bytes()).hexdigest()


def _example(test: PatchArrays) -> npt.NDArray[np.float32]:
    """Return small windows of the first test patches, (2, 2, 32, 32) at most, as an example of the input."""
    size_px = min(EXAMPLE_SIZE_PX, test.image.shape[-1])
    start = (test.image.shape[-1] - size_px) // 2
    window = slice(start, start + size_px)
    return np.resize(test.image[:EXAMPLE_PATCHES, :, window, window], (EXAMPLE_PATCHES, 2, size_px, size_px))
