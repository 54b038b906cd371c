"""What a caller gives to `step` and `reset` of single and vector environments, and to those in wrappers."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import offline_envs  # noqa: F401  registers the environments
from offline_envs.errors import SettingsError
from offline_envs.wrappers import UncertaintyPenalty, vector
from tests.toy import WORST_REWARD, toy_options

NAN = float("nan")
ROW, ROWS = np.array([NAN]), np.array([[0.0], [NAN]])


def single(**changes: Any) -> Any:
    return gym.make("LearnedModel-v0", **toy_options(**changes))


def several(**changes: Any) -> Any:
    return gym.make_vec("LearnedModel-v0", 2, **toy_options(**changes))


@pytest.mark.parametrize(
    ("make", "action"),
    [
        (single, ROW),
        (single, torch.from_numpy(ROW)),
        (several, ROWS),
        (several, torch.from_numpy(ROWS)),
        (lambda: several(output="torch"), torch.from_numpy(ROWS)),
        (lambda: several(autoreset_mode="NextStep"), ROWS),
        (lambda: UncertaintyPenalty(single()), ROW),
        (lambda: vector.UncertaintyPenalty(several()), ROWS),
        (lambda: vector.HaltOnUnknown(several()), ROWS),
    ],
)
def test_an_action_that_is_not_a_number_is_refused(make: Any, action: Any) -> None:
    """It would end the episode with the dataset's lowest reward, as if the model had exploded."""
    env = make()
    env.reset(seed=0)
    with pytest.raises(SettingsError, match="actions must be finite"):
        env.step(action)
    assert env.unwrapped.n_exploded == 0


@pytest.mark.parametrize("method", ["LearnedModel-v0", "PenalizedModel-v0"])
def test_where_it_is_not_looked_for_the_row_explodes(method: str) -> None:
    """On a GPU nobody waits for the values: the model's prediction is not finite, and the guard counts it."""
    envs: Any = gym.make_vec(method, 2, **toy_options()).unwrapped
    envs.reset(seed=0)
    (_, reward, terminated, _), _ = envs._episodes.advance(torch.from_numpy(ROWS).float())
    assert terminated.tolist() == [False, True]
    assert float(reward[1]) == WORST_REWARD
    assert envs.n_exploded == 1


@pytest.mark.parametrize("make", [single, several])
def test_an_unknown_reset_option_is_refused_with_the_valid_ones(make: Any) -> None:
    env = make()
    with pytest.raises(SettingsError, match=r"Unknown option of reset 'observation'\. Valid: obs"):
        env.reset(options={"observation": [0.0, 0.0]})
    with pytest.raises(SettingsError, match=r"options\['obs'\] must be an array .* of numbers, got 'start'"):
        env.reset(options={"obs": "start"})


def test_a_mask_is_an_array_of_a_vector_environment() -> None:
    with pytest.raises(SettingsError, match=r"options\['reset_mask'\] must be an array or tensor"):
        several().reset(options={"reset_mask": "all"})
    with pytest.raises(SettingsError, match=r"Unknown option of reset 'reset_mask'\. Valid: obs"):
        single().reset(options={"reset_mask": [True]})
