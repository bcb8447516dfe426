"""The scenes of one or several data cards with their lines; pixels are read only when needed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glsweep.config.data_card import DataCard
from glsweep.errors import DataError
from glsweep.progress import track
from glsweep.scenes.annotation import Annotation, annotate_from_masks, annotate_from_vectors, with_zones
from glsweep.scenes.corrections import with_corrections
from glsweep.scenes.npz_scene import read_npz_headers
from glsweep.scenes.raster import RasterHeader, give_own_ground, read_header
from glsweep.scenes.raster_files import SceneFiles, check_scenes_found, distinct_scenes, rasters_of_card
from glsweep.scenes.scene import SceneEntry
from glsweep.study.artifacts import CatalogueFindings, SceneFacts

POSTING_TOLERANCE = 0.01


@dataclass(frozen=True)
class Catalogue:
    """All scenes of a data card, sorted by name.

    Attributes
    ----------
    root : Path
        The folder that the card's layout starts from; the first one of several.
    entries : tuple of SceneEntry
        At least one, all of one posting unless `any_posting` was requested.
    line_rows : int
        Rows of the line file.
    rows_without_scene : dict of str to int
        Rows that name a scene without a raster, by name; "" for rows that name none.
    remarks : tuple of str
        Rasters that are not read, and lines that were not taken as they stand; one sentence each.
    """

    root: Path
    entries: tuple[SceneEntry, ...]
    line_rows: int
    rows_without_scene: dict[str, int]
    remarks: tuple[str, ...] = ()

    @property
    def posting_m(self) -> float:
        """Side of a pixel in metres, which all scenes share."""
        return self.entries[0].posting_m

    def findings(self) -> CatalogueFindings:
        """Return what was found: counts, and the names behind each count."""
        null_rows = {e.name: e.rows_without_geometry for e in self.entries if e.rows_without_geometry}
        entries = self.entries
        return CatalogueFindings(
            scenes=len(entries),
            posting_m=self.posting_m,
            line_rows=self.line_rows,
            rows_without_geometry=sum(null_rows.values()),
            rows_without_geometry_by_scene=null_rows,
            rows_without_scene=self.rows_without_scene,
            remarks=self.remarks,
            scenes_without_row=tuple(e.name for e in entries if not e.has_row),
            scenes_without_line=tuple(e.name for e in entries if not e.lines),
            scenes_with_lines_outside_only=tuple(e.name for e in entries if e.lines and e.line_km == 0),
            scenes_without_position=tuple(e.name for e in entries if not e.header.is_placed),
            by_scene={e.name: _facts(e) for e in entries},
        )


def open_catalogue(root: Path, card: DataCard, *, row: int = 0, any_posting: bool = False) -> Catalogue:
    """Read the headers of all scenes and their lines, and join them by name.

    Scenes that do not say where they lie get ground of their own; data sets whose `row` differs
    share none of it. With `any_posting`, postings may differ; the caller decides which to use.

    Scenes without a line, rows without a geometry and rows without a scene are counted in
    `Catalogue.findings`; they are no error.

    Raises
    ------
    DataError
        When no raster matches, two have one name, postings differ from each other or from the
        card's, a file cannot be used, or no line touches the scene that it belongs to.
    """
    choice = choose_rasters(root, card)
    headers = give_own_ground(_headers(choice, card), row)
    if not any_posting:
        check_postings(headers, card.posting_m)
    if card.layout.lines is None:
        entries = annotate_from_masks(headers, root, card)
        annotation = Annotation(entries, sum(entry.has_row for entry in entries), {})
    else:
        annotation = annotate_from_vectors(headers, root, card)
    corrected, corrections = with_corrections(annotation.entries, root, card)
    if all(entry.line_km == 0 for entry in corrected):
        raise DataError(
            f"{root / (card.layout.lines or '')}: none of its lines touches the scene that it names; "
            "check the CRS of the lines and of the rasters"
        )
    remarks = (*map(str, choice.passed_over), *annotation.remarks, *corrections)
    entries = with_zones(corrected, root, card)
    return Catalogue(root, tuple(entries), annotation.rows, annotation.rows_without_scene, remarks)


def choose_rasters(root: Path, card: DataCard) -> SceneFiles:
    """Return the scenes that the card's layout names, without masks, and the rasters passed over.

    Raises
    ------
    DataError
        When there is no scene.
    """
    layout = card.layout
    choice = rasters_of_card(root, layout.rasters, layout.masks)
    if not choice.taken and not choice.passed_over:
        raise DataError(
            f"{root}: no raster matches {layout.rasters}; name the folder that holds the scenes, "
            "or mend layout.rasters in the data card"
        )
    check_scenes_found(root, choice)
    return choice


def _headers(choice: SceneFiles, card: DataCard) -> list[RasterHeader]:
    paths = distinct_scenes(choice.taken, "rename all but one")
    layout = card.layout
    if layout.holds_npz:
        return [*read_npz_headers(paths, card.posting_m, layout.bands, layout.nodata)]
    unplaced_posting_m = card.posting_m if layout.masks else None
    return [
        read_header(path, layout.bands, posting_m=unplaced_posting_m, nodata=layout.nodata)
        for path in track(paths, "scenes", "reading headers")
    ]


def check_postings(headers: Sequence[RasterHeader], posting_m: float | None) -> None:
    """Make sure that all scenes have one posting, the card's `posting_m` where it names one.

    Raises
    ------
    DataError
        When one differs.
    """
    first = headers[0]
    expected_m = posting_m or first.posting_m
    source = "the data card says" if posting_m else f"{first.path.name} has"
    for header in headers:
        if abs(header.posting_m - expected_m) > POSTING_TOLERANCE * expected_m:
            raise DataError(
                f"{header.path}: its posting is {header.posting_m:g} m, {source} {expected_m:g} m; "
                "resample it (gdalwarp -tr) or mend the data card"
            )


def _facts(entry: SceneEntry) -> SceneFacts:
    rows, cols = entry.shape
    return SceneFacts(
        rows=rows,
        cols=cols,
        posting_m=entry.posting_m,
        crs=entry.header.crs.to_string(),
        lines=len(entry.lines),
        line_km=round(entry.line_km, 3),
    )


# --- Several data sets as one


def open_data(card: DataCard, roots: Mapping[str, Path], *, any_posting: bool = False) -> Catalogue:
    """Open every data set of a card, and join their scenes.

    Where there are several, a scene's name begins with its data set's: `getz/scene_001`.

    Parameters
    ----------
    card : DataCard
        One data set, or several parts.
    roots : mapping of str to Path
        Where the scenes of each data set are, by its name.
    any_posting : bool
        Whether scenes may differ in posting.

    Raises
    ------
    DataError
        When a data set cannot be used, or postings differ between them.
    """
    catalogues = [
        open_catalogue(roots[part.name], part, row=row, any_posting=any_posting)
        for row, part in enumerate(card.data_sets)
    ]
    if not card.parts:
        return catalogues[0]
    entries = tuple(
        replace(entry, prefix=f"{part.name}/", test_only=part.test_only)
        for part, catalogue in zip(card.parts, catalogues, strict=True)
        for entry in catalogue.entries
    )
    if not any_posting:
        check_postings([entry.header for entry in entries], card.posting_m)
    rows_without_scene = Counter[str]()
    for catalogue in catalogues:
        rows_without_scene.update(catalogue.rows_without_scene)
    rows, remarks = sum(c.line_rows for c in catalogues), tuple(r for c in catalogues for r in c.remarks)
    return Catalogue(catalogues[0].root, entries, rows, dict(rows_without_scene), remarks)
