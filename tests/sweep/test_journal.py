"""Early stopping: what it decides, and what it must not depend on."""

import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import SCRATCH, figures, journal_at, outcomes, planned, run

from glsweep.config.stopping import Asha, Halving, Median, NoStopping, Stopping
from glsweep.errors import ResourceError, StudyError
from glsweep.sweep.journal import Decision, Journal

EPOCHS = 9
EVENTS = ["began", "started", "epoch", "rung", "ended"]


def curves_for(count: int, seed: int) -> dict[str, list[float]]:
    """Noisy learning curves, some of them equal."""
    generator = np.random.default_rng(seed)
    ends = generator.choice([0.2, 0.4, 0.5, 0.9], size=count)
    growth = np.linspace(0.3, 1, EPOCHS)
    return {
        f"{index:04d}": list(np.round(end * growth + generator.normal(0, 0.05, EPOCHS), 2))
        for index, end in enumerate(ends)
    }


rules = st.sampled_from(
    [
        Asha(grace_epochs=1, reduction_factor=3),
        Halving(grace_epochs=1, reduction_factor=2),
        Median(grace_epochs=2),
    ]
)


def generator_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def play(
    count: int,
    curves: dict[str, list[float]],
    arrival: int,
    *,
    stopping: Stopping | None = None,
    **options: int,
) -> dict[str, object]:
    trials = [planned(index, ("unet", "unetpp")[index % 2]) for index in range(count)]
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        ledger = Path(folder) / "ledger.jsonl"
        journal = journal_at(ledger, epochs=EPOCHS, stopping=stopping, trials=trials)
        return outcomes(run(journal, trials, curves, np.random.default_rng(arrival), **options))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 14), st.integers(0, 99), st.integers(0, 99), st.integers(1, 6), rules)
def test_who_is_fast_decides_nothing(
    count: int, seed: int, arrival: int, places: int, stopping: Stopping
) -> None:
    curves = curves_for(count, seed)
    one_by_one = play(count, curves, arrival=0, places=1, stopping=stopping)
    assert play(count, curves, arrival=arrival + 1, places=places, stopping=stopping) == one_by_one


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(0, 99), st.lists(st.integers(1, 15), min_size=1, max_size=4))
def test_a_sweep_that_was_cut_off_ends_as_an_undisturbed_one(count: int, seed: int, cuts: list[int]) -> None:
    curves = curves_for(count, seed)
    trials = [planned(index, ("unet", "unetpp")[index % 2]) for index in range(count)]
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        ledger = Path(folder) / "ledger.jsonl"
        for number, steps in enumerate(cuts):
            generator = np.random.default_rng([seed, number])
            run(journal_at(ledger, epochs=EPOCHS), trials, curves, generator, steps=steps)
            with ledger.open("ab") as file:
                file.write(b'{"event":"epoch","trial_id":"00')  # killed in the middle of a line
        resumed = run(journal_at(ledger, epochs=EPOCHS), trials, curves, np.random.default_rng(seed))
        assert outcomes(resumed) == play(count, curves, arrival=1)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 8), st.integers(0, 99), st.floats(0, 1), st.sampled_from(EVENTS), rules)
def test_a_sweep_whose_ledger_ends_after_any_line_ends_as_an_undisturbed_one(
    count: int, seed: int, share: float, event: str, stopping: Stopping
) -> None:
    curves = curves_for(count, seed)
    trials = [planned(index) for index in range(count)]
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        ledger = Path(folder) / "ledger.jsonl"
        journal = journal_at(ledger, epochs=EPOCHS, stopping=stopping, trials=trials)
        whole = outcomes(run(journal, trials, curves, generator_of(seed)))
        lines = ledger.read_bytes().splitlines(keepends=True)
        ends = [end for end, line in enumerate(lines, start=1) if f'"event":"{event}"'.encode() in line]
        ledger.write_bytes(b"".join(lines[: ends[int(share * (len(ends) - 1))]] if ends else lines))
        again = journal_at(ledger, epochs=EPOCHS, stopping=stopping, trials=trials)
        assert outcomes(run(again, trials, curves, generator_of(seed + 1))) == whole


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 14), st.integers(0, 99), st.floats(-1, 1))
def test_no_trial_is_stopped_for_another_stratums_figure(count: int, seed: int, shift: float) -> None:
    curves = curves_for(count, seed)
    shifted = {
        name: [value + shift for value in curve] if int(name) % 2 else curve for name, curve in curves.items()
    }
    first, second = play(count, curves, arrival=2), play(count, shifted, arrival=3)
    assert {n: o for n, o in first.items() if int(n) % 2 == 0} == {
        n: o for n, o in second.items() if int(n) % 2 == 0
    }


@settings(deadline=None)
@given(st.integers(1, 10), st.integers(0, 99))
def test_the_first_trial_of_a_stratum_and_one_better_than_all_before_are_never_stopped(
    count: int, seed: int
) -> None:
    curves = {name: sorted(curve) for name, curve in curves_for(count, seed).items()}
    curves[f"{count - 1:04d}"] = [2.0] * EPOCHS
    ended = play(count, curves, arrival=seed)
    for name in ("0000", "0001", f"{count - 1:04d}"):
        if name in ended:
            assert ended[name] == ("completed", None, EPOCHS)


def test_one_in_three_goes_on_at_each_rung(tmp_path: Path) -> None:
    trials = [planned(index) for index in range(9)]
    curves = {trial.trial_id: [0.9 - 0.1 * trial.index] * EPOCHS for trial in trials}
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=EPOCHS)
    records = run(journal, trials, curves, np.random.default_rng(0)).trials
    # The best comes first here, so that each later one is judged against all that matter.
    assert [records[f"{i:04d}"].outcome for i in range(9)] == ["completed"] + ["stopped"] * 8
    judged = records["0005"].judged[1]
    assert (judged.rank, judged.of, judged.kept) == (6, 6, 2)


def test_a_trial_waits_for_an_earlier_one_and_is_then_judged(tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=EPOCHS)
    for index in range(2):
        journal.start(planned(index))
    assert journal.report("0001", 1, figures(0.3), last=False) is Decision.WAIT
    assert journal.report("0000", 1, figures(0.6), last=False) is Decision.CONTINUE
    assert journal.decide("0001") is Decision.STOP
    assert journal.records.trials["0001"].rung_epoch == 1


def test_a_failed_trial_is_no_longer_waited_for_and_never_counts(tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=EPOCHS)
    for index in range(2):
        journal.start(planned(index))
    assert journal.report("0001", 1, figures(0.1), last=False) is Decision.WAIT
    journal.fail("0000", "the loss became nan")
    assert journal.decide("0001") is Decision.CONTINUE
    assert journal.records.trials["0000"].reason == "the loss became nan"


@pytest.mark.parametrize("strange", [math.nan, math.inf])
def test_a_trial_whose_figure_is_no_number_fails_and_is_never_promoted(
    tmp_path: Path, strange: float
) -> None:
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=EPOCHS)
    for index in range(2):
        journal.start(planned(index))
    assert journal.report("0000", 1, figures(strange), last=False) is Decision.STOP
    assert journal.report("0001", 1, figures(0.1), last=False) is Decision.CONTINUE
    record = journal.records.trials["0000"]
    assert (record.outcome, record.judged, record.epochs) == ("failed", {}, {})
    assert record.reason == f"epoch 1: relaxed_f1 is {strange}"
    assert journal.records.trials["0001"].judged[1].of == 1


def test_a_worker_may_die_often_but_not_thrice_without_an_epoch_between(tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=EPOCHS, stopping=NoStopping())
    journal.start(planned(0))
    for epoch in range(1, 6):
        journal.report("0000", epoch, figures(0.3), last=False)
        journal.crash("0000", "the worker died")
        journal.report("0000", epoch, figures(0.3), last=False)  # repeated from the checkpoint
        journal.crash("0000", "the worker died")
    assert journal.records.trials["0000"].outcome is None
    journal.report("0000", 5, figures(0.3), last=False)
    journal.crash("0000", "the worker died again")
    assert journal.records.trials["0000"].outcome == "failed"
    assert journal.records.trials["0000"].reason == "the worker died again"


def test_a_sweep_that_is_begun_again_gives_each_trial_its_tries_anew(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    for _ in range(3):
        journal = journal_at(path, epochs=EPOCHS, stopping=NoStopping())
        journal.start(planned(0))
        for _ in range(2):
            journal.crash("0000", "the worker died")
    assert journal.records.trials["0000"].outcome is None
    assert journal.records.trials["0000"].crashes_in_all == 6


def test_want_of_storage_halts_the_sweep_and_fails_no_trial(tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=EPOCHS, stopping=NoStopping())
    journal.start(planned(0))
    for _ in range(3):
        assert journal.halted is None
        journal.report("0000", 1, figures(0.3), last=False)
        journal.note_storage_error("0000", "/store: cannot be written (No space left on device)")
    assert journal.halted is not None
    assert journal.halted.startswith("/store: cannot be written (No space left on device); make room")
    assert journal.records.trials["0000"].outcome is None


def test_a_ledger_that_cannot_be_written_halts_the_sweep(tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "gone" / "ledger.jsonl", epochs=EPOCHS)
    with pytest.raises(
        ResourceError, match=r"ledger\.jsonl: cannot be written .* the same command"
    ) as caught:
        journal.start(planned(0))
    assert journal.halted == str(caught.value)
    assert not journal.records.trials


def test_a_report_that_comes_twice_counts_once(tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=2, stopping=NoStopping())
    journal.start(planned(0))
    for _ in range(3):
        journal.report("0000", 1, figures(0.3), last=False)
    events = [json.loads(line)["event"] for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert events == ["began", "started", "epoch"]


def test_without_stopping_every_trial_completes(tmp_path: Path) -> None:
    trials = [planned(index) for index in range(5)]
    curves = curves_for(5, 1)
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=EPOCHS, stopping=NoStopping())
    ended = outcomes(run(journal, trials, curves, np.random.default_rng(0)))
    assert set(ended.values()) == {("completed", None, EPOCHS)}


def test_a_line_that_is_no_event_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"event": "party"}\n')
    with pytest.raises(StudyError, match=r"ledger\.jsonl: line 1 is no event"):
        journal_at(path, epochs=EPOCHS)


def test_a_journal_in_a_snapshot_holds_nothing() -> None:
    assert Journal.__new__(Journal).__getstate__() == {}
