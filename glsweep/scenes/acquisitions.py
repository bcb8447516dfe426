"""What a scene is from: the radar and the dates, as its name and its tags tell."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

from glsweep.scenes.dates import dates_in
from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.source import opened


class Sensor(NamedTuple):
    """A radar, or several of one kind.

    Attributes
    ----------
    name : str
        As its mission is called.
    instrument : str
        As STAC calls it.
    wavelength_m : float
        Of its usual band.
    """

    name: str
    instrument: str
    wavelength_m: float

    @property
    def constellation(self) -> str:
        """Its mission as STAC calls it."""
        return self.name.lower()


# Words in capitals alone are abbreviations that processors put into names; in small letters they may be
# anything: the scene `s1a` of somebody is no Sentinel-1.
_WORDS: dict[Sensor, str] = {
    Sensor("Sentinel-1", "c-sar", 0.05546576): (
        r"S1[A-D]{1,2}|S1(?=-GUNW)|S1(?=_\d{6}_(?:IW|EW))|s1[a-d](?=-(?:iw|ew|s\d)-)|(?i:sentinel[-_]?1[a-d]?)"
    ),
    Sensor("COSMO-SkyMed", "sar-2000", 0.03122838): r"CSKS?[1-4]?|CSG[12]?|(?i:cosmo[-_]?skymed\d?)",
    Sensor("TerraSAR-X", "tsx-1", 0.03106658): r"TSX1?|TDX1?|TDM1?|(?i:terrasar[-_]?x)|(?i:tandem[-_]?x)",
    Sensor("PAZ", "paz-sar", 0.03106658): r"PAZ1?",
    Sensor("NISAR", "l-sar", 0.23840354): r"(?i:nisar)",
    Sensor("ERS", "ami", 0.05656461): r"ERS[-_]?[12]?|SAR_IM[SP]",
    Sensor("Envisat", "asar", 0.05623564): r"ASA_IM[SP]|ASAR|(?i:envisat)",
    Sensor("ALOS", "palsar", 0.23605707): r"(?:ALOS|PALSAR)(?![-_]?[2-4])[-_]?1?|ALPSRP\d*",
    Sensor("ALOS-2", "palsar-2", 0.24245249): r"ALOS[-_]?2\d*|PALSAR[-_]?2",
    Sensor("RADARSAT-1", "radarsat-1-sar", 0.05656461): r"RSAT1|(?i:radarsat[-_]?1)",
    Sensor("RADARSAT-2", "radarsat-2-sar", 0.05546576): r"RSAT2|(?i:radarsat[-_]?2)",
    Sensor("RCM", "rcm-sar", 0.05546576): r"RCM[1-3]?",
    Sensor("SAOCOM", "saocom-sar", 0.23513133): r"SAO1[AB]|(?i:saocom(?:[-_]?1[ab]?)?)",
    Sensor("ICEYE", "iceye-sar", 0.03106658): r"(?i:iceye)",
}
_SENSORS = [
    (re.compile(rf"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])"), sensor) for sensor, words in _WORDS.items()
]
_TAGS = ("SENSOR", "PLATFORM", "MISSION", "SATELLITE", "MISSION_ID", "SPACECRAFT_NAME", "CONSTELLATION")
_WITH_TAGS = (".tif", ".tiff", ".vrt", ".img")


class Acquisition(NamedTuple):
    """What is known of how a scene came to be.

    Attributes
    ----------
    dates : tuple of date
        In the name's order, and as often as they stand there.
    sensor : Sensor or None
        None where it is not known.
    """

    dates: tuple[date, ...]
    sensor: Sensor | None

    @property
    def listed(self) -> str:
        """The dates between spaces, YYYYMMDD."""
        return " ".join(f"{day:%Y%m%d}" for day in self.dates)


def acquisition_of(header: RasterHeader) -> Acquisition:
    """Return what a scene's name tells, or else the tags that `difference` and others write.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    tags = read_tags(header.path)
    dates = dates_in(header.name) or dates_in(tags.get("DATES", ""))
    return Acquisition(tuple(dates), sensor_of(header.name, tags))


def sensor_of(name: str, tags: Mapping[str, str]) -> Sensor | None:
    """Return the radar that a scene's name tells, or else its tags; None where none or several do."""
    texts = [name, *(value for key, value in tags.items() if key.upper() in _TAGS)]
    for text in texts:
        found = [sensor for pattern, sensor in _SENSORS if pattern.search(text)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def read_tags(path: Path) -> dict[str, str]:
    """Return what a raster says of itself, by names in capitals; nothing of formats without tags.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    if path.suffix.lower() not in _WITH_TAGS:
        return {}
    with opened(path) as dataset:
        return {str(key).upper(): str(value) for key, value in dataset.tags().items()}
