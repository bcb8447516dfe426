"""The project that opens a study's maps in QGIS: every test scene, as every member draws it."""

from collections.abc import Sequence

from glsweep.prediction.products import known_table, write_lines
from glsweep.prediction.qgis_project import PHASE, map_of, scene_layers, views_of
from glsweep.prediction.split_scenes import SplitScene
from glsweep.qgis.project import PROJECT, Group, write_project
from glsweep.qgis.styles import known_lines
from glsweep.study import Study
from glsweep.study.evaluation_artifacts import MemberLines


def write_map_project(study: Study, scenes: Sequence[SplitScene], members: Sequence[MemberLines]) -> None:
    """Write the true lines of each scene, and a project with them and with what members have drawn.

    The first member's layers are ticked, the others' can be.
    """
    headers = [scene.header for scene in scenes]
    write_project(
        study.maps / PROJECT,
        f"Test scenes of {study.config.name}",
        [_scene_group(study, scene, members) for scene in scenes],
        crs=map_of(headers[0]),
        views=views_of(headers),
    )


def _scene_group(study: Study, scene: SplitScene, members: Sequence[MemberLines]) -> Group:
    header = scene.header
    table = known_table(scene.reference, header, scene.entry.map_crs)
    known = write_lines(table, study.maps, f"{header.name}-reference", ("gpkg",), known_lines())
    layers = [
        scene_layers(header, list((study.maps / member.stratum).iterdir()), member.tau) for member in members
    ]
    groups = [
        Group(member.title, tuple(layer for layer in own if layer.depth != PHASE), is_shown=place == 0)
        for place, (member, own) in enumerate(zip(members, layers, strict=True))
    ]
    # The phase is the same of every member.
    phase = (layer for layer in layers[0] if layer.depth == PHASE)
    return Group(header.name, (*scene_layers(header, known, members[0].tau), *groups, *phase))
