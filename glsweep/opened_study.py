"""A study opened from Python: its trials, its table and its lines as frames, its members as modules."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glsweep import study as studies
from glsweep.config.trial import Stratum
from glsweep.errors import StudyError
from glsweep.nets.member import ModelCard, line_probability, load_card_of, load_member
from glsweep.notebook.study import state_in_words, study_html
from glsweep.prediction.blend import GRID_PX
from glsweep.study import Study
from glsweep.sweep.outcomes import trials_frame
from glsweep.sweep.records import read_records

LOWER_IS_BETTER = ("hd95_px", "mean_m", "median_m", "mad_m")


class MemberModel(nn.Module):
    """A member as one module, with the preprocessing that its card names.

    Attributes
    ----------
    network : nn.Module
        The trained network, from channels to logits.
    card : ModelCard
        Its channels, normalisation, posting, wavelength and threshold `tau`.
    """

    def __init__(self, network: nn.Module, card: ModelCard) -> None:
        super().__init__()
        self.network = network
        self.card = card

    def forward(self, interferogram: Tensor) -> Tensor:
        """Return the probability of a grounding line, float32 (N, H, W), 0 where there is no data.

        Parameters
        ----------
        interferogram : complex Tensor (N, H, W)
            At the card's posting; 0 where there is no data. Sides that 16 does not divide are filled up.
        """
        rows, cols = interferogram.shape[-2:]
        image = torch.stack([interferogram.real, interferogram.imag], dim=1).float()
        image = F.pad(image, (0, -cols % GRID_PX, 0, -rows % GRID_PX))
        return line_probability(self.network, self.card, image)[..., :rows, :cols]


@dataclass(frozen=True)
class OpenedStudy:
    """A study on disk, read when it is asked; nothing is changed, and the study may run meanwhile."""

    study: Study

    def __repr__(self) -> str:
        return f"OpenedStudy({str(self.study.directory)!r}: {state_in_words(self.study)})"

    def _repr_html_(self) -> str:
        return study_html(self.study)

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial: parameters, outcome, epochs, best metric, in the plan's order.

        Raises
        ------
        StudyError
            When its sweep has not begun.
        """
        if not self.study.has_begun:
            raise StudyError(f"{self.study.directory}: its sweep has not begun; run the stage `sweep`")
        records = read_records(self.study.ledger_jsonl)
        return trials_frame(records, self.study.config.space.search.rank_by)

    @property
    def table(self) -> pd.DataFrame:
        """The study's table on test patches, one row a network and baseline.

        Raises
        ------
        StudyError
            When the study has not been evaluated.
        """
        return self._frame(self.study.table_csv)

    @property
    def lines(self) -> pd.DataFrame:
        """How far lines lie from the true ones on whole test scenes, one row a member and scene.

        Raises
        ------
        StudyError
            When no whole test scene has been drawn.
        """
        return self._frame(self.study.lines_csv)

    @property
    def members(self) -> Mapping[str, ModelCard]:
        """The card of each retrained winner, by its stratum, such as `unet-128`."""
        cards = sorted((self.study.directory / "members").glob("*/card.json"))
        return {path.parent.name: load_card_of(path.parent) for path in cards}

    def best(self, metric: str = "relaxed_f1", *, patch_size_px: int | None = None) -> str:
        """Return the member that is best by a metric of the table on test patches.

        Parameters
        ----------
        metric : str
            A column of `table`.
        patch_size_px : int, optional
            Among members of this patch size alone. Metrics of different patch sizes are of different
            test sets, so it must be named where there are several.

        Raises
        ------
        StudyError
            When there is no such metric or member, or several patch sizes.
        """
        rows = self.table[lambda frame: frame["kind"] == "network"]
        sizes = sorted({Stratum.parse(key).patch_size_px for key in rows["stratum"]})
        if patch_size_px is None and len(sizes) > 1:
            raise StudyError(
                f"{self.study.directory}: has members of {', '.join(map(str, sizes))} px, which are scored "
                "on different patches; name one as patch_size_px"
            )
        if metric not in rows:
            raise StudyError(
                f"{self.study.table_csv}: has no metric {metric!r}; it has {', '.join(map(str, rows))}"
            )
        wanted = sizes if patch_size_px is None else [patch_size_px]
        rows = rows[[Stratum.parse(key).patch_size_px in wanted for key in rows["stratum"]]]
        values = pd.to_numeric(rows[metric]).dropna()
        if values.empty:
            raise StudyError(f"{self.study.table_csv}: no member of {wanted} px has the metric {metric!r}")
        at = values.idxmin() if metric in LOWER_IS_BETTER else values.idxmax()
        return str(rows.loc[at, "stratum"])

    def load(self, member: str | None = None) -> MemberModel:
        """Return a member, on the CPU and in evaluation mode; the best one unless named.

        Raises
        ------
        StudyError
            When there is no such member, or it cannot be read.
        """
        known = self.members
        name = self.best() if member is None else member
        if name not in known:
            raise StudyError(f"{self.study.directory}: has no member {name!r}; it has {', '.join(known)}")
        return MemberModel(*load_member(self.study.directory / "members" / name)).eval()

    def _frame(self, path: Path) -> pd.DataFrame:
        if not path.is_file():
            raise StudyError(f"{path}: is not there yet; run the stage `evaluate`")
        return pd.read_csv(path)


def open_study(path: str | Path) -> OpenedStudy:
    """Open a study from its folder.

    Raises
    ------
    StudyError
        When the folder holds no study.
    """
    return OpenedStudy(studies.open_study(Path(path)))
