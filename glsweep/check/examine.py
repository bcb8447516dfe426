"""Read every file of a data set, keep on after a fault, and collect all of them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from glsweep.check.findings import Findings, SceneFindings
from glsweep.check.pixels import describe_pixels
from glsweep.config.card_files import load_card
from glsweep.config.data_card import DataCard
from glsweep.config.products import scene_stem
from glsweep.config.raster_files import rasters_of_folder, scenes_folder
from glsweep.config.space import SearchSpace
from glsweep.config.study import StudyConfig
from glsweep.errors import DataError, GlsweepError
from glsweep.patches.survey import check_data, survey
from glsweep.scenes.catalogue import Catalogue, choose_rasters, open_catalogue
from glsweep.scenes.raster_facts import raster_facts
from glsweep.study import Study

NOISE_COHERENCE = 0.20
"""Of pure noise the local coherence's median is about .17."""
SOME_LINE_SHARE = 0.10


def examine(data: Path, space: SearchSpace, sizes_px: Sequence[int], *, root: Path | None = None) -> Findings:
    """Read all that a study of `data` would read, and more: every header, line and pixel.

    Parameters
    ----------
    data : Path
        A data card or a folder.
    space : SearchSpace
        Its patches are what the data must give.
    sizes_px : sequence of int
        Its patch sizes.
    root : Path, optional
        Where the scenes are, instead of the card's `root`.

    Raises
    ------
    ConfigError
        When the data card is no data card.
    """
    findings = Findings(data)
    try:
        card = load_card(data, root=root)
    except DataError as error:
        findings.faults.append(_short(error, data))
        choice = rasters_of_folder(scenes_folder(data))
        findings.notes += map(str, choice.passed_over)
        for path in choice.taken:
            findings.scenes.append(_header_findings(path, None, sizes_px))
        return findings
    for row, data_set in enumerate(card.data_sets):
        if data_set.root is None:
            findings.notes.append(f"{data_set.name} is simulated within each study; nothing to read yet")
        else:
            _examine_data_set(data_set, data_set.root, findings, sizes_px, row)
    if findings.is_usable:
        _try_study(card, space, sizes_px, findings)
    return findings


def _examine_data_set(
    card: DataCard, root: Path, findings: Findings, sizes_px: Sequence[int], row: int
) -> None:
    _check_sums(card, root, findings)
    try:
        choice = choose_rasters(root, card)
    except DataError as error:
        findings.faults.append(str(error))
        return
    findings.notes += map(str, choice.passed_over)
    if card.layout.holds_npz:
        scenes = {}
    else:
        scenes = {scene_stem(path): _header_findings(path, card, sizes_px) for path in choice.taken}
    findings.scenes += scenes.values()
    if any(scene.faults for scene in scenes.values()):
        findings.notes.append("lines and pixels were not looked at, since a study would stop at a raster")
        return
    try:
        catalogue = open_catalogue(root, card, row=row)
    except DataError as error:
        findings.faults.append(str(error))
        return
    for entry in catalogue.entries:
        found = scenes.get(entry.header.name)
        if found is None:
            shape = f"{entry.shape[0]} x {entry.shape[1]}"
            found = SceneFindings(entry.name, shape, kind="npz", posting=f"{entry.posting_m:g} m")
            findings.scenes.append(found)
        found.line_km, found.rows_dropped = entry.line_km, entry.rows_without_geometry
        try:
            describe_pixels(entry, found, card.line_rule)
        except DataError as error:
            found.faults.append(_short(error, entry.header.path))
        _note_scene(found)
    _note_lines(catalogue, findings)


def _header_findings(path: Path, card: DataCard | None, sizes_px: Sequence[int]) -> SceneFindings:
    bands, nodata = (card.layout.bands, card.layout.nodata) if card else ("auto", None)
    needs_place = not (card and card.layout.masks and card.posting_m)
    facts = raster_facts(path, bands, nodata=nodata, needs_place=needs_place)
    shape = "" if facts.shape is None else f"{facts.shape[0]} x {facts.shape[1]}"
    found = SceneFindings(
        scene_stem(path), shape, facts.crs, facts.posting, facts.kind, faults=[*facts.faults]
    )
    if facts.shape is not None and min(facts.shape) < min(sizes_px):
        found.notes.append(f"too small for patches of {min(sizes_px)} px; it gives none")
    return found


def _check_sums(card: DataCard, root: Path, findings: Findings) -> None:
    for name, wanted in card.checksums.items():
        path = root / name
        if not path.is_file():
            findings.faults.append(f"{path}: is not there, though the data card lists it; obtain it again")
            continue
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != wanted.lower():
            findings.faults.append(
                f"{path}: its SHA-256 is {found[:12]}..., the data card says {wanted[:12]}...; obtain it "
                "again"
            )


def _note_scene(found: SceneFindings) -> None:
    if found.coherence is not None and found.coherence < NOISE_COHERENCE:
        found.notes.append(
            f"its median local coherence is {found.coherence:.2f}, near that of noise; filter it or leave "
            "it out"
        )
    if found.line_without_data > SOME_LINE_SHARE:
        found.notes.append(
            f"{found.line_without_data:.0%} of its line lies where there is no data; that part is not used"
        )


def _note_lines(catalogue: Catalogue, findings: Findings) -> None:
    facts = catalogue.findings()
    by_scene = facts["rows_without_geometry_by_scene"]
    if by_scene:
        told = ", ".join(f"{name} ({count})" for name, count in by_scene.items())
        findings.notes.append(
            f"{facts['rows_without_geometry']} of {facts['line_rows']} rows of lines have no geometry and "
            f"fall away: {told}"
        )
    if facts["rows_without_scene"]:
        told = ", ".join(name or "(no name)" for name in facts["rows_without_scene"])
        findings.notes.append(f"rows that name no scene here fall away: {told}")
    findings.notes += [remark for remark in catalogue.remarks if remark not in findings.notes]
    if facts["scenes_without_position"]:
        count = len(facts["scenes_without_position"])
        findings.notes.append(f"{count} scenes do not say where they lie; overlaps cannot be seen")


def _try_study(card: DataCard, space: SearchSpace, sizes_px: Sequence[int], findings: Findings) -> None:
    """Split the ground as a study would."""
    study = Study(Path("check"), StudyConfig(name="check", seed=0, card=card, space=space))
    try:
        check_data(study, sizes_px)
        if all(data_set.root is not None for data_set in card.data_sets):
            surveyed = survey(study, sorted(sizes_px))
            for name, reason in surveyed.left_out.items():
                findings.notes.append(f"{name} is left out: {reason}")
            ground = surveyed.ground
            findings.notes.append(f"the ground is split by rule `{ground.rule}`: {ground.reason}")
    except GlsweepError as error:
        findings.faults.append(str(error))


def _short(error: Exception, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ").removeprefix(f"{path.resolve()}: ")
