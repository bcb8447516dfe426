"""A study's whole configuration, as it is frozen into the study's folder."""

from glsweep.config.base import Settings
from glsweep.config.data_card import DataCard
from glsweep.config.space import SearchSpace


class StudyConfig(Settings):
    """The data, the space and the seed that decide every result of a study."""

    name: str
    seed: int
    card: DataCard
    space: SearchSpace
