"""The optimisers of a cohort: each works on one row of a matrix that holds all its network's weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glsweep.training.state import TrainingState


class CohortOptimizer:
    """Clips and steps for each network of a cohort on its own, as its trial's own optimiser does.

    What an optimiser does to a weight depends on no other weight. So a network's parameters can be
    one long row, and a step costs a few operations in place of some for every parameter.

    Parameters
    ----------
    grouped : nn.Module
        What `glsweep.nets.cohort.group` made of the states' networks.
    states : sequence of TrainingState
        Their optimisers are left as they are until `write_back`.
    gradient_clips : sequence of float
        Largest norm of each network's gradient.
    """

    def __init__(
        self, grouped: nn.Module, states: Sequence[TrainingState], gradient_clips: Sequence[float]
    ) -> None:
        names = [name for name, _ in states[0].network.named_parameters()]
        self._parameters = [grouped.get_parameter(name) for name in names]
        self._states, self._clips = states, gradient_clips
        self._weights = self._rows([parameter.detach() for parameter in self._parameters])
        self._optimizers = [
            _on_one_row(state.optimizer, nn.Parameter(row))
            for state, row in zip(states, self._weights, strict=True)
        ]

    def step(self) -> None:
        """Take a step along the gradients that the grouped network has."""
        gradients = self._rows([_gradient(parameter) for parameter in self._parameters])
        for optimizer, gradient, clip in zip(self._optimizers, gradients, self._clips, strict=True):
            (row,) = optimizer.param_groups[0]["params"]
            row.grad = gradient
            torch.nn.utils.clip_grad_norm_(row, clip)
            optimizer.step()
        sizes = [parameter.numel() // len(self._states) for parameter in self._parameters]
        for parameter, columns in zip(self._parameters, self._weights.split(sizes, dim=1), strict=True):
            each = parameter.detach().unflatten(0, (len(self._states), -1))
            each.copy_(columns.unflatten(1, each.shape[1:]))

    def write_back(self) -> None:
        """Set the states' own optimisers to where these are."""
        for state, optimizer in zip(self._states, self._optimizers, strict=True):
            (row,) = optimizer.state.values()
            _write(row, state)

    def _rows(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return a row for each network with what `tensors`, joined as the parameters are, hold of it."""
        return torch.cat([tensor.reshape(len(self._states), -1) for tensor in tensors], dim=1)


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _on_one_row(optimizer: torch.optim.Adam, row: nn.Parameter) -> torch.optim.Adam:
    """Return a copy of `optimizer`, settings and state, for its parameters in one row."""
    (settings,) = optimizer.param_groups
    copy = torch.optim.Adam([{**settings, "params": [row]}])
    states = [optimizer.state.get(parameter, {}) for parameter in settings["params"]]
    for name in states[0]:
        of_each: list[Tensor] = [state[name] for state in states]
        counts_steps = of_each[0].ndim == 0
        copy.state[row][name] = (
            of_each[0].clone() if counts_steps else torch.cat([t.flatten() for t in of_each])
        )
    return copy


def _write(row: dict[str, Tensor], state: TrainingState) -> None:
    parameters = list(state.network.parameters())
    sizes = [parameter.numel() for parameter in parameters]
    for name, values in row.items():
        pieces = [values] * len(sizes) if values.ndim == 0 else values.split(sizes)
        for parameter, piece in zip(parameters, pieces, strict=True):
            of_one = (
                piece.clone()
                if piece.ndim == 0
                else torch.empty_like(parameter).copy_(piece.view(parameter.shape))
            )
            state.optimizer.state[parameter][name] = of_one
