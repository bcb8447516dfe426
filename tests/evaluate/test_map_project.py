"""A study's maps, as QGIS opens them."""

from qgis_program import needs_qgis, seen_by_qgis
from test_whole_scenes import STRATUM, write_study

from glsweep.evaluate.scenes import evaluate_scenes


@needs_qgis
def test_one_project_opens_what_every_member_draws_beside_the_true_lines(tmp_path):
    study = write_study(tmp_path)
    found = evaluate_scenes(study, [STRATUM])
    (member,) = found.members
    answer = seen_by_qgis(tmp_path, project=study.maps / "lines.qgs", pictures=[])
    drawn = [member.title, True, ["Lines by confidence", "Probability"]]
    groups = [[scene.scene, True, ["Known lines", drawn, "Wrapped phase"]] for scene in member.scenes]
    assert answer["title"] == f"Test scenes of {study.config.name}"
    assert answer["tree"] == groups
    assert all(layer["is_valid"] for layer in answer["layers"])
    assert [layer["title"] for layer in answer["layers"]][: len(groups)] == ["Known lines"] * len(groups)
    assert all(layer["features"] for layer in answer["layers"] if layer["title"] == "Known lines")
