"""The contracts of networks and losses, built in or a user's own: what training and prediction rely on."""

from glsweep.contract.losses import check_loss
from glsweep.contract.networks import check_network
from glsweep.contract.verdicts import Verdict, parameters_given

__all__ = ["Verdict", "check_loss", "check_network", "parameters_given"]
