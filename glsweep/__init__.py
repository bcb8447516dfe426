"""glsweep finds the network that draws grounding lines best in DInSAR scenes."""

__version__ = "0.1.0"
