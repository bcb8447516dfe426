"""Opening the networks that are to predict, and making sure that they go together."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from glsweep.errors import ConfigError
from glsweep.nets.member import load_member, weights_hash
from glsweep.predict.network import Member
from glsweep.tracking.fetched import fetched_member

EMBEDDED = Path(__file__).with_name("embedded")
"""A network that knows simulated scenes alone; see docs/network.md."""
SAME = 1e-3
"""Relative difference up to which two postings or wavelengths are the same."""


def open_members(names: Sequence[str], device: torch.device) -> list[Member]:
    """Load members from folders, or from MLflow's model registry (`models:/NAME@ALIAS`).

    Raises
    ------
    StudyError
        When one cannot be found or read.
    ConfigError
        When one has no threshold, or two are for other postings or wavelengths.
    """
    members = []
    for name in names:
        with ExitStack() as stack:
            registered = name.startswith("models:")
            folder = stack.enter_context(fetched_member(name)) if registered else Path(name)
            network, card = load_member(folder)
            digits = weights_hash(folder)
        if card.tau is None:
            raise ConfigError(f"{name}: has no threshold yet; run the stage `calibrate`")
        members.append(Member(name, network.to(device), card, digits))
    first = members[0]
    for other in members[1:]:
        for what, one, two, unit in (
            ("posting", first.card.posting_m, other.card.posting_m, "m"),
            ("wavelength", first.card.wavelength_m, other.card.wavelength_m, "m"),
        ):
            if not math.isclose(one, two, rel_tol=SAME):
                raise ConfigError(
                    f"{other.name}: is for a {what} of {two:g} {unit}, {first.name} for {one:g} {unit}; "
                    "predict with each by itself"
                )
    return members


def common_tau(members: Sequence[Member]) -> float:
    """Return the mean of the members' thresholds, which suits the mean of their probabilities."""
    taus = [member.card.tau for member in members if member.card.tau is not None]
    return sum(taus) / len(taus)


def choose_device(asked: str | None) -> torch.device:
    """Return the device that is asked for, or a GPU if there is one.

    Raises
    ------
    ConfigError
        When it is unknown or not there.
    """
    if asked is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(asked)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"--device {asked}: cannot be used ({reason}); leave it out or say cpu") from error
    return device
