"""How much what is drawn depends on the size of the windows that a network sees at a time.

Each scene is predicted with several sizes; the differences are taken away from its border, where no window
has anything to look at beyond.

Run: `python benchmarks/windows.py --model FOLDER --scene FILE...`
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pyproj
import rasterio
import tyro
from rich.console import Console
from rich.table import Table
from shapely import LineString

from glsweep.metrics.lines import LineDistances, line_distances
from glsweep.prediction import DrawingOptions
from glsweep.prediction.command import open_drawing
from glsweep.prediction.scene import predict_scene
from glsweep.scenes.raster import read_header

BORDER_PX = 64
TOLERANCE_M = 200.0


@dataclass(frozen=True)
class Options:
    """What is predicted with what."""

    model: str
    scene: tuple[Path, ...]
    windows_px: tuple[int, ...] = (128, 256, 384, 512)


Drawn = tuple[npt.NDArray[np.float32], list[LineString], pyproj.CRS]


def main(options: Options) -> None:
    """Predict every scene with every size, and print the differences of each pair of sizes."""
    console = Console()
    drawn = {
        size_px: [_draw(options.model, path, size_px) for path in options.scene]
        for size_px in options.windows_px
    }
    table = Table("windows px", "mean", "99 %", "largest", "lines: mean m", f"within {TOLERANCE_M:g} m")
    for one, other in itertools.combinations(options.windows_px, 2):
        table.add_row(f"{one}, {other}", *_differences(drawn[one], drawn[other]))
    console.print(table)


def _draw(model: str, path: Path, window_px: int) -> Drawn:
    members, drawing = open_drawing(DrawingOptions(model=(model,), window_px=window_px), Console(quiet=True))
    with TemporaryDirectory() as folder:
        predicted = predict_scene(read_header(path), members, drawing, Path(folder), lambda _share: None)
        with rasterio.open(predicted.files[0]) as dataset:
            crs = pyproj.CRS.from_wkt(dataset.crs.to_wkt())
            return dataset.read(1), [one.line for one in predicted.lines], crs


def _differences(one: Sequence[Drawn], other: Sequence[Drawn]) -> list[str]:
    inside = np.s_[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
    pairs = list(zip(one, other, strict=True))
    apart = np.concatenate([np.abs(a - b)[inside].ravel() for (a, *_), (b, *_) in pairs])
    apart = apart[np.isfinite(apart)]
    lines = LineDistances.pooled(
        [line_distances(a, b, crs=crs) for (_, a, crs), (_, b, _) in pairs if a and b]
    )
    return [
        f"{apart.mean():.4f}",
        f"{np.quantile(apart, 0.99):.3f}",
        f"{apart.max():.3f}",
        f"{lines.mean_m():.0f}",
        f"{lines.completeness(TOLERANCE_M):.1%}",
    ]


if __name__ == "__main__":
    main(tyro.cli(Options))
