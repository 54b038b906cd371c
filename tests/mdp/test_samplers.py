"""Episodes that follow one elite each; the numbers of the others stay what they were."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import offline_envs  # noqa: F401  registers the environments
from tests.toy import ELITES, MEANS, STDS, toy_ensemble, toy_options, toy_transitions

ACTION = np.zeros(1, np.float32)
TINY = ((1e-6,) * 3,) * 3
LARGEST_SEED = 2**63 - 1


def rewards_of(env: gym.Env[Any, Any], n_steps: int = 6, n_episodes: int = 20) -> list[set[int]]:
    """Which rewards each episode pays: member 0 pays 1 and member 2 pays 4."""
    env.reset(seed=0)
    episodes = []
    for _ in range(n_episodes):
        episodes.append({round(float(env.step(ACTION)[1])) for _ in range(n_steps)})
        env.reset()
    return episodes


def test_an_episode_follows_one_elite_or_many() -> None:
    options = toy_options(model=toy_ensemble(stds=TINY), max_episode_steps=-1)
    episodes = rewards_of(gym.make("LearnedModel-v0", member="episode", **options))
    assert all(len(rewards) == 1 for rewards in episodes)
    assert set.union(*episodes) == {1, 4}
    assert {1, 4} in rewards_of(gym.make("LearnedModel-v0", **options))


@pytest.mark.parametrize("member", ["step", "episode"])
def test_numbers_by_hand(member: str) -> None:
    """Start, then elite and noise of each step; an episode's elite is drawn once, after its start."""
    env = gym.make("LearnedModel-v0", member=member, **toy_options())
    obs, _ = env.reset(seed=7)
    seed = int(np.random.Generator(np.random.PCG64(np.random.SeedSequence(7))).integers(LARGEST_SEED))
    generator = torch.Generator().manual_seed(seed)
    expected = toy_transitions().obs[torch.randint(9, (1,), generator=generator)]
    assert obs.tolist() == expected[0].tolist()
    elite = torch.randint(2, (1,), generator=generator) if member == "episode" else None
    for _ in range(3):
        drawn = torch.randint(2, (1,), generator=generator) if elite is None else elite
        noise = torch.randn((1, 3), generator=generator)
        chosen = ELITES[int(drawn)]
        outcome = torch.tensor(MEANS)[chosen] + torch.tensor(STDS)[chosen] * noise
        expected = expected + outcome[:, 1:]
        obs, reward, *_ = env.step(ACTION)
        assert reward == pytest.approx(float(outcome[0, 0]), rel=1e-5)
        np.testing.assert_allclose(obs, expected[0], rtol=1e-5, atol=1e-5)


def test_rows_keep_their_elite_until_they_restart() -> None:
    options = toy_options(model=toy_ensemble(stds=TINY), member="episode", autoreset_mode="Disabled")
    envs = gym.make_vec("LearnedModel-v0", num_envs=40, max_episode_steps=-1, **options)
    envs.reset(seed=0)

    def step() -> list[int]:
        return [round(float(r)) for r in envs.step(np.zeros((40, 1), np.float32))[1]]

    before = step()
    assert step() == before
    mask = np.arange(40) < 20
    envs.reset(options={"reset_mask": mask})
    after = step()
    assert after[20:] == before[20:]
    assert after[:20] != before[:20]
    assert step() == after


def test_the_same_elites_are_followed_whoever_else_is_asked() -> None:
    """A penalty looks at all members; the episode must be the one of the learned environment."""
    courses = []
    for env_id in ("LearnedModel-v0", "PenalizedModel-v0"):
        env = gym.make(env_id, member="episode", **toy_options())
        env.reset(seed=1)
        courses.append([env.step(ACTION)[0].tolist() for _ in range(4)])
    assert courses[0] == courses[1]
