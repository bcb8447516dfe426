"""How a command ends when it is asked to: by Ctrl-C, a polite kill, or a terminal that is closed."""

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
HEARD_AGAIN_AFTER_S = 0.05


@dataclass
class Ending:
    """What ended a command, as far as a signal did."""

    number: int = signal.SIGINT

    @property
    def exit_code(self) -> int:
        """What a shell calls it: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP."""
        return 128 + self.number


@contextmanager
def ending_in_order() -> Iterator[Ending]:
    """Let SIGTERM and SIGHUP end what runs in this block as Ctrl-C does: with a KeyboardInterrupt.

    A signal that is ignored when the block begins, as SIGHUP is under `nohup`, stays ignored.

    Yields
    ------
    Ending
        Says afterwards which signal it was.
    """
    ending = Ending()
    if not _is_main_thread():
        yield ending
        return
    terminals = [stream for stream in (1, 2) if os.isatty(stream)]

    def end(number: int, frame: FrameType | None) -> None:
        ending.number = number
        _leave_closed(terminals)
        # While Tune runs it has a handler of its own, which stops the trials first.
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            # Shells have their background jobs ignore Ctrl-C.
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    kept = {number: signal.getsignal(number) for number in LIKE_CTRL_C}
    heard = [number for number, handler in kept.items() if handler is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, end)
    try:
        yield ending
    finally:
        for number in heard:
            signal.signal(number, kept[number])


def ignore_further_signals() -> None:
    """Python takes a moment to end, in which another signal would change the exit code."""
    for number in (signal.SIGINT, *LIKE_CTRL_C):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Give the handlers of signals back at the end of this block, within which no Ctrl-C is lost.

    Ray and Tune put their own in place and leave them there, after which the first Ctrl-C in a
    later stage would do nothing. One that meets a `__del__`, of which Ray has slow ones, would be
    printed with a traceback and forgotten: it is sent anew.
    """
    if not _is_main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in REPLACED_BY_RAY}
    hook = sys.unraisablehook

    def hear(met: Any) -> None:
        if isinstance(met.exc_value, KeyboardInterrupt):
            ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            number = signal.SIGTERM if ignored else signal.SIGINT
            threading.Timer(HEARD_AGAIN_AFTER_S, signal.raise_signal, [number]).start()
        else:
            hook(met)

    sys.unraisablehook = hear
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
    at once, and while this one ends its sweep it needs the others. What arrives here within the
    block is heard at its end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, LIKE_CTRL_C)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _leave_closed(terminals: list[int]) -> None:
    """Send what is still printed nowhere where the terminal is gone: it would be an error."""
    for stream in terminals:
        if not os.isatty(stream):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream)
            os.close(nowhere)
