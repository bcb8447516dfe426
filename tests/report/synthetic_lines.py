"""Whole test scenes in metres, as the stage `evaluate` would leave them."""

import geopandas as gpd
import numpy as np
import rasterio
from affine import Affine
from shapely import LineString

from glsweep.evaluate.scenes import bands_held, intervals, line_scores
from glsweep.metrics.lines import LineDistances, line_distances
from glsweep.metrics.reliability import PiecesInBand
from glsweep.nets.member import LineUncertainty
from glsweep.study import Study
from glsweep.study.artifacts import write_artifact
from glsweep.study.evaluation_artifacts import (
    LinesAtTau,
    LinesOnDataSet,
    LinesOnScene,
    MemberLines,
    StudyLines,
)

CRS, SHAPE, POSTING_M = "EPSG:3031", (60, 80), 250.0
GRID = Affine(POSTING_M, 0, -1_444_000, 0, -POSTING_M, -700_000)
TAUS = (0.1, 0.5, 0.9)
HALF_WIDTH_M = 100.0
LEARNT = LineUncertainty(factor=1.1, share=0.68, near_m=500, tau=0.5, km=900, scenes=60)
WHY_NOT = "3 validation scenes have lines near a true one, and 50 are needed"
"""Of the first member the uncertainty is known, of the others it is not."""


def add_lines(study: Study, strata, *, scenes: int = 4, data_sets=("sim",)) -> Study:
    """Let members draw straight lines, each next one 60 m farther off."""
    members = []
    for number, stratum in enumerate(strata):
        offsets_m = [60.0 * (number + 1) + 30 * scene for scene in range(scenes)]
        measured = [_measured(offset_m) for offset_m in offsets_m]
        names = [f"{data_set}/scene{n}" for data_set in data_sets for n in range(scenes)]
        for name, distances in zip(names, measured * len(data_sets), strict=True):
            _write_map(study.maps / stratum.key, name.replace("/", "-"), distances)
        pooled = line_scores(LineDistances.pooled(measured))
        group = {
            "scenes": scenes,
            "pooled": pooled,
            "intervals": intervals(measured, seed=0),
            "bands": _bands(measured, None if number else LEARNT),
            "curve": tuple(LinesAtTau(tau=tau, **pooled.model_dump()) for tau in TAUS),
        }
        member = MemberLines(
            stratum=stratum.key,
            title=stratum.title,
            architecture=stratum.architecture,
            tau=0.5,
            data_sets=tuple(LinesOnDataSet(data_set=name, **group) for name in data_sets),
            scenes=tuple(
                LinesOnScene(
                    scene=name,
                    data_set=name.partition("/")[0],
                    errors=f"{name.replace('/', '-')}-errors.npz",
                    **line_scores(distances).model_dump(),
                )
                for name, distances in zip(names, measured * len(data_sets), strict=True)
            ),
        )
        members.append(member)
    lines = StudyLines(
        tolerances_m=(100.0, 200.0, 500.0),
        shortest_m=1000.0,
        bridge_m=500.0,
        window_px=256,
        members=tuple(members),
    )
    write_artifact(study.lines_json, lines)
    return study


def _measured(offset_m: float) -> LineDistances:
    truth = LineString([(0, 5_000), (20_000, 9_000)])
    drawn = LineString([(0, 5_000 + offset_m), (15_000, 8_000 + offset_m)])
    return line_distances([drawn], [truth], farthest_m=30_000)


def _bands(measured: list[LineDistances], uncertainty: LineUncertainty | None):
    pieces = [
        PiecesInBand(one.drawn_length_m, one.drawn_m, np.full_like(one.drawn_m, HALF_WIDTH_M))
        for one in measured
    ]
    return bands_held(pieces, uncertainty, unknown_because="" if uncertainty else WHY_NOT, seed=0)


def _write_map(folder, name: str, distances: LineDistances) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / f"{name}-errors.npz",
        phase_rad=np.random.default_rng(0).uniform(-3, 3, SHAPE).astype(np.float32),
        size_km=np.array(SHAPE) * POSTING_M / 1000,
        drawn_km=distances.drawn_xy / 1000,
        drawn_m=distances.drawn_m,
        reference_km=distances.reference_xy / 1000,
        reference_m=distances.reference_m,
    )
    probability = np.zeros((1, *SHAPE), np.float32)
    probability[:, 20:30] = 0.9
    profile = {"driver": "GTiff", "width": SHAPE[1], "height": SHAPE[0], "count": 1, "dtype": "float32"}
    with rasterio.open(folder / f"{name}-probability.tif", "w", **profile, crs=CRS, transform=GRID) as raster:
        raster.write(probability)
        raster.update_tags(DATES="20200113 20200101")
    x, y = distances.drawn_xy[[0, -1]].T
    drawn = LineString(np.column_stack(GRID @ (x / POSTING_M, y / POSTING_M)))
    columns = {"length_m": [15_000.0], "mean_prob": [0.9], "band_m": [120.0], "hinge_m": [-80.0]}
    table = gpd.GeoDataFrame({**columns, "uncert_m": [np.nan]}, geometry=[drawn], crs=CRS)
    table.to_file(folder / f"{name}-lines.gpkg")
