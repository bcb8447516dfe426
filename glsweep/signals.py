"""How a command ends on a signal: Ctrl-C, SIGTERM, or a terminal that is closed."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

REPLACED_BY_RAY = (signal.SIGINT, signal.SIGTERM)
# Clusters send the first before they take a machine away, a closed terminal sends the second.
LIKE_CTRL_C = (signal.SIGTERM, signal.SIGHUP)
RESEND_AFTER_S = 0.05


@dataclass
class Ending:
    """The signal that ended a command, if one did."""

    number: int = signal.SIGINT

    @property
    def exit_code(self) -> int:
        """The exit code as shells set it: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP."""
        return 128 + self.number


@contextmanager
def ending_in_order() -> Iterator[Ending]:
    """Let SIGTERM and SIGHUP end what runs in this block as Ctrl-C does: with a KeyboardInterrupt.

    A signal that is ignored when the block begins, as SIGHUP is under `nohup`, stays ignored.

    Yields
    ------
    Ending
        Holds the signal afterwards.
    """
    ending = Ending()
    if not _is_main_thread():
        yield ending
        return
    terminals = [stream for stream in (1, 2) if os.isatty(stream)]

    def end(number: int, frame: FrameType | None) -> None:
        ending.number = number
        _leave_closed(terminals)
        # While Tune runs, its own handler stops the trials first.
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            # In background jobs of a shell Ctrl-C is ignored.
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    kept = {number: signal.getsignal(number) for number in LIKE_CTRL_C}
    handled = [number for number, handler in kept.items() if handler is not signal.SIG_IGN]
    for number in handled:
        signal.signal(number, end)
    try:
        yield ending
    finally:
        for number in handled:
            signal.signal(number, kept[number])


def ignore_further_signals() -> None:
    """Ignore signals while Python ends, which would otherwise change the exit code."""
    for number in (signal.SIGINT, *LIKE_CTRL_C):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Restore the signal handlers at the end of this block, within which no Ctrl-C is lost.

    Ray and Tune install their own and leave them, so that the first Ctrl-C in a later stage would do
    nothing. One that arrives during a `__del__`, of which Ray has slow ones, would be printed with a
    traceback and lost: it is sent again.
    """
    if not _is_main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in REPLACED_BY_RAY}
    hook = sys.unraisablehook

    def resend_interrupt(unraisable: Any) -> None:
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            number = signal.SIGTERM if ignored else signal.SIGINT
            threading.Timer(RESEND_AFTER_S, signal.raise_signal, [number]).start()
        else:
            hook(unraisable)

    sys.unraisablehook = resend_interrupt
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def signals_for_this_process_alone() -> Iterator[None]:
    """Keep SIGTERM and SIGHUP from the processes that are started in this block.

    A terminal that is closed, a batch system and systemd send them to all of a command's processes
    at once, and this one needs the others to end its sweep. What arrives within the block
    is handled at its end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, LIKE_CTRL_C)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _leave_closed(terminals: list[int]) -> None:
    """Discard output to a terminal that is gone, which would be an error."""
    for stream in terminals:
        if not os.isatty(stream):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream)
            os.close(nowhere)
