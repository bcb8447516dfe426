"""What glsweep does, as functions: the commands call them too, and print what they return."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyproj
from rich.console import Console

from glsweep.adaptation import Adapted, adapt_member
from glsweep.adaptation.fit import STEPS
from glsweep.checks import CheckRequest, examine
from glsweep.checks.findings import Findings
from glsweep.comparison import distance_table, read_pairs
from glsweep.comparison.score import score_data
from glsweep.comparison.scored_scenes import scores_frame
from glsweep.config import DEMO_SPACE
from glsweep.config.bands import NoData, check_bands
from glsweep.config.data_card import Simulation
from glsweep.config.settings import validate
from glsweep.config.space import load_space
from glsweep.notebook.comparison import Comparison
from glsweep.notebook.prediction import Prediction
from glsweep.prediction import DrawingOptions
from glsweep.prediction.command import check_options, open_drawing
from glsweep.prediction.page import open_page_options, write_page
from glsweep.prediction.scene import predict_scene
from glsweep.scenes.probability import open_probability
from glsweep.scenes.raster import read_header
from glsweep.scenes.scene import Scene
from glsweep.search import make_plan
from glsweep.simulation import simulate_scene

__all__ = ["Adapted", "Comparison", "Prediction", "adapt", "check", "compare", "predict", "score", "simulate"]

Models = str | Path | Sequence[str | Path]
"""One member's folder or registered model (`models:/NAME@ALIAS`), or several, which are averaged."""


def simulate(
    *, seed: int, name: str = "scene", origin_xy_m: tuple[float, float] = (0.0, 0.0), **settings: Any
) -> Scene:
    """Simulate one scene: an interferogram with its true line, from the flexure of an elastic beam.

    Parameters
    ----------
    seed : int
        With `name` it decides every draw.
    name : str
        The scene's name.
    origin_xy_m : tuple of float
        Map coordinates of the upper left corner.
    **settings
        The keys of a data card's `simulation:`, such as rows, cols, posting_m, noise, tides.

    Returns
    -------
    Scene
        `interferogram` (rows, cols) complex64, 0 without data; `transform`, `crs`, `lines`.

    Raises
    ------
    ConfigError
        When a setting is unknown or bad.
    """
    asked = validate({"scenes": 1, **settings}, Simulation, Path("simulate()"))
    return simulate_scene(asked, seed=seed, name=name, origin_xy_m=origin_xy_m)


def check(
    data: str | Path,
    *,
    space: str | Path = DEMO_SPACE,
    root: str | Path | None = None,
    bands: str | None = None,
    nodata: NoData = None,
) -> Findings:
    """Read every file of a data set: what is there, and what would go wrong in a study of it.

    Parameters
    ----------
    data : path
        A data card, a folder of scenes with their lines, or one raster.
    space : path
        The search space whose patches are to be cut.
    root : path, optional
        Where the scenes of the data card are.
    bands : str, optional
        What the rasters' bands hold, such as `phase=2, coherence=corr`.
    nodata : float or "as_tagged", optional
        What stands for no data in the rasters.

    Returns
    -------
    Findings
        `is_usable`, `faults`, `notes`, and `scenes`, each with its own.

    Raises
    ------
    ConfigError
        When the data card, the search space or an option is bad.
    """
    check_bands(bands or "auto")
    loaded = load_space(Path(space))
    plan = make_plan(loaded, seed=0, source=Path(space))
    where = None if root is None else Path(root)
    return examine(Path(data), loaded, CheckRequest(plan, Path(space), where, bands, nodata))


def predict(
    scene: str | Path,
    *,
    model: Models = (),
    out: str | Path | None = None,
    bands: str = "auto",
    nodata: NoData = None,
    near: str | Path | None = None,
    compare_with: str | Path | None = None,
    **drawing: Any,
) -> Prediction:
    """Draw the grounding lines of one scene.

    Parameters
    ----------
    scene : path
        An interferogram.
    model : path, str, or several
        The networks; the one in the package unless named.
    out : path, optional
        A folder for the files that the command `predict` writes.
    bands : str
        What the raster's bands hold; their names and values tell unless said.
    nodata : float or "as_tagged", optional
        What stands for no data in the raster.
    near : path, optional
        A file of lines known before: only what lies within `within_m` (2,000 m) of them is kept.
    compare_with : path, optional
        A file of lines from which the page in `out` says how far the new ones lie; nothing is cut.
    **drawing
        Further fields of `DrawingOptions`: tau, shortest_m, bridge_m, within_m, window_px, overlap,
        turned, filters, formats, scheme, device.

    Raises
    ------
    ConfigError
        When an option is bad, or the models do not go together.
    StudyError
        When a model cannot be found or read.
    DataError
        When the scene cannot be read, or does not fit the models.
    """
    options = _options(model, near, drawing)
    check_options(options)
    check_bands(bands)
    page = open_page_options(None if compare_with is None else Path(compare_with), None)
    members, how = open_drawing(options, Console(quiet=True))
    header = read_header(Path(scene), bands, nodata=nodata)
    with _folder(out) as folder:
        made = predict_scene(header, members, how, folder, lambda _share: None)
        with open_probability(made.probability) as raster:
            probability, transform = raster.first_band(), raster.transform
        files = [*made.files, *write_page([made], members, how, folder, page)] if out is not None else []
    return Prediction(
        scene=made.scene,
        probability=probability,
        transform=transform,
        crs=pyproj.CRS.from_user_input(made.table.crs),
        tau=how.tau,
        lines=made.table,
        files=files,
    )


def score(
    data: str | Path | Sequence[str | Path],
    *,
    model: Models = (),
    out: str | Path | None = None,
    root: str | Path | None = None,
    by: str | None = None,
    near: str | Path | None = None,
    **drawing: Any,
) -> pd.DataFrame:
    """Draw every scene of a data set that has lines, and measure what was drawn against them.

    Parameters
    ----------
    data : path, or several
        Data cards, or folders of scenes with their lines.
    model : path, str, or several
        The networks; the one in the package unless named.
    out : path, optional
        A folder for the files that the command `score` writes.
    root : path, optional
        Where the scenes of the one card are.
    by : str, optional
        Also pool by a column of the file of lines, `region` or `data_set`.
    near : path, optional
        A file of lines known before: the same rows follow once more, for what lies near them.
    **drawing
        Further fields of `DrawingOptions`, as for `predict`.

    Returns
    -------
    DataFrame
        A row a scene, a row a group and one of all, in metres and kilometres: docs/lines.md.
        `attrs["left_out"]` holds why scenes were not scored.

    Raises
    ------
    ConfigError, StudyError, DataError
        As for `predict`, and when the data set cannot be used.
    """
    options = _options(model, near, drawing)
    with _folder(out) as folder:
        where = None if root is None else Path(root)
        scores = score_data(_paths(data), options, Console(quiet=True), root=where, out=folder, by=by)
    frame = scores_frame(scores.rows)
    frame.attrs["left_out"] = scores.refused
    return frame


def adapt(
    scenes: str | Path | Sequence[str | Path],
    *,
    out: str | Path,
    model: str | Path | None = None,
    bands: str = "auto",
    nodata: NoData = None,
    steps: int = STEPS,
    seed: int = 0,
    device: str | None = None,
) -> Adapted:
    """Fit a network to scenes without labels, and write it if it is better on some that are held out.

    Parameters
    ----------
    scenes : path, or several
        Interferograms, or folders of them.
    out : path
        The new member's folder; `predict` and `score` take it as `model`.
    model : path or str, optional
        The member that is fitted; the network in the package unless named.
    bands, nodata
        As for `predict`.
    steps : int
        Of fitting.
    seed : int
        Decides every draw.
    device : str, optional
        Such as cpu or cuda:1.

    Returns
    -------
    Adapted
        `folder` is None where the old network is better: then nothing was written.

    Raises
    ------
    ConfigError, StudyError, DataError
        As for `predict`, and when there are fewer than four scenes, or the network is sure of no line.
    """
    return adapt_member(
        _paths(scenes),
        Path(out),
        Console(quiet=True),
        model=None if model is None else str(model),
        bands=bands,
        nodata=nodata,
        steps=steps,
        seed=seed,
        device=device,
    )


def compare(
    lines: str | Path,
    reference: str | Path,
    *,
    by: str | None = None,
    reference_by: str | None = None,
    layer: str | None = None,
    reference_layer: str | None = None,
    tolerances_m: Sequence[float] = (100.0, 200.0, 500.0),
    tell: Callable[[str], object] = lambda _remark: None,
) -> Comparison:
    """Measure lines against a reference: how far off, how much missed, how much invented.

    Parameters
    ----------
    lines, reference : path
        Files of lines in any CRS.
    by, reference_by : str, optional
        A column that names scenes or regions: rows are compared with those of the same name.
    layer, reference_layer : str, optional
        The layer of each file, where it has several.
    tolerances_m : sequence of float
        Within so many metres a line counts as found.
    tell : callable
        Told what was not taken as it stands in a file, in a sentence each.

    Returns
    -------
    Comparison
        A DataFrame with a row a pair, and the pooled one last where there are several; see
        `distance_table`. It shows itself with a map in notebooks.

    Raises
    ------
    DataError
        When a file cannot be read, or the two have nothing in common.
    """
    pairs = read_pairs(
        Path(lines),
        Path(reference),
        by=by,
        reference_by=reference_by,
        layer=layer,
        reference_layer=reference_layer,
        on_remark=tell,
    )
    return Comparison(distance_table(pairs, tolerances_m), pairs)


def _options(model: Models, near: str | Path | None, drawing: dict[str, Any]) -> DrawingOptions:
    return DrawingOptions(model=_models(model), near=None if near is None else Path(near), **drawing)


def _paths(named: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(named)] if isinstance(named, str | Path) else [Path(one) for one in named]


def _models(model: Models) -> tuple[str, ...]:
    return (str(model),) if isinstance(model, str | Path) else tuple(map(str, model))


@contextmanager
def _folder(out: str | Path | None) -> Iterator[Path]:
    """Yield the folder that was named, or one that is gone afterwards."""
    if out is not None:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="glsweep-") as temporary:
        yield Path(temporary)
