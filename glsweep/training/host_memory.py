"""Memory that a process frees and needs again a moment later."""

import ctypes
import platform

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# Older versions take no more than the second.
LARGEST_BYTES = (2**30, 2**25)
SMALL_BYTES = 2**16
NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Let this process keep what it frees for its next use, in place of giving it back to the system.

    A training step on a CPU frees hundreds of megabytes and takes them again in the next; the system
    clears each page that it hands out, which takes up to a quarter of the step. What the process
    holds at most is the same. Does nothing where the C library is not glibc; where what a process may
    ask for is limited (`ulimit -d`), so that pieces that lie idle count, all is given back at once.
    """
    if not _is_glibc():
        return
    import resource  # noqa: PLC0415  not on every system

    limit_bytes, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if limit_bytes != resource.RLIM_INFINITY:
        give_freed_memory_back()
        return
    library = ctypes.CDLL(None)
    any(library.mallopt(M_MMAP_THRESHOLD, size_bytes) for size_bytes in LARGEST_BYTES)
    library.mallopt(M_TRIM_THRESHOLD, NEVER)


def give_freed_memory_back() -> None:
    """Give back what was kept, and from now on at once what is freed, as is best where memory ran out."""
    if _is_glibc():
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, SMALL_BYTES)
        library.mallopt(M_TRIM_THRESHOLD, SMALL_BYTES)
        library.malloc_trim(0)


def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
