"""Products of NISAR, GMT, ISCE and SNAP as sources of bands: one contract, then what is peculiar to each."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from made_products import (
    PLACE,
    POLAR_WKT,
    add_gunw_grid,
    centres,
    interferogram_bands,
    waves,
    write_cf,
    write_dimap,
    write_grd,
    write_gunw,
    write_isce,
)
from rasterio.crs import CRS
from scipy.io import netcdf_file

from glsweep.errors import DataError
from glsweep.scenes.formats import open_source
from glsweep.scenes.source import Window

ROWS, COLS = SHAPE = (24, 36)
DEGREES = Affine(0.002, 0, -110, 0, -0.001, -74)
VALUES = waves(SHAPE)
PHASE = np.where(VALUES == 0, np.nan, np.angle(VALUES)).astype(np.float32)
COHERENCE = np.abs(VALUES)


def gunw(folder: Path) -> Path:
    return write_gunw(folder / "NISAR_L2_PR_GUNW.h5", VALUES)


def cf(folder: Path) -> Path:
    layers = {"phase": (PHASE, {"units": "rad"}), "coherence": (COHERENCE, {"units": "1"})}
    return write_cf(folder / "pair.nc", layers)


def grd(folder: Path) -> Path:
    return write_grd(folder / "phasefilt.grd", PHASE)


def isce(folder: Path) -> Path:
    return write_isce(folder / "merged" / "filt_topophase.flat.geo", [VALUES])


def isce_vrt(folder: Path) -> Path:
    return isce(folder).with_name("filt_topophase.flat.geo.vrt")


def isce_xml(folder: Path) -> Path:
    return write_isce(folder / "filt_topophase.flat.geo", [VALUES], described_by=(".xml",))


def unw(folder: Path) -> Path:
    return write_isce(folder / "filt_topophase.unw.geo", np.stack([COHERENCE, PHASE + 20]))


def dimap(folder: Path) -> Path:
    return write_dimap(folder / "ifg.dim", interferogram_bands(VALUES), virtual=("Phase_ifg_VV",))


PRODUCTS = {
    # Who writes it, the bands by name, where they lie, and in which CRS.
    "NISAR": (gunw, {"wrappedInterferogram": VALUES, "coherenceMagnitude": COHERENCE}, PLACE, 3031),
    "CF NetCDF": (cf, {"phase": PHASE, "coherence": COHERENCE}, PLACE, 3031),
    "GMT": (grd, {"wrapped phase": PHASE}, Affine(100, 0, -1_000_000, 0, 100, 500_000 - 100 * ROWS), None),
    "ISCE": (isce, {"": VALUES}, DEGREES, 4326),
    "ISCE's .vrt": (isce_vrt, {"": VALUES}, DEGREES, 4326),
    "ISCE's .xml": (isce_xml, {"": VALUES}, DEGREES, 4326),
    "ISCE, unwrapped": (unw, {"amplitude": COHERENCE, "unwrapped phase": PHASE + 20}, DEGREES, 4326),
    "SNAP": (dimap, {name: v for name, (v, _) in interferogram_bands(VALUES).items()}, PLACE, 3031),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_is_read_as_it_was_written(tmp_path, name):
    write, bands, place, epsg = PRODUCTS[name]
    path = write(tmp_path)
    with open_source(path) as source:
        assert (source.path, source.shape) == (path, SHAPE)
        assert source.transform.almost_equals(place, 1e-6)
        assert source.crs == (None if epsg is None else CRS.from_epsg(epsg))
        numbers = {band.name: number for number, band in enumerate(source.bands, start=1)}
        for band, values in bands.items():
            (read,) = source.read([numbers[band]], Window(0, 0, *SHAPE))
            rows = read[::-1] if name == "GMT" else read
            np.testing.assert_array_equal(rows, values.astype(read.dtype))
            assert source.bands[numbers[band] - 1].dtype == read.dtype.name


@pytest.mark.parametrize("name", PRODUCTS)
@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_a_window_is_a_part_of_the_whole(tmp_path_factory, name, data):
    path = PRODUCTS[name][0](tmp_path_factory.mktemp("product"))
    row, col = (data.draw(st.integers(0, side - 1)) for side in SHAPE)
    rows, cols = data.draw(st.integers(1, ROWS - row)), data.draw(st.integers(1, COLS - col))
    with open_source(path) as source:
        numbers = range(1, len(source.bands) + 1)
        whole = source.read(numbers, Window(0, 0, *SHAPE))
        part = source.read(numbers, Window(row, col, rows, cols))
    np.testing.assert_array_equal(part, whole[:, row : row + rows, col : col + cols])


def test_the_grid_is_that_of_the_wrapped_interferogram_and_no_other(tmp_path):
    with open_source(gunw(tmp_path)) as source:
        assert sorted(band.name for band in source.bands) == [
            "coherenceMagnitude",
            "mask",
            "wrappedInterferogram",
        ]
        mask = next(band for band in source.bands if band.name == "mask")
        assert mask.nodata == 255
        assert source.remarks == ()


def test_a_variable_on_another_grid_can_be_asked_for(tmp_path):
    with open_source(gunw(tmp_path), "unwrappedPhase") as source:
        assert source.shape == (ROWS // 4, COLS // 4)
        assert source.transform.a == 4 * PLACE.a
        assert {band.name for band in source.bands} == {"unwrappedPhase", "coherenceMagnitude"}


@pytest.mark.parametrize("coordinates", ["", "/HH"], ids=["one group up", "in the group itself"])
@pytest.mark.parametrize("group", ["wrappedInterferogram", "interferogram/wrapped"])
@pytest.mark.parametrize("radar", ["LSAR", "SSAR"])
def test_every_layout_of_nisar_is_found(tmp_path, radar, group, coordinates):
    above = f"/science/{radar}/GUNW/grids/frequencyA/{group}"
    path = tmp_path / "gunw.h5"
    with h5py.File(path, "w") as file:
        add_gunw_grid(
            file, f"{above}/HH", {"wrappedInterferogram": VALUES}, coordinates=f"{above}{coordinates}"
        )
    with open_source(path) as source:
        assert source.transform == PLACE
        assert source.crs.to_epsg() == 3031


def test_the_better_of_several_polarisations_and_frequencies_is_taken_and_told(tmp_path):
    path = tmp_path / "gunw.h5"
    with h5py.File(path, "w") as file:
        for frequency, pol, factor in (("B", "HH", 2), ("A", "VV", 3), ("A", "HH", 1), ("A", "HV", 4)):
            group = f"/science/LSAR/GUNW/grids/frequency{frequency}/wrappedInterferogram/{pol}"
            add_gunw_grid(file, group, {"wrappedInterferogram": VALUES * factor})
    with open_source(path) as source:
        np.testing.assert_array_equal(source.read([1], Window(0, 0, *SHAPE))[0], VALUES)
        (remark,) = source.remarks
        assert "frequencyA/wrappedInterferogram/HH/wrappedInterferogram is read, not" in remark
        assert "frequencyB" in remark
    for wanted, factor in (("VV/wrappedInterferogram", 3), ("frequencyB/wrappedInterferogram/HH/wrapped", 0)):
        if factor:
            with open_source(path, wanted) as source:
                np.testing.assert_array_equal(source.read([1], Window(0, 0, *SHAPE))[0], VALUES * factor)
                assert source.bands[0].is_called(wanted)
        else:
            with pytest.raises(DataError, match=r"has no variable .*; name one of /science"):
                open_source(path, wanted).__enter__()


@pytest.mark.parametrize("fields", [("r", "i"), ("real", "imag"), ("i", "r")])
def test_complex_numbers_are_read_however_they_are_stored(tmp_path, fields):
    path = gunw(tmp_path)
    stored = np.zeros(SHAPE, [(name, "<f2") for name in fields])
    for name in fields:
        stored[name] = VALUES.imag if name.startswith("i") else VALUES.real
    with h5py.File(path, "r+") as file:
        group = file["/science/LSAR/GUNW/grids/frequencyA/wrappedInterferogram/HH"]
        del group["wrappedInterferogram"]
        group["wrappedInterferogram"] = stored
    with open_source(path, "wrappedInterferogram") as source:
        number = [band.name for band in source.bands].index("wrappedInterferogram") + 1
        assert source.bands[number - 1].is_complex
        (read,) = source.read([number], Window(0, 0, *SHAPE))
    np.testing.assert_allclose(read, VALUES, atol=1e-3)


def test_a_product_of_one_acquisition_is_refused(tmp_path):
    path = gunw(tmp_path)
    with h5py.File(path, "r+") as file:
        file["/science/LSAR/identification/productType"][()] = np.bytes_("GSLC")
    with pytest.raises(DataError, match=r"is a GSLC product, of one acquisition; give an interferogram"):
        open_source(path).__enter__()


@given(
    step=st.floats(5, 500),
    left=st.floats(-2e6, 2e6),
    top=st.floats(-2e6, 2e6),
    northward=st.booleans(),
    col=st.integers(0, COLS - 1),
    row=st.integers(0, ROWS - 1),
)
@settings(max_examples=15, deadline=None)
def test_a_point_lies_in_the_pixel_whose_centre_the_coordinates_give(
    tmp_path_factory, step, left, top, northward, col, row
):
    transform = Affine(step, 0, left, 0, step if northward else -step, top)
    path = write_cf(tmp_path_factory.mktemp("cf") / "a.nc", {"phase": (PHASE, {})}, transform=transform)
    with h5py.File(path) as file, open_source(path) as source:
        x, y = file["x"][col], file["y"][row]
        found = ~source.transform @ (x, y)
    np.testing.assert_allclose(found, (col + 0.5, row + 0.5), atol=1e-5)


@pytest.mark.parametrize(
    "options", [{"metres": 1000.0, "unit": "km"}, {"kind": np.float32}, {"kind": np.int32}]
)
def test_coordinates_in_kilometres_single_precision_or_whole_metres_are_understood(tmp_path, options):
    with open_source(write_cf(tmp_path / "a.nc", {"phase": (PHASE, {})}, **options)) as source:
        assert source.transform.almost_equals(PLACE, 0.1)


CF_PARAMETERS = {
    "grid_mapping_name": "polar_stereographic",
    "straight_vertical_longitude_from_pole": 0.0,
    "latitude_of_projection_origin": -90.0,
    "standard_parallel": -71.0,
    "false_easting": 0.0,
    "false_northing": 0.0,
    "semi_major_axis": 6378137.0,
    "inverse_flattening": 298.257223563,
}


@pytest.mark.parametrize(
    "mapping",
    [CF_PARAMETERS, {"spatial_ref": CRS.from_epsg(3031).to_wkt()}, {"epsg_code": "EPSG:3031"}],
    ids=["CF's parameters", "GDAL's WKT", "a code"],
)
def test_the_crs_is_found_however_it_is_said(tmp_path, mapping):
    with open_source(write_cf(tmp_path / "a.nc", {"phase": (PHASE, {})}, mapping=mapping)) as source:
        proj = source.crs.to_dict()
        assert (proj["proj"], proj["lat_ts"], proj.get("lon_0", 0)) == ("stere", -71, 0) or (
            source.crs.to_epsg() == 3031
        )


def test_a_single_layer_in_time_is_read_and_several_are_refused(tmp_path):
    with open_source(write_cf(tmp_path / "a.nc", {"phase": (PHASE, {})}, time=1)) as source:
        np.testing.assert_array_equal(source.read([1], Window(3, 4, 5, 6))[0], PHASE[3:8, 4:10])
        assert source.transform == PLACE
    series = write_cf(tmp_path / "b.nc", {"phase": (PHASE, {})}, time=3)
    with pytest.raises(DataError, match=r"no layer of rows and columns \(it holds /phase 3 x 24 x 36\)"):
        open_source(series).__enter__()
    with h5py.File(series, "r+") as file:
        file["quality"] = np.ones(SHAPE)
    with pytest.raises(DataError, match=r"/phase is 3 x 24 x 36, not rows and columns .* take out one layer"):
        open_source(series, "phase").__enter__()


def test_scaled_numbers_and_every_tag_of_no_data_are_told(tmp_path):
    stored = np.arange(ROWS * COLS, dtype=np.int16).reshape(SHAPE)
    stored[0, :3] = (-9999, -32768, 30000)
    tags = {"_FillValue": np.int16(-9999), "missing_value": np.int16(-32768), "valid_max": np.int16(20000)}
    attributes = {"scale_factor": 0.01, "add_offset": -4.0, "units": "rad", **tags}
    with open_source(write_cf(tmp_path / "a.nc", {"phase": (stored, attributes)})) as source:
        (facts,) = source.bands
        assert (facts.scale, facts.offset, facts.nodata, facts.unit) == (0.01, -4.0, -9999, "rad")
        (read,) = source.read([1], Window(0, 0, 1, 6))
    assert read.tolist() == [[-9999, -9999, -9999, 3, 4, 5]]


def test_an_uneven_grid_and_one_of_columns_before_rows_are_refused(tmp_path):
    path = cf(tmp_path)
    with h5py.File(path, "r+") as file:
        file["x"][5] += 3
    with pytest.raises(DataError, match=r"/x is not evenly spaced \(up to 3 beside steps of 100\)"):
        open_source(path).__enter__()
    with h5py.File(path, "r+") as file:
        turned = file.create_dataset("turned", data=PHASE.T)
        turned.dims[0].attach_scale(file["x"])
        turned.dims[1].attach_scale(file["y"])
    with pytest.raises(DataError, match="/turned is stored with x before y"):
        open_source(path, "turned").__enter__()


def test_one_variable_is_opened_by_its_name_in_gdal(tmp_path):
    path = cf(tmp_path)
    for name in (f"NETCDF:{path}:coherence", f'NETCDF:"{path}":/coherence', f"HDF5:{path}://coherence"):
        with open_source(Path(name)) as source:
            assert [band.name for band in source.bands] == ["coherence"]
            assert source.path == Path(name)


@pytest.mark.parametrize("pixel_registration", [True, False], ids=["pixel", "gridline"])
def test_a_node_of_gmt_is_the_middle_of_a_pixel_in_either_registration(tmp_path, pixel_registration):
    path = write_grd(tmp_path / "a.grd", PHASE, pixel_registration=pixel_registration)
    with netcdf_file(path, mmap=False) as file:
        x, y, z = (file.variables[name][:].copy() for name in "xyz")
    with open_source(path) as source:
        col, row = ~source.transform @ (x[7], y[4])
        assert (col, row) == (7.5, 4.5)
        assert source.read([1], Window(4, 7, 1, 1)) == z[4, 7]


def test_a_grid_in_degrees_is_known_as_such(tmp_path):
    place = Affine(0.01, 0, -110, 0, -0.005, -74)
    units = ("degrees_east", "degrees_north")
    with open_source(
        write_grd(tmp_path / "a.grd", PHASE, transform=place, names=("lon", "lat"), units=units)
    ) as source:
        assert source.crs.to_epsg() == 4326


def test_a_product_of_snap_is_found_after_it_was_renamed(tmp_path):
    path = dimap(tmp_path)
    path.with_suffix(".data").rename(tmp_path / "new.data")
    with open_source(path.rename(tmp_path / "new.dim")) as source:
        assert len(source.bands) == 3
        assert {band.nodata for band in source.bands} == {0}
        assert [band.unit for band in source.bands] == ["real", "imaginary", "coherence"]


SNAP_WKT = """PROJCS["WGS 84 / Antarctic Polar Stereographic",
  GEOGCS["WGS 84",
    DATUM["World Geodetic System 1984",
      SPHEROID["WGS 84", 6378137.0, 298.257223563, AUTHORITY["EPSG","7030"]],
      AUTHORITY["EPSG","6326"]],
    PRIMEM["Greenwich", 0.0, AUTHORITY["EPSG","8901"]],
    UNIT["degree", 0.017453292519943295],
    AXIS["Geodetic longitude", EAST],
    AXIS["Geodetic latitude", NORTH],
    AUTHORITY["EPSG","4326"]],
  PROJECTION["Polar Stereographic (variant B)", AUTHORITY["EPSG","9829"]],
  PARAMETER["central_meridian", 0.0],
  PARAMETER["Standard_Parallel_1", -71.0],
  PARAMETER["false_easting", 0.0],
  PARAMETER["false_northing", 0.0],
  UNIT["m", 1.0],
  AXIS["Easting", "North along 90 deg East"],
  AXIS["Northing", "North along 0 deg"],
  AUTHORITY["EPSG","3031"]]
"""


def test_a_map_as_snap_writes_it_is_understood(tmp_path):
    with open_source(write_dimap(tmp_path / "a.dim", {"phase": (PHASE, "phase")}, wkt=SNAP_WKT)) as source:
        assert source.crs.to_epsg() == 3031
        assert source.transform == PLACE


def cut(path: Path, share: float = 0.6) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def without_its_band(path: Path) -> Path:
    next(path.with_suffix(".data").glob("coh*.img")).unlink()
    return path


def with_entities(path: Path) -> Path:
    path.write_text(path.read_text().replace("<Dimap", '<!DOCTYPE a [<!ENTITY b "c">]><Dimap', 1))
    return path


BROKEN = {
    "NISAR, cut": (lambda folder: cut(gunw(folder)), "cannot be read .*truncated file.*obtain it again"),
    "CF, cut": (lambda folder: cut(cf(folder)), "cannot be read .*obtain it again"),
    "GMT, cut": (lambda folder: cut(grd(folder)), "cannot be read .*cut short, obtain it again"),
    "GMT, header cut": (lambda folder: cut(grd(folder), 0.02), "cannot be read .*obtain it again"),
    "ISCE, cut": (lambda folder: cut(isce(folder)), "is cut short .4147 of 6912 bytes.; obtain it again"),
    "ISCE's .xml, cut": (lambda folder: cut(isce_xml(folder)), "is cut short"),
    "ISCE, alone": (
        lambda folder: write_isce(folder / "a.int", [VALUES], described_by=()),
        "nothing beside it says how it is laid out; put the .vrt or .xml",
    ),
    "SNAP, cut": (lambda folder: cut(dimap(folder)), "is not whole XML"),
    "SNAP, band cut": (
        lambda folder: (
            [cut(p) for p in dimap(folder).with_suffix(".data").glob("q*.img")] and folder / "ifg.dim"
        ),
        "is cut short",
    ),
    "SNAP, band missing": (
        lambda folder: without_its_band(dimap(folder)),
        "keep that folder beside the file",
    ),
    "SNAP, not on a map": (
        lambda folder: write_dimap(folder / "a.dim", {"phase": (PHASE, "")}, wkt=""),
        "is not on a map; geocode it in SNAP",
    ),
    "SNAP, entities": (lambda folder: with_entities(dimap(folder)), "defines XML entities"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told_in_one_line_that_names_the_file(tmp_path, name):
    write, told = BROKEN[name]
    path = write(tmp_path)
    with pytest.raises(DataError, match=told) as caught, open_source(path) as source:
        source.read(range(1, len(source.bands) + 1), Window(0, 0, *source.shape))
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def changed(path: Path, change) -> Path:
    with h5py.File(path, "a") as file:
        change(file)
    return path


def one_phase(folder: Path, **options) -> Path:
    return write_cf(folder / "a.nc", {"phase": (PHASE, {"units": "radian"})}, **options)


def test_coordinates_that_are_packed_are_unpacked(tmp_path):
    def pack(file):
        for name, first, step in (("x", -999_950.0, 100.0), ("y", 499_950.0, -100.0)):
            file[name][...] = np.arange(len(file[name]))
            file[name].attrs.update({"scale_factor": step, "add_offset": first})

    with open_source(changed(one_phase(tmp_path), pack)) as source:
        assert source.transform == PLACE


def mapped(transform=PLACE, **attributes) -> dict:
    numbers = " ".join(map(str, transform.to_gdal()))
    return {"crs_wkt": POLAR_WKT, "GeoTransform": numbers, **attributes}


@pytest.mark.parametrize(
    "mapping",
    [
        mapped(epsg_code="EPSG:3031", spatial_ref=CRS.from_epsg(3031).to_wkt(version="WKT1_ESRI")),
        # GDAL writes rows from the south beside a geotransform from the north.
        mapped(PLACE @ Affine.translation(0, 24) @ Affine.scale(1, -1)),
        mapped(GeoTransform="none"),
    ],
)
def test_a_grid_mapping_that_agrees_with_its_coordinates_is_taken(tmp_path, mapping):
    with open_source(one_phase(tmp_path, mapping=mapping)) as source:
        assert source.transform == PLACE
        assert source.crs.to_epsg() == 3031


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        (
            mapped(PLACE @ Affine.translation(0.5, 0)),
            "coordinates /y and /x and the GeoTransform of /crs lie 0.5 pixels apart",
        ),
        (mapped(PLACE @ Affine.scale(2)), "pixels apart; remove the one that is wrong"),
        (
            mapped(epsg_code="EPSG:3413"),
            r"/crs tells two CRS, WGS 84 .*\(crs_wkt\) and .* North \(epsg_code\)",
        ),
        (mapped(spatial_ref=CRS.from_epsg(32701).to_wkt()), r"two CRS, .* and .*zone 1S \(spatial_ref\)"),
        (mapped(GeoTransform="a b c d e f"), "GeoTransform of /crs holds a, which is no number"),
    ],
)
def test_a_grid_mapping_that_contradicts_itself_or_its_coordinates_is_refused(tmp_path, mapping, told):
    with pytest.raises(DataError, match=told):
        open_source(one_phase(tmp_path, mapping=mapping)).__enter__()


def test_integers_that_are_said_to_be_unsigned_are_read_so(tmp_path):
    stored = np.arange(24 * 36).reshape(24, 36) % 256
    attributes = {"_Unsigned": "true", "scale_factor": 0.02, "_FillValue": np.int8(-1)}
    path = write_cf(tmp_path / "a.nc", {"phase": (stored.astype(np.uint8).view(np.int8), attributes)})
    with open_source(path) as source:
        assert source.bands[0].dtype == "uint8"
        assert source.bands[0].nodata == 255
        np.testing.assert_array_equal(source.read([1], Window(0, 0, 24, 36))[0], stored)


@pytest.mark.parametrize("unit", ["1000 m", "kms", "degrees"])
def test_coordinates_on_a_map_in_an_unknown_unit_are_refused_by_its_name(tmp_path, unit):
    with pytest.raises(DataError, match=f"/y is in {unit}, which is no unit"):
        open_source(one_phase(tmp_path, unit=unit)).__enter__()


def test_mintpys_attributes_are_the_grid(tmp_path):
    path = tmp_path / "a.h5"
    place = {"X_FIRST": "-1000000.0", "Y_FIRST": "500000.0", "X_STEP": "100", "Y_STEP": "-100"}
    with h5py.File(path, "w") as file:
        file["phase"] = PHASE
        file.attrs.update({**place, "EPSG": "3031"})
    with open_source(path) as source:
        assert source.transform == PLACE
        assert source.crs.to_epsg() == 3031
    with pytest.raises(DataError, match="attribute X_STEP holds wide, which is no number"):
        open_source(changed(path, lambda file: file.attrs.update({"X_STEP": "wide"}))).__enter__()


@pytest.mark.parametrize(
    ("product", "told"),
    [("RIFG", "in radar geometry"), ("RUNW", "in radar geometry"), ("GOFF", "of offsets, not of phase")],
)
def test_a_product_of_nisar_that_is_no_interferogram_on_a_map_is_told_with_the_one_that_is(
    tmp_path, product, told
):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["/science/LSAR/identification/productType"] = np.bytes_(product)
        file[f"/science/LSAR/{product}/swaths/frequencyA/interferogram"] = VALUES
    with pytest.raises(DataError, match=f"is a {product} product, {told}; give the GUNW of this pair"):
        open_source(path).__enter__()


def test_coordinates_on_the_map_go_before_degrees_beside_them(tmp_path):
    path = tmp_path / "a.nc"
    with h5py.File(path, "w") as file:
        file["x"], file["y"] = centres(PHASE.shape)
        file["lat"], file["lon"] = np.linspace(-75, -76, 24), np.linspace(-110, -112, 36)
        file["phase"] = PHASE
        file["crs"] = 0
        file["crs"].attrs["crs_wkt"] = POLAR_WKT
    with open_source(path) as source:
        assert source.transform == PLACE
