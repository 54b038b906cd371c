import json
import math
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import offline_envs  # noqa: F401  registers the environments
from offline_envs.dynamics import Measure, UnknownDetector, store
from offline_envs.envs import LearnedEnv, LearnedVectorEnv
from offline_envs.errors import SettingsError
from offline_envs.methods import HaltCounter, HaltUnknown, Penalize, halt_reward
from offline_envs.methods.halt import Halt
from tests.methods.rows import APART, changed, four_rows, half
from tests.toy import halting_options, toy_ensemble, toy_options

ACTION = np.zeros(1, np.float32)


def course_of(env: gym.Env[Any, Any], obs: tuple[float, float], n_steps: int) -> list[Any]:
    """Reward, termination and what the info says of halting, of each step from `obs`."""
    env.reset(seed=0, options={"obs": np.array(obs, np.float32)})
    course = []
    for _ in range(n_steps):
        _, reward, terminated, _, info = env.step(ACTION)
        course.append((round(float(reward), 3), terminated, info["halted"], round(info["disagreement"], 3)))
    return course


def test_episode_is_halted_where_members_disagree_too_much() -> None:
    """The threshold is 2.5, and obs₀ is 0, 1, 2, 3; the lowest reward of the data is −4."""
    env = gym.make("PessimisticModel-v0", **halting_options())
    known = [(1.0, False, False, float(t)) for t in range(3)]
    assert course_of(env, (0.0, 0.0), 4) == [*known, (-104.0, True, True, 3.0)]
    assert course_of(env, (-3.0, 0.0), 1) == [(-104.0, True, True, 3.0)]
    assert course_of(env, (0.0, 9.0), 1) == [(1.0, False, False, 0.0)]


def test_successor_of_a_halt_is_what_the_model_predicted() -> None:
    env = gym.make("PessimisticModel-v0", **halting_options(kappa=30.0))
    env.reset(seed=0, options={"obs": np.array([3.0, 5.0], np.float32)})
    obs, reward, _, _, info = env.step(ACTION)
    assert obs.tolist() == pytest.approx([4.0, 5.0], abs=1e-4)
    assert reward == -34.0
    assert info["raw_reward"] == pytest.approx(1.0, abs=1e-4)
    assert (info["penalty"], info["threshold"]) == (0.0, pytest.approx(2.5))


def test_absorbing_halt() -> None:
    env = gym.make("PessimisticModel-v0", **halting_options(absorbing=True, gamma=0.9, kappa=6.0))
    assert course_of(env, (3.0, 0.0), 1)[0][0] == pytest.approx(-100.0)  # (−4 − 6) / 0.1


def test_rows_of_a_vector_halt_by_themselves() -> None:
    envs = gym.make_vec(
        "PessimisticModel-v0", num_envs=3, step_infos=True, **halting_options(autoreset_mode="SameStep")
    )
    envs.reset(seed=0, options={"obs": np.array([[2.0, 0.0], [3.0, 1.0], [0.0, 2.0]], np.float32)})
    obs, rewards, terminations, truncations, infos = envs.step(np.zeros((3, 1), np.float32))
    assert terminations.tolist() == infos["halted"].tolist() == [False, True, False]
    assert rewards.round(3).tolist() == [1.0, -104.0, 1.0]
    assert not truncations.any()
    assert infos["disagreement"].round(3).tolist() == [2.0, 3.0, 0.0]
    assert infos["threshold"].tolist() == [2.5] * 3
    assert infos["final_obs"].round(3).tolist() == [[3.0, 0.0], [4.0, 1.0], [1.0, 2.0]]
    assert obs[1, 0] == 0.0  # the next episode starts where one of the dataset does
    assert infos["final_obs"].dtype == np.float32


def test_halts_are_counted() -> None:
    """From obs₀ = 0 the fourth step halts, in every row and every episode."""
    envs = gym.make_vec("PessimisticModel-v0", num_envs=3, **halting_options(autoreset_mode="SameStep"))
    envs.reset(seed=0)
    for _ in range(10):
        envs.step(np.zeros((3, 1), np.float32))
    learned = envs.unwrapped
    assert isinstance(learned, LearnedVectorEnv)
    counter = learned.monitor
    assert isinstance(counter, HaltCounter)
    assert (counter.n_halted, counter.n_episodes, counter.n_steps) == (6, 6, 30)
    single = gym.make("PessimisticModel-v0", max_episode_steps=3, **halting_options())
    course_of(single, (0.0, 0.0), 3)  # cut by the time limit
    course_of(single, (2.0, 0.0), 2)
    alone = single.unwrapped
    assert isinstance(alone, LearnedEnv)
    counter = alone.monitor
    assert isinstance(counter, HaltCounter)
    assert (counter.n_halted, counter.n_episodes, counter.n_steps) == (1, 2, 5)


def test_starts_and_horizon_are_the_papers() -> None:
    env = gym.make("PessimisticModel-v0", **halting_options())
    assert env.spec is not None
    assert env.spec.max_episode_steps == 500
    assert {float(env.reset(seed=seed)[0][0]) for seed in range(20)} == {0.0}
    anywhere = gym.make("PessimisticModel-v0", **halting_options(start="dataset"))
    assert {float(anywhere.reset(seed=seed)[0][0]) for seed in range(20)} == {0.0, 1.0, 2.0}


def test_the_default_threshold_is_ten_deviations_above_the_mean() -> None:
    """Disagreements are 0, 1 and 2 in raw units."""
    options = {**toy_options(), "model": halting_options()["model"], "units": "raw"}
    env: Any = gym.make("PessimisticModel-v0", **options).unwrapped
    assert env.mdp.transform.detector.threshold == pytest.approx(1 + 10 * (2 / 3) ** 0.5, rel=1e-5)


def test_a_second_environment_computes_no_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    gym.make("PessimisticModel-v0", **halting_options())
    monkeypatch.setattr(store, "dataset_disagreement", None)  # which cannot be called
    for rule in ({"quantile": 0.5}, {"mean_std": 3.0}):
        gym.make("PessimisticModel-v0", **halting_options(threshold=rule))


def test_exploded_rows_halt_where_the_pair_is_unknown() -> None:
    """Far from the data the model predicts nonsense; that must not cost less than leaving the data does."""
    envs = gym.make_vec("PessimisticModel-v0", num_envs=2, step_infos=True, **halting_options())
    envs.reset(seed=0, options={"obs": np.array([[1e6, 0.0], [0.0, 1e6]], np.float32)})
    _, rewards, terminations, _, infos = envs.step(np.zeros((2, 1), np.float32))
    assert infos["exploded"].tolist() == terminations.tolist() == [True, True]
    assert infos["halted"].tolist() == [True, False]
    assert rewards.tolist() == [-104.0, -4.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kappa": -1.0}, "kappa must be 0 or more, got -1.0"),
        ({"kappa": math.inf}, "kappa must be finite, got inf"),
        ({"gamma": 1.0}, r"gamma must be 0 or more and below 1, got 1\.0"),
        ({"units": "m"}, r"Unknown units 'm'\. Valid: raw, std"),
        ({"halt_members": "best"}, r"Unknown halt_members 'best'\. Valid: all, elites"),
        ({"threshold": {}}, "one rule with its value"),
        ({"member": "run"}, r"Unknown member 'run'\. Valid: episode, step"),
    ],
)
def test_bad_settings_are_refused_before_any_work(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        gym.make("PessimisticModel-v0", **{**toy_options(), "dataset": "no/such-v0", **settings})


def test_a_single_elite_cannot_disagree_with_itself() -> None:
    options = toy_options(model=toy_ensemble(elites=(1,)), halt_members="elites")
    with pytest.raises(SettingsError, match="at least two members"):
        gym.make("PessimisticModel-v0", **options)


def test_settings_are_json() -> None:
    settings = {k: v for k, v in vars(Halt(threshold={"quantile": 0.9})).items()}
    assert Halt(**json.loads(json.dumps(settings))) == Halt(**settings)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_real_data_are_known_and_random_far_states_are_not(tiny_model: Path, elsewhere: bool) -> None:
    demo = "offline-envs/inverteddoublependulum-replay-v0"
    env: Any = gym.make("PessimisticModel-v0", dataset=demo, model=str(tiny_model)).unwrapped
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(20_000, (1000,), generator=generator)
    obs, action = env.transitions.obs[rows], env.transitions.actions[rows]
    if elsewhere:
        obs = obs + 100 * torch.randn(obs.shape, generator=generator)
    rate = float(env.mdp.step(obs, action, generator).extras["halted"].float().mean())
    assert rate > 0.9 if elsewhere else rate < 0.01


def test_halt_ends_unknown_rows_with_its_reward() -> None:
    halted = changed(HaltUnknown(UnknownDetector(torch.ones(2), 4.9), -104.0), four_rows(), APART)
    assert halted.extras["halted"].tolist() == [False, True, False, True]
    assert halted.reward.tolist() == [1.0, -104.0, -4.0, -104.0]  # leaving the data far behind is no cheaper
    assert halted.terminated.tolist() == [False, True, True, True]
    assert halted.extras["disagreement"].tolist() == [0.0, 5.0, 0.0, 5.0]
    assert halted.raw_reward.tolist() == [1.0, 2.0, -4.0, -4.0]
    assert torch.equal(halted.next_obs, torch.ones(4, 2))


def test_penalty_and_halt_give_the_same_in_either_order() -> None:
    halt, penalize = HaltUnknown(UnknownDetector(torch.ones(2), 4.9), -104.0), Penalize(2.0, Measure(half))
    first = changed(penalize, changed(halt, four_rows(), APART), APART)
    second = changed(halt, changed(penalize, four_rows(), APART), APART)
    assert first.reward.tolist() == [0.0, -104.0, -4.0, -104.0]
    assert first.penalty.tolist() == [1.0, 0.0, 0.0, 0.0]
    for a, b in zip(first._tensors(), second._tensors(), strict=True):
        assert torch.equal(a, b)


def test_reward_of_a_halt() -> None:
    assert halt_reward(-4.0, 100.0) == -104.0
    assert halt_reward(-4.0, 100.0, gamma=0.5) == -104.0


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
def test_absorbing_halt_pays_the_sum_of_its_rewards_for_ever(gamma: float) -> None:
    """Against the sum itself, −104 · (1 + γ + γ² + …), over 5000 steps."""
    total = sum(-104.0 * gamma**t for t in range(5000))
    assert halt_reward(-4.0, 100.0, absorbing=True, gamma=gamma) == pytest.approx(total, rel=1e-6)
