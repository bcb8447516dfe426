"""What a glaciologist asks of lines: where, when, how sure, how far from the old line, may I cite it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyproj
import shapely

from glsweep import __version__
from glsweep.geodesy import lon_lat
from glsweep.metrics.reliability import FEWEST_SCENES
from glsweep.metrics.zone import REACH_M
from glsweep.nets.member import LineUncertainty
from glsweep.pages.map_place import dates_words, lon_lat_words, region_of
from glsweep.pages.scene_map import crs_words
from glsweep.prediction.blend import Member
from glsweep.prediction.citation import NEVER_COMPARED, Producer
from glsweep.prediction.old_lines import FromOld
from glsweep.prediction.overview import Overview
from glsweep.prediction.scene import PredictedScene

MOST_NAMED = 3
"""Of scenes or maps; of more their number is said."""
SAME_BAND = 0.05
"""Relative difference of wavelengths up to which a fringe is about the same motion."""


@dataclass(frozen=True)
class Answer:
    """A question with its answer.

    Attributes
    ----------
    key : str
        By which the page finds it.
    question, short : str
        As it is asked, and the answer in a few words.
    facts : tuple of str
        What it rests on, a sentence each.
    mind : str
        What is not known, and what would help; empty where nothing is amiss.
    """

    key: str
    question: str
    short: str
    facts: tuple[str, ...] = ()
    mind: str = ""


@dataclass(frozen=True)
class Compared:
    """Drawn lines against lines known before.

    Attributes
    ----------
    source : str
        Their file.
    by_scene : dict
        What was found in each scene, by its name.
    within_m : float
        Up to which distance an old line counts.
    is_cut : bool
        Whether what is farther was not kept (`--near`).
    """

    source: str
    by_scene: Mapping[str, FromOld]
    within_m: float
    is_cut: bool

    @property
    def found(self) -> FromOld:
        """Over all scenes."""
        return FromOld.pooled(list(self.by_scene.values()))


def weighted_mean(table: pd.DataFrame, column: str) -> float:
    """Return the mean of a column over the lines' length, where it is known; NaN where it never is."""
    known = table[table[column].notna()]
    return float(np.average(known[column], weights=known["length_m"])) if len(known) else math.nan


def joined_table(scenes: Sequence[PredictedScene]) -> pd.DataFrame:
    """Return one row a line of all scenes, without geometry: their maps may differ."""
    return pd.concat([pd.DataFrame(scene.table.drop(columns="geometry")) for scene in scenes])


def where(scenes: Sequence[PredictedScene]) -> Answer:
    """Answer by the middle of the lines, or of the scenes where none was drawn."""
    question = "Where?"
    placed = [scene for scene in scenes if scene.header.is_placed]
    if not placed:
        return Answer(
            "where",
            question,
            "unknown: the scenes lie nowhere on a map",
            mind="Georeference the rasters (a CRS and a geotransform), then predict again.",
        )
    degrees = np.concatenate([_degrees(scene) for scene in placed])
    longitude, latitude = _middle(degrees)
    region = region_of(longitude, latitude)
    maps = list(dict.fromkeys(crs_words(_crs_of(scene)) for scene in placed))
    south, north = degrees[:, 1].min(), degrees[:, 1].max()
    lost = len(scenes) - len(placed)
    return Answer(
        "where",
        question,
        lon_lat_words(longitude, latitude, 2) + (f", {region}" if region else ""),
        (
            f"Latitudes {abs(south):.2f}° to {abs(north):.2f}° {'S' if north < 0 else 'N'}."
            if south * north > 0
            else f"Latitudes {south:.2f}° to {north:.2f}°.",
            f"Coordinates in the files: {_few(maps, 'maps')}.",
        ),
        f"{lost} of {len(scenes)} scenes lie nowhere on a map; georeference them." if lost else "",
    )


def _crs_of(scene: PredictedScene) -> pyproj.CRS:
    return pyproj.CRS.from_wkt(scene.header.crs.to_wkt())


def _degrees(scene: PredictedScene) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    shapes = [one.line for one in scene.lines] or [scene.header.footprint]
    return lon_lat(shapely.get_coordinates(shapes), _crs_of(scene))


def _middle(degrees: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float]:
    """Return the middle of places, which may lie on both sides of the antimeridian, or around a pole."""
    longitude, latitude = np.radians(degrees.T)
    x, y, z = (
        np.array(
            [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
        )
        .mean(axis=1)
        .tolist()
    )
    return math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.hypot(x, y)))


def when(scenes: Sequence[PredictedScene]) -> Answer:
    """Answer by the dates of the interferograms' images."""
    question = "When?"
    days = sorted({day for scene in scenes for day in scene.acquisition.dates})
    undated = [scene.scene for scene in scenes if not scene.acquisition.dates]
    remedy = (
        "Name the files after their images' dates (20180105_20180111_20180117.tif) or write them into the "
        "tag DATES, and predict again."
    )
    if not days:
        return Answer("when", question, f"unknown: no date in {_few(undated, 'scenes')}", mind=remedy)
    sensors = sorted({scene.acquisition.sensor.name for scene in scenes if scene.acquisition.sensor})
    dated = len(scenes) - len(undated)
    if len(scenes) == 1:
        short = dates_words(days)
        spans = f"A double difference of images of {len(days)} day{'s' if len(days) > 1 else ''}."
    else:
        short = f"{dates_words(days[:1])} to {dates_words(days[-1:])}"
        spans = f"{dated} of {len(scenes)} double differences have dates, {len(days)} different days."
    radar = f"Radar: {', '.join(sensors)}." if sensors else "Radar: not named in the files."
    return Answer(
        "when",
        question,
        short,
        (spans, radar),
        f"No date in {_few(undated, 'scenes')}. {remedy}" if undated else "",
    )


def why_unknown(members: Sequence[Member]) -> str:
    """Return why lines of these members have no `uncert_m`, where they have none."""
    learnt = members[0].card.uncertainty_unknown if len(members) == 1 else ""
    return learnt or (
        "it is known of what one member draws at its card's threshold, neither turned nor filtered, and only "
        f"if its validation had {FEWEST_SCENES} scenes or more that agree"
    )


def how_sure(
    scenes: Sequence[PredictedScene],
    made_by: Sequence[Producer],
    uncertainty: LineUncertainty | None,
    why_unknown: str,
) -> Answer:
    """Answer by what was learnt of the networks' errors; where nothing was, say why."""
    question = "How sure?"
    table = joined_table(scenes)
    km = table["length_m"].sum() / 1000
    if not km:
        return Answer(
            "sure",
            question,
            "nothing was drawn: that is no proof that no grounding line runs here",
            (_likeness(scenes, made_by),),
        )
    uncert_m = weighted_mean(table, "uncert_m")
    simulated = all(one.is_simulated_alone for one in made_by)
    if uncertainty is None or not math.isfinite(uncert_m):
        short = "metres unknown"
        mind = f"Why: {why_unknown}."
    else:
        least = "at least " if simulated else ""
        short = f"{least}{uncert_m:.0f} m, for {100 * uncertainty.share:.0f} % of the true line"
        mind = (
            "Learnt on simulated scenes: on real ones a lower limit. Check every line by eye."
            if simulated
            else ""
        )
    numbers = [f"{km:.1f} km drawn, mean probability {weighted_mean(table, 'mean_prob'):.2f}"]
    for column, words in (("band_m", "half a band's width"), ("spread_m", "networks' spread")):
        value = weighted_mean(table, column)
        numbers.append(f"{words} {value:.0f} m" if math.isfinite(value) else f"{words} unknown")
    return Answer("sure", question, short, ("; ".join(numbers) + ".", _likeness(scenes, made_by)), mind)


def _likeness(scenes: Sequence[PredictedScene], made_by: Sequence[Producer]) -> str:
    """Say whether scenes look like what the networks were trained on, as far as that is known."""
    card = made_by[0].card
    postings = sorted({round(scene.header.posting_m, 3) for scene in scenes})
    parts = [
        f"posting {', '.join(f'{one:g}' for one in postings)} m"
        + (" as in training" if postings == [card.posting_m] else f", averaged to {card.posting_m:g} m")
    ]
    known = {scene.acquisition.sensor for scene in scenes if scene.acquisition.sensor}
    other = sorted(
        one.name for one in known if not math.isclose(one.wavelength_m, card.wavelength_m, rel_tol=SAME_BAND)
    )
    if other:
        parts.append(f"{', '.join(other)} has another wavelength than the network's {card.wavelength_m:g} m")
    elif known:
        parts.append(f"wavelength as in training ({card.wavelength_m:g} m)")
    else:
        parts.append(f"wavelength not named in the files (in training {card.wavelength_m:g} m)")
    seen = (
        "the network has seen simulated scenes alone"
        if all(one.is_simulated_alone for one in made_by)
        else f"trained on: {card.trained_on or 'its card does not say'}"
    )
    return f"The scenes: {'; '.join(parts)}. {seen[:1].upper()}{seen[1:]}."


def how_far(compared: Compared | None, overview: Overview | None) -> Answer:
    """Answer by the distance to lines known before, and by the zone between dates."""
    question = "How far from the old line?"
    zone = _zone_in_words(overview)
    if compared is None:
        return Answer(
            "far",
            question,
            "no old line was named",
            (zone,) if zone else (),
            "Name one to measure against with --compare-with FILE (nothing is cut), or with --near FILE to "
            "keep only what lies near it; then predict again.",
        )
    found = compared.found
    if not found.near_km:
        return Answer(
            "far",
            question,
            f"no line lies within {compared.within_m:g} m of {compared.source}",
            (zone,) if zone else (),
        )
    cut = (
        f"Only lines within {compared.within_m:g} m were kept (--near): the distances are cut off there."
        if compared.is_cut
        else f"{found.near_km:.1f} km with an old line within {compared.within_m / 1000:g} km"
        + (f", {found.far_km:.1f} km without one." if round(found.far_km, 1) else ".")
    )
    return Answer(
        "far",
        question,
        f"median {found.quantile_m(0.5):.0f} m, 95 % within {found.quantile_m(0.95):.0f} m",
        tuple(filter(None, (f"From {compared.source}. {cut}", _side_in_words(found), zone))),
        "A distance, no advance or retreat: tide and convention alone move a line by hundreds of metres.",
    )


def _side_in_words(found: FromOld) -> str:
    if not len(found.seaward_m):
        return "Seaward or landward: not known, the fringes do not tell where the sea is."
    middle = float(np.median(found.seaward_m))
    side = "seaward" if middle >= 0 else "landward"
    return (
        f"{abs(middle):.0f} m {side} of it on the median, where fringes tell the sea's side "
        f"({100 * found.sides_known:.0f} % of the transects)."
    )


def _zone_in_words(overview: Overview | None) -> str:
    if overview is None or len(overview.labels) < 2:
        return ""
    between = f"{len(overview.labels)} {'dates' if overview.is_dated else 'scenes without dates'}"
    if not len(overview.width_m):
        return (
            f"Between {between}: no zone, their lines do not lie within {REACH_M / 1000:g} km of each other."
        )
    return (
        f"Zone between {between}: {np.median(overview.width_m):.0f} m wide on the median, "
        f"{sum(overview.area_km2):.1f} km²."
    )


def may_cite(made_by: Sequence[Producer], tau: float) -> Answer:
    """Answer by whether the networks were compared with analysts, and name them."""
    question = "May I cite it?"
    named = " and ".join(one.described() for one in made_by)
    if len(made_by) == 1 and made_by[0].validated_on:
        short = "with its test figures"
        mind = "Cite them with the lines, and only if your scenes are like the tested ones."
        if not made_by[0].data:
            mind += " Whether these were real its card does not say."
    else:
        short = f"not yet: {NEVER_COMPARED}" if len(made_by) == 1 else "not yet: the mean was never tested"
        mind = "Compare with lines drawn by hand (glsweep score, glsweep compare), and cite what that says."
    tested = " and ".join(dict.fromkeys(one.tests_in_short for one in made_by))
    by = f"Drawn with glsweep {__version__} by {named}, tau {tau:g}."
    return Answer("cite", question, short, (by, f"The card: {tested}."), mind)


def _few(names: Sequence[str], what: str) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} {what}"
