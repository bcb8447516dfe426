"""The stage `evaluate`: the study's table, on patches that no network has seen, and the members' cards."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from glsweep.config.trial import Stratum
from glsweep.evaluate.patches import DataSets, HeldOut, Values, interval, member_curves, part_data_sets
from glsweep.evaluate.review import look_again
from glsweep.evaluate.scenes import evaluate_scenes
from glsweep.evaluate.second_analyst import drawn_on_patches, title_of
from glsweep.files import replacing
from glsweep.nets import count_parameters
from glsweep.nets.member import load_card_of, load_member, untrained_network, write_card
from glsweep.patches import PatchArrays
from glsweep.patches.store import open_patches
from glsweep.progress import track
from glsweep.registry import UNTRAINED
from glsweep.scenes.catalogue import open_data
from glsweep.study import Study
from glsweep.study.artifacts import (
    EvaluateSummary,
    Failure,
    HeadlineMetrics,
    Winners,
    read_artifact,
    write_artifact,
)
from glsweep.study.evaluation_artifacts import (
    BaselineRow,
    Curves,
    DataSetFacts,
    DataSetRow,
    FailedRow,
    HeldOutMetrics,
    Kind,
    Lead,
    LinesOnDataSet,
    MemberCurves,
    NetworkRow,
    Predictor,
    StudyLines,
    StudyTable,
)
from glsweep.sweep.outcomes import Failures, read_failures, recorded_failure, surviving_strata
from glsweep.training.memory import calibrate_on, predict_patches
from glsweep.training.phase_gradient import CHANNELS, tune_phase_gradient

PATCH_METRICS = ("relaxed_f1", "dice", "bf")
LINE_METRICS = ("lines_km", "reference_km", "mean_m", "completeness_200", "completeness_500", "false_km_200")
EXAMPLES = 4

Scored = tuple[NetworkRow | BaselineRow, list[DataSetRow]]
"""A row of the table, and the same by data set."""
Draws = dict[str, Values]
"""The draws of each member's relaxed F1, by the key of its stratum."""


@dataclass(frozen=True)
class PatchesToScore:
    """The test patches of one size.

    Attributes
    ----------
    study : Study
        Whose networks are tested.
    every : HeldOut
        All test patches.
    is_own : bool array (N,)
        Those of data sets that are trained on too: the table is about these.
    own : HeldOut
        The same patches.
    data_sets : DataSets or None
        All test patches by data set, where there are several.
    """

    study: Study
    every: HeldOut
    is_own: npt.NDArray[np.bool_]
    own: HeldOut
    data_sets: DataSets | None

    def score(
        self, predictor: Predictor, probability: npt.NDArray[np.float32], tau: float
    ) -> tuple[HeldOutMetrics, Values, list[DataSetRow]]:
        """Return the table's metrics for probabilities (N, S, S), their draws, and the rows by data set."""
        metrics, draws = self.own.score_and_draw(probability[self.is_own], tau)
        if self.data_sets is None:
            return metrics, draws, []
        by_data_set = self.data_sets.score(probability, tau, self.study.config.space.calibration)
        return (
            metrics,
            draws,
            [
                DataSetRow(**predictor.model_dump(), **scores.model_dump(), data_set=name)
                for name, scores in by_data_set.items()
            ],
        )


def evaluate(study: Study) -> EvaluateSummary:
    """Score members and baselines on the test split; write the table, curves and each member's examples.

    Then each member draws every whole test scene (`evaluate_scenes`), and its card says how it did.
    Strata that failed, here or in an earlier stage, stand under `failed` in the table.

    With several data sets the table holds the metrics on those that are trained on, `by_data_set` those
    on each by itself, and `data_sets` how the data sets differ.
    """
    failed: Failures = {}
    won = read_artifact(study.winners_json, Winners).by_stratum
    strata = [Stratum.parse(key) for key in surviving_strata(study, won)]
    tests = {size: patches_to_score(study, size) for size in sorted({one.patch_size_px for one in strata})}
    scored, curves, draws = _scored(study, strata, tests, failed)
    scored += _second_analyst(study, tests)
    lines = evaluate_scenes(study, [stratum for stratum in strata if stratum.key not in failed], failed)
    if lines is not None:
        look_again(study)
    scored = [(row, by_data_set) for row, by_data_set in scored if row.stratum not in failed]
    every_failure = sorted({**read_failures(study), **failed}.items())
    rows = tuple(row for row, _ in scored if isinstance(row, NetworkRow))
    table = StudyTable(
        tolerance_m=study.config.space.search.tolerance_m,
        posting_m=tests[strata[0].patch_size_px].own.patches.posting_m,
        rows=rows,
        baselines=tuple(row for row, _ in scored if isinstance(row, BaselineRow)),
        leads=tuple(paired_leads(rows, draws)),
        failed=tuple(_failed_row(failure) for _, failure in every_failure),
        data_sets=tuple(facts for size, test in tests.items() for facts in _data_sets(test, size)),
        by_data_set=tuple(row for _, by_data_set in scored for row in by_data_set),
    )
    write_artifact(study.table_json, table)
    shown = tuple(curve for curve in curves if curve.stratum not in failed)
    write_artifact(study.curves_json, Curves(tolerance_m=table.tolerance_m, members=shown))
    with replacing(study.table_csv) as temporary:
        written = [row.model_dump() for row in (*table.rows, *table.baselines, *table.failed)]
        pd.DataFrame(written).to_csv(temporary, index=False)
    write_on_cards(study, [stratum for stratum in strata if stratum.key not in failed], table, lines)
    return EvaluateSummary(
        metrics={r.stratum: HeadlineMetrics(relaxed_f1=r.relaxed_f1, dice=r.dice) for r in table.rows},
        failed=dict(sorted(failed.items())),
    )


def _scored(
    study: Study, strata: Sequence[Stratum], tests: Mapping[int, PatchesToScore], failed: Failures
) -> tuple[list[Scored], list[MemberCurves], Draws]:
    """Score baselines, and each member with its untrained self; return members' curves and draws too."""
    scored = [
        pair
        for size, test in track(tests.items(), "patch sizes", "testing what is not learnt")
        for pair in (*_trivial(test, size), _phase_gradient(study, test, size))
    ]
    curves: list[MemberCurves] = []
    draws: Draws = {}
    for stratum in track(strata, "networks", "testing on patches"):
        test = tests[stratum.patch_size_px]
        with recorded_failure(failed, study, "evaluate", stratum.key):
            member, its_curves, its_draws = _member(study, stratum, test)
            scored += [member, _untrained(study, stratum, test)]
            curves.append(its_curves)
            draws[stratum.key] = its_draws
    return scored, curves, draws


def paired_leads(rows: Sequence[NetworkRow], draws: Mapping[str, Values]) -> Iterator[Lead]:
    """Yield the lead of each network over those of its patch size that are behind it.

    Parameters
    ----------
    rows : sequence of NetworkRow
        One a member.
    draws : mapping of str to array (DRAWS,)
        The relaxed F1 of each draw, by stratum; of the same size each is of the same patches.
    """
    ranked = sorted(rows, key=lambda row: -row.relaxed_f1)
    for one, other in combinations(ranked, 2):
        if one.patch_size_px == other.patch_size_px:
            low, high = interval(draws[one.stratum] - draws[other.stratum]) or (None, None)
            lead = one.relaxed_f1 - other.relaxed_f1
            yield Lead(stratum=one.stratum, behind=other.stratum, lead=lead, low=low, high=high)


def _failed_row(failure: Failure) -> FailedRow:
    stratum = Stratum.parse(failure.stratum)
    predictor = _predictor(stratum, stratum.title, "failed")
    return FailedRow(
        **predictor.model_dump(), stage=failure.stage, reason=failure.reason, remedy=failure.remedy
    )


def patches_to_score(
    study: Study, size_px: int, chosen: npt.NDArray[np.bool_] | None = None
) -> PatchesToScore:
    """Open the test patches, or those that `chosen` (N,) marks."""
    patches = open_patches(study, size_px)
    index = patches.index("test")
    every = HeldOut(
        patches.arrays("test"),
        study.config.space.search.tolerance_m,
        study.config.seed,
        index["scene"].to_numpy(str),
    )
    if chosen is not None:
        every, index = every.select(chosen), index[chosen]
    cards = sorted(study.config.card.data_sets, key=lambda card: card.test_only)
    of_patch = index["data_set"].to_numpy(str)
    is_own = np.isin(of_patch, [card.name for card in cards if not card.test_only])
    if len(cards) == 1:
        return PatchesToScore(study, every, is_own, every, None)
    data_sets = part_data_sets(every, of_patch, [card.name for card in cards])
    return PatchesToScore(study, every, is_own, every.select(is_own), data_sets)


def _data_sets(test: PatchesToScore, size_px: int) -> list[DataSetFacts]:
    if test.data_sets is None:
        return []
    test_only = {card.name: card.test_only for card in test.study.config.card.data_sets}
    return [
        DataSetFacts(**facts.model_dump(), data_set=name, patch_size_px=size_px, test_only=test_only[name])
        for name, facts in test.data_sets.facts().items()
    ]


def _member(study: Study, stratum: Stratum, test: PatchesToScore) -> tuple[Scored, MemberCurves, Values]:
    """Score a member, and return its curves and the draws of its relaxed F1 too."""
    network, card = load_member(study.member(stratum))
    probability = predict_patches(network, test.every.patches, card.channels, temperature=card.temperature)
    _keep_examples(study, stratum, test.own.patches, probability[test.is_own])
    assert card.tau is not None, "calibrated before it is evaluated"
    predictor = _predictor(stratum, stratum.title, "network")
    metrics, draws, by_data_set = test.score(predictor, probability, card.tau)
    curves = member_curves(test.own, probability[test.is_own], card.tau)
    row = NetworkRow(
        **predictor.model_dump(),
        **metrics.model_dump(),
        tau=card.tau,
        parameters=count_parameters(network),
    )
    return (row, by_data_set), MemberCurves(**predictor.model_dump(), **curves.model_dump()), draws


def _untrained(study: Study, stratum: Stratum, test: PatchesToScore) -> Scored:
    """Score the network as it is before training, with a threshold chosen like any other."""
    card = load_card_of(study.member(stratum))
    network = untrained_network(card).eval()
    val = open_patches(study, stratum.patch_size_px).arrays("val")
    settings = study.config.space.calibration
    curve = calibrate_on(val, network, card.channels, settings, tolerance_m=test.own.tolerance_m)
    probability = predict_patches(network, test.every.patches, card.channels, temperature=curve.temperature)
    predictor = _predictor(stratum, f"untrained {stratum.title}", "untrained")
    metrics, _, by_data_set = test.score(predictor, probability, curve.tau)
    row = BaselineRow(
        **predictor.model_dump(), **metrics.model_dump(), tau=curve.tau, parameters=count_parameters(network)
    )
    return row, by_data_set


def _trivial(test: PatchesToScore, size_px: int) -> list[Scored]:
    """Score the two predictors that look at nothing: a line everywhere, and a line nowhere."""
    shape = test.every.patches.mask.shape
    everything, nothing = np.ones(shape, np.float32), np.zeros(shape, np.float32)
    probabilities: dict[Kind, npt.NDArray[np.float32]] = {"all_line": everything, "no_line": nothing}
    scored: list[Scored] = []
    for kind, probability in probabilities.items():
        title = f"{kind.replace('_', '-')} {size_px}"
        predictor = Predictor(stratum=None, title=title, kind=kind, architecture=None, patch_size_px=size_px)
        metrics, _, by_data_set = test.score(predictor, probability, 0.5)
        row = BaselineRow(**predictor.model_dump(), **metrics.model_dump(), tau=None, parameters=0)
        scored.append((row, by_data_set))
    return scored


def _phase_gradient(study: Study, test: PatchesToScore, size_px: int) -> Scored:
    """Score the line drawn without learning, its numbers and its threshold chosen on validation."""
    val = open_patches(study, size_px).arrays("val")
    network = tune_phase_gradient(val, tolerance_m=test.own.tolerance_m)
    settings = study.config.space.calibration
    tau = calibrate_on(val, network, CHANNELS, settings, tolerance_m=test.own.tolerance_m).tau
    predictor = Predictor(
        stratum=None,
        title=f"{UNTRAINED.title('phase_gradient')} {size_px}",
        kind="phase_gradient",
        architecture=None,
        patch_size_px=size_px,
    )
    probability = predict_patches(network, test.every.patches, CHANNELS)
    metrics, _, by_data_set = test.score(predictor, probability, tau)
    row = BaselineRow(
        **predictor.model_dump(), **metrics.model_dump(), tau=tau, parameters=count_parameters(network)
    )
    return row, by_data_set


def _second_analyst(study: Study, tests: Mapping[int, PatchesToScore]) -> Iterator[Scored]:
    """Score another analyst's lines, on the test patches of scenes that this one has looked at."""
    card = study.config.card
    if all(part.layout.second_analyst is None for part in card.data_sets):
        return
    entries = open_data(card, {part.name: study.scene_root(part) for part in card.data_sets}).entries
    for size, test in tests.items():
        index = open_patches(study, size).index("test")
        probability, has_looked = drawn_on_patches(entries, index, size, card.line_rule)
        looked_at = test if has_looked.all() else patches_to_score(study, size, has_looked)
        if not looked_at.is_own.any():
            continue
        title = title_of(index["scene"][test.is_own], has_looked[test.is_own], size)
        predictor = Predictor(
            stratum=None, title=title, kind="second_analyst", architecture=None, patch_size_px=size
        )
        metrics, _, by_data_set = looked_at.score(predictor, probability[has_looked], 0.5)
        row = BaselineRow(**predictor.model_dump(), **metrics.model_dump(), tau=None, parameters=0)
        yield row, by_data_set


def _predictor(stratum: Stratum, title: str, kind: Kind) -> Predictor:
    return Predictor(
        stratum=stratum.key,
        title=title,
        kind=kind,
        architecture=stratum.architecture,
        patch_size_px=stratum.patch_size_px,
    )


def _keep_examples(
    study: Study, stratum: Stratum, patches: PatchArrays, probability: npt.NDArray[np.float32]
) -> None:
    """Keep patches spread evenly over those with a line, the same for every member of a size."""
    with_line = np.flatnonzero(patches.has_line)
    chosen = with_line[np.linspace(0, len(with_line) - 1, min(EXAMPLES, len(with_line))).round().astype(int)]
    with replacing(study.member(stratum) / "examples.npz") as temporary:
        np.savez_compressed(
            temporary,
            image=patches.image[chosen],
            mask=patches.mask[chosen],
            probability=probability[chosen],
        )


# --- The members' cards


def write_on_cards(
    study: Study, strata: Sequence[Stratum], table: StudyTable, lines: StudyLines | None
) -> None:
    """Write each member's metrics on test ground to its card, by data set.

    Parameters
    ----------
    study : Study
        Whose members were tested.
    strata : sequence of Stratum
        One a member.
    table : StudyTable
        The study's table.
    lines : StudyLines or None
        None without whole test scenes.
    """
    own = study.config.card.name
    for stratum in strata:
        tested: dict[str, dict[str, float]] = {}
        for data_set, row in _networks(table, own):
            if row.stratum == stratum.key:
                tested[data_set] = {name: getattr(row, name) for name in PATCH_METRICS}
        for group in _groups(lines, stratum):
            pooled = {name: getattr(group.pooled, name) for name in LINE_METRICS}
            known = {f"scenes.{name}": value for name, value in pooled.items() if value is not None}
            tested.setdefault(group.data_set, {}).update(known)
        folder = study.member(stratum)
        write_card(folder, load_card_of(folder).model_copy(update={"tested": tested}))


def _networks(table: StudyTable, own: str) -> Iterator[tuple[str, DataSetRow | NetworkRow]]:
    if table.by_data_set:
        yield from ((row.data_set, row) for row in table.by_data_set if row.kind == "network")
    else:
        yield from ((own, row) for row in table.rows)


def _groups(lines: StudyLines | None, stratum: Stratum) -> list[LinesOnDataSet]:
    members = () if lines is None else lines.members
    return [group for one in members if one.stratum == stratum.key for group in one.data_sets]
