import math
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import SAC
from stable_baselines3.common.logger import configure
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)

from offline_envs.errors import SettingsError
from offline_envs.sb3 import RealEvalCallback, SB3VecEnv, evaluate_in, mopo_schedule, save_policy
from tests.sb3.toy import ACTION_SPACE, CountingVectorEnv


class CountingEnv(gym.Env[Any, Any]):
    """The row of `CountingVectorEnv` that ends after four steps, in float64."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = ACTION_SPACE

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.t = 0
        return np.zeros(2), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.t += 1
        return np.array([0.0, self.t]), float(action[0]), False, self.t == 4, {}


def make_agent(**settings: Any) -> Any:
    return SAC(
        "MlpPolicy",
        SB3VecEnv(CountingVectorEnv([9, 9], horizon=2)),
        **mopo_schedule(2, 2, transitions_per_gradient_step=2, retained_transitions=100),
        batch_size=4,
        policy_kwargs={"net_arch": [4]},
        device="cpu",
        seed=0,
        **settings,
    )


def test_it_evaluates_at_each_multiple_and_at_the_end(tmp_path: Path) -> None:
    callback = RealEvalCallback(CountingEnv, every=4, n_episodes=2, folder=tmp_path)
    agent = make_agent().learn(20, callback, log_interval=None)  # 5 cycles of 4 transitions, 2 updates
    assert [record.gradient_steps for record in callback.history] == [4, 8, 10]
    assert [record.timesteps for record in callback.history] == [8, 16, 20]
    last = callback.history[-1].result
    assert last.lengths.tolist() == [4, 4]
    assert last.returns.tolist() == evaluate_in(CountingEnv(), agent, n_episodes=2).returns.tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best_policy.zip", "last_policy.zip"]


def test_an_environment_of_other_spaces_is_refused_before_training() -> None:
    agent = make_agent()
    with pytest.raises(SettingsError, match=r"observation space of the agent, of shape \(2,\); .*Pendulum"):
        agent.learn(20, RealEvalCallback(gym.make("Pendulum-v1"), every=4))
    assert agent.num_timesteps == 0


def test_the_saved_policies_are_the_best_and_the_last(tmp_path: Path) -> None:
    callback = RealEvalCallback(CountingEnv, every=2, n_episodes=1, folder=tmp_path)
    make_agent(learning_rate=0.1).learn(40, callback, log_interval=None)
    means = [record.result.mean for record in callback.history]
    assert max(means) != means[-1]
    for name, expected in (("best_policy", max(means)), ("last_policy", means[-1])):
        policy = SAC.load(tmp_path / name, device="cpu")
        assert evaluate_in(CountingEnv, policy, n_episodes=1).mean == pytest.approx(expected)
    assert callback.best_return == max(means)


def test_training_is_the_same_with_and_without_it() -> None:
    with_callback = make_agent().learn(20, RealEvalCallback(CountingEnv, every=2, n_episodes=1))
    without = make_agent().learn(20)
    obs = np.ones(2, np.float32)
    actions: Any = [agent.predict(obs, deterministic=True)[0] for agent in (with_callback, without)]
    assert np.array_equal(*actions)


def test_figures_reach_tensorboard_with_those_of_sb3(tmp_path: Path) -> None:
    agent = make_agent()
    agent.set_logger(configure(str(tmp_path), ["tensorboard"]))
    agent.learn(20, RealEvalCallback(CountingEnv, every=4, n_episodes=1), log_interval=None)
    agent.logger.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    tags = set(events.Tags()["scalars"])
    assert {
        "real/return",
        "real/return_std",
        "real/length",
        "rollout/ep_rew_mean",
        "train/critic_loss",
    } <= tags
    assert "real/normalized_score" not in tags
    assert [event.step for event in events.Scalars("real/gradient_steps")] == [8, 16, 20]


def test_a_resumed_run_keeps_a_better_policy_and_its_evaluation_interval(tmp_path: Path) -> None:
    agent = make_agent().learn(12)  # 6 updates
    callback = RealEvalCallback(CountingEnv, every=4, n_episodes=1, folder=tmp_path, best_return=math.inf)
    agent.learn(12, callback, reset_num_timesteps=False)
    assert [record.gradient_steps for record in callback.history] == [8, 12]
    assert [path.name for path in tmp_path.iterdir()] == ["last_policy.zip"]


def test_a_line_is_printed_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    make_agent().learn(
        4, RealEvalCallback(CountingEnv(), every=2, n_episodes=1, verbose=1), log_interval=None
    )
    assert "2 gradient steps: real return" in capsys.readouterr().out


def test_a_failed_save_leaves_the_old_file_alone(tmp_path: Path) -> None:
    class Failing:
        def save(self, file: Any) -> None:
            file.write(b"half")
            raise OSError("disk full")

    path = tmp_path / "policy.zip"
    path.write_bytes(b"whole")
    with pytest.raises(OSError, match="disk full"):
        save_policy(Failing(), path)  # type: ignore[arg-type]
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_settings_are_checked() -> None:
    with pytest.raises(SettingsError, match="at least 1, got 0 and 10"):
        RealEvalCallback(CountingEnv, every=0)
