"""The command `check`: reads every file of a data set, and collects every fault."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glsweep.checks.conventions import contradiction, in_words, mixture, note_odd_lines
from glsweep.checks.findings import Findings, SceneFindings, SceneNote
from glsweep.checks.notes import compare_scenes, missing_collar_note, scene_notes
from glsweep.checks.pixels import describe_lines, describe_pixels, raster_facts
from glsweep.config.bands import NoData
from glsweep.config.data_card import DataCard, Layout, LineRule
from glsweep.config.space import SearchSpace
from glsweep.errors import DataError, GlsweepError
from glsweep.patches.prepare import check_data, survey
from glsweep.progress import track
from glsweep.report import counted
from glsweep.scenes.bending import Convention
from glsweep.scenes.cards import LINE_SUFFIXES, load_card
from glsweep.scenes.catalogue import Catalogue, choose_rasters, open_catalogue
from glsweep.scenes.lines import read_lines
from glsweep.scenes.products import scene_stem
from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.raster_files import rasters_of_folder, scenes_folder
from glsweep.scenes.scene import SceneEntry
from glsweep.search.draws import trials_of
from glsweep.search.plan import Plan, patch_sizes_px
from glsweep.study import Study
from glsweep.study.configuration import StudyConfig
from glsweep.training.targets import check_zones

BELONGING = (".shx", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".sbx", ".qmd", ".xml", ".ovr", ".msk", ".tfw")
"""Suffixes of files that are parts of others."""


def other_files(folder: Path, known: Collection[Path]) -> Iterator[str]:
    """Yield what each further file of a folder is; hidden files and parts of others are left out."""
    for path in sorted(folder.iterdir()):
        is_part = path.suffix.lower() in BELONGING or path.name.startswith(".")
        if path.is_file() and path not in known and not is_part:
            yield f"{path.name}: {_what_is(path)}"


def _what_is(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in LINE_SUFFIXES:
        try:
            file = read_lines(path, None)
        except DataError as error:
            return f"refused as lines: {str(error).removeprefix(f'{path}: ')}"
        return f"{counted(sum(file.rows_by_scene.values()), 'row')} of lines in {file.crs.name}"
    if suffix in (".yaml", ".yml"):
        return "perhaps a data card; check it by its own name"
    if suffix == ".npz":
        return "perhaps patches; they need a data card with `rasters: '*.npz'` (datasets/README.md)"
    return "no scene and no lines; not used"


# --- The check itself: it goes on after a fault

CARDS = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class CheckRequest:
    """The options of a check.

    Attributes
    ----------
    plan : Plan
        The trials that the data must serve.
    source : Path
        The file of their search space.
    root : Path or None
        Where the scenes are, instead of the card's `root`.
    bands : str or None
        What the rasters' bands are, instead of what the card says.
    nodata : float, "as_tagged" or None
        What stands for no data, instead of what the card says.
    """

    plan: Plan
    source: Path
    root: Path | None = None
    bands: str | None = None
    nodata: NoData = None

    @property
    def sizes_px(self) -> list[int]:
        """Patch sizes that the data must give."""
        return patch_sizes_px(self.plan.strata)

    def applied_to(self, card: DataCard) -> DataCard:
        """Return the card with its rasters read as the user says."""
        if card.parts:
            return card.model_copy(update={"parts": tuple(map(self.applied_to, card.parts))})
        options = {"bands": self.bands, "nodata": self.nodata}
        overrides = {key: value for key, value in options.items() if value is not None}
        return card.model_copy(update={"layout": card.layout.model_copy(update=overrides)})


def examine(data: Path, space: SearchSpace, request: CheckRequest) -> Findings:
    """Read all that a study of `data` would read, and more: every header, line and pixel.

    Parameters
    ----------
    data : Path
        A data card, a folder, or one raster.
    space : SearchSpace
        Its patches are what the data must give.
    request : CheckRequest
        What is to be trained, and how the data is to be read.

    Raises
    ------
    ConfigError
        When the data card is no data card.
    """
    findings = Findings(data)
    if data.is_file() and data.suffix.lower() not in CARDS:
        findings.faults.append(
            "is one file; a study needs a folder of scenes with their lines, or a data card"
        )
        _examine_rasters_alone([data], findings, request)
        return findings
    try:
        card = request.applied_to(load_card(data, root=request.root))
    except DataError as error:
        findings.faults.append(_without_path(error, data))
        where = scenes_folder(data)
        choice = rasters_of_folder(where)
        findings.passed_over += map(str, choice.passed_over)
        _examine_rasters_alone(choice.taken, findings, request)
        known = {*choice.taken, *(path for line in choice.passed_over for path in line.paths)}
        findings.others += other_files(data, known)
        return findings
    conventions: dict[str, Convention] = {}
    for row, data_set in enumerate(card.data_sets):
        if data_set.root is None:
            findings.notes.append(f"{data_set.name} is simulated within each study; nothing to read yet")
        else:
            scenes = _examine_data_set(data_set, data_set.root, findings, request.sizes_px, row)
            if any(scene.bendings for scene in scenes):
                conventions[data_set.name] = _note_convention(data_set, scenes, findings)
    mixed = mixture(conventions)
    findings.notes += [] if mixed is None else [mixed]
    if findings.is_usable:
        _try_study(card, space, request, findings)
    return findings


def _examine_rasters_alone(rasters: Sequence[Path], findings: Findings, request: CheckRequest) -> None:
    """Look at rasters that no study can use as they are."""
    layout = Layout(bands=request.bands or "auto", nodata=request.nodata)
    scenes = []
    for path in track(rasters, "scenes", "reading pixels"):
        found, header = _open_raster(path, layout, None, request.sizes_px)
        _describe(found, header, None, "all_touched")
        scenes.append(found)
    findings.scenes += scenes
    _compare(scenes, findings)


def _examine_data_set(
    card: DataCard, root: Path, findings: Findings, sizes_px: Sequence[int], row: int
) -> list[SceneFindings]:
    _check_sums(card, root, findings)
    try:
        choice = choose_rasters(root, card)
    except DataError as error:
        findings.faults.append(str(error))
        return []
    findings.passed_over += map(str, choice.passed_over)
    unplaced_posting_m = card.posting_m if card.layout.masks else None
    rasters = [] if card.layout.holds_npz else choice.taken
    opened = [
        _open_raster(path, card.layout, unplaced_posting_m, sizes_px)
        for path in track(rasters, "scenes", "reading headers")
    ]
    entries: dict[str, SceneEntry] = {}
    if any(found.faults for found, _ in opened):
        findings.notes.append("lines were not looked at, since a study would stop at a raster")
    else:
        entries = _open_entries(card, root, findings, row)
    if card.layout.holds_npz:
        opened = [(_npz_findings(entry), entry.header) for entry in entries.values()]
    for found, header in track(opened, "scenes", "reading pixels"):
        _describe(found, header, entries.get(found.name), card.line_rule)
    scenes = [found for found, _ in opened]
    findings.scenes += scenes
    _compare(scenes, findings)
    return scenes


def _note_convention(card: DataCard, scenes: Sequence[SceneFindings], findings: Findings) -> Convention:
    """Say what the lines of a data set are, and where the card says otherwise."""
    convention = note_odd_lines(scenes)
    lines = sum(len(scene.bendings) for scene in scenes)
    findings.notes.append(f"{card.name}: {in_words(convention, lines)}")
    contradicted = contradiction(card, convention)
    findings.notes += [] if contradicted is None else [contradicted]
    return convention


def _open_raster(
    path: Path, layout: Layout, posting_m: float | None, sizes_px: Sequence[int]
) -> tuple[SceneFindings, RasterHeader | None]:
    """Return what a raster's header says, and what reads its pixels if it can be used."""
    facts = raster_facts(path, layout.bands, nodata=layout.nodata, posting_m=posting_m)
    shape = "" if facts.shape is None else f"{facts.shape[0]} x {facts.shape[1]}"
    found = SceneFindings(
        scene_stem(path),
        shape,
        facts.crs,
        facts.posting,
        bands=facts.bands,
        reading=facts.reading,
        faults=[*facts.faults],
    )
    if facts.shape is not None and min(facts.shape) < min(sizes_px):
        least_px = min(sizes_px)
        found.notes.append(SceneNote("too small", f"too small for patches of {least_px} px; it gives none"))
    found.notes += [SceneNote("read", remark) for remark in facts.remarks]
    return found, facts.header


def _npz_findings(entry: SceneEntry) -> SceneFindings:
    rows, cols = entry.shape
    return SceneFindings(entry.header.name, f"{rows} x {cols}", kind="npz", posting=f"{entry.posting_m:g} m")


def _open_entries(card: DataCard, root: Path, findings: Findings, row: int) -> dict[str, SceneEntry]:
    """Join the scenes to their lines; return nothing where a study would stop here."""
    try:
        catalogue = open_catalogue(root, card, row=row)
    except DataError as error:
        findings.faults.append(str(error))
        return {}
    _note_lines(catalogue, findings)
    return {entry.header.name: entry for entry in catalogue.entries}


def _describe(
    found: SceneFindings, header: RasterHeader | None, entry: SceneEntry | None, rule: LineRule
) -> None:
    """Read a scene's pixels and lines, and note what to mind."""
    if entry is not None:
        found.line_km, found.rows_dropped = entry.line_km, entry.rows_without_geometry
    if header is None:
        return
    try:
        has_data = describe_pixels(header, found)
        if entry is not None:
            describe_lines(entry, found, has_data, rule)
    except DataError as error:
        found.faults.append(_without_path(error, header.path))
    found.notes += scene_notes(found)


def _compare(scenes: Sequence[SceneFindings], findings: Findings) -> None:
    compare_scenes(scenes)
    no_collar = missing_collar_note(scenes)
    if no_collar is not None:
        findings.notes.append(no_collar)


def _check_sums(card: DataCard, root: Path, findings: Findings) -> None:
    for name, expected in card.checksums.items():
        path = root / name
        if not path.is_file():
            findings.faults.append(f"{path}: is not there, though the data card lists it; obtain it again")
            continue
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected.lower():
            findings.faults.append(
                f"{path}: its SHA-256 is {found[:12]}..., the data card says {expected[:12]}...; obtain it "
                "again"
            )


def _note_lines(catalogue: Catalogue, findings: Findings) -> None:
    facts = catalogue.findings()
    by_scene = facts.rows_without_geometry_by_scene
    if by_scene:
        names = ", ".join(f"{name} ({count})" for name, count in by_scene.items())
        findings.notes.append(
            f"{facts.rows_without_geometry} of {facts.line_rows} rows of lines have no geometry and "
            f"fall away: {names}"
        )
    if facts.rows_without_scene:
        names = ", ".join(name or "(no name)" for name in facts.rows_without_scene)
        findings.notes.append(f"rows that name no scene here fall away: {names}")
    findings.notes += [remark for remark in catalogue.remarks if remark not in findings.notes]
    if facts.scenes_without_position:
        count = len(facts.scenes_without_position)
        findings.notes.append(f"{count} scenes do not say where they lie; overlaps cannot be seen")


def _try_study(card: DataCard, space: SearchSpace, request: CheckRequest, findings: Findings) -> None:
    """Split the ground as a study would, if its trials fit the data card."""
    study = Study(Path("check"), StudyConfig(name="check", seed=0, card=card, space=space))
    sizes_px = request.sizes_px
    try:
        check_zones(trials_of(space, request.plan, request.source), card, request.source)
        check_data(study, sizes_px)
        if all(data_set.root is not None for data_set in card.data_sets):
            surveyed = survey(study, sorted(sizes_px))
            for name, reason in surveyed.left_out.items():
                findings.notes.append(f"{name} is left out: {reason}")
            ground = surveyed.ground
            findings.notes.append(f"the ground is split by rule `{ground.rule}`: {ground.reason}")
    except GlsweepError as error:
        findings.faults.append(str(error))


def _without_path(error: Exception, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ").removeprefix(f"{path.resolve()}: ")
