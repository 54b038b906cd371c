"""An agent with values of states alone, as an adversary sees it."""

from typing import Any

import numpy as np
import pytest
import torch
from sb3_contrib import TRPO
from stable_baselines3 import DQN, PPO, SAC

from offline_envs.errors import SettingsError
from offline_envs.sb3 import SB3ActorCritic, SB3VecEnv
from offline_envs.sb3.callbacks.agent_view import SB3StateCritic, agent_view
from tests.sb3.callbacks.test_actor_critic import HIGH, LOW, by_hand
from tests.sb3.toy import CountingVectorEnv


def make_agent(kind: Any, **settings: Any) -> Any:
    envs = SB3VecEnv(CountingVectorEnv([9, 9], horizon=2))
    return kind("MlpPolicy", envs, policy_kwargs={"net_arch": [4]}, device="cpu", seed=0, **settings)


@pytest.mark.parametrize("kind", [TRPO, PPO])
def test_values_are_those_of_states_whatever_the_action(kind: Any) -> None:
    agent = make_agent(kind)
    view, obs = agent_view(agent), torch.randn(50, 2)
    latent = by_hand(agent.policy.mlp_extractor.value_net, obs.double().numpy())
    expected = by_hand(torch.nn.Sequential(agent.policy.value_net), latent)[:, 0]
    np.testing.assert_allclose(view.state_value(obs).numpy(), expected, rtol=1e-4, atol=1e-5)
    for action in (view.act(obs), torch.full((50, 1), HIGH)):
        assert torch.equal(view.action_value(obs, action), view.state_value(obs))


def test_actions_are_samples_clipped_to_their_bounds() -> None:
    agent = make_agent(TRPO)
    with torch.no_grad():
        agent.policy.log_std.fill_(2.0)  # a deviation of 7.4, the bounds are 8 apart
    torch.manual_seed(0)
    actions = agent_view(agent).act(torch.zeros(4000, 2))
    assert actions.shape == (4000, 1)
    mean = agent.policy.get_distribution(torch.zeros(1, 2)).mode().item()
    for bound, outside in ((LOW, actions == LOW), (HIGH, actions == HIGH)):
        z = torch.tensor(abs(bound - mean) / np.exp(2.0))
        share = 1 - torch.distributions.Normal(0.0, 1.0).cdf(z)
        assert outside.float().mean().item() == pytest.approx(share.item(), abs=0.03)


def test_squashed_actions_reach_the_bounds_of_the_environment() -> None:
    agent = make_agent(PPO, use_sde=True)
    agent.policy = agent.policy_class(
        agent.observation_space,
        agent.action_space,
        agent.lr_schedule,
        use_sde=True,
        squash_output=True,
        log_std_init=2.0,
    )
    actions = agent_view(agent).act(torch.randn(2000, 2))
    assert actions.min() < LOW + 0.5
    assert actions.max() > HIGH - 0.5
    assert bool(((actions >= LOW) & (actions <= HIGH)).all())


def test_the_view_fits_the_agent() -> None:
    assert isinstance(agent_view(make_agent(TRPO)), SB3StateCritic)
    assert isinstance(agent_view(make_agent(SAC)), SB3ActorCritic)
    with pytest.raises(SettingsError, match="DQN has no actor"):
        agent_view(DQN("MlpPolicy", "CartPole-v1", device="cpu"))
