"""Unknown rows that are cut: no pessimism, and their value is looked up beyond."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import offline_envs  # noqa: F401  registers the environments
from offline_envs.dynamics import Measure, UnknownDetector
from offline_envs.errors import SettingsError
from offline_envs.methods import Halt, HaltUnknown, Penalize, TruncateUnknown, TruncationCounter
from tests.methods.rows import APART, changed, four_rows, half
from tests.toy import halting_options, toy_options, toy_transitions

ACTION = np.zeros(1, np.float32)
DETECTOR = UnknownDetector(torch.ones(2), 4.9)


def test_unknown_rows_are_cut_and_nothing_else_changes() -> None:
    """The last two rows exploded: they have no successor, so they stay terminated."""
    before = four_rows()
    cut = changed(TruncateUnknown(DETECTOR), before, APART)
    assert cut.extras["halted"].tolist() == [False, True, False, True]
    assert cut.truncated.tolist() == [False, True, False, False]
    assert cut.terminated.tolist() == [False, False, True, True]
    for name in ("reward", "raw_reward", "penalty", "replaced", "exploded", "next_obs"):
        assert torch.equal(getattr(cut, name), getattr(before, name))


def test_a_row_that_was_truncated_stays_so() -> None:
    before = four_rows()._replace(truncated=torch.tensor([True, False, False, False]))
    assert changed(TruncateUnknown(DETECTOR), before, APART).truncated.tolist() == [True, True, False, False]


def test_an_unknown_row_keeps_its_penalty_in_either_order() -> None:
    cut, penalize = TruncateUnknown(DETECTOR), Penalize(2.0, Measure(half))
    first = changed(penalize, changed(cut, four_rows(), APART), APART)
    second = changed(cut, changed(penalize, four_rows(), APART), APART)
    assert first.penalty.tolist() == [1.0, 1.0, 0.0, 0.0]  # the rewards of exploded rows are fixed
    assert first.reward.tolist() == [0.0, 1.0, -4.0, -4.0]
    for a, b in zip(first._tensors(), second._tensors(), strict=True):
        assert torch.equal(a, b)


def test_where_all_is_known_halting_and_truncating_are_the_same() -> None:
    everything = UnknownDetector(torch.ones(2), 5.0)  # the largest distance
    halted = changed(HaltUnknown(everything, -104.0), four_rows(), APART)
    cut = changed(TruncateUnknown(everything), four_rows(), APART)
    for a, b in zip(halted._tensors(), cut._tensors(), strict=True):
        assert torch.equal(a, b)


def test_an_episode_is_cut_where_members_disagree_too_much() -> None:
    """The threshold is 2.5, and obs₀ is 0, 1, 2, 3; every step yields 1 and is one to the right."""
    env = gym.make("PessimisticModel-v0", **halting_options(on_unknown="truncate"))
    env.reset(seed=0, options={"obs": np.zeros(2, np.float32)})
    course = []
    for _ in range(4):
        obs, reward, terminated, truncated, info = env.step(ACTION)
        course.append(
            (round(float(obs[0]), 3), round(float(reward), 3), terminated, truncated, info["halted"])
        )
    assert course == [(t + 1.0, 1.0, False, t == 3, t == 3) for t in range(4)]


def test_cuts_are_counted() -> None:
    options = halting_options(on_unknown="truncate", autoreset_mode="SameStep")
    envs: Any = gym.make_vec("PessimisticModel-v0", num_envs=3, **options)
    envs.reset(seed=0)
    for _ in range(10):
        envs.step(np.zeros((3, 1), np.float32))
    counter = envs.unwrapped.monitor
    assert isinstance(counter, TruncationCounter)
    assert (counter.n_halted, counter.n_episodes, counter.n_steps) == (6, 6, 30)


@pytest.mark.parametrize(("disagreement", "expected"), [("max_distance", 38.25 * 1.5), ("std", 185 / 36)])
def test_disagreements_of_the_toy_members_by_hand(disagreement: str, expected: float) -> None:
    """Variances of the members' means are 14/9, 3/2 and 8, those of the data 4/3, 2/3 and 2/3.

    So the deviation is the root of (7/6 + 9/4 + 12) / 3.
    """
    env: Any = gym.make("PessimisticModel-v0", **toy_options(disagreement=disagreement))
    env.reset(seed=0)
    assert env.step(ACTION)[4]["disagreement"] == pytest.approx(math.sqrt(expected), rel=1e-5)
    assert env.unwrapped.mdp.transform.detector.threshold == pytest.approx(math.sqrt(expected), rel=1e-5)


def test_the_largest_of_the_data_is_known() -> None:
    """The quantile 1, as in NEUBAY: no recorded pair is cut."""
    options = halting_options(on_unknown="truncate", threshold={"quantile": 1.0}, disagreement="std")
    env: Any = gym.make("PessimisticModel-v0", **options).unwrapped
    data = toy_transitions()
    step = env.mdp.step(data.obs, data.actions, torch.Generator().manual_seed(0))
    assert not step.truncated.any()
    assert step.extras["disagreement"].amax() == pytest.approx(env.mdp.transform.detector.threshold, rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"on_unknown": "stop"}, r"Unknown on_unknown 'stop'\. Valid: halt, truncate"),
        ({"disagreement": "norm"}, r"Unknown disagreement 'norm'\. Valid: max_distance, std"),
        ({"on_unknown": "truncate", "kappa": 5.0}, "leaves rewards as they are.* got kappa=5"),
        ({"on_unknown": "truncate", "absorbing": True}, "absorbing=True. Leave them out"),
    ],
)
def test_what_would_have_no_effect_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Halt(**settings)
