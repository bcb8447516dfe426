"""Rasters and lines in, arrays out; with the simulation the only user of rasterio."""

import os

# GDAL would keep up to a twentieth of the machine's memory of what it has read; here every pixel is read
# about once. Still enough for a row of 512 px blocks of several rasters that are written.
os.environ.setdefault("GDAL_CACHEMAX", "128MB")

FULL = 254
"""The value of a training target on the line."""
UNSURE = 255
"""The value of a training target of which nobody can tell whether it is on a line."""
WIDTHS_REACHED = 4
"""So many widths from a line, a soft label is 0: exp(-8) of `FULL` is less than half."""
