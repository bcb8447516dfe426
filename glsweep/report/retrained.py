"""Winner and member side by side: what training in full changed, on the same validation patches."""

from dataclasses import dataclass

from glsweep.config.space import HIGHER_IS_BETTER
from glsweep.report.results import MemberResults, Results
from glsweep.study.artifacts import Winner
from glsweep.sweep.outcomes import describe_changes


@dataclass(frozen=True)
class RetrainedRow:
    """One stratum's winner and the member that it became.

    Attributes
    ----------
    title : str
        The stratum's.
    trial : str
        The winner's trial.
    winner, winner_spread : float
        Its metric on validation, the mean over `winner_seeds` seeds, and their standard deviation, None
        with one.
    winner_epochs, member_epochs : int
        The epoch of the winner's best metric, and of the weights that were kept.
    member : float or None
        The same metric of the member at that epoch, None where full training does not know it.
    gained : float or None
        What the member is better by; negative where it is worse.
    test : float
        The member's relaxed F1 on test patches.
    tau : float or None
        Its threshold.
    changed : str
        In which parameters full training differed.
    """

    title: str
    trial: str
    winner: float
    winner_spread: float | None
    winner_seeds: int
    winner_epochs: int
    member: float | None
    member_epochs: int
    gained: float | None
    test: float
    tau: float | None
    changed: str

    @property
    def is_beyond_seeds(self) -> bool:
        """Whether the gain is more than two standard deviations over the winner's seeds."""
        if self.gained is None or self.winner_spread is None:
            return False
        return abs(self.gained) > 2 * self.winner_spread


def retrained_rows(results: Results) -> list[RetrainedRow]:
    """Return a row for each member, in the order of strata."""
    tested = {row.stratum: row.relaxed_f1 for row in results.table.rows}
    return [
        _row(results, stratum.title, results.winners[stratum.key], member, tested[stratum.key])
        for stratum, member in results.members.items()
        if stratum.key in results.winners
    ]


def _row(results: Results, title: str, winner: Winner, member: MemberResults, test: float) -> RetrainedRow:
    card = member.card
    sign = 1.0 if HIGHER_IS_BETTER[results.config.space.search.rank_by] else -1.0
    reached = card.figures.get(winner.figure)
    changed = describe_changes({title: card.changed_since_trial})
    return RetrainedRow(
        title=title,
        trial=winner.trial_id,
        winner=winner.value,
        winner_spread=winner.spread,
        winner_seeds=winner.replicates,
        winner_epochs=winner.epoch,
        member=reached,
        member_epochs=card.best_epoch,
        gained=None if reached is None else sign * (reached - winner.value),
        test=test,
        tau=card.tau,
        changed="; ".join(changed) or "epochs alone",
    )
