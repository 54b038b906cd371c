from typing import Any

import gymnasium as gym
import pytest
import torch
from stable_baselines3 import PPO, SAC
from torch import Tensor

from offline_envs.envs import rollout
from offline_envs.errors import SettingsError
from offline_envs.policies import as_policy
from offline_envs.sb3 import BehaviorCloner, Imitator, SB3VecEnv, imitation
from tests.toy import toy_options


def expert(obs: Tensor) -> Tensor:
    """A known policy within the bounds, of the second observation only."""
    return (obs[:, 1:] / 4).clamp(-1, 1)


def learned(n: int = 2) -> Any:
    return gym.make_vec("LearnedModel-v0", n, **toy_options())


def imitator(agent: Any, envs: Any, **settings: Any) -> Imitator:
    return Imitator(agent, expert, within=envs, **{"rows": 6, "horizon": 4, "epochs": 40, **settings})


def agent_in(envs: Any, kind: Any = SAC) -> Any:
    return kind("MlpPolicy", SB3VecEnv(envs), policy_kwargs={"net_arch": [16]}, seed=0, device="cpu")


def test_the_expert_acts_first_and_labels_what_the_agent_visits_then() -> None:
    """The rows of both rounds are those of `rollout`, the expert's and the agent's as it was by then."""
    envs = learned()
    agent = agent_in(envs)
    found = imitator(agent, envs, seed=3)
    found.round()
    first = rollout(expert, 6, 4, within=envs, seed=3)
    assert torch.equal(found.demonstrations.obs, first.obs.flatten(0, 1))
    assert torch.equal(found.demonstrations.actions, first.action.flatten(0, 1))
    second = rollout(as_policy(agent), 6, 4, within=envs, seed=4)
    found.round()
    assert found.rounds == 2
    assert len(found.demonstrations) == 48
    assert torch.equal(found.demonstrations.obs[24:], second.obs.flatten(0, 1))
    assert torch.equal(found.demonstrations.actions[24:], expert(found.demonstrations.obs[24:]))


@pytest.mark.parametrize("kind", [SAC, PPO])
def test_the_agent_comes_to_act_as_the_expert_does(kind: Any) -> None:
    envs = learned()
    agent = agent_in(envs, kind)
    obs = rollout(expert, 50, 4, within=envs, seed=9).obs.flatten(0, 1)

    def distance() -> float:
        return float((as_policy(agent)(obs) - expert(obs)).square().mean())

    before, found = distance(), imitator(agent, envs, rows=50, epochs=60)
    errors = [found.round() for _ in range(3)]
    assert distance() < before / 4
    assert errors[-1] < before / 4


def test_what_a_round_holds_out_stays_out_of_the_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent keeps what it was fitted to before, so a new holdout would hold rows that it has seen."""
    splits: list[tuple[set[int], set[int]]] = []

    class Noting(BehaviorCloner):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            splits.append((set(self._train.tolist()), set(self._holdout.tolist())))

    monkeypatch.setattr(imitation, "BehaviorCloner", Noting)
    envs = learned()
    found = imitator(agent_in(envs), envs, rows=10, epochs=1)
    for _ in range(3):
        found.round()
    assert [(len(train), len(held)) for train, held in splits] == [(38, 2), (76, 4), (114, 6)]
    assert set().union(*(train for train, _ in splits)).isdisjoint(splits[-1][1])
    assert {row // 40 for row in splits[-1][1]} == {0, 1, 2}


def test_what_cannot_be_imitated_in_is_refused() -> None:
    envs = learned()
    agent = agent_in(envs)
    with pytest.raises(SettingsError, match="rows must be at least 1, got 0"):
        imitator(agent, envs, rows=0)
    with pytest.raises(SettingsError, match="takes place in a learned environment"):
        imitator(agent, gym.make_vec("InvertedDoublePendulum-v5", 2))
    with pytest.raises(SettingsError, match="no demonstrations before the first round"):
        _ = imitator(agent, envs).demonstrations
