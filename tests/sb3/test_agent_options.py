from typing import Any

import pytest
from stable_baselines3 import SAC, TD3

from offline_envs.agents import AGENTS
from offline_envs.errors import SettingsError
from offline_envs.sb3 import agent_class, check_values, constructor_options


class Passing(SAC):
    """Takes an option of its own, and passes the others on."""

    def __init__(self, *args: Any, own: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.own = own


class Further(Passing):
    """Inherits its constructor."""


class Closed(TD3):
    """Takes no option but its own."""

    def __init__(self, policy: Any, env: Any, own: float = 1.0) -> None:
        super().__init__(policy, env)
        self.own = own


def test_options_that_are_passed_on_count() -> None:
    assert set(constructor_options(SAC)) >= {"learning_rate", "gamma", "policy_kwargs"}
    assert set(constructor_options(Passing)) == {*constructor_options(SAC), "own"}
    assert constructor_options(Further) == constructor_options(Passing)
    assert constructor_options(Closed) == {"policy": Any, "env": Any, "own": float}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": "1e-3"}, r"learning_rate must be of type float \| function, got '1e-3'"),
        ({"learning_rate": -1e-3}, "learning_rate must be at least 0, got -0.001"),
        ({"gamma": 2}, "gamma must be between 0 and 1, got 2"),
        ({"gamma": None}, "gamma must be of type float, got None"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": 64.0}, "batch_size must be of type int, got 64.0"),
        ({"policy_kwargs": [1]}, r"policy_kwargs must be of type dict \| None, got \[1\]"),
        ({"use_sde": "no"}, "use_sde must be of type bool, got 'no'"),
        ({"own": "1"}, "own must be of type float, got '1'"),
    ],
)
def test_values_that_cannot_be_trained_by_are_refused(options: dict[str, Any], message: str) -> None:
    """Stable-Baselines3 takes γ = 2 and batches of no rows, and trains policies of NaN."""
    with pytest.raises(SettingsError, match=message):
        check_values(Passing, options)


@pytest.mark.parametrize("name", AGENTS)
def test_ordinary_values_are_taken(name: str) -> None:
    options = {"learning_rate": 1e-4, "gamma": 1, "batch_size": 64, "policy_kwargs": {"net_arch": [8]}}
    check_values(agent_class(name), {**options, "verbose": 0, "tensorboard_log": None})
