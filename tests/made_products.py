"""Small products with the structure of the real ones: NISAR, CF NetCDF, GMT, ISCE, SNAP."""

from pathlib import Path

import h5py
import numpy as np
from affine import Affine
from rasterio.crs import CRS
from scipy.io import netcdf_file

PLACE = Affine(100, 0, -1_000_000, 0, -100, 500_000)
POLAR_WKT = CRS.from_epsg(3031).to_wkt()


def waves(shape=(24, 36), seed=0):
    """Complex values that differ from pixel to pixel, with a corner without data."""
    generator = np.random.default_rng(seed)
    values = generator.uniform(0.2, 1, shape) * np.exp(1j * generator.uniform(-np.pi, np.pi, shape))
    values[:6, :9] = 0
    return values.astype(np.complex64)


def centres(shape, transform=PLACE):
    """Coordinates of the columns' and of the rows' middles."""
    rows, cols = shape
    x = transform.c + transform.a * (np.arange(cols) + 0.5)
    return x, transform.f + transform.e * (np.arange(rows) + 0.5)


def add_gunw_grid(file, group, layers, transform=PLACE, coordinates=None, epsg=3031):
    """Write layers of a NISAR grid; its coordinates may lie in a group above."""
    place = file.require_group(coordinates or group)
    shape = next(iter(layers.values())).shape
    if "xCoordinates" not in place:
        place["xCoordinates"], place["yCoordinates"] = centres(shape, transform)
        place["xCoordinateSpacing"], place["yCoordinateSpacing"] = transform.a, transform.e
        projection = place.create_dataset("projection", data=np.uint32(epsg))
        projection.attrs["epsg_code"] = np.int32(epsg)
        projection.attrs["spatial_ref"] = np.bytes_(CRS.from_epsg(epsg).to_wkt())
    for name, values in layers.items():
        layer = file.require_group(group).create_dataset(name, data=values, chunks=(5, 7), compression="gzip")
        layer.attrs["grid_mapping"] = np.bytes_("projection")
    return file


def write_gunw(path, values, *, root="/science/LSAR/GUNW/grids/frequencyA", pol="HH", transform=PLACE):
    """A NISAR GUNW product: the wrapped interferogram, the unwrapped one on a coarser grid, and a mask."""
    coarse = Affine(4 * transform.a, 0, transform.c, 0, 4 * transform.e, transform.f)
    with h5py.File(path, "w") as file:
        file["/science/LSAR/identification/productType"] = np.bytes_("GUNW")
        wrapped = {"wrappedInterferogram": values, "coherenceMagnitude": np.abs(values)}
        add_gunw_grid(file, f"{root}/wrappedInterferogram/{pol}", wrapped, transform)
        mask = file.create_dataset(f"{root}/wrappedInterferogram/mask", data=np.uint8(values != 0))
        mask.attrs["_FillValue"] = np.uint8(255)
        phase = np.angle(values[::4, ::4]).astype(np.float32) + 20
        unwrapped = {"unwrappedPhase": phase, "coherenceMagnitude": np.abs(values[::4, ::4])}
        add_gunw_grid(file, f"{root}/unwrappedInterferogram/{pol}", unwrapped, coarse)
        file["/science/LSAR/GUNW/metadata/radarGrid/perpendicularBaseline"] = np.zeros((3, 5, 5))
    return path


def write_cf(
    path, layers, *, transform=PLACE, wkt=POLAR_WKT, metres=1.0, unit="m", time=None, mapping=None, kind=float
):
    """A NetCDF-4 file by the CF conventions; layers are {name: (values, attributes)}."""
    shape = next(iter(layers.values()))[0].shape
    with h5py.File(path, "w") as file:
        for name, middle in zip(("x", "y"), centres(shape, transform), strict=True):
            axis = file.create_dataset(name, data=(middle / metres).astype(kind))
            axis.make_scale(name)
            axis.attrs.update({"units": unit, "standard_name": f"projection_{name}_coordinate"})
        if time is not None:
            file.create_dataset("time", data=np.arange(float(time))).make_scale("time")
        crs = file.create_dataset("crs", data=np.int32(0))
        crs.attrs.update({"crs_wkt": wkt} if mapping is None else mapping)
        for name, (values, attributes) in layers.items():
            stored = values if time is None else np.stack([values] * time)
            layer = file.create_dataset(name, data=stored)
            axes = ("y", "x") if time is None else ("time", "y", "x")
            for dimension, axis in zip(layer.dims, axes, strict=True):
                dimension.attach_scale(file[axis])
            layer.attrs.update({"grid_mapping": "crs", **attributes})
    return path


def write_grd(path, values, *, transform=PLACE, pixel_registration=True, names=("x", "y"), units=("m", "m")):
    """A grid of GMT: NetCDF-3, rows from south to north."""
    with netcdf_file(path, "w") as file:
        for name, unit, middle in zip(names, units, centres(values.shape, transform), strict=True):
            file.createDimension(name, len(middle))
            axis = file.createVariable(name, "d", (name,))
            axis[:] = np.sort(middle)
            axis.units = unit
            half = abs(transform.a) / 2 if pixel_registration else 0
            axis.actual_range = np.array([axis[:].min() - half, axis[:].max() + half])
        z = file.createVariable("z", "f", names[::-1])
        z[:] = values[::-1]
        z.long_name = "wrapped phase"
        z.units = "radians"
        z._FillValue = np.float32(np.nan)
        file.node_offset = np.int32(pixel_registration)
    return path


ISCE_XML = """<imageFile>
<property name="width"><value>{cols}</value></property>
<property name="length"><value>{rows}</value></property>
<property name="number_bands"><value>{bands}</value></property>
<property name="data_type"><value>{kind}</value></property>
<property name="scheme"><value>BIL</value></property><property name="byte_order"><value>l</value></property>
<component name="coordinate1"><property name="delta"><value>0.002</value></property>
<property name="startingvalue"><value>-110.0</value></property></component>
<component name="coordinate2"><property name="delta"><value>-0.001</value></property>
<property name="startingvalue"><value>-74.0</value></property></component></imageFile>"""
VRT_BAND = """<VRTRasterBand dataType="{kind}" band="{band}" subClass="VRTRawRasterBand">
<SourceFilename relativeToVRT="1">{name}</SourceFilename><ByteOrder>LSB</ByteOrder>
<ImageOffset>{start}</ImageOffset><PixelOffset>{size}</PixelOffset><LineOffset>{line}</LineOffset>
</VRTRasterBand>"""


def write_isce(path, bands, *, described_by=(".xml", ".vrt")):
    """A raw file of ISCE, band interleaved by line, with what describes it."""
    bands = np.asarray(bands)
    count, rows, cols = bands.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    bands.transpose(1, 0, 2).astype(bands.dtype.newbyteorder("<")).tofile(path)
    is_complex = bands.dtype.kind == "c"
    if ".xml" in described_by:
        kind = "CFLOAT" if is_complex else "FLOAT"
        text = ISCE_XML.format(rows=rows, cols=cols, bands=count, kind=kind)
        path.with_name(f"{path.name}.xml").write_text(text)
    if ".vrt" in described_by:
        size = bands.dtype.itemsize
        kind = "CFloat32" if is_complex else "Float32"
        texts = [
            VRT_BAND.format(
                kind=kind,
                band=n + 1,
                name=path.name,
                start=n * cols * size,
                size=size,
                line=count * cols * size,
            )
            for n in range(count)
        ]
        text = (
            f'<VRTDataset rasterXSize="{cols}" rasterYSize="{rows}"><SRS>EPSG:4326</SRS>'
            f"<GeoTransform>-110.0, 0.002, 0, -74.0, 0, -0.001</GeoTransform>{''.join(texts)}</VRTDataset>"
        )
        path.with_name(f"{path.name}.vrt").write_text(text)
    return path


DIM = """<?xml version="1.0" encoding="ISO-8859-1"?>
<Dimap_Document name="{name}.dim">
<Metadata_Id><METADATA_FORMAT version="2.12.1">DIMAP</METADATA_FORMAT>
<METADATA_PROFILE>BEAM-DATAMODEL-V1</METADATA_PROFILE></Metadata_Id>{place}
<Raster_Dimensions><NCOLS>{cols}</NCOLS><NROWS>{rows}</NROWS><NBANDS>{count}</NBANDS></Raster_Dimensions>
<Data_Access><DATA_FILE_FORMAT>ENVI</DATA_FILE_FORMAT>{files}</Data_Access>
<Image_Interpretation>{infos}</Image_Interpretation></Dimap_Document>"""
DIM_PLACE = """<Coordinate_Reference_System><WKT>
{wkt}        </WKT></Coordinate_Reference_System>
<Geoposition><IMAGE_TO_MODEL_TRANSFORM>{matrix}</IMAGE_TO_MODEL_TRANSFORM></Geoposition>"""
DIM_FILE = (
    '<Data_File><DATA_FILE_PATH href="{name}.data/{band}.hdr" /><BAND_INDEX>{n}</BAND_INDEX></Data_File>'
)
DIM_INFO = """<Spectral_Band_Info><BAND_INDEX>{n}</BAND_INDEX><BAND_DESCRIPTION />
<BAND_NAME>{band}</BAND_NAME><BAND_RASTER_WIDTH>{cols}</BAND_RASTER_WIDTH>
<BAND_RASTER_HEIGHT>{rows}</BAND_RASTER_HEIGHT><DATA_TYPE>float32</DATA_TYPE>
<PHYSICAL_UNIT>{unit}</PHYSICAL_UNIT><SCALING_FACTOR>1.0</SCALING_FACTOR><SCALING_OFFSET>0.0</SCALING_OFFSET>
<LOG10_SCALED>false</LOG10_SCALED><NO_DATA_VALUE_USED>true</NO_DATA_VALUE_USED>
<NO_DATA_VALUE>0.0</NO_DATA_VALUE>{virtual}</Spectral_Band_Info>"""
VIRTUAL = "<VIRTUAL_BAND>true</VIRTUAL_BAND><EXPRESSION>i * i + q * q</EXPRESSION>"
ENVI = """ENVI
description = {{a product}}
samples = {cols}
lines = {rows}
bands = 1
header offset = 0
file type = ENVI Standard
data type = 4
interleave = bsq
byte order = 1
band names = {{ {band} }}
"""


def write_dimap(path, bands, *, transform=PLACE, wkt=POLAR_WKT, virtual=()):
    """A product of SNAP: bands are {name: (values, unit)}, big-endian floats in ENVI files."""
    rows, cols = next(iter(bands.values()))[0].shape
    data = path.with_suffix(".data")
    data.mkdir(parents=True)
    for band, (values, _) in bands.items():
        values.astype(">f4").tofile(data / f"{band}.img")
        (data / f"{band}.hdr").write_text(ENVI.format(rows=rows, cols=cols, band=band))
    size = {"rows": rows, "cols": cols}
    units = {**{band: unit for band, (_, unit) in bands.items()}, **dict.fromkeys(virtual, "intensity")}
    infos = [
        DIM_INFO.format(n=n, band=band, unit=unit, virtual=VIRTUAL if band in virtual else "", **size)
        for n, (band, unit) in enumerate(units.items())
    ]
    files = [DIM_FILE.format(n=n, name=path.stem, band=band) for n, band in enumerate(bands)]
    # By columns, as Java's AffineTransform has them.
    matrix = ",".join(f"{getattr(transform, key)}" for key in "adbecf")
    place = DIM_PLACE.format(wkt=wkt, matrix=matrix) if wkt else ""
    text = DIM.format(
        name=path.stem, place=place, count=len(bands), files="".join(files), infos="".join(infos), **size
    )
    path.write_text(text, encoding="latin-1")
    return path


def interferogram_bands(values):
    """The bands of an interferogram as SNAP names them."""
    return {
        "i_ifg_VV_20Jun2018_26Jun2018": (values.real, "real"),
        "q_ifg_VV_20Jun2018_26Jun2018": (values.imag, "imaginary"),
        "coh_IW2_VV_20Jun2018_26Jun2018": (np.abs(values), "coherence"),
    }


def files_of(folder: Path, *names: str) -> list[Path]:
    """Make empty files."""
    made = []
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        made.append(path)
    return made
