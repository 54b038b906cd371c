"""Pictures of learned environments. Without OpenGL, except for those that are marked."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

import offline_envs  # noqa: F401  registers the environments
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.envs import entry_points
from offline_envs.errors import SettingsError, SettingsTypeError
from offline_envs.sb3 import SB3VecEnv
from offline_envs.simulator import Pictures
from tests.drawing import draws, draws_positions
from tests.runs.tiny import DEMO

__all__ = ["draws", "draws_positions"]

LEANING = np.array([0.5, np.sin(0.3), np.sin(-0.1), np.cos(0.3), np.cos(-0.1), 1, 2, 3, 0], np.float32)
ACTION = np.zeros(1, np.float32)
RGB: dict[str, Any] = {"render_mode": "rgb_array"}


def options(**changes: Any) -> dict[str, Any]:
    """A model with the weights that it began with: it moves, and where to is all the same."""
    model = EnsembleDynamics(9, 1, settings=EnsembleSettings(n_members=2, n_elites=1, hidden=(4,)))
    return {"dataset": DEMO, "model": model.eval(), **changes}


def positions(obs: Any) -> list[float]:
    """The positions that an observation of the double pendulum tells."""
    angles = np.arctan2(obs[1:3].astype(float), obs[3:5].astype(float))
    return [float(obs[0]), *angles.tolist()]


def test_the_current_observation_is_drawn(draws_positions: list[Any]) -> None:
    env = gym.make("LearnedModel-v0", **options(**RGB))
    assert env.render_mode == "rgb_array"
    assert env.metadata == {"render_modes": ["rgb_array"], "render_fps": 20}
    env.reset(seed=0, options={"obs": LEANING})
    picture: Any = env.render()
    assert (picture.dtype, picture.shape) == (np.uint8, (4, 6, 3))
    obs = env.step(ACTION)[0]
    env.render()
    np.testing.assert_allclose(draws_positions, [[0.5, 0.3, -0.1], positions(obs)], atol=1e-6)
    env.close()


def test_every_row_of_a_vector_environment_is_drawn(draws_positions: list[Any]) -> None:
    envs: Any = gym.make_vec("PenalizedModel-v0", 3, **options(**RGB))
    assert envs.render_mode == "rgb_array"
    assert envs.metadata["render_modes"] == ["rgb_array"]
    assert envs.metadata["render_fps"] == 20
    envs.reset(seed=0)
    obs = envs.step(np.zeros((3, 1), np.float32))[0]
    pictures = envs.render()
    assert isinstance(pictures, tuple)
    assert [picture.shape for picture in pictures] == [(4, 6, 3)] * 3
    np.testing.assert_allclose(draws_positions, [positions(row) for row in obs], atol=1e-6)
    tiled: Any = SB3VecEnv(envs).render("rgb_array")
    assert tiled.shape == (8, 12, 3)
    envs.close()


def steps(env: Any, *, draw: bool) -> list[Any]:
    """Observations and rewards of a few steps."""
    found = [env.reset(seed=3)[0].tolist()]
    for _ in range(4):
        obs, reward, *_ = env.step(np.full(env.action_space.shape, 0.25, np.float32))
        found.append((obs.tolist(), np.asarray(reward).tolist()))
        if draw:
            env.render()
    return found


@pytest.mark.usefixtures("draws_positions")
@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_pictures_change_no_number(make: Any) -> None:
    model = options()["model"]
    plain = steps(make("LearnedModel-v0", **options(model=model)), draw=False)
    assert steps(make("LearnedModel-v0", **options(model=model, **RGB)), draw=True) == plain


def test_without_a_render_mode_no_simulator_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_: Any, **__: Any) -> None:
        raise AssertionError("a simulator was made")

    monkeypatch.setattr(Pictures, "of", unexpected)
    env = gym.make("LearnedModel-v0", **options())
    assert (env.render_mode, env.metadata) == (None, {"render_modes": ["rgb_array"]})
    env.reset(seed=0)
    with pytest.raises(SettingsError, match=r'render\(\) needs render_mode="rgb_array"'):
        env.unwrapped.render()


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_before_the_first_reset_there_is_nothing_to_draw(make: Any) -> None:
    with pytest.raises(ResetNeeded):
        make("LearnedModel-v0", **options(**RGB)).render()


def test_what_cannot_be_drawn_is_refused_before_a_model_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_: Any, **__: Any) -> None:
        raise AssertionError("a model was made")

    monkeypatch.setattr(entry_points, "assemble", unexpected)
    time = np.arange(4, dtype=np.float32)[:, None]
    arrays = {
        "observations": time,
        "actions": np.zeros((4, 1), np.float32),
        "rewards": np.zeros(4, np.float32),
        "next_observations": time + 1,
        "terminals": np.array([False, False, False, True]),
    }
    with pytest.raises(SettingsTypeError, match="cannot be drawn, so render_mode must be None"):
        gym.make("LearnedModel-v0", dataset=arrays, **RGB)


@pytest.mark.usefixtures("draws_positions")
def test_a_list_of_pictures_is_collected_by_gymnasium() -> None:
    env = gym.make("LearnedModel-v0", **options(render_mode="rgb_array_list"))
    env.reset(seed=0)
    env.step(ACTION)
    frames: Any = env.render()
    assert [frame.shape for frame in frames] == [(4, 6, 3)] * 2


def closing(env: Any, monkeypatch: pytest.MonkeyPatch, drawn: Callable[[], Any]) -> int:
    """How many simulators are closed with the environment."""
    closed: list[int] = []
    from gymnasium.envs.mujoco.mujoco_env import MujocoEnv

    env.reset(seed=0)
    drawn()
    monkeypatch.setattr(MujocoEnv, "close", lambda env: closed.append(1))
    env.close()
    return len(closed)


@pytest.mark.usefixtures("draws_positions")
def test_the_simulator_is_closed_with_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    env = gym.make("LearnedModel-v0", **options(**RGB))
    assert closing(env, monkeypatch, env.render) == 1
    envs = gym.make_vec("LearnedModel-v0", 2, **options(**RGB))
    assert closing(envs, monkeypatch, envs.render) == 1


@pytest.mark.usefixtures("draws_positions")
@pytest.mark.parametrize("vector", [False, True])
def test_gymnasium_records_a_video(tmp_path: Path, vector: bool) -> None:
    """What `--capture-video` of CleanRL's scripts does."""
    pytest.importorskip("moviepy", reason="Gymnasium writes videos with moviepy")
    env: Any
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moviepy's own
        if vector:
            env = gym.make_vec("LearnedModel-v0", 2, **options(**RGB))
            env = gym.wrappers.vector.RecordVideo(env, str(tmp_path), episode_trigger=lambda n: n == 0)
        else:
            env = gym.make("LearnedModel-v0", **options(**RGB))
            env = gym.wrappers.RecordVideo(env, str(tmp_path))
        env.reset(seed=0)
        for _ in range(8):
            env.step(np.zeros(env.action_space.shape, np.float32))
        env.close()
    assert [path.suffix for path in tmp_path.iterdir()][:1] == [".mp4"]


@pytest.mark.usefixtures("draws")
def test_a_real_picture_of_an_imagined_state() -> None:
    env = gym.make("LearnedModel-v0", **options(**RGB))
    env.reset(seed=0, options={"obs": LEANING})
    first: Any = env.render()
    assert first.shape == (480, 480, 3)
    env.reset(seed=0, options={"obs": LEANING * np.array([1, -1, -1, 1, 1, 1, 1, 1, 1], np.float32)})
    mirrored: Any = env.render()
    assert (first != mirrored).any()
    env.close()
