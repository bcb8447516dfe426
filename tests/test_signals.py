import os
import pty
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from glsweep.signals import ending_in_order, kept_handlers, signals_for_this_process_alone


class SlowToGo:
    """Is interrupted while it is taken away, as placement groups of Ray may be."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def test_a_ctrl_c_that_meets_a_finaliser_is_heard_all_the_same(capfd):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), kept_handlers():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        gone = SlowToGo()
        del gone
        for _ in range(100):  # a signal that another thread hears does not cut a sleep short
            time.sleep(0.05)
    assert "Traceback" not in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


def test_what_else_goes_wrong_in_a_finaliser_is_told_as_before(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda met: told.append(str(met.exc_value)))

    class Broken:
        def __del__(self):
            raise ValueError("broken")

    with kept_handlers():
        gone = Broken()
        del gone
    assert told == ["broken"]


SLEEPER = """
import signal, sys, time
from glsweep.signals import ending_in_order
with ending_in_order() as ending:
    try:
        print("ready", flush=True)
        time.sleep(30)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(ending.exit_code)
"""


@contextmanager
def sleeper(*ignored):
    """A process that sleeps until it is ended; it ignores signals of these names since it began."""
    shell = ["bash", "-c", f"trap '' {' '.join(ignored) or 'USR1'}; exec \"$@\"", "bash"]
    command = [*shell, sys.executable, "-c", SLEEPER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield process


@pytest.mark.parametrize("ignored", [(), ("INT",)])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_polite_kill_and_a_closed_terminal_end_as_ctrl_c_does(number, code, ignored):
    """Background jobs of a shell script ignore Ctrl-C from their beginning."""
    with sleeper(*ignored) as process:
        process.send_signal(number)
        assert process.communicate(timeout=10) == ("interrupted\n", None)
    assert process.returncode == code


def test_ctrl_c_ends_with_130():
    with sleeper() as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


def test_what_runs_under_nohup_outlives_its_terminal():
    with sleeper("HUP") as process:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        assert process.poll() is None
        process.terminate()
        assert process.wait(10) == 143


def test_what_is_printed_after_the_terminal_was_closed_is_no_error():
    program = SLEEPER.replace("sys.exit(ending.exit_code)", "print('x' * 99999, flush=True); sys.exit(7)")
    ours, terminal = pty.openpty()
    with subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-c", program], stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        assert b"ready" in os.read(ours, 100)
        os.close(ours)
        assert process.wait(10) == 7


def test_handlers_are_given_back():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    with ending_in_order():
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] != before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_spares_those_that_the_command_still_needs(number):
    with signals_for_this_process_alone():
        needed = subprocess.Popen(["sleep", "30"])
    other = subprocess.Popen(["sleep", "30"])
    needed.send_signal(number)
    other.send_signal(number)
    assert other.wait(10) == -number
    assert needed.poll() is None
    needed.kill()
    needed.wait(10)


def test_a_signal_that_arrives_meanwhile_is_heard_afterwards():
    with pytest.raises(KeyboardInterrupt), ending_in_order() as ending:
        with signals_for_this_process_alone():
            signal.pthread_kill(threading.main_thread().ident, signal.SIGHUP)
            waited = True
        time.sleep(5)
    assert waited
    assert ending.exit_code == 129
