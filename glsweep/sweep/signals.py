"""What Ctrl-C and a polite kill do while Ray runs."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

REPLACED_BY_RAY = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Give the handlers of signals back at the end of this block.

    Ray and Tune put their own in place and leave them there, after which the first Ctrl-C in a
    later stage would do nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in REPLACED_BY_RAY}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def end_on_sigterm() -> None:
    """Let SIGTERM, which clusters send before they take a machine away, end a sweep as Ctrl-C does."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _as_ctrl_c)


def _as_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)
