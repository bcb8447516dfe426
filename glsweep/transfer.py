"""Train here, test there: a study for each data set, tested on all others, and one table of them all.

A data set is simulated alike in every study, since the parts keep their order. What a network is tested on
differs all the same: of the data that it was trained on only the test split, of the others every scene.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from glsweep.config.data_card import DataCard
from glsweep.config.settings import Settings
from glsweep.config.space import Criterion
from glsweep.errors import ConfigError
from glsweep.files import write_text
from glsweep.report import DASH
from glsweep.scenes.cards import join_to_test, load_card
from glsweep.scenes.catalogue import POSTING_TOLERANCE
from glsweep.study import Study, open_study
from glsweep.study.artifacts import Artifact, ThresholdCurves, read_artifact, write_artifact
from glsweep.study.evaluation_artifacts import (
    DataSetRow,
    Interval,
    LinesOnDataSet,
    NetworkRow,
    StudyLines,
    StudyTable,
)

ALL_BUT = "all_but_"


# --- What is trained, and on what it is tested


@dataclass(frozen=True)
class Training:
    """One row: what its study is called, the joined card, and the data sets that it is tested on."""

    name: str
    card: DataCard
    tested_on: tuple[str, ...]


def plan_transfer(data: Sequence[Path], *, leave_one_out: bool) -> list[Training]:
    """Return a training on each data set, tested on every one; also on all but one, tested on that one.

    Raises
    ------
    ConfigError
        When there is one data set only, two have one name or unlike postings, one is joined itself, or they
        cannot be joined.
    """
    cards = [load_card(path) for path in data]
    _check_cards(cards)
    if leave_one_out and len(cards) < 3:
        raise ConfigError(
            "--leave-one-out: of two data sets each row trains on all but the other already; name a third"
        )
    names = tuple(card.name for card in cards)
    trainings = [
        Training(name, join_to_test(cards, [other for other in names if other != name]), names)
        for name in names
    ]
    if leave_one_out:
        trainings += [Training(ALL_BUT + name, join_to_test(cards, [name]), (name,)) for name in names]
    return trainings


def _check_cards(cards: Sequence[DataCard]) -> None:
    names = [card.name for card in cards]
    if len(cards) < 2:
        raise ConfigError(f"--data {' '.join(names)}: a transfer needs two data sets or more; name another")
    for name, count in Counter(names).items():
        if count > 1:
            raise ConfigError(f"--data: {count} data sets are called {name}; give one card another `name`")
    for card in cards:
        if card.parts:
            raise ConfigError(f"--data {card.name}: is joined of several data sets; name these instead")
        if card.name.startswith(ALL_BUT):
            raise ConfigError(f"--data {card.name}: rows of `--leave-one-out` are called so; rename the card")
    known_m = [(card.name, posting_m) for card in cards if (posting_m := _posting_m(card)) is not None]
    for name, posting_m in known_m[1:]:
        first, expected_m = known_m[0]
        if abs(posting_m - expected_m) > POSTING_TOLERANCE * expected_m:
            raise ConfigError(
                f"--data: {name} has a posting of {posting_m:g} m, {first} one of {expected_m:g} m, and "
                "patches are not resampled; resample the scenes (gdalwarp -tr), or leave one of them out"
            )


def _posting_m(card: DataCard) -> float | None:
    return card.posting_m if card.simulation is None else card.simulation.posting_m


# --- The table


class TransferCell(Settings):
    """How well a network does on one data set.

    `is_own` says that it was trained on other scenes of this data set, so that only the test split counts.
    `relaxed_f1` and its interval are of patches; `completeness_500` is the share of the true line that has a
    drawn one within 500 m, and `mean_m` the mean distance of lines, over whole scenes, of which some data
    sets have none. None where a metric is not known.
    """

    tested_on: str
    is_own: bool
    patches: int
    relaxed_f1: float | None
    interval: Interval | None
    scenes: int
    completeness_500: float | None
    mean_m: float | None


class TransferRow(Settings):
    """The best network of a study on validation, by the `criterion` that chose its threshold."""

    trained_on: str
    stratum: str
    title: str
    validation: float
    criterion: Criterion
    cells: tuple[TransferCell, ...]


class Transfer(Artifact):
    """`transfer.json`: rows by what was trained on, cells by what was tested on."""

    tolerance_m: float
    data_sets: tuple[str, ...]
    rows: tuple[TransferRow, ...]


def read_transfer(folder: Path, trainings: Sequence[Training]) -> Transfer:
    """Read what the studies of a transfer found, each in the folder of its name below `folder`.

    Raises
    ------
    StudyError
        When a study has not been evaluated.
    """
    found = [_read_row(open_study(folder / training.name), training) for training in trainings]
    tolerance_m = found[0][1].tolerance_m
    return Transfer(
        tolerance_m=tolerance_m, data_sets=trainings[0].tested_on, rows=tuple(row for row, _ in found)
    )


def _read_row(study: Study, training: Training) -> tuple[TransferRow, StudyTable]:
    table = read_artifact(study.table_json, StudyTable)
    curves = read_artifact(study.calibration_json, ThresholdCurves)
    lines = read_artifact(study.lines_json, StudyLines) if study.lines_json.is_file() else None
    return transfer_row(training, table, curves, lines), table


def transfer_row(
    training: Training, table: StudyTable, curves: ThresholdCurves, lines: StudyLines | None
) -> TransferRow:
    """Return the row of one study: its best network on validation, on each data set that it is tested on."""
    best = best_on_validation(table.rows, curves)
    curve = curves.by_stratum[best.stratum]
    # The same network untrained has a row of its stratum too.
    on_patches = {
        row.data_set: row
        for row in table.by_data_set
        if row.kind == "network" and row.stratum == best.stratum
    }
    members = () if lines is None else lines.members
    on_scenes = {
        found.data_set: found
        for member in members
        if member.stratum == best.stratum
        for found in member.data_sets
    }
    trained_on = {part.name for part in training.card.data_sets if not part.test_only}
    return TransferRow(
        trained_on=training.name,
        stratum=best.stratum,
        title=best.title,
        validation=max(curve.values),
        criterion=curve.criterion,
        cells=tuple(
            _cell(name, on_patches.get(name), on_scenes.get(name), is_own=name in trained_on)
            for name in training.tested_on
        ),
    )


def best_on_validation(rows: Sequence[NetworkRow], curves: ThresholdCurves) -> NetworkRow:
    """Return the network that is best at its own threshold on the validation split; of equals, the first.

    Test metrics decide nothing: the best of several on test data would be chosen by luck too. Networks of
    unlike patch sizes are validated on unlike patches of the same ground.
    """
    return max(rows, key=lambda row: max(curves.by_stratum[row.stratum].values))


def _cell(
    data_set: str, patches: DataSetRow | None, scenes: LinesOnDataSet | None, *, is_own: bool
) -> TransferCell:
    low, high = (None, None) if patches is None else (patches.relaxed_f1_low, patches.relaxed_f1_high)
    return TransferCell(
        tested_on=data_set,
        is_own=is_own,
        patches=0 if patches is None else patches.patches_with_line + patches.patches_without_line,
        relaxed_f1=None if patches is None else patches.relaxed_f1,
        interval=None if low is None or high is None else (low, high),
        scenes=0 if scenes is None else scenes.scenes,
        completeness_500=None if scenes is None else scenes.pooled.completeness_500,
        mean_m=None if scenes is None else scenes.pooled.mean_m,
    )


# --- What is written and printed


def write_transfer(folder: Path, transfer: Transfer) -> None:
    """Write `transfer.json`, and the same as `transfer.csv` with a row for each cell."""
    write_artifact(folder / "transfer.json", transfer)
    write_text(folder / "transfer.csv", transfer_frame(transfer).to_csv(index=False))


def transfer_frame(transfer: Transfer) -> pd.DataFrame:
    """Return a frame with a row for each pair of what was trained on and what was tested on."""
    records = []
    for row in transfer.rows:
        network = row.model_dump(exclude={"cells"})
        for cell in row.cells:
            low, high = cell.interval or (None, None)
            tested = cell.model_dump(exclude={"interval"})
            records.append({**network, **tested, "relaxed_f1_low": low, "relaxed_f1_high": high})
    return pd.DataFrame(records)


def print_transfer(folder: Path, transfer: Transfer, console: Console) -> None:
    """Print the matrix, and where it is."""
    console.print(transfer_table(transfer))
    console.print(f"written to {folder / 'transfer.csv'} and transfer.json", highlight=False, soft_wrap=True)


def transfer_table(transfer: Transfer) -> Table:
    """Return the matrix for a terminal; what a network was trained on is marked with a star."""
    criteria = " or ".join(dict.fromkeys(row.criterion for row in transfer.rows))
    table = Table(
        title="Trained on (rows), tested on (columns)",
        caption="Relaxed F1 of patches with its 95 % interval; below, of whole scenes, the share of the true "
        f"line found within 500 m, and the mean distance. Each row is its study's best network by {criteria} "
        "on validation. * the data that it was trained on, of which the test split alone counts; of the "
        "others every scene does.",
        show_lines=True,
    )
    table.add_column("trained on")
    for name in transfer.data_sets:
        table.add_column(name, justify="right")
    for row in transfer.rows:
        cells = {cell.tested_on: cell for cell in row.cells}
        texts = [_cell_text(cells[name]) if name in cells else "" for name in transfer.data_sets]
        network = f"{row.title} ({row.validation:.3f})"
        table.add_row(f"{row.trained_on}\n[dim]{network}[/dim]", *texts)
    return table


def _cell_text(cell: TransferCell) -> str:
    f1 = DASH if cell.relaxed_f1 is None else f"{cell.relaxed_f1:.3f}"
    if cell.interval is not None:
        low, high = cell.interval
        f1 += f" ({low:.3f}{DASH}{high:.3f})"
    lines = [f"[bold]* {f1}[/bold]" if cell.is_own else f1]
    if cell.completeness_500 is not None:
        mean = DASH if cell.mean_m is None else f"{cell.mean_m:,.0f} m"
        lines.append(f"{cell.completeness_500:.0%}, {mean}")
    return "\n".join(lines)
