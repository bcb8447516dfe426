"""Scenes from physics: an elastic beam's flexure, seen by a radar."""

from glsweep.scenes.simulator.dataset import simulate_data
from glsweep.scenes.simulator.simulate import simulate_scene

__all__ = ["simulate_data", "simulate_scene"]
