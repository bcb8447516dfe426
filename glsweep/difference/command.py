"""The command `difference`: checked before anything is read at length, then written and told."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from glsweep import __version__
from glsweep.config.bands import check_option
from glsweep.config.output_paths import check_output_file
from glsweep.difference.tide import TideDates, four_in, given_dates, pair_in
from glsweep.errors import ConfigError, DataError
from glsweep.scenes.acquisitions import Sensor, read_tags, sensor_of
from glsweep.scenes.dates import dates_in
from glsweep.scenes.difference import Difference, kept_strength, open_difference
from glsweep.scenes.raster import RasterHeader, read_header
from glsweep.scenes.resample import Resampled

SUFFIXES = (".tif", ".tiff")


def take_difference(
    first: Path,
    second: Path,
    console: Console,
    *,
    out: Path | None,
    dates: Sequence[str] | None,
    bands: str,
    bands_of_second: str,
    force: bool,
) -> Path:
    """Write the double difference of two interferograms, tell what was done, and return its file.

    Parameters
    ----------
    first, second : Path
        The interferograms.
    console : Console
        Where all is told.
    out : Path or None
        A GeoTIFF, or the folder of one that is named after the dates; None for this folder.
    dates : sequence of str or None
        All four, where names do not tell them.
    bands, bands_of_second : str
        What the rasters' bands hold, see `config.bands.parse_bands`.
    force : bool
        Whether a file that is there already is replaced.

    Raises
    ------
    ConfigError
        When an option has a bad value, or the file is there.
    DataError
        When a raster cannot be used, the two share no data, or their dates are not known.
    """
    check_option(bands)
    check_option(bands_of_second, "--bands-b")
    for path in (first, second):
        if not path.is_file():
            raise DataError(f"{path}: there is no such file; name two interferograms")
    named = out if out is not None and out.suffix.lower() in SUFFIXES and not out.is_dir() else None
    known = _dates(first, second, named, dates)
    target = _target(first, second, out, named, known, force=force)
    sensor = _sensor(first, second)
    a, b = read_header(first, bands), read_header(second, bands_of_second)
    difference = open_difference(a, b)
    share = difference.write(target, _tags(a, b, known, sensor))
    for line in _told(difference, known):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    for line in _cautions(known):
        console.print(line, style="yellow", highlight=False, soft_wrap=True)
    rows, cols = difference.grid.shape
    posting_m = abs(difference.grid.transform.determinant) ** 0.5
    console.print(
        f"written to {target}: {rows} x {cols} pixels of {posting_m:g} m, {share:.0%} of them with data",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    return target


def _dates(first: Path, second: Path, named: Path | None, given: Sequence[str] | None) -> TideDates | None:
    """Return the dates as they are given, or as the names tell; None where only a name of one's own helps."""
    if given:
        known: TideDates | None = given_dates(given)
    else:
        pairs = [pair_in(path.stem) for path in (first, second)]
        one, two = pairs
        known = TideDates((*one, *two)) if one and two else None
        if known is None and named is None:
            lacking = first if one is None else second
            raise DataError(
                f"{lacking}: its name does not hold two dates; give --dates D1 D2 D3 D4, or a name of your "
                "own with --out FILE.tif"
            )
    if named is None:
        return known
    if known is None:
        return four_in(named.stem)
    says = dates_in(named.stem)
    if says and set(says) != set(known.days):
        raise ConfigError(
            f"--out {named}: names other dates than the interferograms have ({known.listed}); mend the "
            "name, or say with --dates which are right"
        )
    return known


def _target(
    first: Path,
    second: Path,
    out: Path | None,
    named: Path | None,
    known: TideDates | None,
    *,
    force: bool,
) -> Path:
    if named is not None:
        target = named
    else:
        folder = out or Path()
        if folder.suffix and not folder.is_dir():
            raise ConfigError(f"--out {out}: is no GeoTIFF; give it the ending .tif, or name a folder")
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"--out {out}: is a file; name a folder, or a file that ends with .tif")
        assert known is not None
        target = folder / f"{known.name}.tif"
    check_output_file("--out", target)
    for source in (first, second):
        if target.exists() and target.samefile(source):
            raise ConfigError(f"--out {target}: is one of the two interferograms; choose another name")
    if target.exists() and not force:
        raise ConfigError(
            f"--out {target}: is there already; choose another name, or replace it with --force"
        )
    return target


def _sensor(first: Path, second: Path) -> Sensor | None:
    """Return the sensor of both; None where they differ, or one is not known.

    Raises
    ------
    DataError
        When the two are of different wavelengths, in which a tide makes other fringes.
    """
    one, two = (sensor_of(path.stem, read_tags(path)) for path in (first, second))
    if one and two and abs(one.wavelength_m / two.wavelength_m - 1) > 0.05:
        raise DataError(
            f"{first}: is of {one.name} ({one.wavelength_m:.4f} m) and {second} of {two.name} "
            f"({two.wavelength_m:.4f} m), in which a tide makes other fringes; take two of one wavelength"
        )
    return one if one == two else None


def _tags(a: RasterHeader, b: RasterHeader, known: TideDates | None, sensor: Sensor | None) -> dict[str, str]:
    tags = {"SOURCE_A": a.path.name, "SOURCE_B": b.path.name, "VERSION": __version__}
    if known is not None:
        tags |= {"DATES": known.listed, "TIDE": known.tide}
    if sensor is not None:
        tags |= {"SENSOR": sensor.name, "WAVELENGTH_M": f"{sensor.wavelength_m:g}"}
    return tags | {"TIFFTAG_SOFTWARE": f"glsweep {__version__}"}


def _told(difference: Difference, known: TideDates | None) -> list[str]:
    first, second = difference.first, difference.second
    told = [
        f"A  {first.header.path.name}: {_as_read(first, difference)}",
        f"B  {second.header.path.name}: {_as_read(second, difference)}",
        f"magnitude: {_magnitude(difference)}",
    ]
    return [*told, f"tide: {known.tide}"] if known is not None else told


def _as_read(one: Resampled, difference: Difference) -> str:
    averaged = f"{one.looks} x {one.looks} pixels averaged to one" if one.looks > 1 else ""
    if one.corner is None:
        how = "interpolated as complex numbers to the grid of A"
        return f"{averaged}, then {how}" if averaged else how
    if averaged:
        return averaged
    is_whole = one.corner == (0, 0) and difference.grid.shape == one.header.shape
    return "as it is" if is_whole else "as it is, where both lie"


def _magnitude(difference: Difference) -> str:
    magnitudes = difference.magnitudes
    kept = kept_strength(magnitudes)
    if kept == "none":
        return "1, both are phases alone"
    letters = [letter for letter, one in zip("AB", magnitudes, strict=True) if one.strength == kept]
    largest = max(one.largest for one in magnitudes)
    note = f"; values reach {largest:.4g}, so they are no coherence" if kept == "amplitude" else ""
    if len(letters) == 2:
        return f"the lower {kept} of the two{note}"
    (other,) = (one for one in magnitudes if one.strength != kept)
    reason = (
        "the other is a phase alone"
        if other.strength == "none"
        else f"the other is an amplitude, up to {other.largest:.4g}"
    )
    return f"the {kept} of {letters[0]}{note}; {reason}"


def _cautions(known: TideDates | None) -> list[str]:
    if known is None:
        return ["the dates are not known: neither the name nor a tag says whose tides these are"]
    return known.cautions()
