"""Programs that never ask for the autoreset mode are told when they read rows of another than theirs."""

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import offline_envs  # noqa: F401  registers the environments
from tests.toy import toy_options

ACTIONS = np.zeros((2, 1), np.float32)


def step_by(module: str, envs: Any) -> None:
    """Step from a function of another module, through one of the user's."""
    theirs: dict[str, Any] = {"__name__": module}
    exec("def run(step):\n    return step()", theirs)
    theirs["run"](lambda: envs.step(ACTIONS))


def made(**options: Any) -> Any:
    envs = gym.make_vec("LearnedModel-v0", 2, **toy_options(**options))
    envs.reset(seed=0)
    return envs


@pytest.mark.parametrize(
    ("module", "mode", "remedy"),
    [
        ("ray.rllib.env.single_agent_env_runner", "SameStep", '"autoreset_mode": "NextStep"'),
        ("ray.rllib.env.single_agent_env_runner", "Disabled", '"autoreset_mode": "NextStep"'),
        ("skrl.envs.wrappers.torch.gymnasium_envs", "NextStep", 'autoreset_mode="SameStep"'),
    ],
)
def test_wrong_rows_are_warned_of_once(module: str, mode: str, remedy: str) -> None:
    envs = made(autoreset_mode=mode)
    with pytest.warns(UserWarning, match=f"autoreset_mode='{mode}'.*wrong rows.*{remedy}"):
        step_by(module, envs)
    step_by(module, envs)  # a second warning would be an error


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("ray.rllib.env.single_agent_env_runner", {}),
        ("ray.rllib.env.single_agent_env_runner", {"autoreset_mode": "NextStep"}),
        ("skrl.envs.wrappers.torch.gymnasium_envs", {"autoreset_mode": "SameStep"}),
        ("ray.tune", {"autoreset_mode": "SameStep"}),
        ("skrl_of_mine", {}),
        ("__main__", {"autoreset_mode": "Disabled"}),
    ],
)
def test_others_hear_nothing(module: str, options: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step_by(module, made(**options))
