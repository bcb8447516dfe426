"""The study's settings in words: what varied, how it was searched, retrained and calibrated."""

from glsweep.config.space import Asha, Dimension, SearchSpace
from glsweep.config.study import StudyConfig
from glsweep.report.words import FIGURE_WORDS, counted


def setup_facts(config: StudyConfig) -> dict[str, dict[str, str]]:
    """Return headings with their settings, in the order in which stages use them."""
    space = config.space
    return {
        "What varied": {name: _dimension(dimension) for name, dimension in space.dimensions.items()},
        "Fixed": {name: _value(value) for name, value in space.fixed.items()},
        "Patches": _patches(space),
        "Search": _search(space),
        "Retraining": _retraining(space),
        "Calibration": {
            "tau": f"{space.calibration.count} values from {space.calibration.lowest:g} to "
            f"{space.calibration.highest:g}",
            "criterion": f"{FIGURE_WORDS[space.calibration.criterion]} on validation",
        },
        "Randomness": {"seed": str(config.seed)},
    }


def _dimension(dimension: Dimension) -> str:
    if dimension.choices is None:
        scale = ", logarithmic" if dimension.log else ""
        text = f"{dimension.low:g} to {dimension.high:g}{scale}"
        if dimension.grid:
            text += f"; grid {', '.join(f'{value:g}' for value in dimension.grid)}"
    else:
        names = dimension.labels or tuple(map(_value, dimension.choices))
        text = ", ".join(names)
        if dimension.keys:
            text = f"({', '.join(dimension.keys)}): {text}"
    conditions = " and ".join(f"{key} is {_value(value)}" for key, value in dimension.when.items())
    return f"{text}; only when {conditions}" if conditions else text


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(map(_value, value)) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _patches(space: SearchSpace) -> dict[str, str]:
    settings = space.patches
    return {
        "at most": f"{settings.with_line:,} with a line, {settings.without_line:,} without, of each size",
        "data": f"at least {settings.valid_share:.0%} of a patch's pixels",
        "coverage": f"at most {settings.box_coverage} summed over the central {settings.box_px} px box, or "
        f"at least {settings.fresh_share:.0%} of pixels covered fewer than {settings.fresh_coverage} times",
    }


def _search(space: SearchSpace) -> dict[str, str]:
    search = space.search
    drawn = "every configuration" if search.samples is None else counted(search.samples, "configuration")
    facts = {
        "sampler": f"{search.sampler}, {drawn}",
        "budget": f"{counted(search.epochs, 'epoch')} a trial",
        "ranked by": f"{FIGURE_WORDS[search.rank_by]} on validation, tolerance {search.tolerance_m:g} m",
    }
    if isinstance(search.scheduler, Asha):
        facts["early stopping"] = (
            "successive halving within each (architecture, patch size), first rung at epoch "
            f"{search.scheduler.grace_epochs}, the best 1 in {search.scheduler.reduction_factor} go on"
        )
    else:
        facts["early stopping"] = "none"
    resources = space.resources
    facts["a trial takes"] = f"{counted(resources.cpus, 'CPU')}, {resources.gpus:g} GPU where there is one"
    return facts


def _retraining(space: SearchSpace) -> dict[str, str]:
    retraining = space.retraining
    return {
        "budget": f"{counted(retraining.epochs, 'epoch')}, patience {retraining.patience}",
        "best epoch by": FIGURE_WORDS[retraining.monitor],
        "optimiser": f"Adam, learning rate {retraining.learning_rate:g}, weight decay "
        f"{retraining.weight_decay:g}",
        "batch": f"{counted(retraining.batch_size, 'patch', 'patches')}, gradient norm clipped at "
        f"{retraining.gradient_clip:g}",
    }
