"""Training one network: a generator that yields a report each epoch."""

from dataclasses import asdict, dataclass

from glsweep.config.space import HIGHER_IS_BETTER, Metric


@dataclass(frozen=True)
class EpochReport:
    """Metrics of one epoch, on the final head, each at its own best threshold.

    Attributes
    ----------
    epoch : int
        From 1.
    train_loss, val_loss : float
        The trial's own loss; it cannot rank trials whose losses differ.
    relaxed_f1 : float
        Pooled over validation, at the threshold `tau` where it is highest.
    relaxed_precision, relaxed_recall : float
        At the same threshold.
    dice : float
        Mean over validation patches, at the threshold where that mean is highest.
    epoch_s : float
        Wall time of the epoch with its validation.
    micro_batch : int
        Patches that passed through the network at once: the batch size, or fewer after the device
        ran out of memory.
    precision_bits : int
        Bits of the numbers that the network's layers computed with: 16 (bfloat16) or 32.
    last : bool
        Whether training ends here, by budget or by patience.
    """

    epoch: int
    train_loss: float
    val_loss: float
    relaxed_f1: float
    relaxed_precision: float
    relaxed_recall: float
    tau: float
    dice: float
    epoch_s: float
    micro_batch: int
    precision_bits: int
    last: bool

    def metrics(self) -> dict[str, float]:
        """Return every number but the epoch, by name."""
        return {k: v for k, v in asdict(self).items() if k not in ("epoch", "last")}


def is_better(metric: Metric, value: float, best: float | None) -> bool:
    """Whether `value` improves on `best`, which is None before the first epoch."""
    if best is None:
        return True
    return value > best if HIGHER_IS_BETTER[metric] else value < best
