"""The report's map of whole test scenes, as every member draws them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from glsweep.pages.map_pictures import phase_picture, probability_picture
from glsweep.pages.scene_map import DRAWN, MISSED, TRUE, MapLine, SceneMap, maps_json
from glsweep.prediction.page_maps import about_a_line
from glsweep.report.map_files import MapFiles, beyond, read_map
from glsweep.report.results import Results
from glsweep.report.scene_tables import members_best_first
from glsweep.study.evaluation_artifacts import LinesOnScene, MemberLines

MOST_SCENES = 24
PHASE_PX, LEAST_PHASE_PX, PROBABILITY_PX = 448, 128, 300
MOST_PHASE_BYTES = 500_000
"""Of all scenes together; with 7 members on 13 scenes the maps then have 1.25 MB of the page."""
FOUND_M = 200.0
TOLERANCE_PX = 0.3


def scene_maps(results: Results) -> dict[str, Any] | None:
    """Return the maps of all test scenes and members, the best first, as the page's script reads them.

    Of many scenes `MOST_SCENES` that are spread evenly over the data sets. None without whole test
    scenes.

    Raises
    ------
    StudyError
        When a file in `maps/` is missing.
    """
    members = members_best_first(results.lines)
    if not members:
        return None
    shown = _spread(list(members[0].scenes))
    maps, phases = [], []
    for number in shown:
        read = {
            member.stratum: read_map(results.maps / member.stratum, member.scenes[number])
            for member in members
        }
        phases.append(read[members[0].stratum])
        maps.append(_scene_map(members, read, number, results.simulated))
    pictures = _phase_pictures(phases)
    posting_m = results.table.posting_m
    return maps_json(
        [replace(one, phase=picture) for one, picture in zip(maps, pictures, strict=True)],
        members={member.stratum: member.title for member in members},
        tolerance_m=TOLERANCE_PX * posting_m,
        first=_median([members[0].scenes[number] for number in shown]),
    )


def _spread(scenes: Sequence[LinesOnScene]) -> list[int]:
    """Return which scenes are shown: all, or as many as the page can hold, evenly over their list."""
    count = min(MOST_SCENES, len(scenes))
    return [number * len(scenes) // count for number in range(count)]


def _median(scenes: Sequence[LinesOnScene]) -> int:
    """Return the number of the scene that is drawn neither well nor badly, by its mean distance."""
    ranked = sorted(range(len(scenes)), key=lambda number: rank_of(scenes[number]))
    return ranked[(len(ranked) - 1) // 2]


def rank_of(scene: LinesOnScene) -> float:
    """Return by what scenes are ranked, the best drawn first; those without a line of one side last."""
    return math.inf if scene.mean_m is None else scene.mean_m


def _phase_pictures(scenes: Sequence[MapFiles]) -> list[bytes]:
    """Return the phase of each scene, all with as many pixels as the page has room for."""
    longest_px = PHASE_PX
    while True:
        pictures = [phase_picture(one.phase_north_up(longest_px)) for one in scenes]
        excess = sum(map(len, pictures)) / MOST_PHASE_BYTES
        if excess <= 1 or longest_px == LEAST_PHASE_PX:
            return pictures
        longest_px = max(LEAST_PHASE_PX, int(0.95 * longest_px / math.sqrt(excess)))


def _scene_map(
    members: Sequence[MemberLines], read: Mapping[str, MapFiles], number: int, simulated: set[str]
) -> SceneMap:
    first, scene = next(iter(read.values())), members[0].scenes[number]
    # The true ones once, not for each member.
    lines = [line for line in lines_of(first) if line.layer == TRUE.key]
    for stratum, files in read.items():
        lines += [replace(line, member=stratum) for line in lines_of(files) if line.layer != TRUE.key]
    return SceneMap(
        name=scene.scene,
        bounds_m=first.bounds_m,
        crs=first.crs,
        dates=first.dates,
        phase=b"",
        probability={
            stratum: probability_picture(files.probability_north_up(PROBABILITY_PX))
            for stratum, files in read.items()
        },
        lines=tuple(lines),
        remark="simulated" if scene.data_set in simulated else "",
        facts={member.stratum: facts_of(member.scenes[number]) for member in members},
    )


def lines_of(files: MapFiles) -> list[MapLine]:
    """Return the lines on a member's map of a scene, the uppermost last."""
    return [
        *(MapLine(TRUE.key, pieces.xy_m) for pieces in files.true),
        *(MapLine(DRAWN.key, one.xy_m, one.error_m, text=about_a_line(one.columns)) for one in files.drawn),
        *(
            MapLine(MISSED.key, xy_m, text=f"no line within {FOUND_M:g} m")
            for xy_m in beyond(files.true, FOUND_M)
        ),
    ]


def facts_of(scene: LinesOnScene) -> str:
    """Return in words what a member's lines are worth on a scene."""
    found = "" if scene.completeness_200 is None else f"{scene.completeness_200:.0%} found within 200 m, "
    mean = "" if scene.mean_m is None else f", {scene.mean_m:.0f} m off on average"
    return f"{found}{scene.false_km_200:.0f} km invented{mean}"
