"""Recorded series, which an imagined episode follows from the row of the dataset that it started from."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import offline_envs  # noqa: F401  registers the environments
from offline_envs.data import Transitions
from offline_envs.envs import check_vector_env, rollout
from offline_envs.errors import SettingsError
from offline_envs.evaluation import ReturnPredictor
from offline_envs.mdp import STARTS
from offline_envs.policies import UniformPolicy
from tests.toy import toy_ensemble, toy_options, toy_transitions

ACTION = np.zeros(1, np.float32)
STILL = toy_ensemble(((1.0, 0.0, 0.0),) * 3, ((1e-6,) * 3,) * 3)


def priced() -> Transitions:
    """The toy's three episodes of three steps, with a price as obs₁: 10·episode + t²."""
    toy = toy_transitions()
    obs, next_obs = (
        torch.stack([part[:, 0], 10 * part[:, 1] + part[:, 0] ** 2], dim=1)
        for part in (toy.obs, toy.next_obs)
    )
    return replace(toy, obs=obs, next_obs=next_obs)


def options(**changes: Any) -> dict[str, Any]:
    return toy_options(dataset=priced(), model=STILL, known={"1": "replayed"}, **changes)


def test_an_episode_follows_the_series_of_its_row() -> None:
    """From the second row of the third episode: prices 21, 24 and 29, and then none."""
    env = gym.make("LearnedModel-v0", **options())
    obs, _ = env.reset(seed=0, options={"row": 7})
    assert obs.tolist() == [1.0, 21.0]
    steps = [env.step(ACTION) for _ in range(2)]
    assert [step[0].round(4).tolist() for step in steps] == [[1.0, 24.0], [1.0, 29.0]]
    assert [step[2:4] for step in steps] == [(False, False), (False, True)]


def test_a_given_observation_needs_the_row_that_it_follows() -> None:
    env = gym.make("LearnedModel-v0", **options())
    given = np.array([5.0, -1.0], np.float32)
    env.reset(seed=0, options={"obs": given, "row": 0})
    assert env.step(ACTION)[0].round(4).tolist() == [5.0, 1.0]
    with pytest.raises(SettingsError, match=r"options\['obs'\] needs options\['row'\]"):
        env.reset(options={"obs": given})
    for row in (9, -1, 0.5, [0], True):
        with pytest.raises(SettingsError, match=r"must be integers of shape \(\) from 0 to 8"):
            env.reset(options={"row": row})
    plain = gym.make("LearnedModel-v0", **toy_options())
    with pytest.raises(SettingsError, match="Unknown option of reset 'row'"):
        plain.reset(options={"row": 0})


@pytest.mark.parametrize("start", ["dataset", "initial"])
@pytest.mark.parametrize("mode", ["SameStep", "NextStep", "Disabled"])
def test_every_row_follows_its_own_series(start: str, mode: str) -> None:
    """Against a plain loop: the price after t steps, and the end of the recorded episode."""
    envs = gym.make_vec("LearnedModel-v0", num_envs=40, autoreset_mode=mode, **options(start=start))
    obs, _ = envs.reset(seed=0)
    starts, ended_before = set(), np.zeros(40, bool)
    episode, time = obs[:, 1] // 10, obs[:, 0].copy()  # the model does not move obs₀
    for _ in range(9):
        fresh = ended_before if mode == "NextStep" else np.zeros(40, bool)
        next_obs, _, terminated, truncated, infos = envs.step(np.zeros((40, 1), np.float32))
        true = infos.get("final_obs", next_obs)
        time = np.where(fresh, time, time + 1)
        expected = 10 * episode + time**2
        np.testing.assert_allclose(true[~fresh, 1], expected[~fresh], rtol=1e-6)
        assert not terminated.any()
        assert (truncated == ((time == 3) & ~fresh)).all()
        if mode == "Disabled" and truncated.any():
            next_obs, _ = envs.reset(options={"reset_mask": truncated})
        again = fresh if mode == "NextStep" else truncated
        episode, time = np.where(again, next_obs[:, 1] // 10, episode), np.where(again, next_obs[:, 0], time)
        starts |= set(next_obs[again, 0].tolist())
        ended_before = truncated
    assert starts == ({0.0} if start == "initial" else {0.0, 1.0, 2.0})


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("mode", ["SameStep", "NextStep", "Disabled"])
def test_keeps_the_rules_of_vector_environments(mode: str, output: str) -> None:
    choice = options(autoreset_mode=mode, output=output, step_infos=True)
    check_vector_env(gym.make_vec("PenalizedModel-v0", num_envs=4, **choice), n_steps=12)


def test_the_numbers_of_starts_are_those_without_replay() -> None:
    first, second = (
        gym.make_vec("LearnedModel-v0", num_envs=9, **{**options(), "known": known}).reset(seed=5)[0]
        for known in (None, {1: "replayed"})
    )
    assert first.tolist() == second.tolist()


def test_a_saved_state_knows_the_rows() -> None:
    envs: Any = gym.make_vec("LearnedModel-v0", num_envs=6, autoreset_mode="SameStep", **options())
    envs.reset(seed=0)
    envs.step(np.zeros((6, 1), np.float32))
    state = envs.unwrapped.state_dict()
    course = [envs.step(np.zeros((6, 1), np.float32))[0].tolist() for _ in range(4)]
    other: Any = gym.make_vec("LearnedModel-v0", num_envs=6, autoreset_mode="SameStep", **options())
    other.unwrapped.load_state_dict(state)
    assert [other.step(np.zeros((6, 1), np.float32))[0].tolist() for _ in range(4)] == course


def test_rollouts_and_predicted_returns_follow_too() -> None:
    """An episode of the data has three steps, each worth 1."""
    envs: Any = gym.make_vec("LearnedModel-v0", num_envs=3, output="torch", **options())
    policy = UniformPolicy(envs.single_action_space, torch.Generator().manual_seed(0))
    found = rollout(policy, 20, 8, within=envs, seed=0)
    recorded = {
        (float(o), float(n)) for o, n in zip(priced().obs[:, 1], priced().next_obs[:, 1], strict=True)
    }
    pairs = zip(found.obs[..., 1].flatten().tolist(), found.next_obs[..., 1].flatten().tolist(), strict=True)
    assert set(pairs) == recorded
    real = gym.make("Pendulum-v1")  # whose time limit is 200
    assert ReturnPredictor(envs.unwrapped, policy, real).mean() == pytest.approx(3.0, abs=1e-3)


def test_what_follows_no_episode_says_so() -> None:
    env: Any = gym.make("LearnedModel-v0", **options()).unwrapped
    with pytest.raises(SettingsError, match="step an environment, or give the bare MDP rows="):
        env.mdp.step(priced().obs, priced().actions, torch.Generator())
    step = env.mdp.step(priced().obs, priced().actions, torch.Generator(), rows=torch.arange(9))
    assert torch.equal(step.next_obs[:, 1], priced().next_obs[:, 1])
    assert step.truncated.tolist() == [False, False, True] * 3


def test_starts_whose_rows_are_unknown_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STARTS._entries, "tests/middle", lambda transitions: transitions.obs[1::3])
    with pytest.raises(SettingsError, match="need start='dataset' or 'initial'"):
        gym.make("LearnedModel-v0", **options(start="tests/middle"))
