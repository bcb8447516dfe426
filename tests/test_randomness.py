import os
import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from glsweep.randomness import generator_for, seed_for

NAMES = st.lists(st.text(st.characters(exclude_characters="/", codec="utf-8")) | st.integers(), max_size=3)


def test_seeds_differ_by_seed_by_name_and_by_order():
    seeds = [
        seed_for(0),
        seed_for(1),
        seed_for(0, "split"),
        seed_for(1, "split"),
        seed_for(0, "order"),
        seed_for(0, "split", "order"),
        seed_for(0, "order", "split"),
        seed_for(0, "split", 1),
        seed_for(0, "split", 11),
        seed_for(0, "split", 1, 1),
    ]
    assert len(set(seeds)) == len(seeds)


@given(st.integers(), NAMES, NAMES)
def test_seeds_are_equal_only_for_equal_names(seed, one, other):
    same = list(map(str, one)) == list(map(str, other))
    assert (seed_for(seed, *one) == seed_for(seed, *other)) == same


@given(st.integers(), NAMES)
def test_a_seed_fits_where_torch_and_numpy_want_it(seed, names):
    assert 0 <= seed_for(seed, *names) < 2**63


def test_seeds_are_the_same_in_every_process():
    code = "from glsweep.randomness import seed_for; print(seed_for(7, 'split', 3))"
    seen = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
        seen.add(int(run.stdout))
    assert seen == {seed_for(7, "split", 3)}


def test_a_generator_repeats_its_draws_and_leaves_the_global_one_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = generator_for(0, "a").normal(size=5)
    np.testing.assert_array_equal(generator_for(0, "a").normal(size=5), first)
    assert not np.array_equal(generator_for(0, "b").normal(size=5), first)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
