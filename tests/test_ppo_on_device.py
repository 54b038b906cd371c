"""The maths of `examples/ppo_on_device.py`, against Stable-Baselines3 and by hand; what it waits for."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.distributions import DiagGaussianDistribution
from torch.utils._python_dispatch import TorchDispatchMode

from offline_envs import load_transitions
from offline_envs.mdp import inputs
from tests.test_examples import load

example = load("ppo_on_device")
SETTINGS = example.Settings(**example.SMOKE)
STEPS, N = 7, 3


def test_advantages_are_those_of_stable_baselines3() -> None:
    """Its buffer knows one kind of end, at which the value is 0: here every end is a termination."""
    rng = np.random.default_rng(0)
    reward, value = rng.normal(size=(2, STEPS, N)).astype(np.float32)
    last, ended = rng.normal(size=N).astype(np.float32), rng.random((STEPS, N)) < 0.3
    space = gym.spaces.Box(-1, 1, (1,))
    buffer = RolloutBuffer(STEPS, space, space, "cpu", gae_lambda=0.9, gamma=0.8, n_envs=N)
    buffer.rewards[:], buffer.values[:] = reward, value
    buffer.episode_starts[0], buffer.episode_starts[1:] = 0, ended[:-1]
    buffer.compute_returns_and_advantage(torch.as_tensor(last), ended[-1])
    later = np.concatenate([value[1:], last[None]])
    error = torch.as_tensor(reward + 0.8 * ~ended * later - value)
    found = example.advantages(error, torch.as_tensor(ended), 0.9 * 0.8)
    assert ended[:-1].any()
    assert found.numpy() == pytest.approx(buffer.advantages, abs=1e-5)


def test_an_advantage_ends_with_its_episode() -> None:
    """Errors 1, 2, 4 and a decay of a half; the second episode ends after its second step."""
    errors = torch.tensor([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
    ended = torch.tensor([[False, False], [False, True], [False, False]])
    assert example.advantages(errors, ended, 0.5).tolist() == [[3.0, 2.0], [4.0, 2.0], [4.0, 4.0]]


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [
        (
            1.1,
            2.0,
            -2.2,
            -2.2,
        ),  # within the clip: the plain objective, whose slope in the log-ratio is itself
        (1.5, 2.0, -2.4, 0.0),  # a good action made likely enough
        (0.5, 2.0, -1.0, -1.0),  # a good action made unlikely: no clipping
        (0.5, -2.0, 1.6, 0.0),  # a bad action made unlikely enough
        (1.5, -2.0, 3.0, 3.0),
    ],
)
def test_the_clipped_loss_by_hand(ratio: float, advantage: float, loss: float, slope: float) -> None:
    log_ratio = torch.tensor([math.log(ratio)], requires_grad=True)
    found = example.clipped_loss(log_ratio, torch.tensor([advantage]), 0.2)
    found.backward()
    assert log_ratio.grad is not None
    assert (float(found.detach()), float(log_ratio.grad)) == pytest.approx((loss, slope))


def test_differences_of_log_densities_are_those_of_stable_baselines3() -> None:
    action, *means = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    log_stds = torch.tensor([[-0.5, 0.3], [0.2, -1.0]])
    theirs = [
        DiagGaussianDistribution(2).proba_distribution(*given) for given in zip(means, log_stds, strict=True)
    ]
    expected = theirs[1].log_prob(action) - theirs[0].log_prob(action)
    own = [example.log_density(action, *given) for given in zip(means, log_stds, strict=True)]
    torch.testing.assert_close(own[1] - own[0], expected)


class Counted:
    """Episodes that pay 1 a step: the first terminates at each, the second truncates, the last continues."""

    def step(self, actions: torch.Tensor) -> Any:
        terminated, truncated = torch.tensor([[True, False, False], [False, True, False]])
        return torch.zeros(3, 9), torch.ones(3), terminated, truncated, {"final_obs": torch.ones(3, 9)}


def test_the_value_of_the_last_state_stands_for_what_a_truncation_cuts_off() -> None:
    """A value of 0 at the first observation, and one that is known at the true successor."""
    data = load_transitions(SETTINGS.dataset)
    agent = example.Agent(data, SETTINGS)
    agent.value_unit = torch.tensor(1.0)
    agent.value = lambda obs: 10 * obs[:, 0]
    rows, rewards, _ = example.collect(Counted(), agent, torch.zeros(3, 9), SETTINGS)
    target = rows[-1].reshape(3, 3)
    assert rewards.tolist() == [1.0] * 9
    goes_on = 1 + 0.99 * 10  # every observation is worth 0, but its successor 10
    decay = 0.99 * 0.95
    assert target[:, 0].tolist() == pytest.approx([1.0] * 3)
    assert target[:, 1].tolist() == pytest.approx([goes_on] * 3)
    expected = [goes_on * (1 + decay + decay**2), goes_on * (1 + decay), goes_on]
    assert target[:, 2].tolist() == pytest.approx(expected)


class Reads(TorchDispatchMode):
    """The operations whose result the host would wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types  # Unused.
        if any(name in str(func) for name in ("_local_scalar_dense", "nonzero", "masked_select")):
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


def iterations(device: str) -> Any:
    data = load_transitions(SETTINGS.dataset)
    options = {"output": "torch", "autoreset_mode": "SameStep", "device": device, **SETTINGS.env}
    envs = gym.make_vec("PenalizedModel-v0", SETTINGS.n_envs, dataset=data, progress=False, **options)
    chosen = example.Settings(**example.SMOKE, device=device)
    return example.ppo(envs, example.Agent(data, chosen), chosen)


def test_an_iteration_reads_nothing_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    run = iterations("cpu")
    monkeypatch.setattr(inputs, "is_on_host", lambda tensor: False)  # as on a device
    next(run)
    with Reads() as reads:
        reward = next(run)
    assert reads.found == []
    with reads:
        float(reward)
    assert len(reads.found) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_host_waits_for_no_iteration_on_a_gpu() -> None:
    run = iterations("cuda")
    next(run)  # captures graphs
    next(run)
    torch.cuda.set_sync_debug_mode("error")
    try:
        reward = next(run)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert math.isfinite(float(reward))
