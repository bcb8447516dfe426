"""A program for a process of its own: train with all memory, with too little for a batch, for a patch.

Writes one JSON object with what came of each.
"""

import json
import multiprocessing
import resource
import sys
from pathlib import Path

import torch
from made_patches import bands, parameters, schedule, without_batch_norm

from glsweep.training.fit import fit
from glsweep.training.memory import OutOfDeviceMemoryError
from glsweep.training.state import fresh_state

CPU = torch.device("cpu")
FORK = multiprocessing.get_context("fork")


def address_space_bytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def train(of, train_val):
    state = fresh_state(of, seed=1, device=CPU)
    without_batch_norm(state.network)
    reports = [report.metrics() for report in fit(state, of, *train_val, schedule(2), seed=1)]
    weights = torch.cat([p.detach().flatten() for p in state.network.parameters()])
    return {"reports": reports, "weights": weights.tolist()}


def train_within(limit_bytes, of):
    """Train with so much more memory than the process has; None is no limit."""
    splits = [bands(2 * of.batch_size, seed=seed, size_px=of.patch_size_px) for seed in (0, 1)]
    # Libraries are loaded on first use, which is not what is to be limited.
    train(parameters(batch_size=2), [bands(2), bands(2)])
    before = address_space_bytes("VmSize")
    if limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (before + limit_bytes, resource.RLIM_INFINITY))
    try:
        told = train(of, splits)
    except OutOfDeviceMemoryError as error:
        told = {"reason": str(error)}
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    told["knows_compiler"] = "torch._dynamo" in sys.modules
    return {**told, "peak_bytes": address_space_bytes("VmPeak") - before}


def in_a_child(function, *given):
    """Call in a process that has done nothing before, so that no kernel and no memory is kept."""
    receiver, sender = FORK.Pipe(duplex=False)
    child = FORK.Process(target=lambda: sender.send(function(*given)))
    child.start()
    sender.close()
    result = receiver.recv()
    child.join()
    return result


def main():
    torch.set_num_threads(1)
    of = parameters(patch_size_px=96, base_width=8, batch_size=16, learning_rate=3e-3)
    whole = in_a_child(train_within, None, of)
    limited = in_a_child(train_within, int(0.75 * whole["peak_bytes"]), of)
    # The first stage alone makes several times 4 MiB of one patch.
    large = parameters(patch_size_px=256, base_width=16, batch_size=2)
    hopeless = in_a_child(train_within, 30 * 2**20, large)
    json.dump({"whole": whole, "limited": limited, "hopeless": hopeless}, sys.stdout)


if __name__ == "__main__":
    main()
