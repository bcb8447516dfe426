"""Errors that a user can act on: each names the file, the value and the remedy in one line."""


class GlsweepError(Exception):
    """Base of every error that is shown as one line, with exit code 2."""


class ConfigError(GlsweepError):
    """A configuration file has an unknown key, a missing key or a bad value."""


class DataError(GlsweepError):
    """A raster or a file of lines cannot be used as it is."""


class StudyError(GlsweepError):
    """A study folder does not fit what is asked of it."""


class ResourceError(GlsweepError):
    """The machine or the cluster cannot give what a trial asks for."""
