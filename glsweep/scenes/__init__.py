"""Rasters and lines in, arrays out; with the simulation the only user of rasterio."""

FULL = 254
"""The value of a training target on the line."""
UNSURE = 255
"""The value of a training target of which nobody can tell whether it is on a line."""
