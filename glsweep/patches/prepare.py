"""The stage `prepare`: a survey of a study's data, then its patches and a summary of both."""

from collections.abc import Sequence
from dataclasses import dataclass

from glsweep.config.data_card import DataCard, Simulation
from glsweep.errors import ConfigError, DataError
from glsweep.patches.index import counts_by_split, draw_index, largest_overlap, prove_ground
from glsweep.patches.split import GroundSplit, split_ground
from glsweep.patches.store import check_training_windows, missing_sizes, remove_outdated_patches, write_stores
from glsweep.scenes.catalogue import Catalogue, open_catalogue, open_data
from glsweep.scenes.scene import SceneEntry
from glsweep.simulation import projected_crs
from glsweep.study import Study
from glsweep.study.artifacts import DataSummary, write_artifact


@dataclass(frozen=True)
class Survey:
    """What is known of a study's data before a pixel is read.

    Attributes
    ----------
    catalogue : Catalogue
        All scenes of all data sets.
    entries : list of SceneEntry
        Scenes with a line.
    left_out : dict of str to str
        Why each other scene is left out.
    ground : GroundSplit
        Which ground belongs to which split.
    """

    catalogue: Catalogue
    entries: list[SceneEntry]
    left_out: dict[str, str]
    ground: GroundSplit


def survey(study: Study, sizes_px: Sequence[int]) -> Survey:
    """Read headers and lines, and split the ground.

    Scenes without a line are left out: ground on which nobody has drawn is not known to be free
    of lines.

    Parameters
    ----------
    study : Study
        Its card names the scenes, which must be on disk.
    sizes_px : sequence of int
        Patch sizes, ascending.

    Raises
    ------
    DataError
        When the scenes cannot be used or split.
    """
    card = study.config.card
    catalogue = open_data(card, {part.name: study.scene_root(part) for part in card.data_sets})
    entries, left_out = annotated_scenes(catalogue)
    ground = split_ground(entries, card.split, largest_patch_px=sizes_px[-1], seed=study.config.seed)
    return Survey(catalogue, entries, left_out, ground)


def check_data(study: Study, patch_sizes_px: Sequence[int]) -> None:
    """Make sure, before anything is written, that patches of these sizes can be drawn.

    Reads the headers of the scenes, the lines, and a sample of each scene's pixels. Scenes that are
    yet to be simulated are checked by their size.

    Raises
    ------
    DataError
        When the scenes cannot be used or split, or a patch is larger than every scene.
    ConfigError
        When simulated scenes would have no projected CRS, or trials ask for thin lines of masks.
    """
    check_labels(study)
    sizes_px = sorted(set(patch_sizes_px))
    data_sets = study.config.card.data_sets
    if all(data_set.root is not None for data_set in data_sets):
        survey(study, sizes_px)
        return
    for data_set in data_sets:
        if data_set.root is not None:
            annotated_scenes(open_catalogue(data_set.root, data_set))
        elif data_set.simulation is not None:
            _check_simulation(data_set, data_set.simulation, sizes_px[-1])


def check_labels(study: Study) -> None:
    """Raise `ConfigError` when trials would draw lines by themselves that come drawn already."""
    for card in study.config.card.data_sets:
        if "bresenham" in study.config.space.labels and (card.layout.masks or card.layout.holds_npz):
            raise ConfigError(
                f"search space {study.config.space.name}: label: bresenham: the lines of the data card "
                f"{card.name} come as masks, drawn already; take `card`, `buffered` or `soft`"
            )


def _check_simulation(card: DataCard, simulation: Simulation, largest_px: int) -> None:
    try:
        projected_crs(simulation)
    except ConfigError as error:
        raise ConfigError(f"data card {card.name}: {error}") from error
    if largest_px > min(simulation.rows, simulation.cols):
        raise DataError(
            f"data card {card.name}: patch_size_px {largest_px} is larger than a simulated scene "
            f"({simulation.rows} x {simulation.cols}); lower it in the search space, or raise "
            "`simulation.rows` and `simulation.cols`"
        )


def annotated_scenes(catalogue: Catalogue) -> tuple[list[SceneEntry], dict[str, str]]:
    """Return the scenes with a line, and why each other scene is left out.

    Raises
    ------
    DataError
        When no scene has a line.
    """
    left_out = {}
    for entry in catalogue.entries:
        if not entry.has_row:
            left_out[entry.name] = "no row in the file of lines"
        elif not entry.lines:
            left_out[entry.name] = "only rows without a geometry"
        elif entry.line_km == 0:
            left_out[entry.name] = "all its lines lie outside"
    entries = [entry for entry in catalogue.entries if entry.name not in left_out]
    if not entries:
        raise DataError(f"{catalogue.root}: no scene has a line; add lines or mend layout.scene_column")
    return entries, left_out


# --- The stage itself


def prepare_patches(study: Study, patch_sizes_px: Sequence[int]) -> DataSummary:
    """Split the ground, draw the patches, write those that are missing, and `study.data_json`.

    Parameters
    ----------
    study : Study
        Its card names the scenes, its space the patch settings.
    patch_sizes_px : sequence of int
        All patch sizes of the study; the ground's split is the same for all.

    Raises
    ------
    DataError
        When the scenes cannot be used, split, or cut to patches of these sizes.
    """
    check_labels(study)
    config = study.config
    sizes_px = sorted(set(patch_sizes_px))
    surveyed = survey(study, sizes_px)
    catalogue, entries, ground = surveyed.catalogue, surveyed.entries, surveyed.ground
    indices = draw_index(ground, config.card, config.space.patches, sizes_px, seed=config.seed)
    check_training_windows(study, indices)
    summary = DataSummary(
        catalogue=catalogue.findings(),
        left_out=surveyed.left_out,
        asked_rule=config.card.split.rule,
        split=ground.findings(),
        patches={size_px: counts_by_split(index) for size_px, index in indices.items()},
        too_small={s: tuple(e.name for e in entries if min(e.shape) < s) for s in sizes_px},
        overlap={size_px: largest_overlap(index, size_px) for size_px, index in indices.items()},
        proof=prove_ground(entries, ground, indices, catalogue.posting_m),
    )
    missing = {size_px: indices[size_px] for size_px in missing_sizes(study, sizes_px)}
    write_stores(study, entries, missing, catalogue.posting_m)
    remove_outdated_patches(study, sizes_px)
    write_artifact(study.data_json, summary)
    return summary


def check_extended_data(study: Study, patch_sizes_px: Sequence[int]) -> None:
    """Make sure, before a study is extended, that what it was trained on stays as it is.

    Parameters
    ----------
    study : Study
        The study as it is to be; nothing is written.
    patch_sizes_px : sequence of int
        All patch sizes that it is to have.

    Raises
    ------
    DataError
        When the scenes cannot be used or split.
    StudyError
        When other patches would be drawn.
    """
    config, sizes_px = study.config, sorted(set(patch_sizes_px))
    if not all(study.scene_root(part).is_dir() for part in config.card.data_sets):
        check_data(study, sizes_px)  # some are yet to be simulated, and are checked once they are there
        return
    ground = survey(study, sizes_px).ground
    indices = draw_index(ground, config.card, config.space.patches, sizes_px, seed=config.seed)
    check_training_windows(study, indices)
