"""The command `score`: how well models that were trained elsewhere do on a data set."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from glsweep.comparison.scene_groups import groups_of
from glsweep.comparison.scored_scenes import (
    ScoredScene,
    ScoreRow,
    Scores,
    print_scores,
    score_rows,
    score_scene,
    scores_csv,
)
from glsweep.config.data_card import DataCard
from glsweep.errors import ConfigError
from glsweep.files import check_output_folder, write_text
from glsweep.metrics.lines import TOLERANCES_M
from glsweep.patches.prepare import annotated_scenes
from glsweep.prediction import DrawingOptions
from glsweep.prediction.blend import SAME, Member
from glsweep.prediction.command import check_options, each_scene, open_drawing, print_if_far, print_refused
from glsweep.prediction.qgis_project import write_scenes_project
from glsweep.prediction.scene import Advance
from glsweep.report import counted
from glsweep.scenes.cards import load_data
from glsweep.scenes.catalogue import Catalogue, open_data
from glsweep.scenes.scene import SceneEntry
from glsweep.study.artifacts import write_artifact


def score_cautions(members: Sequence[Member], card: DataCard, entries: Sequence[SceneEntry]) -> list[str]:
    """Return what to mind: models trained on this data or for another wavelength, scenes without a place.

    A model is recognised by the hash of the data card that it was trained on; a data set that was one
    of several then, or whose card has changed since, is not recognised.
    """
    cautions = []
    known = {one.content_hash(): one.name for one in (card, *card.data_sets)}
    for member in members:
        name = known.get(member.card.data_card_hash)
        if name is not None:
            cautions.append(
                f"{member.name} was trained on {name} itself; what it draws on scenes that it knows says "
                "little, see its study's report for its test split"
            )
        for part in card.data_sets:
            if not math.isclose(part.wavelength_m, member.card.wavelength_m, rel_tol=SAME):
                cautions.append(
                    f"{member.name} was trained for a wavelength of {member.card.wavelength_m:g} m, in "
                    f"{part.name} it is {part.wavelength_m:g} m: a tide makes other fringes"
                )
    unplaced = sum(not entry.header.is_placed for entry in entries)
    if unplaced:
        cautions.append(
            f"{counted(unplaced, 'scene')} without a place: lengths hold, but files lie nowhere on the map"
        )
    return cautions


# --- The command


@dataclass(frozen=True)
class ScoredData:
    """The result of scoring a data set.

    Attributes
    ----------
    folder : Path
        Where the files are.
    rows : list of ScoreRow
        As `score_rows` returns them; none where no scene could be scored.
    refused : list of str
        Why scenes could not be scored, one line each.
    """

    folder: Path
    rows: list[ScoreRow]
    refused: list[str]


def score_data(
    data: Sequence[Path],
    options: DrawingOptions,
    console: Console,
    *,
    root: Path | None,
    out: Path | None,
    by: str | None,
) -> ScoredData:
    """Draw all scenes that have lines and can be drawn, and measure them.

    Parameters
    ----------
    data : sequence of Path
        Data cards, or folders of scenes with their lines.
    options : DrawingOptions
        How scenes are drawn.
    console : Console
        Where cautions are printed.
    root : Path or None
        Where the scenes of the one card are.
    out : Path or None
        Where the files go; `score-<data>` if None.
    by : str or None
        What scenes are pooled by; see `groups_of`.

    Raises
    ------
    ConfigError
        When an option or a card has a bad value, or the models do not go together.
    StudyError
        When a model cannot be found or read.
    DataError
        When the data set cannot be used, or its only scene cannot be scored.
    """
    check_options(options)
    card = load_data(data, root=root)
    folder = out or Path(f"score-{card.name}")
    check_output_folder("--out", folder)
    catalogue = _open(card)
    entries, left_out = annotated_scenes(catalogue)
    groups = groups_of(card, entries, by)
    members, drawing = open_drawing(options, console)
    for caution in (*score_cautions(members, card, entries), *map(escape, catalogue.remarks)):
        console.print(f"[yellow]mind:[/yellow] {caution}", highlight=False, soft_wrap=True)
    if left_out:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        console.print(f"without a line, and not scored: {reasons}", highlight=False, soft_wrap=True)

    def score_one(entry: SceneEntry, advance: Advance) -> ScoredScene:
        one = score_scene(entry, members, drawing, folder, advance)
        print_if_far(one.far_from_prior, console)
        return one

    scored, refused = each_scene(entries, score_one, lambda entry: entry.name)
    if not scored:
        return ScoredData(folder, [], refused)
    by_name = dict(zip((entry.name for entry in entries), groups or (), strict=False))
    rows = score_rows(scored, [by_name[one.entry.name] for one in scored] if groups else None)
    write_text(folder / "scores.csv", scores_csv(rows))
    scores = Scores(
        models=tuple(member.name for member in members),
        data=tuple(part.name for part in card.data_sets),
        tolerances_m=TOLERANCES_M,
        tau=drawing.tau,
        window_px=drawing.window_px,
        overlap=drawing.overlap,
        turned=drawing.turned,
        shortest_m=drawing.shortest_m,
        bridge_m=drawing.bridge_m,
        near=drawing.prior.settings() if drawing.prior else None,
        rows=tuple(rows),
    )
    write_artifact(folder / "scores.json", scores)
    drawn = [(one.entry.header, list((folder / one.entry.prefix).iterdir())) for one in scored]
    write_scenes_project(folder, drawn, drawing.tau)
    return ScoredData(folder, rows, refused)


def print_scored(scored: ScoredData, console: Console) -> int:
    """Print the table and what was left out; return 0, or 2 if some scene could not be scored."""
    if scored.rows:
        print_scores(scored.rows, console)
        console.print(f"written to {scored.folder}", highlight=False, soft_wrap=True)
    return print_refused(scored.refused, console)


def _open(card: DataCard) -> Catalogue:
    roots = {}
    for part in card.data_sets:
        if part.root is None:
            raise ConfigError(
                f"data card {part.name}: its scenes are simulated within a study; "
                "name the folder `scenes` of that study instead"
            )
        roots[part.name] = part.root
    # Which postings fit is for the models to say, scene by scene.
    return open_data(card, roots, any_posting=True)
