"""Rasters and lines in, arrays out; with the simulation the only user of rasterio."""
