"""What a study has cost so far: hours of GPUs and CPUs, over all trials of its sweep and retraining."""

from collections.abc import Iterable
from dataclasses import dataclass

from glsweep.config.space import Resources
from glsweep.sweep.overview import SECONDS_PER_HOUR
from glsweep.sweep.records import TrialRecord


@dataclass(frozen=True)
class Cost:
    """Hours that trials trained, each times its share of a node; add costs with `+`."""

    gpu_hours: float = 0.0
    cpu_hours: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.gpu_hours + other.gpu_hours, self.cpu_hours + other.cpu_hours)

    def money(self, price_per_gpu_hour: float) -> float:
        """Return what the hours of GPUs cost, in the currency of the price."""
        return self.gpu_hours * price_per_gpu_hour

    def __str__(self) -> str:
        gpus = f"{_told(self.gpu_hours)} GPU hours and " if self.gpu_hours else ""
        return f"{gpus}{_told(self.cpu_hours)} CPU hours"


def cost_hours(trials: Iterable[TrialRecord], resources: Resources) -> Cost:
    """Return what trials have cost so far.

    Counted is the time of their epochs. Of trials that train together as one network each counts its share
    of the time. What a crash lost is not known, and starting is not counted.

    Parameters
    ----------
    trials : iterable of TrialRecord
        Also those that still train, were stopped or failed.
    resources : Resources
        What one trial takes. Its GPUs count only where it trained on one.
    """
    # A list, since the sweep goes on while its cost is counted.
    counted = [(record.device == "cuda", record.trained_s / SECONDS_PER_HOUR) for record in list(trials)]
    return Cost(
        gpu_hours=resources.gpus * sum(hours for is_on_gpu, hours in counted if is_on_gpu),
        cpu_hours=resources.cpus * sum(hours for _, hours in counted),
    )


def hours_text(hours: float) -> str:
    """Return hours with as many digits as mean something: `0.25`, `12.5`, `340`."""
    return f"{hours:.2f}" if hours < 10 else f"{hours:.1f}" if hours < 100 else f"{hours:.0f}"


def _told(hours: float) -> str:
    return "under 0.01" if 0 < hours < 0.01 else hours_text(hours)
