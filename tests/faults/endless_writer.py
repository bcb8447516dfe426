"""A program that writes checkpoints in a child, kills it, and looks at what it left, again and again.

Arguments: the folder of checkpoints, how often, and the seed of the moments.
"""

import itertools
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from glsweep.sweep.checkpoints import CHECKPOINT_FILE, CheckpointStore

LONGEST_S = 0.05


def write_for_ever(store: CheckpointStore) -> None:
    """Write checkpoints whose numbers are all the same, each time a higher one."""
    file = Path(store.root).parent / CHECKPOINT_FILE
    for number in itertools.count():
        save_file({"weights": torch.full((500_000,), float(number))}, file)
        store.save("0000", file)


def main(root: str, kills: int, seed: int) -> None:
    store, kept = CheckpointStore(root), Path(root) / "0000" / CHECKPOINT_FILE
    generator = np.random.default_rng(seed)
    for _ in range(kills):
        kept.unlink(missing_ok=True)
        writer = os.fork()
        if not writer:
            write_for_ever(store)
        while not kept.is_file():
            time.sleep(0.001)
        time.sleep(generator.uniform(0, LONGEST_S))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        numbers = load_file(kept)["weights"]
        assert bool((numbers == numbers[0]).all())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
