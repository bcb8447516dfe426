"""Fits a network to a user's own scenes without labels, checks it on others, and keeps it only if better."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from glsweep import __version__
from glsweep.adaptation.agreement import TAUS, SceneCounts, agreement, count_lines
from glsweep.adaptation.fit import STEPS, fit
from glsweep.adaptation.scenes import SURE, TaughtScene, read_part, taught
from glsweep.config.bands import NoData, check_bands
from glsweep.errors import ConfigError, DataError
from glsweep.files import check_output_folder
from glsweep.nets.member import Adaptation, Agreement, save_member
from glsweep.prediction import DrawingOptions
from glsweep.prediction.blend import Member
from glsweep.prediction.command import each_scene, named_rasters, open_drawing
from glsweep.prediction.drawing import Drawing
from glsweep.prediction.scene import Advance
from glsweep.progress import counted
from glsweep.randomness import generator_for
from glsweep.registry import UNTRAINED
from glsweep.scenes.raster import read_header

FEWEST_SCENES, MOST_SCENES = 4, 48
HELD_OUT_SHARE, FEWEST_HELD_OUT = 0.25, 2
MOST_FOR_THRESHOLD = 6
UNCERTAINTY_UNKNOWN = "it was fitted to scenes without labels, which cannot tell how far off a line is"


@dataclass(frozen=True)
class Adapted:
    """What came of adapting.

    Attributes
    ----------
    folder : Path or None
        The new member's; None where the old network is kept, and nothing was written.
    as_it_was, threshold_alone, fitted : Agreement
        On the scenes held out: the old network at its own threshold, the old one at a threshold chosen on
        the other scenes, and the fitted one at one chosen so.
    fitted_to, held_out : tuple of str
        Names of scenes.
    refused : tuple of str
        Why others were left out.
    """

    folder: Path | None
    as_it_was: Agreement
    threshold_alone: Agreement
    fitted: Agreement
    fitted_to: tuple[str, ...]
    held_out: tuple[str, ...]
    refused: tuple[str, ...]


def adapt_member(
    scenes: Sequence[Path],
    out: Path,
    console: Console,
    *,
    model: str | None = None,
    bands: str = "auto",
    nodata: NoData = None,
    steps: int = STEPS,
    seed: int = 0,
    device: str | None = None,
) -> Adapted:
    """Fit a network to scenes without labels, and write it if it is better on those held out.

    Parameters
    ----------
    scenes : sequence of Path
        Rasters, or folders of them.
    out : Path
        The new member's folder.
    console : Console
        For what is found.
    model : str, optional
        A member's folder or a registered model; the network in the package unless named.
    bands : str
        What the rasters' bands hold, see `parse_bands`.
    nodata : float, "as_tagged" or None
        What stands for no data where the files do not say so, see `NoData`.
    steps : int
        Of fitting.
    seed : int
        Decides every draw.
    device : str, optional
        A GPU if there is one, unless named.

    Raises
    ------
    ConfigError
        When an option has a bad value.
    StudyError
        When the model cannot be found or read.
    DataError
        When too few scenes can be used, or the network is sure of no line in them.
    """
    check_output_folder("--out", out)
    check_bands(bands)
    if steps < 1:
        raise ConfigError(f"--steps {steps}: fits nothing; choose 1 or more")
    paths = named_rasters(scenes, console)
    _check_enough(len(paths))
    options = DrawingOptions(model=() if model is None else (model,), device=device)
    (old,), drawing = open_drawing(options, console)
    if old.card.architecture in UNTRAINED.built_in:
        raise ConfigError(f"--model {old.name}: has no weights that could be fitted; name a network")
    lot = generator_for(seed, "adapt", "scenes").permutation(len(paths))
    if len(paths) > MOST_SCENES:
        console.print(f"{MOST_SCENES} of the {len(paths)} scenes are taken, by lot", highlight=False)

    def teach(path: Path, advance: Advance) -> TaughtScene:
        part = read_part(read_header(path, bands, nodata=nodata), old, drawing)
        advance(0.1)
        return taught(part, old, drawing)

    chosen = [paths[number] for number in lot[:MOST_SCENES]]
    known, refused = each_scene(chosen, teach, lambda path: path.name, "looking at scenes")
    _check_enough(len(known), *refused)
    count = max(FEWEST_HELD_OUT, round(HELD_OUT_SHARE * len(known)))
    held_out, fitted_to = known[:count], known[count:]
    _check_sure_of_lines(fitted_to)
    with counted(steps, "steps", f"fitting to {len(fitted_to)} scenes") as done:
        new = fit(old, fitted_to, seed=seed, steps=steps, on_step=done.advance)
    found = _checked(old, new, drawing, fitted_to=fitted_to, held_out=held_out)
    is_better = found[-1].score > max(one.score for one in found[:-1])
    if is_better:
        change = Adaptation(
            weights_hash=old.weights_hash,
            scenes=len(fitted_to),
            held_out=len(held_out),
            before=found[0],
            after=found[-1],
        )
        _write(out, new, change)
    return Adapted(
        out if is_better else None,
        *found,
        fitted_to=tuple(scene.part.name for scene in fitted_to),
        held_out=tuple(scene.part.name for scene in held_out),
        refused=tuple(refused),
    )


def _check_enough(count: int, *refused: str) -> None:
    if count < FEWEST_SCENES:
        others = f" ({'; '.join(refused)})" if refused else ""
        raise DataError(
            f"--scene: {count} can be used{others}, and {FEWEST_SCENES} are needed: "
            f"{FEWEST_HELD_OUT} are held out to see whether it helped; name more"
        )


def _check_sure_of_lines(scenes: Sequence[TaughtScene]) -> None:
    if not any((scene.target == 1).any() for scene in scenes):
        raise DataError(
            f"--scene: the network is sure of a line (at {SURE:g}) in none of the {len(scenes)} scenes that "
            "it would be fitted to, so they teach it nothing; name others, or train on scenes with lines"
        )


# --- The check


def _checked(
    old: Member,
    new: Member,
    drawing: Drawing,
    *,
    fitted_to: Sequence[TaughtScene],
    held_out: Sequence[TaughtScene],
) -> tuple[Agreement, Agreement, Agreement]:
    """Choose thresholds where it was fitted; return what both networks do where it was not."""
    for_threshold = fitted_to[:MOST_FOR_THRESHOLD]
    chosen = [
        max(_agreements(member, for_threshold, TAUS, drawing), key=lambda one: one.score).tau
        for member in (old, new)
    ]
    as_it_was, alone = _agreements(old, held_out, (drawing.tau, chosen[0]), drawing)
    (fitted,) = _agreements(new, held_out, (chosen[1],), drawing)
    return as_it_was, alone, fitted


def _agreements(
    member: Member,
    scenes: Sequence[TaughtScene],
    taus: Sequence[float],
    drawing: Drawing,
) -> list[Agreement]:
    """Return the figures at each threshold, pooled over scenes."""

    def measure(scene: TaughtScene, _advance: Advance) -> list[SceneCounts]:
        return count_lines(scene, member, drawing, taus)

    found, _ = each_scene(scenes, measure, lambda scene: scene.part.name, "checking")
    return [agreement(at_tau, tau) for tau, at_tau in zip(taus, zip(*found, strict=True), strict=True)]


def _write(out: Path, new: Member, change: Adaptation) -> None:
    """Write the new member; what was measured of the old one is not said of it."""
    card = new.card.model_copy(
        update={
            "tau": change.after.tau,
            "uncertainty": None,
            "uncertainty_unknown": UNCERTAINTY_UNKNOWN,
            "adapted": change,
            "figures": {},
            "tested": {},
            "glsweep_version": __version__,
        }
    )
    out.mkdir(parents=True, exist_ok=True)
    save_member(out, new.network, card)


def print_adapted(found: Adapted, console: Console) -> None:
    """Print the check, and what follows from it."""
    titles = ("threshold", "filters agree", "sure lines kept", "borne out", "score", "drawn km")
    table = Table("network", *titles)
    rows = {
        "as it was": found.as_it_was,
        "new threshold": found.threshold_alone,
        "fitted": found.fitted,
    }
    for name, one in rows.items():
        shares = (one.filters_agree, one.sure_kept, one.borne_out, one.score)
        table.add_row(name, f"{one.tau:g}", *(f"{share:.2f}" for share in shares), f"{one.drawn_km:.0f}")
    console.print(f"on {len(found.held_out)} scenes that it was not fitted to: {', '.join(found.held_out)}")
    console.print(table)
    console.print(_verdict(found), highlight=False, soft_wrap=True, markup=False)


def _verdict(found: Adapted) -> str:
    if found.folder is not None:
        return f"fitted to {len(found.fitted_to)} scenes, and better on the others: written to {found.folder}"
    return "the fitted network is no better there: nothing is written, keep the old one"
