"""A trial begins with the weights of its seed, and with the optimiser that its parameters ask for."""

import pytest
import torch
from made_patches import parameters

from glsweep.nets import build_network
from glsweep.training.state import Adam, fresh_state

CPU = torch.device("cpu")


def weights_of(state):
    return torch.cat([p.detach().flatten() for p in state.network.parameters()])


@pytest.mark.parametrize("architecture", ["unet", "attention_unet", "unetpp"])
def test_the_seed_of_a_trial_decides_its_first_weights(architecture):
    of = parameters(architecture=architecture, base_width=2)
    one, again, other = (weights_of(fresh_state(of, seed=seed, device=CPU)) for seed in (5, 5, 6))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    built = build_network(architecture, in_channels=2, base_width=2, seed=5)
    assert torch.equal(one, torch.cat([p.detach().flatten() for p in built.parameters()]))


@pytest.mark.parametrize("learning_rate", [1e-2, 1e-4])
@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_the_first_step_is_adams_with_the_decay_added_to_the_gradient(learning_rate, weight_decay):
    of = parameters(base_width=2, learning_rate=learning_rate, weight_decay=weight_decay)
    state = fresh_state(of, seed=0, device=CPU)
    before = weights_of(state)
    generator = torch.Generator().manual_seed(1)
    gradients = []
    for parameter in state.network.parameters():
        parameter.grad = torch.empty_like(parameter).copy_(
            0.1 * torch.randn(parameter.shape, generator=generator)
        )
        gradients.append(parameter.grad.flatten())
    state.optimizer.step()
    # Kingma & Ba 2015, algorithm 1: in the first step both moments, corrected, are the gradient's own.
    gradient = torch.cat(gradients) + weight_decay * before
    wanted = before - learning_rate * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(weights_of(state), wanted, rtol=1e-4, atol=1e-3 * learning_rate)


def test_without_a_gradient_only_the_decay_moves_the_weights():
    moved = {}
    for weight_decay in (0.0, 0.1):
        state = fresh_state(parameters(base_width=2, weight_decay=weight_decay), seed=0, device=CPU)
        before = weights_of(state)
        for parameter in state.network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        for _ in range(3):
            state.optimizer.step()
        moved[weight_decay] = float((weights_of(state).abs() - before.abs()).mean())
    assert moved[0.0] == 0
    assert moved[0.1] < -0.01


def test_steps_are_to_the_last_bit_those_of_pytorchs_own_optimiser():
    generator = torch.Generator().manual_seed(1)
    begun = torch.randn(50, generator=generator)
    settings = {"lr": 1e-2, "weight_decay": 0.1, "fused": True}
    weights = [begun.clone().requires_grad_() for _ in range(2)]
    ours, theirs = Adam([weights[0]], **settings), torch.optim.Adam([weights[1]], **settings)
    for _ in range(4):
        gradient = torch.randn(50, generator=generator)
        for parameter, optimizer in zip(weights, (ours, theirs), strict=True):
            optimizer.zero_grad()
            assert parameter.grad is None
            parameter.grad = gradient.clone()
            optimizer.step()
        ours.load_state_dict(ours.state_dict())
        assert torch.equal(*weights)
    assert not torch.equal(weights[0], begun)
    assert ours.state_dict()["param_groups"] == theirs.state_dict()["param_groups"]
