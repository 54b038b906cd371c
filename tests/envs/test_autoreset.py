"""The three autoreset modes, worked out on paper for an ensemble that moves obs₀ by 1 with reward 1."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import offline_envs  # noqa: F401  registers the environments
from offline_envs.errors import SettingsError
from tests.toy import counting_ensemble, right_of_six, toy_options

STARTS = np.array([[0.0, 0.0], [5.5, 0.0], [2.5, 0.0]], np.float32)
"""With 4 steps an episode: truncated at step 4; terminated at step 1; both at step 4."""

ACTIONS = np.zeros((3, 1), np.float32)
MODES = [mode.value for mode in AutoresetMode]


def make(mode: str, num_envs: int = 3, **changes: Any) -> Any:
    options = toy_options(
        model=counting_ensemble(), termination=right_of_six, start="initial", max_episode_steps=4, **changes
    )
    return gym.make_vec("LearnedModel-v0", num_envs=num_envs, autoreset_mode=mode, **options)


def firsts(obs: Any) -> list[float]:
    """obs₀ of every row to four digits, without the noise."""
    return [round(float(value), 4) for value in obs[:, 0]]


@pytest.mark.parametrize("output", ["numpy", "torch"])
def test_same_step_restarts_within_the_step(output: str) -> None:
    envs = make("SameStep", output=output)
    envs.reset(seed=0, options={"obs": STARTS})
    course = [envs.step(ACTIONS) for _ in range(5)]
    assert [firsts(obs) for obs, *_ in course] == [
        [1, 0, 3.5],
        [2, 1, 4.5],
        [3, 2, 5.5],
        [0, 3, 0],
        [1, 0, 1],
    ]
    assert [firsts(infos["final_obs"]) for *_, infos in course] == [
        [1, 6.5, 3.5],
        [2, 1, 4.5],
        [3, 2, 5.5],
        [4, 3, 6.5],
        [1, 4, 1],
    ]
    masks = [infos["_final_obs"].tolist() for *_, infos in course]
    terminated = [step[2].tolist() for step in course]
    truncated = [step[3].tolist() for step in course]
    nothing = [False] * 3
    assert masks == [[False, True, False], nothing, nothing, [True, False, True], [False, True, False]]
    assert terminated == [[False, True, False], nothing, nothing, [False, False, True], nothing]
    assert truncated == [nothing, nothing, nothing, [True, False, True], [False, True, False]]
    assert all(step[1] == pytest.approx([1, 1, 1], abs=1e-4) for step in course)


@pytest.mark.parametrize("output", ["numpy", "torch"])
def test_next_step_restarts_at_the_step_that_follows(output: str) -> None:
    envs = make("NextStep", output=output, step_infos=True)
    envs.reset(seed=0, options={"obs": STARTS})
    course = [envs.step(ACTIONS) for _ in range(6)]
    assert [firsts(obs) for obs, *_ in course] == [
        [1, 6.5, 3.5],
        [2, 0, 4.5],
        [3, 1, 5.5],
        [4, 2, 6.5],
        [0, 3, 0],
        [1, 4, 1],
    ]
    assert [[round(r) for r in step[1].tolist()] for step in course] == [
        [1, 1, 1],
        [1, 0, 1],
        [1, 1, 1],
        [1, 1, 1],
        [0, 1, 0],
        [1, 1, 1],
    ]
    assert course[1][1][1] == 0.0
    assert course[1][4]["raw_reward"][1] == 0.0
    nothing = [False] * 3
    assert [step[2].tolist() for step in course] == [
        [False, True, False],
        nothing,
        nothing,
        [False, False, True],
        nothing,
        nothing,
    ]
    assert [step[3].tolist() for step in course] == [
        nothing,
        nothing,
        nothing,
        [True, False, True],
        nothing,
        [False, True, False],
    ]
    assert all("final_obs" not in infos for *_, infos in course)


def test_next_step_does_not_restart_a_row_that_a_reset_restarted() -> None:
    envs = make("NextStep")
    envs.reset(seed=0, options={"obs": STARTS})
    _, _, terminations, _, _ = envs.step(ACTIONS)
    envs.reset(options={"reset_mask": terminations, "obs": STARTS + 1})
    obs, rewards, terminations, _, _ = envs.step(ACTIONS)
    assert firsts(obs) == [2, 7.5, 4.5]
    assert rewards == pytest.approx([1, 1, 1], abs=1e-4)
    assert terminations.tolist() == [False, True, False]
    envs.reset(seed=1)  # and a whole reset forgets what was finished
    assert envs.step(ACTIONS)[1] == pytest.approx([1, 1, 1], abs=1e-4)


@pytest.mark.parametrize("output", ["numpy", "torch"])
def test_disabled_leaves_the_restart_to_the_caller(output: str) -> None:
    envs = make("Disabled", output=output)
    envs.reset(seed=0, options={"obs": STARTS})
    obs, _, terminations, truncations, infos = envs.step(ACTIONS)
    assert firsts(obs) == [1, 6.5, 3.5]
    assert infos == {}
    with pytest.raises(ResetNeeded, match="1 of 3 episodes are over"):
        envs.step(ACTIONS)
    options = {"reset_mask": terminations | truncations}
    obs, _ = envs.reset(options=options)
    assert firsts(obs) == [1, 0, 3.5]
    assert list(options) == ["reset_mask"]
    assert firsts(envs.step(ACTIONS)[0]) == [2, 1, 4.5]


def test_disabled_accepts_a_mask_of_the_other_kind() -> None:
    envs = make("Disabled", output="torch")
    envs.reset(seed=0, options={"obs": STARTS})
    envs.step(ACTIONS)
    envs.reset(options={"reset_mask": np.array([False, True, False])})
    envs.step(torch.zeros(3, 1))
    envs = make("Disabled", output="numpy")
    envs.reset(seed=0, options={"obs": STARTS})
    envs.step(ACTIONS)
    envs.reset(options={"reset_mask": torch.tensor([False, True, False])})
    envs.step(torch.zeros(3, 1))


@pytest.mark.parametrize("mode", AutoresetMode)
def test_mode_is_announced_as_metadata_and_attribute(mode: AutoresetMode) -> None:
    for spelling in (mode, mode.value):
        envs = make(spelling)  # type: ignore[arg-type]
        assert envs.metadata["autoreset_mode"] is mode
        assert envs.autoreset_mode is mode


def test_unknown_mode_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(SettingsError, match=r"'same'\. Valid: Disabled, NextStep, SameStep"):
        make("same")


@settings(max_examples=40, deadline=None)
@given(
    mode=st.sampled_from(MODES),
    horizon=st.integers(1, 5),
    starts=hnp.arrays(np.float32, (4, 2), elements=st.sampled_from([0.5, 2.5, 4.5, 5.5])),
    length=st.integers(1, 12),
)
def test_rows_behave_as_episodes_played_one_by_one(
    mode: str, horizon: int, starts: np.ndarray, length: int
) -> None:
    """Follow each row with a few lines of plain Python, whatever the other rows do."""
    options = toy_options(model=counting_ensemble(), termination=right_of_six, start="initial")
    envs: Any = gym.make_vec(
        "LearnedModel-v0", num_envs=4, autoreset_mode=mode, max_episode_steps=horizon, **options
    )
    envs.reset(seed=0, options={"obs": starts})
    position, elapsed, over = starts[:, 0].astype(float), np.zeros(4), np.zeros(4, bool)
    for _ in range(length):
        obs, rewards, terminations, truncations, infos = envs.step(np.zeros((4, 1), np.float32))
        restarted = over if mode == "NextStep" else np.zeros(4, bool)
        position, elapsed = np.where(restarted, 0, position + 1), np.where(restarted, 0, elapsed + 1)
        assert terminations.tolist() == ((position > 6) & ~restarted).tolist()
        assert truncations.tolist() == ((elapsed >= horizon) & ~restarted).tolist()
        assert rewards == pytest.approx(np.where(restarted, 0, 1), abs=1e-4)
        over = terminations | truncations
        last = infos["final_obs"] if mode == "SameStep" else obs
        assert last[:, 0] == pytest.approx(position, abs=1e-4)
        if mode == "Disabled":
            obs, _ = envs.reset(options={"reset_mask": over})
        if mode != "NextStep":
            position, elapsed = np.where(over, 0, position), np.where(over, 0, elapsed)
            assert obs[:, 0] == pytest.approx(position, abs=1e-4)


def test_rows_outside_a_mask_may_hold_anything() -> None:
    envs = gym.make_vec("LearnedModel-v0", num_envs=3, autoreset_mode="Disabled", **toy_options())
    before, _ = envs.reset(seed=0)
    mask = np.array([False, True, False])
    starts = np.full((3, 2), np.nan, np.float32)
    starts[1] = 7.0
    obs, _ = envs.reset(options={"reset_mask": mask, "obs": starts})
    assert obs.tolist() == [before[0].tolist(), [7.0, 7.0], before[2].tolist()]
    with pytest.raises(SettingsError, match="must be finite"):
        envs.reset(options={"reset_mask": ~mask, "obs": starts})
