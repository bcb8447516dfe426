"""The sweep of a made study: curves from formulas, stopped by the rules written out plainly."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from made_artifacts import winner
from synthetic_members import QUALITY

from glsweep.config.space import Search
from glsweep.config.trial import Stratum, TrialParameters
from glsweep.search.plan import PlannedTrial
from glsweep.study.artifacts import Winner
from glsweep.sweep.records import Ended, Event, Judged, Reported, Started

FTL = (("0.7", "0.3", "1.33"), ("0.8", "0.2", "1.33"), ("0.85", "0.15", "1.33"))
SEED_NOISE = 0.01
EPOCH_S = 2.1


@dataclass
class MadeSweep:
    """Rows of trials.csv, events of the ledger, and winners, as the sweep's stage leaves them."""

    search: Search
    rng: np.random.Generator
    rows: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    rungs: dict[tuple[str, int], list[float]] = field(default_factory=dict)

    @property
    def sign(self) -> float:
        return -1.0 if self.search.rank_by == "val_loss" else 1.0

    def run(self, index: int, stratum: Stratum, parameters: dict[str, str], ceiling: float, *, fails: bool):
        trial_id = f"{index:04d}-{self.rng.integers(16**8):08x}"
        facts = {
            "configuration": trial_id,
            "index": index,
            "architecture": stratum.architecture,
            "patch_size_px": stratum.patch_size_px,
            "stratum": stratum.key,
            **parameters,
        }
        ended = self._train(trial_id, stratum, facts, ceiling, replicate=0, fails=fails)
        for replicate in range(1, self.search.replicates if ended == "completed" else 1):
            self._train(f"{trial_id}-r{replicate}", stratum, facts, ceiling, replicate=replicate, fails=False)

    def _train(self, trial_id, stratum, facts, ceiling, *, replicate, fails) -> str:
        epochs = np.arange(1, self.search.epochs + 1)
        seeded = ceiling + self.rng.normal(0, SEED_NOISE)
        scores = seeded * (1 - np.exp(-(1 + epochs) / 2.0)) + self.rng.normal(0, 0.003, len(epochs))
        figures = 1 - scores if self.search.rank_by == "val_loss" else scores
        self.events.append(Started(unix_s=self._now(), trial=planned(trial_id, facts, replicate)))
        outcome, rung_epoch, reached = "completed", "", len(epochs)
        for epoch in epochs:
            if fails:
                outcome, reached = "failed", 0
                break
            self._report(trial_id, int(epoch), float(scores[epoch - 1]))
            if replicate == 0 and not self._goes_on(trial_id, stratum, int(epoch), figures[:epoch]):
                outcome, rung_epoch, reached = "stopped", int(epoch), int(epoch)
                break
        ran = self.sign * figures[: max(reached, 1)]
        reason = "the loss became NaN at epoch 1" if fails else ""
        self.events.append(Ended(unix_s=self._now(), trial_id=trial_id, outcome=outcome, reason=reason))
        self.rows.append(
            {
                "trial_id": trial_id,
                **facts,
                "replicate": replicate,
                "outcome": outcome,
                "rung_epoch": rung_epoch,
                "epochs": reached,
                "best_epoch": "" if fails else int(ran.argmax()) + 1,
                "best": "" if fails else repr(float(self.sign * ran.max())),
                "reason": reason,
                "wall_s": round(EPOCH_S * reached, 2),
            }
        )
        return outcome

    def _now(self) -> float:
        return 1.8e9 + len(self.events)

    def _report(self, trial_id: str, epoch: int, score: float) -> None:
        figures = {"relaxed_f1": score, "val_loss": 1 - score, "dice": score / 2}
        figures |= {"epoch_s": EPOCH_S, "micro_batch": 16}
        is_last = epoch == self.search.epochs
        self.events.append(
            Reported(unix_s=self._now(), trial_id=trial_id, epoch=epoch, figures=figures, last=is_last)
        )

    def _goes_on(self, trial_id: str, stratum: Stratum, epoch: int, figures: np.ndarray) -> bool:
        stopping = self.search.scheduler
        if stopping.name == "none" or epoch == self.search.epochs or epoch < stopping.grace_epochs:
            return True
        if stopping.name == "asha" and epoch not in (
            stopping.grace_epochs * stopping.reduction_factor**k for k in range(9)
        ):
            return True
        own = float((self.sign * figures).max())
        peers = self.rungs.setdefault((stratum.key, epoch), [])
        peers.append(own)
        of = len(peers)
        kept = (of + 1) // 2 if stopping.name == "median" else max(1, of // stopping.reduction_factor)
        rank = 1 + sum(value > own for value in peers)
        self.events.append(
            Judged(
                unix_s=self._now(),
                trial_id=trial_id,
                rung_epoch=epoch,
                value=self.sign * own,
                rank=rank,
                of=of,
                kept=kept,
                cutoff=self.sign * sorted(peers, reverse=True)[kept - 1],
            )
        )
        return rank <= kept

    def winners(self, strata: tuple[Stratum, ...]) -> dict[str, Winner]:
        return {s.key: won for s in strata if (won := self._winner(s))}

    def _winner(self, stratum: Stratum) -> Winner | None:
        seeds: dict[str, list[dict[str, Any]]] = {}
        for row in self.rows:
            if row["stratum"] == stratum.key and row["outcome"] == "completed":
                seeds.setdefault(row["configuration"], []).append(row)
        if not seeds:
            return None
        values = {name: np.array([float(row["best"]) for row in mine]) for name, mine in seeds.items()}
        best = max(values, key=lambda name: self.sign * values[name].mean())
        row, mean = seeds[best][0], float(values[best].mean())
        return winner(
            stratum,
            trial_id=row["trial_id"],
            index=row["index"],
            figure=self.search.rank_by,
            value=mean,
            epoch=row["best_epoch"],
            replicates=len(values[best]),
            spread=float(values[best].std(ddof=1)) if len(values[best]) > 1 else None,
        )


def planned(trial_id: str, facts: dict[str, Any], replicate: int) -> PlannedTrial:
    """The trial as the plan has it, from the labels of its row."""
    values = {name: facts[name] for name in TrialParameters.model_fields if name in facts}
    several = {name: tuple(values[name].split(",")) for name in ("channels", "augmentation")}
    weights = (0.1, 0.2, 0.3, 0.4) if values["ds_weights"] == "ramp" else None
    values |= {**several, "ds_weights": weights, "base_width": None}
    return PlannedTrial(
        trial_id=trial_id,
        index=facts["index"],
        seed=0,
        parameters=TrialParameters.model_validate(values),
        replicate=replicate,
    )


def make_sweep(
    search: Search, strata: tuple[Stratum, ...], rng: np.random.Generator, *, failures: bool, repeats: int
) -> MadeSweep:
    """Run `repeats` trials of each loss setting, in shuffled order, with learning rates drawn at random."""
    plan = [
        (stratum, ftl, bce, ds)
        for stratum in strata
        for ftl in FTL
        for bce in ("0.2", "0.35")
        for ds in (("none", "ramp") if stratum.architecture == "unetpp" else ("none",))
        for _ in range(repeats)
    ]
    made = MadeSweep(search, rng)
    for index, place in enumerate(rng.permutation(len(plan))):
        stratum, ftl, bce, ds = plan[place]
        rate = 10 ** rng.uniform(-4, -2)
        ceiling = QUALITY[stratum.architecture] - 0.1 * abs(np.log10(rate) + 3) + 0.1 * (float(bce) - 0.2)
        ceiling = float(np.clip(ceiling + 0.03 * (ds == "ramp") + rng.normal(0, 0.02), 0.05, 0.95))
        parameters = {
            **dict(zip(("fn_weight", "fp_weight", "gamma"), ftl, strict=True)),
            "bce_weight": bce,
            "ds_weights": ds,
            "base_width": "none",
            "learning_rate": f"{rate:.12g}",
            "weight_decay": "1e-05",
            "batch_size": "16",
            "gradient_clip": "1",
            "channels": "real,imag",
            "augmentation": "dihedral",
        }
        made.run(index, stratum, parameters, ceiling, fails=failures and index in (3, 11))
    return made
