"""Explicit randomness: every draw is named by a seed and the things it belongs to."""

import hashlib

import numpy as np


def seed_for(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed that depends on `seed` and on every name, in order.

    The same on every machine and in every process, unlike `hash`.
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator_for(seed: int, *names: str | int) -> np.random.Generator:
    """Return a NumPy generator for one purpose, such as `generator_for(0, "split")`."""
    return np.random.default_rng(seed_for(seed, *names))
