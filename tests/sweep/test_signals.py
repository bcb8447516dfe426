import signal
import sys
import time

import pytest

from glsweep.sweep.signals import kept_handlers


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
        time.sleep(5)
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
