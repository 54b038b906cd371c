"""`SB3VecEnv` restarts the rows of a learned environment itself, whatever mode it was made in."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from offline_envs.errors import SettingsError
from offline_envs.sb3 import SB3VecEnv
from offline_envs.wrappers import vector
from tests.toy import toy_options


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("mode", ["NextStep", "Disabled"])
def test_a_learned_environment_gives_the_same_numbers_in_every_mode(mode: str, output: str) -> None:
    """Rows restart within the step, as SB3 expects, with the random numbers of same-step autoreset."""
    options = toy_options(max_episode_steps=3, output=output)
    same, other = (
        SB3VecEnv(gym.make_vec("LearnedModel-v0", 4, autoreset_mode=given, **options))
        for given in ("SameStep", mode)
    )
    assert other.env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    for envs in (same, other):
        envs.seed(3)
    np.testing.assert_array_equal(same.reset(), other.reset())
    for _ in range(7):
        actions = np.random.default_rng(0).uniform(-1, 1, (4, 1)).astype(np.float32)
        both = [envs.step(actions) for envs in (same, other)]
        for one, two in zip(*(step[:3] for step in both), strict=True):
            np.testing.assert_array_equal(one, two)
        last = [[info.get("terminal_observation") for info in step[3]] for step in both]
        np.testing.assert_equal(last[0], last[1])


def test_another_mode_inside_a_wrapper_is_refused() -> None:
    """The wrapper was made for the rows of that mode."""
    envs = vector.UncertaintyPenalty(gym.make_vec("LearnedModel-v0", 2, **toy_options()))
    with pytest.raises(SettingsError, match=r"got AutoresetMode\.NEXT_STEP.*also if a wrapper"):
        SB3VecEnv(envs)
