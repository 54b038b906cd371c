import importlib.util
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import WrapperSpec
from gymnasium.spaces import Box

from offline_envs.data import Transitions, load_transitions, with_history
from offline_envs.errors import SettingsError, SettingsTypeError
from offline_envs.simulator import LAYOUTS, ObsLayout, Pictures, has_pictures
from tests.drawing import draws, draws_positions
from tests.runs.tiny import DEMO
from tests.toy import toy_transitions

__all__ = ["draws", "draws_positions"]

UPRIGHT = np.array([0.0, 0, 0, 1, 1, 0, 0, 0, 0])
LEANING = np.array([0.5, np.sin(0.3), np.sin(-0.1), np.cos(0.3), np.cos(-0.1), 1, 2, 3, 0])


def test_what_is_drawn_is_the_state_of_the_observation(draws_positions: list[Any]) -> None:
    pictures = Pictures.of(load_transitions(DEMO))
    assert draws_positions == []  # nothing before it is asked for
    assert pictures.fps == 20
    first = pictures.draw(LEANING)
    assert (first.dtype, first.shape) == (np.uint8, (4, 6, 3))
    pictures.draw(UPRIGHT)
    np.testing.assert_allclose(draws_positions, [[0.5, 0.3, -0.1], [0.0, 0.0, 0.0]], atol=1e-12)
    pictures.close()
    pictures.close()
    assert pictures.draw(UPRIGHT).shape == (4, 6, 3)  # by another environment


def test_an_imagined_angle_is_that_of_its_sine_and_cosine(draws_positions: list[Any]) -> None:
    """A model's sines and cosines do not lie on the circle."""
    imagined = LEANING.copy()
    imagined[1:5] *= 1.7
    Pictures.of(load_transitions(DEMO)).draw(imagined)
    np.testing.assert_allclose(draws_positions, [[0.5, 0.3, -0.1]], atol=1e-12)


def test_of_a_history_the_newest_observation_is_drawn(draws_positions: list[Any]) -> None:
    stacked = with_history(load_transitions(DEMO), 2)
    pictures = Pictures.of(stacked)
    pictures.draw(np.concatenate([LEANING, [0.0], UPRIGHT]))
    np.testing.assert_allclose(draws_positions, [[0.5, 0.3, -0.1]], atol=1e-12)


def test_an_observation_that_is_not_finite_is_refused(draws_positions: list[Any]) -> None:
    with pytest.raises(SettingsError, match="Only finite observations can be drawn"):
        Pictures.of(load_transitions(DEMO)).draw(np.full(9, np.nan))
    assert draws_positions == []


def hopper(obs: Any, **keywords: Any) -> Transitions:
    """Two steps of a hopper."""
    spec = replace(gym.spec("Hopper-v5"), kwargs=keywords)
    rows = torch.as_tensor(np.stack([obs, obs]), dtype=torch.float32)
    return Transitions(
        obs=rows,
        actions=torch.zeros(2, 3),
        rewards=torch.zeros(2),
        next_obs=rows,
        terminated=torch.zeros(2, dtype=torch.bool),
        episode_starts=torch.tensor([0]),
        action_space=Box(-1.0, 1.0, (3,)),
        source="hops",
        env_spec=spec,
    )


def test_the_state_of_a_robot_is_qpos_behind_its_hidden_position(draws_positions: list[Any]) -> None:
    obs = np.array([1.25, 0.1, 0.2, 0.3, 0.4, 1, 2, 3, 4, 5, 6])
    Pictures.of(hopper(obs)).draw(obs)
    np.testing.assert_array_equal(draws_positions, [[0, 1.25, 0.1, 0.2, 0.3, 0.4]])


def test_observations_in_another_order_are_refused() -> None:
    """With x first, every angle would be drawn as that of the next joint."""
    shown = hopper(np.arange(12) + 1.0, exclude_current_positions_from_observation=False)
    with pytest.raises(SettingsTypeError, match=r"hops cannot be drawn.*set to observation 0, gives another"):
        Pictures.of(shown)


def test_observations_off_the_circle_or_through_a_wrapper_are_refused() -> None:
    demo = load_transitions(DEMO)
    doubled = replace(demo, obs=demo.obs * 3.0)
    with pytest.raises(SettingsTypeError, match=r"set to observation 0, gives another one, which differs"):
        Pictures.of(doubled)
    assert demo.env_spec is not None
    wrapper = WrapperSpec(
        "RescaleAction", "gymnasium.wrappers:RescaleAction", {"min_action": -1, "max_action": 1}
    )
    wrapped = replace(demo.env_spec, additional_wrappers=(wrapper,))
    with pytest.raises(SettingsTypeError, match="recorded through RescaleAction"):
        Pictures.of(replace(doubled, env_spec=wrapped))
    assert Pictures.of(replace(demo, env_spec=wrapped)).fps == 20  # observations are as they were


def test_data_of_an_unknown_environment_are_refused_by_name() -> None:
    toy = toy_transitions()
    assert not has_pictures(toy)
    reason = r"toy cannot be drawn.*toy does not name its environment \(pass env_id=\)\. Enter"
    with pytest.raises(SettingsTypeError, match=reason):
        Pictures.of(toy)
    few = replace(load_transitions(DEMO), env_spec=gym.spec("HalfCheetah-v5"))
    with pytest.raises(SettingsTypeError, match="needs 17 observation dimensions or more, the data have 9"):
        Pictures.of(few)


class Disc(gym.Env[Any, Any]):
    """A position, whose picture is as bright as it is."""

    observation_space, action_space = Box(0, 1, (2,)), Box(-1.0, 1.0, (1,))
    metadata = {"render_modes": ["rgb_array"], "render_fps": 7}  # noqa: RUF012
    position = 0.0

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode

    def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        return np.zeros(2), {}

    def render(self) -> Any:
        return np.full((2, 2, 3), 100 * self.position)


def set_disc(env: Any, obs: Any) -> Any:
    env.position = obs[0]
    return np.array([env.position, 2 * env.position])


def test_a_users_environment_is_drawn_by_the_users_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LAYOUTS, "_entries", dict(LAYOUTS._entries))
    gym.register("tests/Disc-v0", lambda **keywords: Disc(**keywords))
    try:
        LAYOUTS.register("tests/Disc-v0", ObsLayout(set_disc, obs_dim=2))
        toy = replace(toy_transitions(), env_spec=gym.spec("tests/Disc-v0"))
        with pytest.raises(
            SettingsTypeError, match="set to observation 1, gives another one, which differs by 2"
        ):
            Pictures.of(toy)  # observation 1 is (1, 0)
        seen = replace(toy, obs=torch.tensor([[0.25 * t, 0.5 * t] for t in range(9)]))
        pictures = Pictures.of(seen)
        assert pictures.fps == 7
        assert pictures.draw(np.array([0.5, 1.0])).tolist() == [[[50] * 3] * 2] * 2
    finally:
        gym.registry.pop("tests/Disc-v0")


def test_what_draws_with_pygame_is_refused_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pygame" else found(name))
    toy = toy_transitions()
    car = replace(toy, env_spec=gym.spec("MountainCarContinuous-v0"))
    with pytest.raises(SettingsTypeError, match=r"MountainCarContinuous-v0 draws with pygame: pip install"):
        Pictures.of(car)


def test_a_machine_that_cannot_draw_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    from gymnasium.envs.mujoco.mujoco_env import MujocoEnv

    def render(env: Any) -> None:
        raise RuntimeError("no display")

    monkeypatch.setattr(MujocoEnv, "render", render)
    with pytest.raises(
        SettingsError, match=r"drawn on this machine: RuntimeError: no display.*MUJOCO_GL=egl"
    ):
        Pictures.of(load_transitions(DEMO)).draw(UPRIGHT)


@pytest.mark.usefixtures("draws")
def test_a_picture_is_the_simulators_own() -> None:
    """Pixel by pixel that of an environment which was brought into the state by its own means."""
    pictures = Pictures.of(load_transitions(DEMO), width=64, height=48)
    real: Any = gym.make("InvertedDoublePendulum-v5", render_mode="rgb_array", width=64, height=48).unwrapped
    real.reset(seed=0)
    real.set_state(np.array([0.5, 0.3, -0.1]), np.array([1.0, 2, 3]))
    picture = pictures.draw(LEANING)
    assert picture.shape == (48, 64, 3)
    np.testing.assert_array_equal(picture, real.render())
    assert (pictures.draw(UPRIGHT) != picture).any()
    pictures.close()
    real.close()
