"""CPU, memory, disk, network and GPU of the driver's machine as figures of a run, when MLflow is told to."""

from collections.abc import Callable

from mlflow.environment_variables import MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING

from glsweep.tracking.away import StoreError
from glsweep.tracking.store import Store


class SystemMetrics:
    """MLflow's own monitor, which a user turns on with `MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING=true`.

    It samples in a thread of its own, and ends when the run does or the store fails.
    """

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None

    def start(self, store: Store, run_id: str) -> None:
        """Begin or continue to log for a run that is RUNNING.

        Raises
        ------
        StoreError
            When psutil, which the monitor reads, is not installed.
        """
        if not MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.get():
            return
        self.stop()
        try:
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor  # noqa: PLC0415
        except ImportError as error:
            raise StoreError(
                f"MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: {error}; `pip install psutil`, or unset it"
            ) from error
        monitor = store.ask(SystemMetricsMonitor, run_id, resume_logging=True, tracking_uri=store.uri)
        monitor.start()
        self._stop = monitor.finish

    def stop(self) -> None:
        """End the monitor and send what it has collected."""
        if self._stop is not None:
            self._stop()
            self._stop = None
