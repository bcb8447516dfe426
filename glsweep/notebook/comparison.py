"""Lines measured against a reference: a table that shows itself with a map in notebooks."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import shapely
from shapely import LineString

from glsweep.comparison import Pair
from glsweep.geodesy import metric_crs, reproject
from glsweep.metrics.lines import LineDistances, line_distances
from glsweep.notebook import shown
from glsweep.notebook.thumbnails import distance_map

COARSE_M = 200.0
"""Pieces of lines on the small map; the table's are finer."""


class Comparison(pd.DataFrame):
    """A row a pair, and the pooled one last where there are several; see `distance_table`.

    It is a DataFrame; what is made of it (a selection, a copy) is a plain one.

    Attributes
    ----------
    pairs : tuple of Pair
        The lines and the reference of each row, in their order.
    """

    _metadata = ["pairs"]  # noqa: RUF012 (pandas looks for a list)
    pairs: tuple[Pair, ...]

    def __init__(self, table: pd.DataFrame, pairs: Sequence[Pair]) -> None:
        super().__init__(table)  # type: ignore[call-arg]  # pandas hides it
        self.pairs = tuple(pairs)

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self)
        heading = (
            f"{table['lines_km'].iloc[-1]:.1f} km measured against {table['reference_km'].iloc[-1]:.1f} km"
        )
        columns = [str(name).replace("_", " ") for name in table.columns]
        rows = [[_cell(value) for value in row] for row in table.itertuples(index=False)]
        context = {"heading": heading, "columns": columns, "rows": rows, "picture": self._picture()}
        return shown("comparison.html", context)

    def _picture(self) -> str | None:
        """Return the map of all pairs on one map; None where none has both lines and a reference."""
        whole = [pair for pair in self.pairs if pair.lines and pair.reference]
        if not whole:
            return None
        crs = metric_crs(whole[0].lines, whole[0].crs)
        found: list[LineDistances] = []
        references: list[LineString] = []
        for pair in whole:
            lines, reference = (
                reproject(pair.lines, pair.crs, crs),
                reproject(pair.reference, pair.reference_crs, crs),
            )
            if all(np.isfinite(shapely.get_coordinates(one)).all() for one in (lines, reference)):
                found.append(line_distances(lines.tolist(), reference.tolist(), crs=crs, step_m=COARSE_M))
                references += reference.tolist()
        return distance_map(LineDistances.pooled(found), references) if found else None


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 10 else f"{value:,.0f}"
