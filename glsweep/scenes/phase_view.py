"""A scene's phase as a GDAL program sees it: computed from the scene's own file when it is looked at."""

import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from glsweep.config.bands import PHASES
from glsweep.files import write_text
from glsweep.scenes.formats import is_read_by_gdal
from glsweep.scenes.formats.gdal import file_of
from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.reading import UsedBand

NO_DATA = "0"
"""Of a phase that is computed: no measured one is exactly 0."""


def write_phase_view(header: RasterHeader, folder: Path) -> list[Path]:
    """Write virtual rasters that show the wrapped phase in radians; the scene is named relative to them.

    Parameters
    ----------
    header : RasterHeader
        The scene.
    folder : Path
        Where they go.

    Returns
    -------
    list of Path
        `<scene>-phase-view.vrt`, and what that needs: of a real and an imaginary part a view of both as
        complex numbers. None for formats that GDAL does not read by itself as this package does, and for
        unwrapped phases.
    """
    bands = {part.role: part for part in header.reading.signal}
    if not is_read_by_gdal(header.path):
        return []
    scene, phase = file_of(header.path), folder / f"{header.name}-phase-view.vrt"
    if "real" in bands and "imaginary" in bands:
        both = folder / f"{header.name}-complex-view.vrt"
        parts = [(scene, bands[role]) for role in ("real", "imaginary")]
        _write(both, header, parts, dtype="CFloat32", function="complex")
        _write(phase, header, [(both, UsedBand(1, "complex", parts[0][1].facts))], function="phase")
        return [phase, both]
    if "complex" in bands:
        _write(phase, header, [(scene, bands["complex"])], function="phase")
        return [phase]
    wrapped = [part for role, part in bands.items() if role in PHASES and role != "unwrapped_phase"]
    for part in wrapped:
        _write(phase, header, [(scene, part)])
    return [phase for _ in wrapped]


def _write(
    path: Path,
    header: RasterHeader,
    parts: Sequence[tuple[Path, UsedBand]],
    *,
    dtype: str = "Float32",
    function: str | None = None,
) -> None:
    """Write a virtual raster of one band: that of the only part in radians, or GDAL's function of all."""
    rows, cols = header.shape
    root = ET.Element("VRTDataset", rasterXSize=str(cols), rasterYSize=str(rows))
    ET.SubElement(root, "SRS").text = header.crs.to_wkt()
    ET.SubElement(root, "GeoTransform").text = ", ".join(map(repr, header.transform.to_gdal()))
    band = ET.SubElement(root, "VRTRasterBand", dataType=dtype, band="1")
    ET.SubElement(band, "Description").text = "wrapped phase" if function != "complex" else "interferogram"
    if function != "complex":
        ET.SubElement(band, "NoDataValue").text = NO_DATA
    if function is not None:
        band.set("subClass", "VRTDerivedRasterBand")
        ET.SubElement(band, "PixelFunctionType").text = function
        ET.SubElement(band, "SourceTransferType").text = "Float32" if function == "complex" else "CFloat32"
    for file, part in parts:
        source = ET.SubElement(band, "SimpleSource" if function else "ComplexSource")
        name = ET.SubElement(source, "SourceFilename", relativeToVRT="1")
        # A system follows links before it goes up; of a scene that is a link, its own name is kept.
        beside = os.path.relpath(file.parent.resolve() / file.name, path.parent.resolve())
        name.text = Path(beside).as_posix()
        ET.SubElement(source, "SourceBand").text = str(part.number)
        if function is None:
            nodata = part.facts.nodata if header.reading.nodata is None else header.reading.nodata
            if nodata is not None:
                ET.SubElement(source, "NODATA").text = repr(nodata)
            ET.SubElement(source, "ScaleOffset").text = repr(part.facts.offset * part.radians)
            ET.SubElement(source, "ScaleRatio").text = repr(part.facts.scale * part.radians)
    ET.indent(root)
    write_text(path, ET.tostring(root, encoding="unicode"))
