"""What the stage `evaluate` and the command `score` write: metrics on test patches, and of lines in metres.

A metric that cannot be computed, such as one over patches with a line if there are none, is None.
"""

from typing import Literal

from glsweep.config.settings import Settings
from glsweep.study.artifacts import Artifact
from glsweep.study.configuration import Stage

Kind = Literal["network", "untrained", "all_line", "no_line", "phase_gradient", "second_analyst", "failed"]
Resampled = Literal["scenes", "patches"]
Interval = tuple[float, float]
"""The lower and the upper end of a 95 % bootstrap interval."""


class Predictor(Settings):
    """The subject of a row of the table: a network, or a baseline without training, which has no stratum."""

    stratum: str | None
    title: str
    kind: Kind
    architecture: str | None
    patch_size_px: int


class HeldOutMetrics(Settings):
    """Every metric of the table, over the test patches of one size at one threshold.

    Metrics without a suffix are means over patches, those that end in `_with_line` means over patches with a
    line; those that end in `_micro` are over all pixels together. The number in `bf_100` is a tolerance in
    metres. `empty_without_line` is the share of patches without a line in which nothing was drawn, and
    `empty_with_line` the same for patches with a line. `relaxed_f1_low` and `relaxed_f1_high` are the
    ends of its 95 % bootstrap interval, over scenes or patches as `interval_over` says.
    """

    dice: float
    precision: float
    recall: float
    bf: float
    boundary_precision: float
    boundary_recall: float
    bf_100: float
    bf_200: float
    bf_500: float
    iou_tol2: float
    iou_tol2_literal: float
    hd95_px: float
    hd95_union_px: float
    dice_with_line: float | None
    precision_with_line: float | None
    recall_with_line: float | None
    bf_with_line: float | None
    boundary_precision_with_line: float | None
    boundary_recall_with_line: float | None
    bf_100_with_line: float | None
    bf_200_with_line: float | None
    bf_500_with_line: float | None
    iou_tol2_with_line: float | None
    iou_tol2_literal_with_line: float | None
    hd95_px_with_line: float | None
    hd95_union_px_with_line: float | None
    dice_micro: float
    precision_micro: float
    recall_micro: float
    hd95_m: float
    relaxed_f1: float
    relaxed_f1_low: float | None
    relaxed_f1_high: float | None
    interval_over: Resampled
    empty_predictions: int
    empty_with_line: float | None
    empty_without_line: float | None
    patches_with_line: int
    patches_without_line: int


class TableRow(HeldOutMetrics, Predictor):
    """One row of the table; `tau` is its threshold, `parameters` how many weights it has."""

    tau: float | None
    parameters: int


class NetworkRow(TableRow):
    """The row of a member."""

    stratum: str
    kind: Literal["network"]
    architecture: str
    tau: float


class BaselineRow(TableRow):
    """The row of a baseline.

    A line everywhere or nowhere, an untrained network, the phase gradient, or another
    analyst. All but the last two know nothing.
    """

    kind: Literal["untrained", "all_line", "no_line", "phase_gradient", "second_analyst"]


class FailedRow(Predictor):
    """The row of a stratum that failed, with the reason and the remedy."""

    stratum: str
    kind: Literal["failed"] = "failed"
    architecture: str
    stage: Stage
    reason: str
    remedy: str


class Lead(Settings):
    """By how much a network's relaxed F1 is ahead of another's of its patch size, on the same test patches.

    `low` and `high` are the ends of the 95 % interval of a paired bootstrap, which draws the same scenes or
    patches for both; None where it could not be computed.
    """

    stratum: str
    behind: str
    lead: float
    low: float | None
    high: float | None


class CoherenceClass(Settings):
    """Relaxed recall of the line pixels whose surroundings are about equally clear."""

    line_px: int
    recall: float | None


class DataSetMetrics(HeldOutMetrics):
    """A predictor's metrics on the test patches of one data set.

    `best_tau` and `best_relaxed_f1` are what a threshold chosen on these very patches would give;
    `recall_by_coherence` is ordered from noisy to clear.
    """

    relaxed_precision: float
    relaxed_recall: float
    best_tau: float
    best_relaxed_f1: float
    recall_by_coherence: tuple[CoherenceClass, ...]


class DataSetRow(DataSetMetrics, Predictor):
    """One row of the table by data set."""

    data_set: str


class PatchFacts(Settings):
    """What to know about patches before networks are compared on them.

    `valid_share` is a share of all pixels, `line_share` of the pixels with data in patches with a line;
    `coherence` and `line_coherence` are medians over all pixels and over those near the line.
    """

    patches_with_line: int
    patches_without_line: int
    valid_share: float
    line_share: float
    coherence: float | None
    line_coherence: float | None


class DataSetFacts(PatchFacts):
    """The test patches of one size of one data set; `test_only` if no network was trained on it."""

    data_set: str
    patch_size_px: int
    test_only: bool


class StudyTable(Artifact):
    """`table.json`: the study's table, baselines and failures; with several data sets also by data set.

    `leads` holds that of each network over each other one of its patch size that it is ahead of.
    """

    written_by = "evaluate"

    tolerance_m: float
    posting_m: float
    rows: tuple[NetworkRow, ...]
    baselines: tuple[BaselineRow, ...]
    leads: tuple[Lead, ...] = ()
    failed: tuple[FailedRow, ...]
    data_sets: tuple[DataSetFacts, ...]
    by_data_set: tuple[DataSetRow, ...]


class PrecisionRecallPoint(Settings):
    """Relaxed precision and recall at one threshold."""

    tau: float
    precision: float
    recall: float


class PrecisionRecallCurve(Settings):
    """Relaxed precision and recall at some thresholds; `area` is the exact area under the whole curve."""

    thresholds: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    area: float
    at_tau: PrecisionRecallPoint


class ReliabilityCurve(Settings):
    """Bins of pixels by probability, with both calibration errors; see `glsweep.metrics.reliability`."""

    pixels: tuple[int, ...]
    mean_probability: tuple[float | None, ...]
    line_share: tuple[float | None, ...]
    near_share: tuple[float | None, ...]
    line_error: float
    near_error: float


class NetworkCurves(Settings):
    """A network's curves on test patches, over all thresholds."""

    precision_recall: PrecisionRecallCurve
    reliability: ReliabilityCurve


class MemberCurves(NetworkCurves, Predictor):
    """The curves of one member."""

    stratum: str
    architecture: str


class Curves(Artifact):
    """`curves.json`: the curves of every member that was scored."""

    written_by = "evaluate"

    tolerance_m: float
    members: tuple[MemberCurves, ...]


class LineMetrics(Settings):
    """How far drawn lines lie from true ones; the number in a name is a tolerance in metres."""

    lines_km: float
    reference_km: float
    mean_m: float | None
    median_m: float | None
    mad_m: float | None
    completeness_100: float | None
    correctness_100: float | None
    false_km_100: float
    completeness_200: float | None
    correctness_200: float | None
    false_km_200: float
    completeness_500: float | None
    correctness_500: float | None
    false_km_500: float


class LineIntervals(Settings):
    """95 % bootstrap intervals over scenes of pooled metrics; None with too few scenes."""

    mean_m: Interval | None = None
    completeness_100: Interval | None = None
    completeness_200: Interval | None = None
    completeness_500: Interval | None = None
    correctness_100: Interval | None = None
    correctness_200: Interval | None = None
    correctness_500: Interval | None = None


class BandMetrics(Settings):
    """The share of the true line near drawn ones that lies within their bands.

    `low` and `high` are the ends of the 95 % bootstrap interval over scenes of the share that is `held`;
    `mean_m` is half a band's mean width.
    """

    held: float | None
    low: float | None
    high: float | None
    mean_m: float | None


class StatedBandMetrics(BandMetrics):
    """The same for `uncert_m`, which states the `share` that it holds."""

    share: float


class BandsHeld(Settings):
    """How often the truth lay within the bands, over so many km of true line in so many scenes.

    `uncertainty` is None for a member whose uncertainty is not known; `unknown_because` says why.
    """

    km: float
    scenes: int
    band: BandMetrics
    uncertainty: StatedBandMetrics | None
    unknown_because: str


class LinesAtTau(LineMetrics):
    """Metrics of the lines that are drawn at one threshold."""

    tau: float


class PooledLines(Settings):
    """Lines on all whole test scenes of one data set; of a second analyst, on those this one looked at."""

    data_set: str
    scenes: int
    pooled: LineMetrics
    intervals: LineIntervals


class LinesOnDataSet(PooledLines):
    """A member's lines."""

    bands: BandsHeld
    curve: tuple[LinesAtTau, ...]


class SceneRow(Settings):
    """The scene of a row in a table of scenes."""

    scene: str
    data_set: str
    errors: str


class LinesOnScene(LineMetrics, SceneRow):
    """A member's lines on one whole test scene; `errors` is the file beside its map that shows where."""


class MemberLines(Settings):
    """One member on whole test scenes."""

    stratum: str
    title: str
    architecture: str
    tau: float
    data_sets: tuple[LinesOnDataSet, ...]
    scenes: tuple[LinesOnScene, ...]


class StudyLines(Artifact):
    """`lines.json`: how far each member's lines lie from the true ones, and how they were drawn.

    `second_analyst` holds another analyst's lines, by data set, where there are any.
    """

    written_by = "evaluate"

    tolerances_m: tuple[float, ...]
    shortest_m: float
    bridge_m: float
    window_px: int
    members: tuple[MemberLines, ...]
    second_analyst: tuple[PooledLines, ...] = ()
