"""How Ray Tune learns that the sweep cannot go on."""

from typing import Any

from ray.tune import Stopper

from glsweep.sweep.journal import Journal


class HaltStopper(Stopper):
    """Stops every trial once the journal has halted; each goes on from its checkpoint next time."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no trial on its own account."""
        return False

    def stop_all(self) -> bool:
        """Whether the whole sweep is to stop."""
        return self._journal.halted is not None
