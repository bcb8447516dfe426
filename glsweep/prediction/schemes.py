"""Lines with the columns of public products, so that they can be read and merged as those are.

The columns are those that public programs use which open the products; the products' own guides were not at
hand, and either may have more.

- AIS_cci grounding line locations (ESA), as Ramanath et al. 2025 read them (The Cryosphere 19, 2431;
  github.com/sinramtar/automatic-gl-delineation): `UUID` names the interferogram, `T1` to `T4` are its
  acquisitions, of which it has two to four.
- MEaSUREs Antarctic grounding line (NSIDC-0498, the GeoPackage of version 2.1): `Year`, `Sensor`, `Glac_Name`
  and `Date_1` to `Date_4`.
"""

from datetime import date

import geopandas as gpd
import pandas as pd
import pyarrow as pa

from glsweep.prediction import Scheme
from glsweep.scenes.names import only_dates

ACQUISITIONS = range(1, 5)
"""Of a double difference four at most; so many columns both products have."""
DAY = pd.ArrowDtype(pa.date32())


def in_scheme(table: gpd.GeoDataFrame, scheme: Scheme) -> gpd.GeoDataFrame:
    """Return lines with a product's columns first, and all others after them.

    Parameters
    ----------
    table : GeoDataFrame
        With the columns `scene`, `dates` and `sensor`.
    scheme : {"glsweep", "ais_cci", "measures"}
        Whose columns; `glsweep` leaves the table as it is.
    """
    if scheme == "glsweep":
        return table
    days = [list(dict.fromkeys(only_dates(text))) for text in table["dates"]]
    if scheme == "ais_cci":
        return _first(table, {"UUID": table["scene"], **_dates("T{}", days, table.index)})
    years = pd.Series([min(own).year if own else None for own in days], table.index, "Int32")
    own = {
        "Year": years,
        "Sensor": table["sensor"],
        "Glac_Name": pd.Series("", table.index, str),
        **_dates("Date_{}", days, table.index),
    }
    # Names of columns do not differ by capitals in a GeoPackage.
    return _first(table.drop(columns="sensor"), own)


def _dates(name: str, days: list[list[date]], index: pd.Index) -> dict[str, pd.Series]:
    """Return each line's acquisitions, one column each; all of them are in the column `dates`."""
    return {
        name.format(n): pd.Series([own[n - 1] if n <= len(own) else None for own in days], index, DAY)
        for n in ACQUISITIONS
    }


def _first(table: gpd.GeoDataFrame, columns: dict[str, pd.Series]) -> gpd.GeoDataFrame:
    return table.assign(**columns)[[*columns, *table.columns]]
