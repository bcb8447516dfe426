"""The stage `evaluate`: members and baselines scored on patches that no network has seen."""

from glsweep.evaluate.held_out import HeldOut
from glsweep.evaluate.stage import evaluate

__all__ = ["HeldOut", "evaluate"]
