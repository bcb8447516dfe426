"""A node that is lost in the middle of a sweep: its trials go on elsewhere."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import descendants, kill
from ray.cluster_utils import Cluster
from small_trials import ARRAYS, TRIALS, job, results

from glsweep.doctor.connection import connected
from glsweep.sweep.engine import run_trials
from glsweep.sweep.records import Reported, SweepRecords, TrialEvent, TrialRecord

pytestmark = [pytest.mark.ray, pytest.mark.slow]

RUNG_EPOCH = 2  # of `job`

# A node that is silent for a second is taken for dead; by default that takes a quarter of a minute.
WATCHFUL = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 2,
}


@pytest.fixture
def two_nodes() -> Iterator[Cluster]:
    """Two nodes with room for one trial each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": WATCHFUL})
        cluster.add_node(num_cpus=1)
        try:
            yield cluster
        finally:
            cluster.shutdown()


def lose(cluster: Cluster) -> None:
    """Kill the second node's raylet and its workers, as when its machine is gone."""
    (second,) = cluster.worker_nodes
    (raylet,) = second.all_processes["raylet"]
    kill([raylet.process.pid, *descendants(raylet.process.pid)])


class WhenTwoTrain:
    """Acts once, when a trial on each node trains on: one that starts there, or waits, is not missed."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act, self._has_acted = act, False

    def catch_up(self, records: SweepRecords) -> None:
        self._records = records

    def on_event(self, event: TrialEvent, _record: TrialRecord) -> None:
        placed = [one for one in self._records.unended.values() if one.node is not None]
        train = [one for one in placed if one.reached not in (0, RUNG_EPOCH)]
        if isinstance(event, Reported) and len(train) == 2 and not self._has_acted:
            self._has_acted = True
            self._act()


def test_the_trials_of_a_lost_node_go_on_elsewhere(
    undisturbed: dict[str, object], two_nodes: Cluster, tmp_path: Path
) -> None:
    with connected(two_nodes.address):
        records = run_trials(job(tmp_path, TRIALS), ARRAYS, [WhenTwoTrain(lambda: lose(two_nodes))])
    assert results(records) == undisturbed
    assert sum(record.crashes_in_all for record in records.trials.values()) == 1
