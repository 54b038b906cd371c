"""Histories of many episodes at once: each row is the single wrapper's, in every autoreset mode."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

import offline_envs  # noqa: F401  registers the environments
from offline_envs.errors import SettingsError
from offline_envs.wrappers import HistoryObservation as Single
from offline_envs.wrappers.vector import HistoryObservation
from tests.data.history.test_wrapper import Counter
from tests.toy import toy_options

LIMITS = (2, 3)
"""Lengths of the episodes of the two rows."""


def made(mode: AutoresetMode, history: int = 3) -> HistoryObservation:
    envs = SyncVectorEnv(
        [lambda limit=limit: TimeLimit(Counter(), limit) for limit in LIMITS],  # type: ignore[misc]
        autoreset_mode=mode,
    )
    return HistoryObservation(envs, history)


def alone(limit: int, actions: list[float], history: int = 3) -> list[list[float]]:
    """Observations of one episode that takes these actions, from seed 0 or none."""
    env = Single(TimeLimit(Counter(), limit), history)
    course = [env.reset(seed=0)[0], *(env.step(np.array([a], np.float32))[0] for a in actions)]
    return [obs.tolist() for obs in course]


def step(envs: HistoryObservation, action: float) -> tuple[Any, dict[str, Any]]:
    obs, *_, infos = envs.step(np.full((2, 1), action, np.float32))
    return obs.tolist(), infos


def test_same_step_rows_restart_with_a_fresh_history() -> None:
    envs = made(AutoresetMode.SAME_STEP)
    assert envs.reset(seed=[0, 0])[0].tolist() == [alone(2, [])[0], alone(3, [])[0]]
    assert step(envs, 1.5)[0] == [alone(2, [1.5])[1], alone(3, [1.5])[1]]
    obs, infos = step(envs, 2.0)
    assert obs == [alone(2, [])[0], alone(3, [1.5, 2.0])[2]]
    assert infos["final_obs"][0].tolist() == alone(2, [1.5, 2.0])[2]
    assert infos["final_obs"][1] is None
    assert step(envs, 1.0)[0] == [alone(2, [1.0])[1], alone(3, [])[0]]


def test_next_step_rows_restart_one_step_later() -> None:
    envs = made(AutoresetMode.NEXT_STEP)
    envs.reset(seed=[0, 0])
    step(envs, 1.5)
    assert step(envs, 2.0)[0] == [alone(2, [1.5, 2.0])[2], alone(3, [1.5, 2.0])[2]]
    assert step(envs, 1.0)[0] == [alone(2, [])[0], alone(3, [1.5, 2.0, 1.0])[3]]
    assert step(envs, 1.25)[0] == [alone(2, [1.25])[1], alone(3, [])[0]]


def test_rows_that_do_not_restart_are_reset_by_a_mask() -> None:
    envs = made(AutoresetMode.DISABLED)
    envs.reset(seed=[0, 0])
    step(envs, 1.5)
    step(envs, 2.0)
    obs, _ = envs.reset(options={"reset_mask": np.array([True, False])})
    assert obs.tolist() == [alone(2, [])[0], alone(3, [1.5, 2.0])[2]]
    assert step(envs, 1.0)[0] == [alone(2, [1.0])[1], alone(3, [1.5, 2.0, 1.0])[3]]


def test_dense_last_observations_get_their_history_too() -> None:
    class Dense(SyncVectorEnv):
        def step(self, actions: Any) -> Any:
            *outcome, infos = super().step(actions)
            if "final_obs" in infos:
                rows = [np.zeros(2, np.float32) if obs is None else obs for obs in infos["final_obs"]]
                infos["final_obs"] = np.array(rows, np.float32)
            return *outcome, infos

    inner = Dense([lambda: TimeLimit(Counter(), 2)], autoreset_mode=AutoresetMode.SAME_STEP)
    envs = HistoryObservation(inner, 3)
    envs.reset(seed=[0])
    envs.step(np.full((1, 1), 1.5, np.float32))
    infos = envs.step(np.full((1, 1), 2.0, np.float32))[4]
    assert infos["final_obs"].tolist() == [alone(2, [1.5, 2.0])[2]]


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_observations_lie_in_their_space_whatever_the_actions(mode: AutoresetMode) -> None:
    """Actions of float64, the first below its bound and the second above, also in the last observations."""
    envs = made(mode)
    assert envs.reset(seed=[0, 0])[0].dtype == np.float32
    for _ in range(3):
        obs, *_, infos = envs.step(np.array([[0.5], [3.0]]))
        assert obs.dtype == np.float32
        assert envs.observation_space.contains(obs)
        for final in infos.get("final_obs", []):
            assert final is None or envs.single_observation_space.contains(final)


def test_a_history_of_one_changes_nothing() -> None:
    envs = made(AutoresetMode.SAME_STEP, history=1)
    assert envs.observation_space == envs.env.observation_space
    envs.reset(seed=[0, 0])
    assert step(envs, 1.5)[0] == [[1, 1.5], [1, 1.5]]


def test_a_learned_environment_takes_the_history_itself() -> None:
    envs = gym.make_vec("LearnedModel-v0", num_envs=2, **toy_options())
    with pytest.raises(SettingsError, match="give history= to"):
        HistoryObservation(envs, 2)


def test_an_environment_has_to_say_when_rows_restart() -> None:
    envs = SyncVectorEnv([Counter])
    envs.metadata = {}
    with pytest.raises(SettingsError, match="autoreset_mode"):
        HistoryObservation(envs, 2)
