"""May lines be cited: what produced them, how that was tested, and what to write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from glsweep import __version__
from glsweep.config.data_card import DataCard
from glsweep.errors import GlsweepError
from glsweep.nets.member import ModelCard
from glsweep.prediction.blend import EMBEDDED, IN_PACKAGE, Member
from glsweep.study import open_study

NEVER_COMPARED = "never compared with an analyst's lines on real scenes"


@dataclass(frozen=True)
class Producer:
    """A member as a reader must know it.

    Attributes
    ----------
    name : str
        In words for one in the package, else what its folder or its place in the registry is called.
    member : Member
    data : tuple of DataCard
        What it was trained on, where the study that it lies in tells.
    is_in_package : bool
        Whether it came with glsweep.
    """

    name: str
    member: Member
    data: tuple[DataCard, ...]
    is_in_package: bool

    @property
    def card(self) -> ModelCard:
        """Its card."""
        return self.member.card

    @property
    def is_simulated_alone(self) -> bool:
        """Whether it has seen simulated scenes alone, as far as that is known."""
        return self.is_in_package or (bool(self.data) and all(card.simulation for card in self.data))

    @property
    def validated_on(self) -> dict[str, Mapping[str, float]]:
        """Figures on whole test scenes by data set, of those that are not known to be simulated."""
        simulated = {card.name for card in self.data if card.simulation}
        if self.is_in_package:
            return {}
        return {
            name: figures
            for name, figures in self.card.tested.items()
            if name not in simulated and "scenes.completeness_200" in figures
        }

    @property
    def tests_in_words(self) -> list[str]:
        """What it reached on whole test scenes, a sentence for each data set that says so."""
        simulated = {card.name for card in self.data if card.simulation}
        return [
            figures_in_words(
                f"{name} (simulated)" if self.is_in_package or name in simulated else name, figures
            )
            for name, figures in self.card.tested.items()
            if "scenes.completeness_200" in figures
        ]

    @property
    def tests_in_short(self) -> str:
        """The same in one sentence, over all data sets."""
        known = {card.name: bool(card.simulation) for card in self.data}
        shares = {
            name: 100 * figures["scenes.completeness_200"]
            for name, figures in self.card.tested.items()
            if "scenes.completeness_200" in figures
        }
        if not shares:
            return "no figures on whole test scenes"
        simulated = self.is_in_package or all(known.get(name, False) for name in shares)
        least, most = min(shares.values()), max(shares.values())
        span = f"{least:.0f}" if round(least) == round(most) else f"{least:.0f} to {most:.0f}"
        kind = "simulated test scenes" if simulated else "test scenes"
        return f"{span} % of the known line found within 200 m on {kind}"

    def described(self) -> str:
        """Return in a few words what it is, with the hash of its weights."""
        kind = self.card.architecture.replace("_", " ")
        weights = f", weights {self.member.weights_hash}" if self.member.weights_hash else ""
        return f"{self.name} ({kind}{weights})"


def producers(members: Sequence[Member]) -> list[Producer]:
    """Return the members with what is known of their data."""
    return [_producer(member) for member in members]


def _producer(member: Member) -> Producer:
    words = {str(EMBEDDED): "the network in the package", "phase-gradient": "the phase gradient (no network)"}
    is_in_package = member.name in {str(EMBEDDED), *IN_PACKAGE}
    data = () if is_in_package else _training_data(Path(member.name), member.card)
    is_folder = not member.name.startswith("models:")
    named = f"the network {Path(member.name).resolve().name}" if is_folder else member.name
    return Producer(words.get(member.name, named), member, data, is_in_package)


def _training_data(folder: Path, card: ModelCard) -> tuple[DataCard, ...]:
    """Return the data cards of the study in which a member lies; none where it lies in no such study."""
    try:
        study = open_study(folder.resolve().parents[1])
    except (GlsweepError, OSError, IndexError):
        return ()
    if study.config.card.content_hash() != card.data_card_hash:
        return ()
    return study.config.card.data_sets


# --- What to write


def validation(made_by: Sequence[Producer]) -> str:
    """Return in a sentence how the lines were validated, or that they were not."""
    if len(made_by) > 1:
        return f"The mean of these {len(made_by)} members has itself not been tested"
    (one,) = made_by
    if not one.validated_on:
        return f"Not validated: {one.name} was {NEVER_COMPARED}"
    return "; ".join(figures_in_words(name, figures) for name, figures in one.validated_on.items())


def figures_in_words(data_set: str, figures: Mapping[str, float]) -> str:
    """Return figures on whole test scenes of a data set in words."""
    parts = [f"{100 * figures['scenes.completeness_200']:.0f} % of the known line found within 200 m"]
    if "scenes.false_km_200" in figures and "scenes.lines_km" in figures:
        parts.append(f"{figures['scenes.false_km_200']:.0f} of {figures['scenes.lines_km']:.0f} km invented")
    if "scenes.mean_m" in figures:
        parts.append(f"mean distance {figures['scenes.mean_m']:.0f} m")
    return f"on test scenes of {data_set}: {', '.join(parts)}"


def text_to_cite(made_by: Sequence[Producer], *, tau: float, scenes_in_words: str) -> str:
    """Return the sentences for a methods section."""
    named = " and ".join(one.described() for one in made_by)
    learnt = "; ".join(dict.fromkeys(one.card.trained_on for one in made_by if one.card.trained_on))
    return (
        f"Grounding lines were drawn in {scenes_in_words} with glsweep {__version__} by {named}"
        f"{', the mean of their probabilities' if len(made_by) > 1 else ''}"
        f"{f', trained on: {learnt}' if learnt else ''}; a pixel is line from a probability of {tau:g}. "
        f"{_sentence(validation(made_by))}."
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def bibtex() -> str:
    """Return the entry of the software."""
    return (
        f"@software{{glsweep_{__version__.replace('.', '_')},\n"
        "  author  = {{The glsweep developers}},\n"
        "  title   = {glsweep: finds the network that draws glacier grounding lines best in DInSAR scenes},\n"
        f"  version = {{{__version__}}},\n"
        f"  year    = {{{datetime.now(UTC).year}}},\n"
        "  license = {MIT}\n"
        "}"
    )
