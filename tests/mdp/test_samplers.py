"""How an outcome comes out of predictions: elites drawn a step or an episode, means, candidates."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

import offline_envs  # noqa: F401  registers the environments
from offline_envs.dynamics import Prediction
from offline_envs.errors import SettingsError
from offline_envs.mdp import SAMPLERS, Members
from offline_envs.mdp.samplers import Drawn
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


def test_the_mean_sampler_draws_nothing_and_gives_the_mean_of_the_elites() -> None:
    """Elites 2 and 0 pay 4 and 1 and move by (−1.5, 0) and (1.5, 0)."""
    mdp = gym.make("LearnedModel-v0", **toy_options()).unwrapped.mdp.with_means()  # type: ignore[attr-defined]
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    step = mdp.step(torch.ones(3, 2), torch.zeros(3, 1), generator)
    assert step.reward.tolist() == [2.5] * 3
    assert step.next_obs.tolist() == [[1.0, 1.0]] * 3
    assert torch.equal(generator.get_state(), before)


class BestOfTwo:
    """A sampler from outside the package: of two candidates a row, the one of higher reward."""

    def begin(self, n: int, members: Members, generator: torch.Generator) -> None:
        del n, members, generator  # Nothing is kept.

    def draw(self, n: int, members: Members, generator: torch.Generator, kept: Any) -> Drawn:
        del kept  # There is nothing.
        elites = torch.randint(len(members.elites), (n, 2), generator=generator)
        return members.elites[elites], torch.randn(n, 2, 1 + members.model.obs_dim, generator=generator)

    def __call__(
        self, obs: Tensor, action: Tensor, prediction: Prediction, drawn: Drawn, generator: torch.Generator
    ) -> Tensor:
        assert len(obs) == len(action) == prediction.mean.shape[1]
        assert isinstance(generator, torch.Generator)
        member, noise = drawn
        rows = torch.arange(len(obs))[:, None]
        candidates = prediction.mean[member, rows] + prediction.std[member, rows] * noise
        return candidates[rows[:, 0], candidates[..., 0].argmax(dim=1)]


def test_a_sampler_may_choose_among_candidates() -> None:
    """Members 2 and 0 pay 4 and 1: of two draws, three in four have the 4 among them."""
    options = toy_options(model=toy_ensemble(stds=TINY), max_episode_steps=-1)
    envs = gym.make_vec("LearnedModel-v0", num_envs=4000, member=BestOfTwo(), **options)
    envs.reset(seed=0)
    rewards = envs.step(np.zeros((4000, 1), np.float32))[1].round()
    assert set(rewards) == {1.0, 4.0}
    assert 0.72 < (rewards == 4).mean() < 0.78


def test_a_registered_sampler_has_a_name() -> None:
    SAMPLERS.register("tests/best-of-two", BestOfTwo())
    options = toy_options(model=toy_ensemble(stds=TINY))
    env = gym.make("LearnedModel-v0", member="tests/best-of-two", **options)
    assert env.unwrapped.mdp.sampler is SAMPLERS["tests/best-of-two"]  # type: ignore[attr-defined]
    with pytest.raises(SettingsError, match=r"Unknown member 'always'\. Valid: episode, step"):
        gym.make("LearnedModel-v0", member="always", **options)
    with pytest.raises(SettingsError, match=r"Unknown member 3\. Valid: a Sampler, episode, step"):
        gym.make("LearnedModel-v0", member=3, **options)
