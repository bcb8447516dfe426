"""The command `difference`: from two interferograms to a double difference."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.console import Console

from glsweep import __version__
from glsweep.config.bands import check_bands
from glsweep.errors import ConfigError, DataError
from glsweep.files import check_output_file
from glsweep.scenes.double_difference import DoubleDifference, kept_strength, open_difference
from glsweep.scenes.names import Sensor, dates_in, read_tags, sensor_of
from glsweep.scenes.raster import RasterHeader, read_header
from glsweep.scenes.resample import Resampled

SIGNS = (1, -1, -1, 1)


@dataclass(frozen=True)
class TideDates:
    """The four dates of a double difference: tide(d1) - tide(d2) - tide(d3) + tide(d4).

    Attributes
    ----------
    days : tuple of date
        First and second date of the first interferogram, then of the second one. An interferogram is
        that of its first date times the conjugate of its second one's.
    """

    days: tuple[date, date, date, date]

    @property
    def name(self) -> str:
        """As the study's files are called: `20180620_20180626-20180626_20180702`."""
        one, two, three, four = (f"{day:%Y%m%d}" for day in self.days)
        return f"{one}_{two}-{three}_{four}"

    @property
    def listed(self) -> str:
        """All four between spaces, YYYYMMDD."""
        return " ".join(f"{day:%Y%m%d}" for day in self.days)

    @property
    def tide(self) -> str:
        """The tides that are in the phase, such as `+2018-06-20 -2*2018-06-26 +2018-07-02`; 0 for none."""
        weights = self._weights()
        terms = (f"{w:+d}*{day}".replace("1*", "", abs(w) == 1) for day, w in weights.items())
        return " ".join(terms) or "0"

    def cautions(self) -> list[str]:
        """Return what speaks against reading the phase as tide alone, one sentence each."""
        first, second = self.days[:2], self.days[2:]
        if not self._weights():
            return [f"both are of {first[0]} and {first[1]}: their tides cancel, what is left is noise"]
        cautions = []
        if set(first) == set(second):
            cautions.append("both are of the same dates, in the other order: this is twice one of them")
        days = [(two - one).days for one, two in (first, second)]
        if days[0] != days[1]:
            cautions.append(
                f"A spans {days[0]} days and B {days[1]}: steady flow does not cancel, and looks like a tide"
            )
        return cautions

    def _weights(self) -> dict[date, int]:
        weights: Counter[date] = Counter()
        for day, sign in zip(self.days, SIGNS, strict=True):
            weights[day] += sign
        return {day: weight for day, weight in sorted(weights.items()) if weight}


def parse_dates(texts: Sequence[str]) -> TideDates:
    """Read four dates as the user typed them.

    Raises
    ------
    ConfigError
        When one is no date.
    """
    found = [dates_in(text) for text in texts]
    for text, days in zip(texts, found, strict=True):
        if len(days) != 1:
            raise ConfigError(f"--dates {text}: is no date; write such as 2018-06-20 or 20180620")
    one, two, three, four = (days[0] for days in found)
    return TideDates((one, two, three, four))


def pair_dates(name: str) -> tuple[date, date] | None:
    """Return the two dates in an interferogram's name, each of which may stand there more than once.

    Raises
    ------
    DataError
        When there are more than two: of a double difference, or of something else.
    """
    days = list(dict.fromkeys(dates_in(name)))
    if len(days) > 2:
        raise DataError(
            f"{name}: names {len(days)} dates ({', '.join(map(str, days))}), an interferogram has two; say "
            "which with --dates D1 D2 D3 D4"
        )
    return (days[0], days[1]) if len(days) == 2 else None


def four_dates(name: str) -> TideDates | None:
    """Return the four dates in a double difference's name, if so many stand there."""
    days = dates_in(name)
    return TideDates((days[0], days[1], days[2], days[3])) if len(days) == 4 else None


# --- The command

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
    """Write the double difference of two interferograms, print what was done, and return its file.

    Parameters
    ----------
    first, second : Path
        The interferograms.
    console : Console
        Where the summary is printed.
    out : Path or None
        A GeoTIFF, or the folder of one that is named after the dates; None for this folder.
    dates : sequence of str or None
        All four, where the names do not hold them.
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
    check_bands(bands)
    check_bands(bands_of_second, "--bands-b")
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
    for line in _summary_lines(difference, known):
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
    """Return the dates that are given, or those in the names; None where only `--out` names the file."""
    if given:
        known: TideDates | None = parse_dates(given)
    else:
        pairs = [pair_dates(path.stem) for path in (first, second)]
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
        return four_dates(named.stem)
    in_name = dates_in(named.stem)
    if in_name and set(in_name) != set(known.days):
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


def _summary_lines(difference: DoubleDifference, known: TideDates | None) -> list[str]:
    first, second = difference.first, difference.second
    lines = [
        f"A  {first.header.path.name}: {_how_resampled(first, difference)}",
        f"B  {second.header.path.name}: {_how_resampled(second, difference)}",
        f"magnitude: {_magnitude(difference)}",
    ]
    return [*lines, f"tide: {known.tide}"] if known is not None else lines


def _how_resampled(one: Resampled, difference: DoubleDifference) -> str:
    averaged = f"{one.looks} x {one.looks} pixels averaged to one" if one.looks > 1 else ""
    if one.corner is None:
        how = "interpolated as complex numbers to the grid of A"
        return f"{averaged}, then {how}" if averaged else how
    if averaged:
        return averaged
    is_whole = one.corner == (0, 0) and difference.grid.shape == one.header.shape
    return "as it is" if is_whole else "as it is, where both lie"


def _magnitude(difference: DoubleDifference) -> str:
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
