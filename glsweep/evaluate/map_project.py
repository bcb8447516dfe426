"""The project that opens a study's maps in QGIS: every test scene, as every member draws it."""

from collections.abc import Sequence
from pathlib import Path

from glsweep.prediction.products import known_table, write_lines
from glsweep.prediction.qgis_project import drawn_layers, known_layer, map_of, phase_layers, view_of
from glsweep.prediction.split_scenes import SplitScene
from glsweep.qgis.project import PROJECT, Group, write_project
from glsweep.qgis.styles import known_lines
from glsweep.study import Study
from glsweep.study.evaluation_artifacts import MemberLines


def write_map_project(study: Study, scenes: Sequence[SplitScene], members: Sequence[MemberLines]) -> None:
    """Write the true lines of each scene, and a project with them and with what members have drawn.

    The first member's layers are shown at first, the others' can be ticked.
    """
    groups = [_scene_group(study, scene, members) for scene in scenes]
    headers = [scene.header for scene in scenes]
    write_project(
        study.maps / PROJECT,
        f"Test scenes of {study.config.name}",
        groups,
        crs=map_of(headers[0]),
        views=[view_of(header) for header in headers],
    )


def _scene_group(study: Study, scene: SplitScene, members: Sequence[MemberLines]) -> Group:
    header = scene.header
    table = known_table(scene.reference, header, scene.entry.map_crs)
    (known,) = write_lines(table, study.maps, f"{header.name}-reference", ("gpkg",), known_lines())
    files = {member.stratum: list((study.maps / member.stratum).iterdir()) for member in members}
    drawn = [
        Group(member.title, drawn_layers(header, files[member.stratum], member.tau), is_shown=not place)
        for place, member in enumerate(members)
    ]
    first: list[Path] = next(iter(files.values()), [])
    return Group(header.name, (known_layer(header, known), *drawn, *phase_layers(header, first)))
