"""The command `score`: what a network that was trained elsewhere is worth on a data set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from glsweep.config.card_files import load_data
from glsweep.config.data_card import DataCard
from glsweep.config.output_paths import check_output_folder
from glsweep.errors import ConfigError
from glsweep.files import write_json, write_text
from glsweep.metrics.lines import TOLERANCES_M
from glsweep.patches.survey import annotated
from glsweep.predict.asked import check_options, open_drawing
from glsweep.predict.in_turn import in_turn, tell_refused
from glsweep.predict.options import DrawingOptions
from glsweep.predict.scene import Advance, Drawing
from glsweep.scenes.catalogue import Catalogue
from glsweep.scenes.joined import open_data
from glsweep.scenes.scene_entry import SceneEntry
from glsweep.score.cautions import cautions_of
from glsweep.score.groups import groups_of
from glsweep.score.scene import ScoredScene, score_scene
from glsweep.score.table import as_csv, score_rows, tell_rows


def score_data(
    data: Sequence[Path],
    options: DrawingOptions,
    console: Console,
    *,
    root: Path | None,
    out: Path | None,
    by: str | None,
) -> int:
    """Draw all scenes that have lines and can be drawn, and measure them; return 0, or 2 if some cannot.

    Parameters
    ----------
    data : sequence of Path
        Data cards, or folders of scenes with their lines.
    options : DrawingOptions
        How scenes are drawn.
    console : Console
        Where all is told.
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
    entries, left_out = annotated(catalogue)
    groups = groups_of(card, entries, by)
    members, drawing = open_drawing(options, console)
    for caution in (*cautions_of(members, card, entries), *map(escape, catalogue.remarks)):
        console.print(f"[yellow]mind:[/yellow] {caution}", highlight=False, soft_wrap=True)
    if left_out:
        told = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        console.print(f"without a line, and not scored: {told}", highlight=False, soft_wrap=True)

    def score_one(entry: SceneEntry, advance: Advance) -> ScoredScene:
        return score_scene(entry, members, drawing, folder, advance)

    scored, refused = in_turn(entries, score_one, lambda entry: entry.name, console)
    if scored:
        by_name = dict(zip((entry.name for entry in entries), groups or (), strict=False))
        rows = score_rows(scored, [by_name[one.entry.name] for one in scored] if groups else None)
        tell_rows(rows, console)
        write_text(folder / "scores.csv", as_csv(rows))
        models = [member.name for member in members]
        write_json(folder / "scores.json", {**_settings(models, card, drawing), "rows": rows})
        console.print(f"written to {folder}", highlight=False, soft_wrap=True)
    return tell_refused(refused, console)


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


def _settings(models: list[str], card: DataCard, drawing: Drawing) -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "models": models,
        "data": [part.name for part in card.data_sets],
        "tolerances_m": list(TOLERANCES_M),
        **drawing.settings(),
    }
