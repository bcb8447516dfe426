"""What the report says of the data and of the study's settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glsweep.config.data_card import SplitName
from glsweep.config.dimension import Dimension, Span, span_of
from glsweep.config.space import Budget, SearchSpace
from glsweep.config.stopping import Asha, Median, NoStopping, OwnStopping, Stopping, SuccessiveHalving
from glsweep.registry import SAMPLERS
from glsweep.report import DASH, METRIC_WORDS, counted
from glsweep.study.artifacts import CountsBySplit, DataSummary
from glsweep.study.configuration import StudyConfig

SPLIT_TITLES: dict[SplitName, str] = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class SceneRow:
    """One scene: its size, its lines, and the splits that draw patches from it."""

    name: str
    shape: str
    lines: int
    line_km: float
    rows_without_geometry: int
    splits: str
    left_out: str


@dataclass(frozen=True)
class PatchRow:
    """Patches of one size and split.

    `overlap` is the largest share of pixels that two of them have in common; None where there is none.
    """

    patch_size_px: int
    split: str
    with_line: int
    without_line: int
    overlap: float | None

    @property
    def overlap_text(self) -> str:
        """Return the overlap in percent, or a dash."""
        return DASH if self.overlap is None else f"{self.overlap:.0%}"


@dataclass(frozen=True)
class DataFacts:
    """The data's counts, ready for the page.

    `leak` is the share of patches that share ground with a training patch, by patch size and
    split; None when the split is leak-proof, which `proof` then says in words.
    """

    scenes: list[SceneRow]
    patches: list[PatchRow]
    line_rows: int
    rows_without_geometry: int
    null_rows_by_scene: dict[str, int]
    rows_without_scene: dict[str, int]
    remarks: tuple[str, ...]
    scenes_without_line: tuple[str, ...]
    left_out: dict[str, str]
    too_small: dict[int, tuple[str, ...]]
    posting_m: float
    rule: str
    asked_rule: str
    reason: str
    proof: str
    leak: dict[int, dict[SplitName, float]] | None

    def leak_text(self, row: PatchRow) -> str:
        """Return the share of a row's patches that share ground with training, or a dash."""
        names = {title: split for split, title in SPLIT_TITLES.items()}
        share = (self.leak or {}).get(row.patch_size_px, {}).get(names[row.split])
        return DASH if share is None else f"{share:.0%}"


def data_facts(data: DataSummary) -> DataFacts:
    """Arrange `data.json` for the page."""
    found = data.catalogue
    return DataFacts(
        scenes=_scene_rows(data),
        patches=_patch_rows(data.patches, data.overlap),
        line_rows=found.line_rows,
        rows_without_geometry=found.rows_without_geometry,
        null_rows_by_scene=found.rows_without_geometry_by_scene,
        rows_without_scene=found.rows_without_scene,
        remarks=found.remarks,
        scenes_without_line=found.scenes_without_line,
        left_out=data.left_out,
        too_small={size: names for size, names in data.too_small.items() if names},
        posting_m=found.posting_m,
        rule=data.split.rule,
        asked_rule=data.asked_rule,
        reason=data.split.reason,
        proof=_proof(data.proof.pairs_checked),
        leak=data.proof.leak,
    )


def _scene_rows(data: DataSummary) -> list[SceneRow]:
    null_rows, left_out = data.catalogue.rows_without_geometry_by_scene, data.left_out
    whole = data.split.rule == "patch"
    return [
        SceneRow(
            name=name,
            shape=f"{facts.rows} \N{MULTIPLICATION SIGN} {facts.cols}",
            lines=facts.lines,
            line_km=facts.line_km,
            rows_without_geometry=null_rows.get(name, 0),
            splits="all" if whole and name not in left_out else _splits_of(name, data.split.scenes),
            left_out=left_out.get(name, ""),
        )
        for name, facts in data.catalogue.by_scene.items()
    ]


def _splits_of(name: str, scenes: Mapping[SplitName, Sequence[str]]) -> str:
    return ", ".join(title for split, title in SPLIT_TITLES.items() if name in scenes[split])


def _patch_rows(
    patches: Mapping[int, CountsBySplit], overlap: Mapping[int, Mapping[SplitName, float]]
) -> list[PatchRow]:
    return [
        PatchRow(
            size, title, by_split[split].with_line, by_split[split].without_line, overlap[size].get(split)
        )
        for size, by_split in sorted(patches.items())
        for split, title in SPLIT_TITLES.items()
    ]


def _proof(pairs_checked: int | None) -> str:
    if pairs_checked is None:
        return ""
    pairs = counted(pairs_checked, "pair")
    return f"{pairs} of patches of different splits were compared on the map, all sizes: none share ground."


# --- The study's settings in words


def setup_facts(config: StudyConfig, changes: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Return headings with their settings, in the order in which stages use them.

    `changes` are clauses on how the training of members differed from that of their trials.
    """
    space = config.space
    return {
        "What varied": {name: _dimension(name, dimension) for name, dimension in space.dimensions.items()},
        "Fixed": {name: _value(value) for name, value in space.fixed.items()},
        "Patches": _patches(space),
        "Search": _search(space),
        "Retraining": _retraining(space)
        | ({"otherwise than searched": "; ".join(changes)} if changes else {}),
        "Calibration": {
            "tau": f"{space.calibration.count} values from {space.calibration.lowest:g} to "
            f"{space.calibration.highest:g}",
            "criterion": f"{METRIC_WORDS[space.calibration.criterion]} on validation",
        },
        "Randomness": {"seed": str(config.seed)},
    }


def _dimension(name: str, dimension: Dimension) -> str:
    if dimension.choices is None:
        text = _range(span_of(name, dimension))
        if dimension.grid:
            text += f"; grid {', '.join(f'{value:g}' for value in dimension.grid)}"
    else:
        names = dimension.labels or tuple(map(_value, dimension.choices))
        text = ", ".join(names)
        if dimension.keys:
            text = f"({', '.join(dimension.keys)}): {text}"
    conditions = " and ".join(f"{key} is {_value(value)}" for key, value in dimension.when.items())
    return f"{text}; only when {conditions}" if conditions else text


def _range(span: Span) -> str:
    kinds = ["whole numbers"] if span.is_whole and span.step == 1 else []
    if span.step is not None and not kinds:
        kinds.append(f"in steps of {span.step}")
    if span.log:
        kinds.append("logarithmic")
    return ", ".join([f"{span.low:g} to {span.high:g}", *kinds])


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "(" + ", ".join(map(_value, value)) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _patches(space: SearchSpace) -> dict[str, str]:
    settings = space.patches
    facts = {
        "at most": f"{settings.with_line:,} with a line, {settings.without_line:,} without, of each size",
        "data": f"at least {settings.valid_share:.0%} of a patch's pixels",
    }
    if settings.near_share is not None:
        facts["positions"] = "spread evenly along the line"
        facts["without a line"] = (
            f"{settings.near_share:.0%} within one patch of it, {1 - settings.near_share:.0%} farther away"
        )
    else:
        facts["positions"] = "uniform, as published"
        facts["coverage"] = (
            f"at most {settings.box_coverage} summed over the central {settings.box_px} px box, or at least "
            f"{settings.fresh_share:.0%} of pixels covered fewer than {settings.fresh_coverage} times"
        )
    return facts


def _search(space: SearchSpace) -> dict[str, str]:
    search = space.search
    facts = {"sampler": SAMPLERS.title(search.sampler)}
    if search.parallel is not None:
        facts["sampler"] += f"; each proposal knows all but the last {search.parallel} of its stratum"
    if search.first:
        facts["tried first"] = "; ".join(
            ", ".join(f"{name} {_value(value)}" for name, value in chosen.items()) for chosen in search.first
        )
    facts["budget of the sweep"] = _budget(search.budget)
    facts["budget of a trial"] = counted(search.epochs, "epoch")
    facts["seeds"] = f"{counted(search.replicates, 'seed')} for each configuration that runs in full"
    facts["ranked by"] = (
        f"{METRIC_WORDS[search.rank_by]} on validation, tolerance {search.tolerance_m:g} m"
        + (", mean over seeds" if search.replicates > 1 else "")
    )
    facts["early stopping"] = _stopping(search.scheduler)
    resources = space.resources
    facts["a trial takes"] = f"{counted(resources.cpus, 'CPU')}, {resources.gpus:g} GPU where there is one"
    facts["trained as one network"] = _together(resources.cohort)
    return facts


def _together(cohort: int | str) -> str:
    match cohort:
        case 1:
            return "none"
        case int():
            return f"up to {cohort} trials that differ in loss and optimiser alone"
    return "small trials that differ in loss and optimiser alone, on CPUs"


def _budget(budget: Budget) -> str:
    limits = []
    if budget.trials is not None:
        limits.append(counted(budget.trials, "configuration"))
    if budget.epochs is not None:
        limits.append(counted(budget.epochs, "epoch"))
    if budget.hours is not None:
        limits.append(f"{budget.hours:g} h")
    return (
        ", ".join(limits) + (", whichever comes first" if len(limits) > 1 else "") if limits else "no limit"
    )


def _stopping(stopping: Stopping) -> str:
    within = "within each (architecture, patch size)"
    match stopping:
        case SuccessiveHalving():
            kind = "asynchronous successive halving" if isinstance(stopping, Asha) else "successive halving"
            return (
                f"{kind} {within}, first rung at epoch {stopping.grace_epochs}, "
                f"the best 1 in {stopping.reduction_factor} go on"
            )
        case Median():
            return f"median rule {within}, at each epoch from {stopping.grace_epochs} on"
        case NoStopping():
            return "none"
        case OwnStopping():
            given = ", ".join(f"{name} {value}" for name, value in stopping.parameters.items())
            return f"{stopping.name} {within}" + (f": {given}" if given else "")


def _retraining(space: SearchSpace) -> dict[str, str]:
    retraining = space.retraining
    seeds = f", {retraining.seeds} seeds, whose mean probability counts" if retraining.seeds > 1 else ""
    annealed = "" if retraining.annealing == "none" else f" (annealed by {retraining.annealing})"
    return {
        "budget": f"{counted(retraining.epochs, 'epoch')}, patience {retraining.patience}{seeds}",
        "best epoch by": METRIC_WORDS[retraining.monitor],
        "optimiser": f"Adam, learning rate {_set(space, 'learning_rate')}{annealed}, weight decay "
        f"{_set(space, 'weight_decay')}",
        "batch": f"size {_set(space, 'batch_size')}, gradient norm clipped at {_set(space, 'gradient_clip')}",
    }


def _set(space: SearchSpace, parameter: str) -> str:
    """Return a parameter's value in full training, and that of the trials where it differs."""
    value = space.retraining.trial_overrides.get(parameter)
    if value is None:
        return "as in the trial"
    was = space.retraining_overrides.get(parameter)
    return f"{value:g}" if was is None else f"{value:g} (in the trials {was[0]})"
