"""`spread_m` is how far apart networks draw a line, be they those of one member or several members."""

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import torch
from made_input import NORTH_UP, SeesOppositePhase, card, write_scene
from shapely import LineString
from torch import Tensor, nn

from glsweep.metrics.lines import line_distances
from glsweep.nets.ensemble import Ensemble
from glsweep.prediction.blend import Member, member_probability
from glsweep.prediction.drawing import Drawing
from glsweep.prediction.scene import PredictedScene, predict_scene
from glsweep.scenes.raster import read_header

ROW = 60.5
GROUND_M = 102.0
"""A pixel of the scene on the ground, to a hundredth: 100 m of the map, away from its true latitude."""


class SeesLower(nn.Module):
    """Draws what `SeesOppositePhase` draws, so many rows farther down."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return torch.full_like(image[:, :1], 9.0), torch.roll(SeesOppositePhase()(image)[0], self.rows, -2)


class SeesNothing(nn.Module):
    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return (torch.full_like(image[:, :1], -8.0),)


def ensemble(*networks: nn.Module, **changes: object) -> Member:
    return Member("several", Ensemble(networks), card(seeds=tuple(range(len(networks))), **changes))


@pytest.fixture
def scene(tmp_path):
    line = LineString([NORTH_UP @ (0, ROW), NORTH_UP @ (210, ROW)])
    return write_scene(tmp_path / "a.tif", [line])


def predicted(scene, members: list[Member], **changes: object) -> PredictedScene:
    """In one window, so that nothing is rolled in from another."""
    settings = {
        "window_px": 256,
        "overlap": 0.5,
        "turned": False,
        "tau": 0.4,
        "shortest_m": 500.0,
        "bridge_m": 0.0,
        "formats": ("gpkg", "geojson"),
        "device": torch.device("cpu"),
    }
    drawing = Drawing(**{**settings, **changes})
    return predict_scene(read_header(scene), members, drawing, scene.parent / "out", lambda _share: None)


@pytest.mark.parametrize("rows", [1, 2])
def test_two_networks_a_known_distance_apart_spread_by_half_of_it(scene, rows) -> None:
    networks = SeesLower(0), SeesLower(rows)
    of_one = predicted(scene, [ensemble(*networks)])
    assert len(of_one.lines) == rows, "side by side their bands are one"
    assert of_one.table["spread_m"].to_numpy() == pytest.approx(rows * GROUND_M / 2, abs=2)
    for kind in ("gpkg", "geojson"):
        kept = gpd.read_file(scene.parent / "out" / f"a-lines.{kind}", layer=0)
        assert kept["spread_m"].to_numpy() == pytest.approx(of_one.table["spread_m"])
    members = [Member(f"{network.rows}", network, card()) for network in networks]
    of_several = predicted(scene, members)
    assert of_several.table["spread_m"].to_numpy() == pytest.approx(of_one.table["spread_m"], abs=0.2)
    drawn = [[one.line for one in result.lines] for result in (of_several, of_one)]
    assert line_distances(*drawn).mean_m() < 0.1


def test_a_network_that_draws_nothing_is_left_out_and_one_alone_has_no_spread(scene) -> None:
    three = predicted(scene, [ensemble(SeesLower(0), SeesLower(1), SeesNothing())], tau=0.3)
    assert three.table["spread_m"].to_numpy() == pytest.approx(GROUND_M / 2, abs=2)
    for members in (
        [ensemble(SeesLower(0), SeesNothing())],
        [Member("one", SeesLower(0), card()), Member("other", SeesNothing(), card())],
        [Member("alone", SeesLower(0), card())],
    ):
        table = predicted(scene, members).table
        assert len(table)
        assert table["spread_m"].isna().all()


def test_the_raster_and_its_lines_are_the_mean_of_the_networks_and_nothing_is_left_of_each(scene) -> None:
    result = predicted(scene, [ensemble(SeesLower(0), SeesLower(1), SeesLower(2))], tau=0.3)
    with rasterio.open(result.probability) as dataset, rasterio.open(scene) as bands:
        assert dataset.descriptions == ("probability",)
        probability, real = dataset.read(1), bands.read(1)
    # Within what no roll brings in from beyond the scene.
    one = 1 / (1 + np.exp(8 * real[:120]))
    mean = (one[2:] + one[1:-1] + one[:-2]) / 3
    np.testing.assert_allclose(probability[2:120], mean, atol=1e-4)
    assert sorted(path.name for path in (scene.parent / "out").iterdir()) == sorted(
        path.name for path in result.files
    )


@pytest.mark.parametrize("temperature", [None, 2.0])
@pytest.mark.parametrize("turned", [False, True])
def test_each_network_follows_its_member_turned_and_tempered_alike(temperature, turned) -> None:
    image = torch.randn(2, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    networks = SeesLower(0), SeesLower(3)
    several = ensemble(*networks, temperature=temperature)
    found = member_probability([several], image, turned=turned, filters=("raw", "boxcar3"), each_network=True)
    apart = [several, *(Member("", network, card(temperature=temperature)) for network in networks)]
    expected = member_probability(apart, image, turned=turned, filters=("raw", "boxcar3"))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        member_probability([several], image, turned=turned, filters=("raw", "boxcar3")), expected[:1]
    )
    if temperature is None:
        torch.testing.assert_close(found[0], found[1:].mean(dim=0))
