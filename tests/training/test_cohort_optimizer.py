"""A row for each network must be clipped and stepped as its own optimiser would."""

import pytest
import torch
from made_patches import parameters

from glsweep.nets.grouped import group, ungroup
from glsweep.training.cohort import CohortOptimizer
from glsweep.training.state import fresh_state

CPU = torch.device("cpu")
SETTINGS = [
    parameters(learning_rate=1e-2, weight_decay=0, gradient_clip=1e-3),
    parameters(learning_rate=1e-4, weight_decay=1e-1, gradient_clip=5),
    parameters(learning_rate=1e-3, weight_decay=1e-5, gradient_clip=1e6),
]


def states():
    return [fresh_state(of, seed=n, device=CPU) for n, of in enumerate(SETTINGS)]


def draw_gradients(network, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        # In memory as the parameter is, which the fused optimiser takes for granted.
        parameter.grad = torch.empty_like(parameter).copy_(torch.randn(parameter.shape, generator=generator))


def step_alone(state, of, seed):
    draw_gradients(state.network, seed)
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), of.gradient_clip)
    state.optimizer.step()


def step_together(grouped, optimizer, some, seeds):
    for state, seed in zip(some, seeds, strict=True):
        draw_gradients(state.network, seed)
    for name, parameter in grouped.named_parameters():
        parameter.grad = torch.cat([state.network.get_parameter(name).grad for state in some])
    optimizer.step()


def assert_close(one, other):
    for name, tensor in one.network.state_dict().items():
        torch.testing.assert_close(other.network.state_dict()[name], tensor, rtol=1e-5, atol=1e-7)
    ours, theirs = other.optimizer.state_dict()["state"], one.optimizer.state_dict()["state"]
    assert ours.keys() == theirs.keys()
    for index, moments in theirs.items():
        assert ours[index].keys() == moments.keys()
        for name, tensor in moments.items():
            torch.testing.assert_close(ours[index][name], tensor, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("steps_before", [(0, 0, 0), (0, 3, 1)])
def test_steps_are_those_of_each_optimiser_alone(steps_before):
    alone, together = states(), states()
    for some in (alone, together):
        for state, of, steps in zip(some, SETTINGS, steps_before, strict=True):
            for step in range(steps):
                step_alone(state, of, seed=100 + step)
    grouped = group([state.network for state in together])
    optimizer = CohortOptimizer(grouped, together, [of.gradient_clip for of in SETTINGS])
    for step in range(4):
        seeds = [10 * step + n for n in range(3)]
        step_together(grouped, optimizer, together, seeds)
        for state, of, seed in zip(alone, SETTINGS, seeds, strict=True):
            step_alone(state, of, seed)
    ungroup(grouped, [state.network for state in together])
    optimizer.write_back()
    for one, other in zip(alone, together, strict=True):
        assert_close(one, other)


def test_the_states_are_left_alone_until_they_are_written_back():
    alone, together = states(), states()
    for some in (alone, together):
        step_alone(some[0], SETTINGS[0], seed=0)
    grouped = group([state.network for state in together])
    optimizer = CohortOptimizer(grouped, together, [of.gradient_clip for of in SETTINGS])
    step_together(grouped, optimizer, together, [1, 2, 3])
    for one, other in zip(alone, together, strict=True):
        assert_close(one, other)


def test_moments_are_kept_in_the_order_in_memory_of_their_weights():
    together = states()
    grouped = group([state.network for state in together])
    optimizer = CohortOptimizer(grouped, together, [1.0] * 3)
    step_together(grouped, optimizer, together, [1, 2, 3])
    optimizer.write_back()
    for parameter, moments in together[0].optimizer.state.items():
        assert moments["exp_avg"].stride() == parameter.stride()
