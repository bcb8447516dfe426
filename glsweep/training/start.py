"""Weights from which trials begin in place of random ones: found, checked, and kept in the study."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from glsweep.config.base import refusal
from glsweep.config.space import WHICHEVER, SearchSpace
from glsweep.config.trial import PUBLISHED_WIDTHS, TrialParameters
from glsweep.errors import StudyError
from glsweep.files import replacing
from glsweep.nets.foreign import CHANNELS
from glsweep.nets.published import PublishedWeights, digest, read_published
from glsweep.randomness import generator_for
from glsweep.spaces.configurations import Configurations
from glsweep.spaces.plan import ListedPlan, Plan
from glsweep.spaces.traversal import random_pick, traverse
from glsweep.study import Study
from glsweep.training.state import TrainingState

Start = Mapping[str, Mapping[str, Tensor]]
"""By architecture, what `load_state_dict` takes."""

HASHED = "sha256:"
DRAWS = 200


def read_start(space: SearchSpace, source: Path) -> tuple[SearchSpace, list[PublishedWeights]]:
    """Read the files that `start` names; return the space with their hashes in place of paths.

    Raises
    ------
    ConfigError
        When a file is missing or does not hold what it should, or two are for one architecture.
    """
    weights: dict[str, PublishedWeights] = {}
    for name, file in space.start.items():
        found = read_published(Path(file), None if name == WHICHEVER else name)
        if found.architecture in weights:
            fault = f"two files hold the {found.architecture}; remove one of them"
            raise refusal(source, ("start", name), fault)
        weights[found.architecture] = found
    hashes = {name: f"{HASHED}{found.sha256}" for name, found in sorted(weights.items())}
    return space.model_copy(update={"start": hashes}), list(weights.values())


def check_start(space: SearchSpace, plan: Plan, source: Path) -> None:
    """Make sure that the weights fit every trial that begins with them.

    Raises
    ------
    ConfigError
        When a trial is wider, has other than two channels, or no trial has the architecture.
    """
    found = set()
    for parameters in _trials(space, plan, source):
        name = parameters.architecture
        if name in space.start:
            found.add(name)
            width, channels = PUBLISHED_WIDTHS[name], len(parameters.channels)
            if (parameters.base_width, channels) != (width, CHANNELS):
                fault = (
                    f"weights are for base_width {width} and {CHANNELS} channels, a trial has "
                    f"{parameters.base_width} and {channels}; keep to those, or remove `start`"
                )
                raise refusal(source, ("start", name), fault)
    for unused in sorted(set(space.start) - found):
        raise refusal(source, ("start", unused), "no trial has this architecture; remove it")


def keep_start(study: Study, weights: Iterable[PublishedWeights]) -> None:
    """Write the weights into the study."""
    for found in weights:
        with replacing(study.start(found.architecture)) as beside:
            safetensors.torch.save_file(dict(found.state), beside)


def load_start(study: Study) -> Start:
    """Return the study's weights to begin with.

    Raises
    ------
    StudyError
        When a file is missing, cut short, or not the one that the study began with.
    """
    start: dict[str, Mapping[str, Tensor]] = {}
    for name, wanted in study.config.space.start.items():
        path = study.start(name)
        try:
            state = safetensors.torch.load_file(path)
        except (OSError, SafetensorError) as error:
            raise StudyError(
                f"{path}: cannot be read ({error}); give the command with which the study was begun"
            ) from error
        if f"{HASHED}{digest(state)}" != wanted:
            raise StudyError(
                f"{path}: is not what the study began with; delete it and give its command again"
            )
        start[name] = state
    return start


def begin_from(state: TrainingState, parameters: TrialParameters, start: Start) -> None:
    """Give a fresh state the weights of its architecture, if there are such."""
    if parameters.architecture in start:
        state.network.load_state_dict(start[parameters.architecture])


def _trials(space: SearchSpace, plan: Plan, source: Path) -> Iterable[TrialParameters]:
    if isinstance(plan, ListedPlan):
        return (trial.parameters for trial in plan.trials)
    configurations = Configurations(space, seed=0, source=source)
    picks = (random_pick(generator_for(0, "start", str(number))) for number in range(DRAWS))
    return (configurations.parameters(traverse(space.dimensions, pick)) for pick in picks)
