"""Weights from which trials begin in place of random ones: found, checked, kept in the study, loaded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from glsweep.config import find_shipped
from glsweep.config.dimension import Dimension, parameters_of
from glsweep.config.settings import Keys, refusal
from glsweep.config.space import WHICHEVER, SearchSpace
from glsweep.config.start import EMBEDDED_START, sets_start, starts_of, with_starts
from glsweep.config.trial import Scalar, TrialParameters
from glsweep.errors import StudyError
from glsweep.files import replacing
from glsweep.nets.ensemble import networks_of
from glsweep.nets.foreign import CHANNELS
from glsweep.nets.member import WEIGHTS, hash_of_weights, load_member
from glsweep.nets.published import read_published
from glsweep.patches.store import open_patches
from glsweep.prediction.blend import EMBEDDED
from glsweep.registry import ARCHITECTURES
from glsweep.search.draws import trials_of
from glsweep.search.plan import Plan
from glsweep.study import Study
from glsweep.tracking.registry import fetched_member
from glsweep.training.fit import Schedule, judge
from glsweep.training.state import Start, begin_from_weights, fresh_state


@dataclass(frozen=True)
class StartWeights:
    """Weights that a search space names, and the network that they are of.

    Attributes
    ----------
    name : str
        What trials call them before their hash: the architecture, or `embedded`. A path is no part of
        it, since members may be moved.
    where : Keys
        Where the search space names them.
    architecture, base_width, own
        Of their network.
    channels : tuple of str or int
        What it sees, or of published weights how much alone.
    content : bytes
        A whole file of safetensors.
    """

    name: str
    where: Keys
    architecture: str
    base_width: int | None
    own: Mapping[str, Scalar]
    channels: tuple[str, ...] | int
    content: bytes

    @property
    def start(self) -> str:
        """The value of a trial's `start`."""
        return f"{self.name}@{hash_of_weights(self.content)}"

    def misfit(self, trial: TrialParameters) -> str | None:
        """Return why a trial cannot begin from these weights, and what helps; None if it can."""
        if trial.architecture != self.architecture:
            return (
                f"weights are for {self.architecture}, a trial has {trial.architecture}; keep to the former, "
                f"or name them in a dimension with `when: {{architecture: {self.architecture}}}`"
            )
        if trial.base_width != self.base_width:
            remedy = "leave it out" if self.base_width is None else f"set base_width to {self.base_width}"
            return f"weights are for base_width {self.base_width}, a trial has {trial.base_width}; {remedy}"
        if isinstance(self.channels, int) and len(trial.channels) != self.channels:
            return (
                f"weights are for {self.channels} channels, a trial has {len(trial.channels)}; name as many "
                "as they were trained on"
            )
        if not isinstance(self.channels, int) and trial.channels != self.channels:
            return (
                f"weights are for the channels {', '.join(self.channels)}, a trial has "
                f"{', '.join(trial.channels)}; set channels to [{', '.join(self.channels)}]"
            )
        own = trial.own_of(trial.architecture)
        if own != dict(self.own):
            return f"weights are for {dict(self.own)}, a trial has {own}; set these as the member's card does"
        return None


def read_start(space: SearchSpace, source: Path) -> tuple[SearchSpace, list[StartWeights]]:
    """Read the weights that a space names; return the space with names and hashes in place of paths.

    Relative paths are taken from the search space's folder.

    Raises
    ------
    ConfigError, StudyError
        When a file or folder is missing or does not hold what it should, or two are for one architecture.
    """
    folder = find_shipped(source).parent
    of_each: dict[str, StartWeights] = {}
    for named in starts_of(space):
        of_each[named] = _read(named, folder, _place(space, named))
    by_architecture: dict[str, StartWeights] = {}
    for key, named in space.start.items():
        found = _read(named, folder, ("start", key), None if key == WHICHEVER else key)
        if key not in (WHICHEVER, found.architecture):
            fault = f"{named} is a member of {found.architecture}; name it for that, or another here"
            raise refusal(source, found.where, fault)
        if found.architecture in by_architecture:
            fault = f"two files hold the {found.architecture}; remove one of them"
            raise refusal(source, found.where, fault)
        by_architecture[found.architecture] = found
    space = _written_out(with_starts(space, lambda named: of_each[named].start), by_architecture)
    return space, [*of_each.values(), *by_architecture.values()]


def _place(space: SearchSpace, named: str) -> Keys:
    if space.fixed.get("start") == named:
        return ("fixed", "start")
    return (
        "dimensions",
        next((name for name, of in space.dimensions.items() if sets_start(name, of)), "start"),
    )


def _written_out(space: SearchSpace, weights: Mapping[str, StartWeights]) -> SearchSpace:
    """Return the space with `start` of its trials in place of one for each architecture."""
    dimensions, fixed = dict(space.dimensions), dict(space.fixed)
    varies = any("architecture" in parameters_of(name, of) for name, of in dimensions.items())
    for architecture, found in sorted(weights.items()):
        if varies:
            dimensions[f"start_{architecture}"] = Dimension(
                keys=("start",), choices=((found.start,),), when={"architecture": architecture}
            )
        elif fixed.get("architecture") == architecture:
            fixed["start"] = found.start
    return space.model_copy(update={"dimensions": dimensions, "fixed": fixed, "start": {}})


def _read(named: str, folder: Path, where: Keys, architecture: str | None = None) -> StartWeights:
    if named == EMBEDDED_START:
        return _of_member(EMBEDDED, where, EMBEDDED_START)
    if named.startswith("models:"):
        with fetched_member(named) as fetched:
            return _of_member(fetched, where)
    path = (folder / named).resolve()
    return _of_member(path, where) if path.is_dir() else _of_file(path, where, architecture)


def _of_file(path: Path, where: Keys, architecture: str | None) -> StartWeights:
    found = read_published(path, architecture)
    width = ARCHITECTURES.built_in[found.architecture].defaults["base_width"]
    content = safetensors.torch.save({n: t.contiguous() for n, t in sorted(found.state.items())})
    return StartWeights(found.architecture, where, found.architecture, width, {}, CHANNELS, content)


def _of_member(folder: Path, where: Keys, name: str = "") -> StartWeights:
    """Read a member's weights; of several networks the first one's."""
    loaded, card = load_member(folder)
    network = (card.architecture, card.base_width, card.network_parameters, card.channels)
    # An import path holds a colon, as names of files may not on every system.
    name = name or card.architecture.replace(":", ".")
    first, content = networks_of(loaded)[0], (folder / WEIGHTS).read_bytes()
    if first is not loaded:
        content = safetensors.torch.save({n: t.contiguous() for n, t in sorted(first.state_dict().items())})
    return StartWeights(name, where, *network, content)


def check_start(space: SearchSpace, plan: Plan, source: Path, weights: Iterable[StartWeights]) -> None:
    """Make sure that weights fit every trial that begins from them.

    Raises
    ------
    ConfigError
        When a trial is another network, or no trial has the architecture of one that is named for it.
    """
    by_start = {found.start: found for found in weights}
    begun = set()
    for trial in trials_of(space, plan, source):
        found = by_start.get(trial.start)
        if found is not None:
            begun.add(trial.start)
            fault = found.misfit(trial)
            if fault is not None:
                raise refusal(source, found.where, fault)
    for start, found in by_start.items():
        if start not in begun and found.where[0] == "start":
            raise refusal(source, found.where, "no trial has this architecture; remove it")


# --- The weights in a study


def check_same_start(study: Study, requested: SearchSpace) -> None:
    """Make sure that weights from which trials have begun have not given way to others.

    Raises
    ------
    StudyError
        When some are no longer named, and others are in their place.
    """
    was, now = set(starts_of(study.config.space)), set(starts_of(requested))
    if study.has_begun and was - now and now - was:
        raise StudyError(
            f"{study.directory}: its trials began from {', '.join(sorted(was - now))}, and named now is "
            f"{', '.join(sorted(now - was))}: a member or file holds other weights than then; put back what "
            "was, or name another folder with --study"
        )


def keep_start(study: Study, weights: Iterable[StartWeights]) -> None:
    """Write the weights into the study, which needs nothing outside it from then on."""
    for found in weights:
        with replacing(_kept(study, found.start)) as temporary:
            temporary.write_bytes(found.content)


def load_start(study: Study) -> Start:
    """Return the study's weights to begin with.

    Raises
    ------
    StudyError
        When a file is missing, cut short, or not the one that the study began with.
    """
    start: dict[str, Mapping[str, Tensor]] = {}
    for named in starts_of(study.config.space):
        path = _kept(study, named)
        try:
            content = path.read_bytes()
            state = safetensors.torch.load(content)
        except (OSError, SafetensorError) as error:
            raise StudyError(
                f"{path}: cannot be read ({error}); give the command with which the study was begun"
            ) from error
        if hash_of_weights(content) != _digits(named):
            raise StudyError(
                f"{path}: is not what the study began with; delete it and give its command again"
            )
        start[named] = state
    return start


def metrics_at_start(
    study: Study, plan: Plan, start: Start, schedule: Schedule
) -> dict[str, dict[str, float]]:
    """Return, by stratum and start, what the weights score on validation before any training.

    Nothing by a loss, which trials do not have in common.
    """
    found: dict[str, dict[str, float]] = {}
    for trial in trials_of(study.config.space, plan, study.config_yaml):
        of_stratum = found.get(trial.stratum.key, {})
        if schedule.monitor != "val_loss" and trial.start in start.keys() - of_stratum.keys():
            state = fresh_state(trial, seed=0, device=torch.device("cpu"))
            begin_from_weights(state, trial, start)
            val = open_patches(study, trial.patch_size_px).arrays("val")
            metric = judge(state, trial, val, schedule).metrics()[schedule.monitor]
            found[trial.stratum.key] = {**of_stratum, trial.start: metric}
    return found


def _kept(study: Study, named: str) -> Path:
    return study.start(_digits(named))


def _digits(named: str) -> str:
    return named.rpartition("@")[2]
