"""Trials at rungs: those that wait to be judged, and those that went on.

Rungs judge in the order of the plan. So of many that wait only the first need be looked at, and those that
went on only become more at the end: what a trial costs does not grow with the sweep.
"""

import heapq
from collections.abc import Iterator, Sequence

from glsweep.search.plan import PlannedTrial
from glsweep.sweep.journal import Journal
from glsweep.sweep.records import TrialRecord


class WaitingAtRungs:
    """Trials that wait to be judged, by stratum and rung: as long as the first waits, so do all others."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: dict[tuple[str, int], list[tuple[int, PlannedTrial]]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, trial: PlannedTrial) -> None:
        """Add a trial that waits, the first seed of its configuration."""
        rung_epoch = self._journal.awaited_rung(trial.trial_id)
        assert rung_epoch is not None
        heapq.heappush(self._waiting.setdefault((trial.stratum.key, rung_epoch), []), (trial.index, trial))

    def no_longer(self) -> Iterator[PlannedTrial]:
        """Yield and remove the trials that are over, or were judged at the rung at which they waited."""
        for (key, rung_epoch), waiting in list(self._waiting.items()):
            while waiting and self._journal.awaited_rung(waiting[0][-1].trial_id) != rung_epoch:
                yield heapq.heappop(waiting)[-1]
            if not waiting:
                del self._waiting[key, rung_epoch]


class Entrants:
    """The trials of a stratum that entered a segment, from one rung to the next, in the order of the plan.

    Parameters
    ----------
    passed_epoch : int or None
        Of the rung at which the segment begins; None for the first segment, which every trial enters.
    """

    def __init__(self, passed_epoch: int | None) -> None:
        self.trials: list[TrialRecord] = []
        self.places: dict[str, int] = {}
        self.seen = 0
        self._passed_epoch = passed_epoch

    def update(self, stratum: Sequence[TrialRecord]) -> None:
        """Add those that have entered since; `seen` counts the stratum's trials of which it is settled."""
        while self.seen < len(stratum):
            record = stratum[self.seen]
            if self._passed_epoch is not None and self._passed_epoch not in record.judged:
                if record.outcome is None:
                    return
            elif self._passed_epoch is None or record.judged[self._passed_epoch].goes_on:
                self.places[record.trial.trial_id] = len(self.trials)
                self.trials.append(record)
            self.seen += 1
