"""What Ctrl-C and a polite kill do while Ray runs."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

REPLACED_BY_RAY = (signal.SIGINT, signal.SIGTERM)
HEARD_AGAIN_AFTER_S = 0.05


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Give the handlers of signals back at the end of this block, within which no Ctrl-C is lost.

    Ray and Tune put their own in place and leave them there, after which the first Ctrl-C in a
    later stage would do nothing. One that meets a `__del__`, of which Ray has slow ones, would be
    printed with a traceback and forgotten: it is sent anew.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in REPLACED_BY_RAY}
    hook = sys.unraisablehook

    def hear(met: Any) -> None:
        if isinstance(met.exc_value, KeyboardInterrupt):
            threading.Timer(HEARD_AGAIN_AFTER_S, signal.raise_signal, [signal.SIGINT]).start()
        else:
            hook(met)

    sys.unraisablehook = hear
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in kept.items():
            signal.signal(number, handler)


def end_on_sigterm() -> None:
    """Let SIGTERM, which clusters send before they take a machine away, end a sweep as Ctrl-C does."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _as_ctrl_c)


def _as_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)
