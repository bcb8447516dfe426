"""What a member scored, written on its own card: whoever is handed the member sees how good it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from glsweep.config.trial import Stratum
from glsweep.nets.member import load_card_of, write_card
from glsweep.study import Study

PATCH_FIGURES = ("relaxed_f1", "dice", "bf")
LINE_FIGURES = ("lines_km", "reference_km", "mean_m", "completeness_200", "completeness_500", "false_km_200")


def write_on_cards(
    study: Study, strata: Sequence[Stratum], table: Mapping[str, Any], lines: Mapping[str, Any] | None
) -> None:
    """Write each member's figures on test ground to its card, by data set.

    Parameters
    ----------
    study : Study
        Whose members were tested.
    strata : sequence of Stratum
        One a member.
    table, lines : mapping
        What `table.json` and `lines.json` hold; no `lines` without whole test scenes.
    """
    own = study.config.card.name
    for stratum in strata:
        tested: dict[str, dict[str, float]] = {}
        rows = [row for row in table["by_data_set"] or table["rows"] if row["kind"] == "network"]
        for row in rows:
            if row["stratum"] == stratum.key:
                tested[row.get("data_set", own)] = {name: row[name] for name in PATCH_FIGURES}
        for group in _groups(lines, stratum):
            pooled = {name: group["pooled"][name] for name in LINE_FIGURES}
            known = {f"scenes.{name}": value for name, value in pooled.items() if value is not None}
            tested.setdefault(group["data_set"], {}).update(known)
        folder = study.member(stratum)
        write_card(folder, load_card_of(folder).model_copy(update={"tested": tested}))


def _groups(lines: Mapping[str, Any] | None, stratum: Stratum) -> list[Mapping[str, Any]]:
    members = [] if lines is None else lines["members"]
    return [group for one in members if one["stratum"] == stratum.key for group in one["data_sets"]]
