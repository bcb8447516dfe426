"""Winner and member side by side."""

from dataclasses import replace

import pytest

from glsweep.config.trial import Stratum
from glsweep.report.results import read_results
from glsweep.report.retrained import retrained_rows

TWO = (Stratum("unet", 32), Stratum("unetpp", 32))


def with_member(results, stratum, **changes):
    member = results.members[stratum]
    changed = replace(member, card=member.card.model_copy(update=changes))
    return replace(results, members={**results.members, stratum: changed})


@pytest.mark.parametrize(("rank_by", "sign"), [("relaxed_f1", 1), ("val_loss", -1)])
def test_a_gain_is_positive_where_the_member_is_better_than_its_trial(make_study, rank_by, sign):
    results = read_results(make_study(strata=TWO, rank_by=rank_by, replicates=2))
    winner = results.winners["unet-32"]
    better = with_member(results, TWO[0], figures={rank_by: winner.value + sign * 0.05})
    row = retrained_rows(better)[0]
    assert row.gained == pytest.approx(0.05)
    assert row.trial == winner.trial_id
    assert (row.winner, row.member) == (winner.value, pytest.approx(winner.value + sign * 0.05))
    assert row.is_beyond_seeds == (winner.spread < 0.025)
    assert row.test == next(r.relaxed_f1 for r in results.table.rows if r.stratum == "unet-32")


def test_it_says_in_what_training_in_full_differed(make_study):
    results = read_results(make_study(strata=TWO))
    changed = with_member(results, TWO[1], changed_since_trial={"learning_rate": (0.01, 0.002)})
    first, second = retrained_rows(changed)
    assert first.changed == "epochs alone"
    assert second.changed == "learning_rate 0.002 (the trial had 0.01)"


def test_a_metric_that_full_training_does_not_know_gives_no_gain(make_study):
    results = with_member(read_results(make_study(strata=TWO)), TWO[0], figures={})
    assert retrained_rows(results)[0].gained is None
