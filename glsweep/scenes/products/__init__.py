"""Formats that hold several quantities: HDF5, NetCDF and BEAM-DIMAP, as sources of bands."""
