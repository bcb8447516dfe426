"""Rasters and lines in, arrays out; the only user of rasterio."""
