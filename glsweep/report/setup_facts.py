"""The study's settings in words: what varied, how it was searched, retrained and calibrated."""

from collections.abc import Sequence

from glsweep.config.dimension import Dimension
from glsweep.config.space import Asha, Budget, Median, NoStopping, SearchSpace, Stopping
from glsweep.config.span import Span, span_of
from glsweep.config.study import StudyConfig
from glsweep.report.words import FIGURE_WORDS, counted

SAMPLERS = {
    "grid": "grid, every configuration once",
    "random": "random, each configuration drawn by itself",
    "tpe": "TPE (tree-structured Parzen estimator), which proposes near what was good",
}


def setup_facts(config: StudyConfig, changes: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Return headings with their settings, in the order in which stages use them.

    `changes` are clauses on what members were trained with otherwise than in their trials.
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
            "criterion": f"{FIGURE_WORDS[space.calibration.criterion]} on validation",
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
    facts = {"sampler": SAMPLERS[search.sampler]}
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
        f"{FIGURE_WORDS[search.rank_by]} on validation, tolerance {search.tolerance_m:g} m"
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
        case Asha():
            return (
                f"successive halving {within}, first rung at epoch {stopping.grace_epochs}, "
                f"the best 1 in {stopping.reduction_factor} go on"
            )
        case Median():
            return f"median rule {within}, at each epoch from {stopping.grace_epochs} on"
        case NoStopping():
            return "none"


def _retraining(space: SearchSpace) -> dict[str, str]:
    retraining = space.retraining
    annealed = "" if retraining.annealing == "none" else f" (annealed by {retraining.annealing})"
    return {
        "budget": f"{counted(retraining.epochs, 'epoch')}, patience {retraining.patience}",
        "best epoch by": FIGURE_WORDS[retraining.monitor],
        "optimiser": f"Adam, learning rate {_set(space, 'learning_rate')}{annealed}, weight decay "
        f"{_set(space, 'weight_decay')}",
        "batch": f"size {_set(space, 'batch_size')}, gradient norm clipped at {_set(space, 'gradient_clip')}",
    }


def _set(space: SearchSpace, parameter: str) -> str:
    """Tell what full training takes for a parameter, and what the trials had where it overrules that."""
    value = space.retraining.of_the_trial.get(parameter)
    if value is None:
        return "as in the trial"
    was = space.retraining_overrides.get(parameter)
    return f"{value:g}" if was is None else f"{value:g} (in the trials {was[0]})"
