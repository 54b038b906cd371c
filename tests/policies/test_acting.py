from typing import Any

import numpy as np

from offline_envs.policies import Acting


class Counting:
    """Acts by the number of steps that it remembers."""

    def predict(self, observation: Any, state: int | None = None, *, deterministic: bool) -> tuple[Any, int]:
        del observation  # Unused.
        steps = 0 if state is None else state
        return (steps, deterministic), steps + 1


class Forgetful:
    """Takes no state, as a user's policy may."""

    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, str]:
        del deterministic  # Unused.
        return observation, "of use to its author"


def test_a_state_is_passed_on_within_an_episode() -> None:
    act = Acting(Counting())
    assert [act(0.0) for _ in range(3)] == [(0, True), (1, True), (2, True)]
    act.begin()
    assert act(0.0) == (0, True)
    assert Acting(Counting(), deterministic=False)(0.0) == (0, False)


def test_a_policy_that_takes_no_state_is_given_none() -> None:
    act = Acting(Forgetful())
    obs = np.ones(2)
    assert act(obs) is obs
    assert act(obs) is obs
