"""Rasters and lines in, arrays out; with the simulation the only user of rasterio."""

FULL = 255
"""The value of a training target on the line."""
