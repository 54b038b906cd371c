from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from sb3_contrib import TQC, TRPO, CrossQ
from stable_baselines3 import DDPG, PPO, SAC, TD3

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.sb3 import SB3ActorCritic, StandardizedObs, standardized_by

AGENTS = [SAC, TQC, CrossQ, TD3, DDPG, TRPO, PPO]
MEAN, STD = [5.0, -300.0, 7.0], [1.0, 200.0, 1.0]


class Still(gym.Env[Any, Any]):
    """An environment to construct agents with, which is never stepped."""

    observation_space = Box(-np.inf, np.inf, (3,), np.float32)
    action_space = Box(-1.0, 1.0, (2,), np.float32)


def data() -> Transitions:
    """Four steps whose columns have the means 5, −300, 7 and the deviations 1, 200, 0."""
    obs = torch.tensor([[4.0, -500.0, 7.0], [6.0, -100.0, 7.0], [4.0, -100.0, 7.0], [6.0, -500.0, 7.0]])
    return Transitions(
        obs=obs,
        actions=torch.zeros(4, 2),
        rewards=torch.zeros(4),
        next_obs=obs,
        terminated=torch.zeros(4, dtype=torch.bool),
        episode_starts=torch.tensor([0]),
        action_space=Still.action_space,
    )


def make_agent(kind: Any, **policy: Any) -> Any:
    return kind("MlpPolicy", Still(), device="cpu", seed=0, policy_kwargs={"net_arch": [8], **policy})


def test_the_numbers_are_mean_and_deviation_of_the_dataset() -> None:
    """A constant column is only shifted."""
    assert standardized_by(data())["features_extractor_kwargs"] == {"mean": MEAN, "std": STD}
    features = StandardizedObs(Still.observation_space, MEAN, STD)(data().obs)
    assert features.tolist() == [[-1, -1, 0], [1, 1, 0], [-1, 1, 0], [1, -1, 0]]


@pytest.mark.parametrize("kind", AGENTS)
def test_an_agent_acts_as_a_plain_one_on_standardised_observations(kind: Any) -> None:
    """With the same seed both have the same weights, as nothing is learned here."""
    agent, plain = make_agent(kind, **standardized_by(data())), make_agent(kind)
    features = (data().obs - torch.tensor(MEAN)) / torch.tensor(STD)
    ours, _ = agent.predict(data().obs.numpy(), deterministic=True)
    theirs, _ = plain.predict(features.numpy(), deterministic=True)
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert np.abs(ours).max() > 1e-3


@pytest.mark.parametrize("kind", [SAC, TQC, TD3])
def test_the_adversarys_view_of_an_agent_is_in_the_models_units(kind: Any) -> None:
    agent, plain = (SB3ActorCritic(make_agent(kind, **more)) for more in (standardized_by(data()), {}))
    obs, action = data().obs, torch.full((4, 2), 0.3)
    features = (obs - torch.tensor(MEAN)) / torch.tensor(STD)
    torch.testing.assert_close(agent.state_value(obs), plain.state_value(features))
    torch.testing.assert_close(agent.action_value(obs, action), plain.action_value(features, action))


def test_nothing_changes_with_mean_0_and_deviation_1() -> None:
    neutral = {"mean": [0.0] * 3, "std": [1.0] * 3}
    agent = make_agent(SAC, features_extractor_class=StandardizedObs, features_extractor_kwargs=neutral)
    found, expected = (
        each.predict(data().obs.numpy(), deterministic=True)[0] for each in (agent, make_agent(SAC))
    )
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("kind", [SAC, TRPO])
def test_a_saved_policy_holds_the_numbers(kind: Any, tmp_path: Path) -> None:
    agent = make_agent(kind, **standardized_by(data()))
    agent.save(tmp_path / "policy.zip")
    again = kind.load(tmp_path / "policy.zip", device="cpu")
    obs = data().obs.numpy()
    found, expected = (each.predict(obs, deterministic=True)[0] for each in (again, agent))
    assert found.tolist() == expected.tolist()
    parts = [v for name, v in again.policy.state_dict().items() if name.endswith("features_extractor.mean")]
    assert parts
    assert all(part.tolist() == MEAN for part in parts)


@pytest.mark.parametrize(("mean", "std"), [([0.0] * 2, [1.0] * 2), ([0.0] * 3, [1.0, 0.0, 1.0])])
def test_numbers_that_cannot_standardise_are_refused(mean: list[float], std: list[float]) -> None:
    with pytest.raises(SettingsError, match="mean and std must hold 3 numbers each, those of std positive"):
        StandardizedObs(Still.observation_space, mean, std)
