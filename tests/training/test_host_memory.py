"""Memory that is kept is not cleared by the system again and again, and goes back when it must."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory"
)

PIECES, PIECE_BYTES, ROUNDS = 4, 40 * 2**20, 5
PAGE_BYTES = 4096

WORK = f"""
import resource
import torch
from glsweep.training.memory import give_freed_memory_back, keep_freed_memory

def resident_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * {PAGE_BYTES}

def work():
    pieces = [torch.ones({PIECE_BYTES} // 4) for _ in range({PIECES})]

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

torch.set_num_threads(1)
"""


def told(program: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", WORK + program], check=True, stdout=subprocess.PIPE, text=True, timeout=60
    )
    return int(done.stdout)


@pytest.mark.parametrize("keeps", [False, True])
def test_pages_that_are_kept_are_not_asked_for_again(keeps: bool) -> None:
    program = f"{'keep_freed_memory()' if keeps else ''}\n"
    # Where pieces come to lie settles in the first rounds.
    program += f"for _ in range({ROUNDS}): work()\nbefore = faults()\n"
    program += f"for _ in range({ROUNDS}): work()\nprint(faults() - before)"
    pages = ROUNDS * PIECES * PIECE_BYTES // PAGE_BYTES
    found = told(program)
    # Without keeping, a system that hands out large pages has fewer.
    assert found < pages / 100 if keeps else found > pages / 600


def test_what_was_kept_goes_back_when_it_is_told_to() -> None:
    held = "keep_freed_memory()\nwork()\nbefore = resident_bytes()\ngive_freed_memory_back()\n"
    assert told(held + "print(before - resident_bytes())") > 0.9 * PIECES * PIECE_BYTES


def test_where_what_a_process_may_ask_for_is_limited_nothing_is_kept() -> None:
    limited = "resource.setrlimit(resource.RLIMIT_DATA, (2**36, resource.RLIM_INFINITY))\n"
    limited += "keep_freed_memory()\nbefore = resident_bytes()\nwork()\nprint(resident_bytes() - before)"
    assert told(limited) < 0.1 * PIECES * PIECE_BYTES
