"""The lines worth a second look as files: a list, and a GeoPackage to correct them in."""

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import pyproj
import shapely
from shapely import LineString

from glsweep.config.data_card import SplitName
from glsweep.config.trial import Stratum
from glsweep.evaluate.second_look import (
    AGREE_M,
    FAR_M,
    Doubt,
    MemberView,
    doubts_of,
    read_view,
)
from glsweep.evaluate.thumbnails import draw_thumbnail, thumbnail_name
from glsweep.files import replacing
from glsweep.geodesy import point_lon_lat
from glsweep.nets.member import load_member, weights_hash
from glsweep.prediction.blend import Member
from glsweep.prediction.products import GPKG_VERSION
from glsweep.prediction.scene import predict_scene
from glsweep.prediction.split_scenes import SHORTEST_M, SplitScene, drawing_of_study, split_scenes
from glsweep.progress import advance, track
from glsweep.qgis.styles import doubtful_lines, style_layers
from glsweep.scenes.corrections import AS_FOUND, COMMENT, SCENE, VERDICT, as_text, is_edited
from glsweep.scenes.names import acquisition_of
from glsweep.study import Study
from glsweep.study.artifacts import read_artifact, write_artifact
from glsweep.study.evaluation_artifacts import MemberLines, StudyLines
from glsweep.study.second_look import DoubtfulLine, SecondLook

LAYER = "review"
LEAST_SHARE = 0.5
"""Of the best member's F1 of lines within 200 m: a member below it is not asked."""
MOST_SHOWN = 12
"""How many have a picture; the page that shows them stays small."""
COLUMNS = {
    "rank": int,
    "kind": str,
    SCENE: str,
    "split": str,
    "dates": str,
    "length_m": float,
    "confidence": float,
    "distance_m": float,
    "members": int,
    "lon": float,
    "lat": float,
    VERDICT: str,
    COMMENT: str,
    AS_FOUND: str,
}


class _Found(NamedTuple):
    """A doubt with its scene and what members make of it."""

    split: SplitName
    scene: SplitScene
    views: list[MemberView]
    doubt: Doubt


def look_again(study: Study, splits: Sequence[SplitName] = ("test",)) -> SecondLook | None:
    """Find what is worth a second look in a study's scenes, and write them.

    Test scenes are read as the stage `evaluate` left them; those of other splits are predicted here, by
    members that were trained (or chosen) on their labels, and so contradict them less.

    Parameters
    ----------
    study : Study
        Evaluated; a `review.gpkg` that somebody has written in is kept under another name.
    splits : sequence of str
        Whose scenes are looked at.

    Returns
    -------
    SecondLook or None
        None where no member drew whole scenes, or the splits have none.
    """
    if not study.lines_json.is_file():
        return None
    members = members_to_ask(read_artifact(study.lines_json, StudyLines).members)
    scenes = [(split, scene) for split in splits for scene in split_scenes(study, split)] if members else []
    if not scenes:
        return None
    found: list[_Found] = []
    for split, scene in track(scenes, "scenes", "looking again"):
        with _views(study, members, scene, split) as views:
            found += [_Found(split, scene, views, doubt) for doubt in doubts_of(scene, views)]
    found.sort(key=lambda one: -one.doubt.gain_m)
    looked = SecondLook(
        members=tuple(member.stratum for member in members),
        splits=tuple(splits),
        scenes=len(scenes),
        far_m=FAR_M,
        agree_m=AGREE_M,
        shortest_m=SHORTEST_M,
        kept_as=_keep_edited(study.review_gpkg),
        doubts=tuple(_row(rank, one) for rank, one in enumerate(found, 1)),
    )
    _write_review(study.review_gpkg, looked, found, [scene for _, scene in scenes])
    with replacing(study.second_look_json.parent) as folder:
        folder.mkdir()
        for rank, (_, scene, views, doubt) in enumerate(found[:MOST_SHOWN], 1):
            draw_thumbnail(folder / thumbnail_name(rank), scene.entry, views, doubt)
        write_artifact(folder / study.second_look_json.name, looked)
    return looked


def members_to_ask(members: Sequence[MemberLines]) -> list[MemberLines]:
    """Return the members whose word counts, the best first.

    One that failed to learn draws nothing or anything, and all must agree.
    """
    ranked = sorted(members, key=_f1, reverse=True)
    return [member for member in ranked if _f1(member) >= LEAST_SHARE * _f1(ranked[0])]


def _f1(member: MemberLines) -> float:
    """Return the harmonic mean of what a member found and of what it drew rightly, of its own data."""
    pooled = member.data_sets[0].pooled
    shares = (pooled.completeness_200 or 0.0, pooled.correctness_200 or 0.0)
    return 2 * math.prod(shares) / sum(shares) if any(shares) else 0.0


@contextmanager
def _views(
    study: Study, members: Sequence[MemberLines], scene: SplitScene, split: SplitName
) -> Iterator[list[MemberView]]:
    """Yield what members make of a scene, as it lies in the study's maps or drawn for the while."""
    keys = [member.stratum for member in members]
    if split == "test":
        yield [read_view(study.maps / key, scene.entry) for key in keys]
        return
    with tempfile.TemporaryDirectory(prefix=".review.", dir=study.directory) as temporary:
        for key in track(keys, "networks"):
            network, card = load_member(study.member(Stratum.parse(key)))
            member = Member(key, network, card, weights_hash(study.member(Stratum.parse(key))))
            folder = Path(temporary) / key
            predict_scene(scene.header, [member], drawing_of_study(card), folder, advance)
        yield [read_view(Path(temporary) / key, scene.entry) for key in keys]


def _row(rank: int, found: _Found) -> DoubtfulLine:
    entry, doubt = found.scene.entry, found.doubt
    middle = shapely.line_interpolate_point(doubt.line, 0.5, normalized=True)
    place = point_lon_lat(middle.x, middle.y, _map_of(found.scene))
    lon, lat = place or (math.nan, math.nan)
    return DoubtfulLine(
        rank=rank,
        kind=doubt.kind,
        scene=entry.name,
        split=found.split,
        dates=acquisition_of(entry.header).listed,
        length_m=round(doubt.length_m, 1),
        confidence=round(doubt.confidence, 3),
        distance_m=round(doubt.distance_m, 1) if math.isfinite(doubt.distance_m) else None,
        x=round(middle.x, 1),
        y=round(middle.y, 1),
        crs=entry.header.crs.to_string(),
        lon=round(lon, 5),
        lat=round(lat, 5),
        thumbnail=thumbnail_name(rank) if rank <= MOST_SHOWN else "",
    )


def _map_of(scene: SplitScene) -> pyproj.CRS:
    return pyproj.CRS.from_wkt(scene.entry.header.crs.to_wkt())


# --- The GeoPackage


def _write_review(
    path: Path, looked: SecondLook, found: Sequence[_Found], scenes: Sequence[SplitScene]
) -> None:
    """Write the rows with their lines and two empty columns, a layer for each map of the scenes."""
    maps = {scene.entry.header.crs.to_string(): _map_of(scene) for scene in scenes}
    rows: dict[str, list[dict[str, str | float | None]]] = {name: [] for name in maps}
    lines: dict[str, list[LineString]] = {name: [] for name in maps}
    for row, one in zip(looked.doubts, found, strict=True):
        rows[row.crs].append(_cells(row, one, len(looked.members)))
        lines[row.crs].append(one.doubt.line)
    shown = [name for name in maps if rows[name]] or list(maps)[:1]
    with replacing(path) as temporary:
        layers = [LAYER if len(shown) == 1 else f"{LAYER} {name.replace(':', ' ')}" for name in shown]
        for number, (name, layer) in enumerate(zip(shown, layers, strict=True)):
            gpd.GeoDataFrame(rows[name], columns=list(COLUMNS), geometry=lines[name], crs=maps[name]).astype(
                COLUMNS
            ).to_file(
                temporary,
                layer=layer,
                mode="a" if number else "w",
                driver="GPKG",
                geometry_type="LineString",
                VERSION=GPKG_VERSION,
            )
        style_layers(temporary, dict.fromkeys(layers, doubtful_lines()))


def _cells(doubt: DoubtfulLine, found: _Found, members: int) -> dict[str, str | float | None]:
    shared = doubt.model_dump(exclude={"x", "y", "crs", "thumbnail"})
    as_found = as_text(found.doubt.line, _map_of(found.scene))
    return {**shared, "members": members, VERDICT: "", COMMENT: "", AS_FOUND: as_found}


def _keep_edited(path: Path) -> str:
    """Move a file that somebody has written in out of the way; return its new name, "" without one."""
    if not path.is_file() or not is_edited(path):
        return ""
    free = next(name for number in count(1) if not (name := path.with_stem(f"{path.stem}-{number}")).exists())
    path.rename(free)
    return free.name
