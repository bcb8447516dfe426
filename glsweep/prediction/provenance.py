"""What every file that is made from a scene says of itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from glsweep import __version__
from glsweep.prediction.blend import Member
from glsweep.scenes.names import Acquisition, acquisition_of
from glsweep.scenes.raster import RasterHeader

CONVENTIONS = "CF-1.11"


@dataclass(frozen=True)
class Provenance:
    """The provenance that every file made from a scene holds, in the same words.

    Attributes
    ----------
    scene : str
        The raster's name.
    acquisition : Acquisition
        Its dates and sensor, where they are known.
    models, hashes : tuple of str
        The members, as the user named them, and the hashes of their weights.
    tau : float
        Probability from which a pixel is line.
    """

    scene: str
    acquisition: Acquisition
    models: tuple[str, ...]
    hashes: tuple[str, ...]
    tau: float

    def columns(self) -> dict[str, str | float]:
        """Return it as columns of a table: empty texts for what is not known."""
        return {
            **scene_columns(self.scene, self.acquisition),
            "tau": self.tau,
            "model": ", ".join(self.models),
            "model_hash": ", ".join(self.hashes),
            "version": __version__,
        }

    def tags(self) -> dict[str, str]:
        """Return it as tags of a raster: the columns, and global attributes of the CF conventions."""
        known = {name.upper(): str(value) for name, value in self.columns().items() if value != ""}
        return {
            "Conventions": CONVENTIONS,
            "title": f"Probability of a grounding line in {self.scene}",
            "source": f"glsweep {__version__}, {', '.join(self.models)}",
            **known,
            "TIFFTAG_SOFTWARE": f"glsweep {__version__}",
        }


def provenance_of(header: RasterHeader, members: Sequence[Member], tau: float) -> Provenance:
    """Return the provenance of lines that members draw in a scene.

    Raises
    ------
    DataError
        When the scene's file cannot be read.
    """
    return Provenance(
        header.name,
        acquisition_of(header),
        tuple(member.name for member in members),
        tuple(member.weights_hash for member in members if member.weights_hash),
        tau,
    )


def scene_columns(scene: str, acquisition: Acquisition) -> dict[str, str]:
    """Return a scene's name, dates (YYYYMMDD) and sensor as columns of a table."""
    sensor = acquisition.sensor
    return {"scene": scene, "dates": acquisition.listed, "sensor": sensor.name if sensor else ""}
